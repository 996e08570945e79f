"""Threads that can be waited for when a signal comes."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Waited(threading.Thread):
    """A thread whose end is its own to tell; it holds up no end of the process.

    `join` and `is_alive` take it for ended once a signal's handler has raised within them, though it works on: so
    Python 3.11 and 3.12 (gh-90882). Who would close what it works with waits with `wait`, in one thread at a time.
    """

    has_ended = False

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        super().__init__(name=name, target=work, daemon=True)
        self._gate = threading.Lock()
        self._gate.acquire()

    def run(self) -> None:
        """Does its work, and tells when it is through."""
        try:
            super().run()
        finally:
            self.has_ended = True
            self._gate.release()

    def wait(self, seconds: float = -1) -> bool:
        """Whether it ended, within so many seconds if it is told them."""
        # Where what a signal raises comes between these two, it has ended, and nobody asks at the gate again.
        if not self.has_ended:
            self._gate.acquire(timeout=seconds)
        return self.has_ended

    @property
    def is_working(self) -> bool:
        """Whether it was started and has not ended."""
        return self.ident is not None and not self.has_ended

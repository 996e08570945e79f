"""Large bodies one at a time: what a single one may take of the memory, eight at once may not."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

# So often is looked whether the client was closed meanwhile, in seconds.
PERIOD = 0.1


class Gate:
    """Lets one through at a time; any number of threads of one client share it."""

    def __init__(self, stopped: threading.Event) -> None:
        self.stopped = stopped
        self.free = threading.Semaphore()


class Visit:
    """One request's way through the gate: it may `enter`, and has left where its `with` ends."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._is_inside = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_inside:
            self._gate.free.release()
            self._is_inside = False

    def enter(self, deadline: float) -> bool:
        """Waits for its turn; false where that does not come before the deadline, or the client is closed."""
        while not self._is_inside:
            left = deadline - time.monotonic()
            if left <= 0 or self._gate.stopped.is_set():
                return False
            self._is_inside = self._gate.free.acquire(timeout=min(left, PERIOD))
        return True

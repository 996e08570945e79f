"""A run that stands still in the middle, for what somebody else does meanwhile."""

from __future__ import annotations

import threading

from conversync.sandbox import Fault, Sandbox
from tests.process.support import FEED


class Gate:
    """A vendor that keeps the first run waiting at its first page until it is opened."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._reached, self._open = threading.Event(), threading.Event()
        sandbox.faults.add(Fault(path=FEED, times=1, action=self._wait))

    def _wait(self) -> None:
        self._reached.set()
        self._open.wait(60)

    def reached(self) -> None:
        """Waits until a run is there: it holds what it locks."""
        assert self._reached.wait(60)

    def open(self) -> None:
        """Lets it go on."""
        self._open.set()

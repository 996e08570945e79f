"""Sources side by side: one of them works at a time, and whoever waits for a vendor lets the others go on.

So nothing but waiting happens at the same time: not two commits, not two uses of what dlt or a database keeps for all.
"""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Generic, Protocol, TypeVar
from weakref import WeakSet

from conversync.http.threads import Waited

Outcome = TypeVar("Outcome")


class Closing(Protocol):
    """What ends the waits of other threads when it is closed."""

    def close(self) -> None:
        """Ends them at once."""


class EndedError(BaseException):
    """The run is ending. No `Exception`, for nobody is to go on, nor a KeyboardInterrupt, which dlt would wrap."""


class Turns:
    """The right to work, which goes to those who ask for it in the order of their asking."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking: deque[tuple[int, threading.Lock]] = deque()
        self._whose: int | None = None
        self._ended = False
        self._to_close: WeakSet[Closing] = WeakSet()

    @property
    def is_mine(self) -> bool:
        """Whether the thread that asks has it."""
        return self._whose == threading.get_ident()

    def take(self) -> None:
        """Waits for it; EndedError where the run ends before."""
        mine = threading.get_ident()
        with self._lock:
            if self._whose is None and not self._ended:
                self._whose = mine
                return
            if not self._ended:
                gate = threading.Lock()
                gate.acquire()
                self._asking.append((mine, gate))
        if not self._ended:
            gate.acquire()
        if self._ended:
            raise EndedError

    def give(self) -> None:
        """Hands it to the one who has asked for it longest."""
        with self._lock:
            if self._whose != threading.get_ident():
                return
            self._whose = None
            if self._asking and not self._ended:
                self._whose, gate = self._asking.popleft()
                gate.release()

    def close_at_end(self, one: Closing) -> None:
        """What is to be closed when the run ends before its time."""
        self._to_close.add(one)

    def end(self) -> None:
        """Nobody goes on: waits end at once, and who works stops where it is, as the main thread does at a signal."""
        with self._lock:
            self._ended = True
            if self._whose is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self._whose), ctypes.py_object(EndedError)
                )
            for _, gate in self._asking:
                gate.release()
            self._asking.clear()
        for one in list(self._to_close):
            one.close()


_turns: ContextVar[Turns | None] = ContextVar("turns of the sources", default=None)


class _Source(Waited, Generic[Outcome]):
    """A job in a thread of its own."""

    _outcome: Outcome

    def __init__(self, turns: Turns, job: Callable[[], Outcome], number: int) -> None:
        super().__init__(f"source-{number}", self._begin)
        self._error: BaseException | None = None
        self._turns, self._job = turns, job
        self._context = copy_context()

    def _begin(self) -> None:
        try:
            self._context.run(self._work)
        except EndedError:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised again where the jobs are waited for
            self._error = error

    def result(self) -> Outcome:
        """What the job returned; what it raised is raised. It has ended."""
        if self._error is not None:
            raise self._error
        return self._outcome

    def _work(self) -> None:
        _turns.set(self._turns)
        self._turns.take()
        try:
            self._outcome = self._job()
        finally:
            self._turns.give()


def side_by_side(jobs: Sequence[Callable[[], Outcome]]) -> list[Outcome]:
    """What the jobs return, in their order. Each has a thread, and works while it is its turn.

    The first error of a job is raised when all of them are done. What is raised here meanwhile, as by a signal, ends
    them, and passes when they have ended.
    """
    if len(jobs) == 1:
        return [jobs[0]()]
    turns = Turns()
    sources = [_Source(turns, job, number) for number, job in enumerate(jobs)]
    try:
        for source in sources:
            source.start()
        for source in sources:
            source.wait()
    except BaseException:
        turns.end()
        for source in sources:
            if source.is_working:
                source.wait()
        raise
    return [source.result() for source in sources]


@contextmanager
def away() -> Iterator[None]:
    """Within, others may work; who has no turn waits as ever. EndedError where the run ends meanwhile."""
    turns = _turns.get()
    if turns is None or not turns.is_mine:
        yield
        return
    turns.give()
    try:
        yield
    finally:
        turns.take()


def close_at_end(one: Closing) -> None:
    """Has something closed when the run that it belongs to ends before its time."""
    if (turns := _turns.get()) is not None:
        turns.close_at_end(one)

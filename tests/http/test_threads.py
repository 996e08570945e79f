"""Who works in threads is waited for, also where a signal comes meanwhile."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from conversync.http.source_turns import away, side_by_side
from conversync.http.threads import Waited


class StoppedError(Exception):
    """What the signal's handler raises."""


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """Of this signal, for a test."""

    def stop(*_: object) -> None:
        raise StoppedError

    before = signal.signal(signal.SIGUSR1, stop)
    yield
    signal.signal(signal.SIGUSR1, before)


def signalled(told: list[str], name: str) -> None:
    """A signal for the main thread, and some more work."""
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGUSR1)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        time.sleep(0.01)
    told.append(name)


def test_a_signal_takes_nobody_for_ended_who_works() -> None:
    """Neither the wait that it ends, nor those after it."""
    told: list[str] = []
    thread = Waited("one", lambda: signalled(told, "one"))
    assert not thread.is_working
    thread.start()
    with pytest.raises(StoppedError):
        thread.wait()
    assert thread.is_working
    assert not thread.wait(0.05)
    assert thread.wait()
    assert told == ["one"]
    assert not thread.is_working
    assert thread.wait()


@pytest.mark.parametrize("first", [True, False])
def test_after_a_signal_no_source_works_any_more(first: bool) -> None:
    """Whichever of them works when it comes: what they work with is closed next."""
    told: list[str] = []
    release = threading.Event()

    def waits() -> None:
        with away():
            release.wait(2.0)

    def works() -> None:
        try:
            signalled(told, "worked on")
        finally:
            time.sleep(0.3)
            told.append("ended")
            release.set()

    jobs: list[Callable[[], None]] = [works, waits] if first else [waits, works]
    with pytest.raises(StoppedError):
        side_by_side(jobs)
    assert told == ["ended"], "it stops where it is, and is waited for"

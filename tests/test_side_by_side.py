"""How many requests are out at a time: many while a vendor is waited for, few while we only wait for ourselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from conversync.extract.parallel import ordered_parallel_map

MOST = 6


def widths(work: Callable[[], None], questions: int = 60) -> list[int]:
    """How many were out when each was asked, of `questions` that each take `work`."""
    lock, out, seen = threading.Lock(), 0, []

    def ask(question: int) -> int:
        nonlocal out
        with lock:
            out += 1
            seen.append(out)
        work()
        with lock:
            out -= 1
        return question

    assert list(ordered_parallel_map(ask, range(questions), MOST)) == list(range(questions))
    return seen


def compute() -> None:
    """Ten milliseconds of a CPU, however long they take."""
    end = time.thread_time() + 0.01
    while time.thread_time() < end:
        pass


def test_a_vendor_that_is_waited_for_is_asked_as_often_as_is_allowed() -> None:
    """Its latency is paid side by side."""
    seen = widths(lambda: time.sleep(0.02))
    assert max(seen) == MOST
    assert sum(seen[10:]) / 50 > MOST / 2


def test_where_only_our_own_cpu_is_waited_for_fewer_are_out() -> None:
    """Threads that compute at once cost more CPU than one after the other."""
    seen = widths(compute)
    assert max(seen) <= MOST
    # How far they fall depends on who else computes on the machine; those that wait for a vendor stay near MOST.
    assert sum(seen[30:]) / 30 < 0.75 * MOST


def test_the_first_error_comes_in_its_turn_and_little_is_asked_after_it() -> None:
    """What was not asked until then is not asked any more."""
    asked: list[int] = []

    def ask(question: int) -> int:
        asked.append(question)
        if question == 3:
            raise ValueError("the fourth")
        return question

    replies = ordered_parallel_map(ask, range(100), 2)
    assert [next(replies), next(replies), next(replies)] == [0, 1, 2]
    with pytest.raises(ValueError, match="the fourth"):
        next(replies)
    assert max(asked) <= 6

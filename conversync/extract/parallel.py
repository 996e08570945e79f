"""Requests side by side: many at a time, never more than a vendor should bear, answers in the order of asking."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from conversync.http.source_turns import away

Question = TypeVar("Question")
Reply = TypeVar("Reply")

# The share of the time in which this process computes, above which more requests at a time win nothing.
BUSY = 0.75
# How long is looked at before anything is concluded, in seconds: replies come in bursts.
PERIOD = 0.03


class AdaptiveConcurrency:
    """How many requests are out at a time: as many as are allowed, fewer while our own CPU is what they wait for.

    Threads that compute at the same time get in each other's way: without this, a vendor that answers at once
    costs half as much CPU again.
    """

    def __init__(self, most: int) -> None:
        self._most = self.now = most
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def adjust(self) -> int:
        """One more or one less than before, by what the time since then went into."""
        wall, cpu = time.monotonic(), time.process_time()
        if wall - self._wall < PERIOD:
            return self.now
        busy = cpu - self._cpu > BUSY * (wall - self._wall)
        self._wall, self._cpu = wall, cpu
        self.now = max(1, self.now - 1) if busy else min(self._most, self.now + 1)
        return self.now


def ordered_parallel_map(
    ask: Callable[[Question], Reply], questions: Iterable[Question], concurrency: int
) -> Iterator[Reply]:
    """The replies in the order of their questions, up to `concurrency` of them asked for at the same time.

    The first error of a reply is raised in its turn; what was not asked until then is not asked any more.
    """
    upcoming = iter(questions)
    width = AdaptiveConcurrency(concurrency)
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="page")
    try:
        waiting = deque(pool.submit(ask, question) for question in islice(upcoming, concurrency))
        while waiting:
            with away():
                reply = waiting.popleft().result()
            wanted = max(0, width.adjust() - len(waiting))
            waiting.extend(pool.submit(ask, question) for question in islice(upcoming, wanted))
            yield reply
    finally:
        pool.shutdown(wait=False, cancel_futures=True)

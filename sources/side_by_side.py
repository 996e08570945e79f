"""Requests side by side: many at a time, never more than a vendor should bear, answers in the order of asking."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Question = TypeVar("Question")
Reply = TypeVar("Reply")


def side_by_side(
    ask: Callable[[Question], Reply], questions: Iterable[Question], concurrency: int
) -> Iterator[Reply]:
    """The replies in the order of their questions, up to `concurrency` of them asked for at the same time.

    The first error of a reply is raised in its turn; what was not asked until then is not asked any more.
    """
    upcoming = iter(questions)
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="page")
    try:
        waiting = deque(pool.submit(ask, question) for question in islice(upcoming, concurrency))
        while waiting:
            reply = waiting.popleft().result()
            waiting.extend(pool.submit(ask, question) for question in islice(upcoming, 1))
            yield reply
    finally:
        pool.shutdown(wait=False, cancel_futures=True)

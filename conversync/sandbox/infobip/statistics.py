"""How many passed a start tag, how many of those an end tag, and how long it took them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from conversync.sandbox.infobip.instants import midnight
from conversync.sandbox.infobip.processes import Passings, Tag

UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}


@dataclass(frozen=True)
class Frame:
    """`[start, end)`; with `closed` the end belongs to it."""

    start: datetime
    end: datetime
    closed: bool = False

    def holds(self, instant: datetime) -> bool:
        """Is it in the frame?"""
        return self.start <= instant < self.end or (self.closed and instant == self.end)


@dataclass(frozen=True)
class Count:
    """Starts in a frame, and how many of them passed the end tag."""

    start_count: int
    end_count: int
    seconds: Decimal | None = None
    """The mean from start to end; None if nobody ended."""

    @property
    def rate(self) -> float | None:
        """Ends by starts; None without a start."""
        return self.end_count / self.start_count if self.start_count else None


def count(passings: Passings, start: Tag, end: Tag, starts: Frame, ends: Frame | None = None) -> Count:
    """An end counts with its start, whenever it came, unless `ends` says in which frame it must lie."""
    ended = passings.of(end.key)
    begun = {key: at for key, at in passings.of(start.key).items() if starts.holds(at)}
    taken = [
        ended[key] - at
        for key, at in begun.items()
        if key in ended and ended[key] >= at and (ends is None or ends.holds(ended[key]))
    ]
    total = sum(taken, timedelta())
    mean = Decimal(total // timedelta(milliseconds=1)) / 1000 / len(taken) if taken else None
    return Count(len(begun), len(taken), mean)


def in_unit(seconds: Decimal, unit: str) -> int:
    """A whole number of units, rounded."""
    return int((seconds / UNITS[unit]).quantize(Decimal(1), ROUND_HALF_UP))


def by_day(passings: Passings, start: Tag, end: Tag, window: Frame) -> Iterator[tuple[datetime, Count]]:
    """Each UTC day that the window touches, with what of the window lies in it."""
    day = midnight(window.start)
    while day < window.end or (window.closed and day == window.end):
        following = day + timedelta(days=1)
        inner_end = min(following, window.end)
        frame = Frame(
            max(day, window.start), inner_end, window.closed and inner_end == window.end < following
        )
        yield day, count(passings, start, end, frame)
        day = following

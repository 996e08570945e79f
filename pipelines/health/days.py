"""What days and figures come to: plain functions, without a warehouse."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

DAY = timedelta(days=1)
# Questions of Besitos that leave rows out: such a reading proves nothing about a day.
NARROWING = frozenset({"user_id", "offer_id", "type"})
# A median of fewer rows than these says nothing: a quiet source is no alarm.
LEAST_USUAL = 10
SAME_WEEKDAYS, LEAST_WEEKDAYS, LAST_DAYS = 4, 3, 14


@dataclass(frozen=True)
class Reading:
    """A row of `windows` whose load `_dlt_loads` holds with status 0; `loaded_at` is when it was committed."""

    stream: str
    start: date
    end: date
    read_at: datetime
    loaded_at: datetime
    load: float
    short: bool = False
    narrowed: bool = False
    rejected_new: int = 0
    unknown: tuple[str, ...] = ()

    def whole_days(self) -> Iterator[date]:
        """`[start, end)`: whether the last day was over, or covered to its end, is not known (see sources/windows.py).

        A window that reaches into the future covers no day after the one on which it was read.
        """
        day = self.start
        while day < min(self.end, self.read_at.date() + DAY):
            yield day
            day += DAY


@dataclass(frozen=True)
class Completeness:
    """The days `[first, last]` of one stream, of which `never` were read by no window, `short` by short ones only."""

    first: date | None = None
    last: date | None = None
    never: tuple[date, ...] = ()
    short: tuple[date, ...] = ()


def completeness(
    readings: Iterable[Reading], start: date | None = None, end: date | None = None
) -> Completeness:
    """Of one stream; the days from its first to its last one, or those between `start` and `end`.

    A stream of lists, whose windows are one day each, has no days to be complete about.
    """
    whole, short = set[date](), set[date]()
    for reading in readings:
        if not reading.narrowed:
            (short if reading.short else whole).update(reading.whole_days())
    seen = whole | short
    if not seen:
        return Completeness()
    first, last = start or min(seen), end or max(seen)
    asked = [first + DAY * number for number in range((last - first).days + 1)]
    return Completeness(
        first,
        last,
        tuple(day for day in asked if day not in seen),
        tuple(day for day in asked if day in short - whole),
    )


def ranges(days: Sequence[date]) -> list[str]:
    """Sorted days in words: "2024-12-03", "2024-12-05 .. 2024-12-09"."""
    found: list[list[date]] = []
    for day in days:
        if found and day == found[-1][-1] + DAY:
            found[-1].append(day)
        else:
            found.append([day])
    return [str(run[0]) if len(run) == 1 else f"{run[0]} .. {run[-1]}" for run in found]


def percentile(counts: Mapping[int, int], share: float) -> int | None:
    """The least of the values below or at which lies this share of all; None of nothing."""
    wanted = math.ceil(share * sum(counts.values()))
    reached = 0
    for value in sorted(counts):
        reached += counts[value]
        if reached >= max(1, wanted):
            return value
    return None


@dataclass(frozen=True)
class Volume:
    """The conversions of the last whole day, and how many are usual; `drop_pct` of them are missing."""

    day: date
    conversions: int
    usual: float

    @property
    def drop_pct(self) -> float:
        """0 where there are as many as usual, or more; 100 where there are none."""
        return max(0.0, 100 * (1 - self.conversions / self.usual))


def volume(counts: Mapping[date, int], read: Iterable[date]) -> Volume | None:
    """The last day that was read whole beside the same weekday of four weeks, or the fortnight before it.

    Weekdays only where three of them were read. None where too little is known.
    """
    known = set(read)
    if not known:
        return None
    day = max(known)
    weekdays = [day - 7 * DAY * week for week in range(1, SAME_WEEKDAYS + 1)]
    before = [one for one in weekdays if one in known]
    if len(before) < LEAST_WEEKDAYS:
        before = [one for one in (day - DAY * number for number in range(1, LAST_DAYS + 1)) if one in known]
    if len(before) < LEAST_WEEKDAYS:
        return None
    usual = median(counts.get(one, 0) for one in before)
    return Volume(day, counts.get(day, 0), usual) if usual >= LEAST_USUAL else None

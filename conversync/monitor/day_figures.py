"""What days and figures come to: plain functions, without a warehouse."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

from conversync.extract.windows import DAY, Window

# A median of fewer rows than these says nothing: a quiet source is no alarm.
LEAST_USUAL = 10
SAME_WEEKDAYS, LEAST_WEEKDAYS, LAST_DAYS = 4, 3, 14


@dataclass(frozen=True)
class Day:
    """A row of the view `days`, its state judged (see views.py); its reading lacks `missing` rows."""

    stream: str
    day: date
    state: str
    missing: int
    reading: tuple[date | None, date | None, datetime | None]
    last_read: datetime | None
    is_current: bool


@dataclass(frozen=True)
class Completeness:
    """The days `[first, last]` of one stream: those `never` read, and those read `short` by `missing` rows."""

    first: date | None = None
    last: date | None = None
    never: tuple[date, ...] = ()
    short: tuple[date, ...] = ()
    missing: int = 0


def completeness(days: Sequence[Day], start: date | None = None, end: date | None = None) -> Completeness:
    """Of one stream; the days up to its last one that is over, or those between `start` and `end`."""
    asked = _asked(days, start, end)
    if not asked:
        return Completeness()
    short = _in_state("short", asked)
    lacking = {one.reading: one.missing for one in days if one.day in short}
    return Completeness(min(asked), max(asked), _in_state("never", asked), short, sum(lacking.values()))


def _asked(days: Sequence[Day], start: date | None, end: date | None) -> dict[date, str]:
    """The state of each day that is over; with a `start`, of each up to `end`, and of one that is not told never."""
    known = {one.day: one.state for one in days}
    if start is None or not known:
        return {day: state for day, state in known.items() if state != "open"}
    last = end or max((day for day, state in known.items() if state != "open"), default=start)
    return {day: known.get(day, "never") for day in Window(start, last).each_day()}


def _in_state(state: str, asked: Mapping[date, str]) -> tuple[date, ...]:
    return tuple(day for day, its in asked.items() if its == state)


def ranges(days: Sequence[date]) -> list[str]:
    """Sorted days in words: "2024-12-03", "2024-12-05 .. 2024-12-09"."""
    found: list[list[date]] = []
    for day in days:
        if found and day == found[-1][-1] + DAY:
            found[-1].append(day)
        else:
            found.append([day])
    return [str(run[0]) if len(run) == 1 else f"{run[0]} .. {run[-1]}" for run in found]


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
    weeks = _before(day, 7 * DAY, SAME_WEEKDAYS, known)
    like_it = weeks if len(weeks) >= LEAST_WEEKDAYS else _before(day, DAY, LAST_DAYS, known)
    if len(like_it) < LEAST_WEEKDAYS:
        return None
    usual = median(counts.get(one, 0) for one in like_it)
    return Volume(day, counts.get(day, 0), usual) if usual >= LEAST_USUAL else None


def _before(day: date, step: timedelta, times: int, known: Collection[date]) -> list[date]:
    """Of the days before one, so many steps back, those that are known."""
    return [one for one in (day - step * number for number in range(1, times + 1)) if one in known]

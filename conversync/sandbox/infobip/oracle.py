"""What a reader of the statistics must hold, straight from what was logged: no document in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from conversync.sandbox.infobip.processes import Passings, Process, Tag
from conversync.sandbox.infobip.statistics import UNITS, Count, Frame, by_day, count, in_unit
from conversync.sandbox.infobip.variants import Variants

Pair = tuple[str, str, str]
"""Process key, start tag, end tag; a tag of "" is the process's own first of that type."""


@dataclass(frozen=True)
class Rate:
    """A row of `conversion_rates`: one pair on one UTC day. The rate is null without a start."""

    process_key: str
    start_tag: str
    end_tag: str
    day: date
    start_count: int
    end_count: int
    conversion_rate: float | None


@dataclass(frozen=True)
class Duration:
    """A row of `conversion_times`: one pair in one window. Seconds as the shown unit lets them be known."""

    start_count: int
    end_count: int
    conversion_rate: float | None
    average_seconds: int | None


class Oracle:
    """The independent answer to "is what we hold right?"; of the world and of what was logged since."""

    def __init__(
        self,
        passings: Callable[[datetime | None], Passings],
        tags: Callable[[Pair], tuple[Tag, Tag]],
        listed: Callable[[], tuple[list[Process], list[Tag]]],
        variants: Variants,
    ) -> None:
        self._passings = passings
        self._tags = tags
        self._listed = listed
        self._variants = variants

    def rates(self, pair: Pair, first: date, last: date, now: datetime | None = None) -> dict[date, Rate]:
        """By day from `first` to `last` inclusive, as known at `now`; days without a start as they are shown."""
        window = Frame(_midnight(first), _midnight(last + timedelta(days=1)))
        counts = by_day(self._passings(now), *self._tags(pair), window)
        return {
            at.date(): Rate(*pair, at.date(), one.start_count, one.end_count, one.rate)
            for at, one in counts
            if one.start_count or self._variants.empty_days == "shown"
        }

    def duration(
        self,
        pair: Pair,
        start: datetime,
        end: datetime,
        *,
        end_from: datetime | None = None,
        end_to: datetime | None = None,
        now: datetime | None = None,
    ) -> Duration:
        """Starts in `[start, end)` whose end lies in `[end_from, end_to)`, by default in the same window."""
        ends = Frame(end_from or start, end_to or end, self._variants.to_inclusive)
        starts = Frame(start, end, self._variants.to_inclusive)
        one = count(self._passings(now), *self._tags(pair), starts, ends)
        return Duration(one.start_count, one.end_count, one.rate, self._seconds(one))

    def _seconds(self, one: Count) -> int | None:
        unit = self._variants.time_unit
        if one.seconds is None:
            return None if self._variants.no_time == "null" else 0
        return in_unit(Decimal(one.seconds), unit) * UNITS[unit]

    def processes(self) -> dict[str, Process]:
        """By key, the world's and those that were created."""
        return {one.key: one for one in self._listed()[0]}

    def tags(self) -> dict[str, Tag]:
        """By key, the world's and those that were created."""
        return {one.key: one for one in self._listed()[1]}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)

"""Which days to read: plain functions of dates, in the vendor's own zone.

Both ends of a window are days that are asked for. Whether a vendor's last day is covered whole is not known,
so neighbouring windows share a day, and a day counts as read once a later window began on it or after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from typing import NamedTuple, Self

import pendulum
from pendulum import Date

from conversync.errors import SettingsError
from conversync.types import Restored, State

DAY = pendulum.duration(days=1)
# Where no start is set, the first run reads half a year.
FIRST_RUN_DAYS = 180
# Where `progress` has the windows of ranges that several runs read in parts, by range, until all of one are there.
APART = "apart"
# Of so many ranges that is kept; of a range that was given up, its windows go when others come.
MOST_APART = 8


class _Ends(NamedTuple):
    start: Date
    end: Date


class Window(_Ends):
    """The days `[start, end]`, both included in the question. They are pendulum's, whichever dates they were made of.

    One that ends before it starts has no days.
    """

    __slots__ = ()

    def __new__(cls, start: date, end: date) -> Self:
        return super().__new__(cls, pendulum.instance(start), pendulum.instance(end))

    def __str__(self) -> str:
        return f"{self.start} .. {self.end}"

    @property
    def days(self) -> int:
        """How many days it has."""
        return max((self.end - self.start).days + 1, 0)

    def each_day(self) -> Iterator[Date]:
        """Its days, in order."""
        return (self.end - self.start).range("days") if self.days else iter(())

    def spread(self) -> list[Window]:
        """A few single days that lie far apart: the middle one, those at the quarters, the first and the last."""
        days = [self.start.add(days=(self.days - 1) * quarter // 4) for quarter in (2, 1, 3, 0, 4)]
        return [Window(day, day) for day in dict.fromkeys(days)] if self.days else []

    def last_days(self, most: int) -> Window:
        """The last days of it, `most` at most, and one at least."""
        return Window(max(self.start, self.end.subtract(days=max(most, 1) - 1)), self.end)

    def halves(self) -> tuple[Window, Window]:
        """Two parts that have no day in common, the longer one first; of a single day, the second has none."""
        middle = self.start.add(days=(self.days - 1) // 2)
        return Window(self.start, middle), Window(middle.add(days=1), self.end)


def lookback_window(through: date | None, first: date, lookback: int, today: date) -> Window:
    """What a night reads: `[through - lookback, today]`, or `[first, today]` where nothing was read yet.

    A cursor that a wrong clock put into the future counts as today.
    """
    if through is None:
        return Window(min(first, today), today)
    return Window(pendulum.instance(min(through, today)).subtract(days=lookback), today)


def planned(
    progress: Restored,
    first: date,
    lookback: int,
    today: date,
    start: date | str | None = None,
    end: date | str | None = None,
    *,
    bounded: bool = False,
) -> Window:
    """The days asked for, else what is due by the cursor in `progress` (see `due`); SettingsError if backwards.

    `bounded`: the lookback never reaches before what was read first, or a second run would add days.
    """
    through = progress.get("through")
    window = lookback_window(through and Date.fromisoformat(through), first, lookback, today)
    if bounded and progress.get("first"):
        earliest = min(first, Date.fromisoformat(progress["first"]))
        window = Window(max(window.start, earliest), window.end)
    chosen = Window(
        day(start, "the start") if start else window.start, day(end, "the end") if end else window.end
    )
    if chosen.start > chosen.end and not end:
        raise SettingsError(
            f"The window begins {chosen.start}, which lies in the future: days end {chosen.end}."
        )
    if chosen.start > chosen.end:
        raise SettingsError(f"The window ends ({chosen.end}) before it starts ({chosen.start}).")
    return chosen


def with_its_last_day(window: Window, today: date) -> Window:
    """The window, and the day after it where that has begun: a question may not cover its last day.

    For days that a person asked for. What is due ends today, and is read again by the next night.
    """
    return Window(window.start, max(window.end, min(window.end.add(days=1), today)))


_whole: ContextVar[Window | None] = ContextVar("the range of which this run reads a part", default=None)


@contextmanager
def part_of(whole: Window | None) -> Iterator[None]:
    """Within, what is read is a part of that range, which other runs read, too: no cursor moves before all is there."""
    token = _whole.set(whole)
    try:
        yield
    finally:
        _whole.reset(token)


def pass_over(progress: State, first: date, window: Window, today: date, short: date | None = None) -> None:
    """Moves the cursor in `progress` over a window that was read; `first` is where its run begins.

    It stays before `short`, the first day of it that was read short. Of a `part_of` a range it moves when all windows
    of the range were passed, by whichever runs, and then over each, as if one run had read them in order; but back to a
    short day at once, and of a range that it has passed there is nothing to wait for.
    """
    whole = _whole.get()
    windows: list[tuple[Window, date | None]] = [(window, short)]
    if whole is not None and not _is_passed(progress, whole):
        if short is not None:
            _hold(progress, short)
        windows = _all_of(progress, whole, window, short)
    for one, day in windows:
        _advance(progress, first, Window(one.start, day or one.end), today)
        if day is not None:
            _hold(progress, day)


def _all_of(
    progress: State, whole: Window, window: Window, short: date | None
) -> list[tuple[Window, date | None]]:
    """The windows of a range, oldest first, once this one completes it; nothing before, and it is noted."""
    ranges: dict[str, list[list[str | None]]] = progress.setdefault(APART, {})
    noted = [one for one in ranges.pop(str(whole), []) if not _is_within(one, window)]
    own = [str(window.start), str(window.end), str(short) if short else None]
    noted = sorted([*noted, own], key=lambda one: one[:2])
    found: list[tuple[Window, date | None]] = [
        (Window(_day(start), _day(end)), _day(held) if held else None) for start, end, held in noted
    ]
    if _cover([one for one, _ in found], whole):
        if not ranges:
            del progress[APART]
        return found
    ranges[str(whole)] = noted
    for old in list(ranges)[:-MOST_APART]:
        del ranges[old]
    return []


def _is_passed(progress: Restored, whole: Window) -> bool:
    """Whether all days of a range are in the run that the cursor has behind it."""
    return bool(progress.get("through")) and _is_within(
        [str(whole.start), str(whole.end)], Window(_day(progress["first"]), _day(progress["through"]))
    )


def _is_within(noted: Sequence[str | None], window: Window) -> bool:
    return str(window.start) <= str(noted[0]) and str(noted[1]) <= str(window.end)


def _day(text: str | None) -> Date:
    return Date.fromisoformat(str(text))


def _cover(windows: Sequence[Window], whole: Window) -> bool:
    """Whether windows, oldest first, leave out no day of a range: each begins on a day that those before it have."""
    reached = whole.start
    for window in windows:
        if window.start > reached:
            return False
        reached = max(reached, window.end)
    return bool(windows) and reached >= whole.end


def _advance(progress: State, first: date, window: Window, today: date) -> None:
    """Moves the cursor in `progress` over a window that was read (see `advance`); `first` is where its run begins."""
    through = progress.get("through")
    reached = advanced(through and Date.fromisoformat(through), first, window, today)
    if reached is not None:
        progress["first"] = min(progress.get("first", str(window.start)), str(window.start))
        progress["through"] = str(reached)


def unread(progress: Restored) -> date:
    """The first day that the cursor in `progress` has not passed."""
    return Date.fromisoformat(progress["through"]) if progress.get("through") else date.min


def _hold(progress: State, day: date) -> None:
    """Keeps the cursor before a day that was read short, so that every night reads it again until it adds up."""
    through = progress.get("through")
    if through and Date.fromisoformat(through) > day:
        progress["through"] = str(day)


def split_window(window: Window, days: int) -> Iterator[Window]:
    """The window in pieces of `days` days, oldest first; each begins on the day its neighbour ends.

    Both ends count, since a vendor's limit of 31 days counts both; a piece has two days at least.
    """
    size, rest = max(days, 2), window
    while rest.days > size:
        piece = Window(rest.start, rest.start.add(days=size - 1))
        yield piece
        rest = Window(piece.end, window.end)
    yield rest


def asked_parts(window: Window, days: int, shard: tuple[int, int] | None) -> list[Window]:
    """The pieces in which days that were asked for are committed: all that they are split into, or those of a shard.

    Of eight shards the second, (2, 8), has pieces that follow each other, maybe none, and each piece is in one shard. A
    piece has at most `days` days, and fewer where the shards would not have two pieces each.
    """
    if shard is None:
        return list(split_window(window, days))
    number, count = shard
    pieces = list(split_window(window, min(days, (window.days - 1) // (2 * count) + 1)))
    return pieces[len(pieces) * (number - 1) // count : len(pieces) * number // count]


def apart(window: Window, days: int) -> Iterator[Window]:
    """As `cut`, for questions that cover their last day: no two pieces share one."""
    start = window.start
    while start <= window.end:
        end = min(start.add(days=days - 1), window.end)
        yield Window(start, end)
        start = end.add(days=1)


def advanced(through: date | None, first: date, window: Window, today: date) -> date | None:
    """The cursor after `window` was committed: the last day of an unbroken run of days read.

    It moves only if the window touches the run, never past today, and never back: but where a wrong clock put
    it into the future, today takes its place, or the nights of an outage would be left out later.
    """
    reached = min(through, today) if through else first
    if window.start <= reached <= window.end:
        return max(reached, min(window.end, today))
    return through


def day(value: date | str, name: str) -> Date:
    """A day from a date or from its ISO text; raises SettingsError, naming where it was written."""
    if isinstance(value, date):
        return pendulum.instance(value)
    try:
        # Not `pendulum.parse`: it takes "now", a time, a month and a day of a week for a day, too.
        return Date.fromisoformat(value)
    except ValueError:
        raise SettingsError(f'{name} is "{value}", which is no day: write it like 2024-12-01.') from None


def first_day(start_date: str | None, today: date, name: str) -> Date:
    """Where a first run begins: the start date that is set, else `FIRST_RUN_DAYS` before today.

    SettingsError for a day that has not come yet; tomorrow may have, elsewhere.
    """
    if not start_date:
        return pendulum.instance(today).subtract(days=FIRST_RUN_DAYS)
    first = day(start_date, name)
    if first > today + DAY:
        raise SettingsError(f"{name} is {first}, which lies ahead: by this machine's clock it is {today}.")
    return first

"""How many days before its cursor a night reads again: the number of the setting, or what was measured ("auto").

Measured is the age of what came late: rows, restatements and reversals of days that had been read before. It can only
be of what was looked for, so a lookback that followed what it saw itself would see less and less, and shrink for ever.
Therefore every `EVERY` days a night reads deep: all days from `depth` days before the last deep reading on. Between two
of these everything was seen that was at most so many days late when it came, whatever the nights between them read; and
only such spans count, never one that is not over yet, or has no beginning. Where the days that have rows do not reach
back so far, nothing can be that late, and the span tells nothing of it: it does not count either.

The days in use are the fewest within which `TARGET` of all that came late had come, by the lower end of Wilson's
interval: few rows tell little, and take more days. Where they do not tell enough, it is the setting's own default.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, floor, sqrt
from typing import Any

from conversync.count_words import counted
from conversync.extract.ranges import AUTO
from conversync.types import Document, Restored, Settings, State

# Where a source's state has what was measured, by setting and stream.
STATE = "lateness"
# Never fewer days than these, unless a setting's default is less.
FLOOR = 7
# A deep reading reaches at least so far back, and is made every so many days; two that are further apart are no span.
DEEP, EVERY = 31, 28
MOST_APART = 2 * EVERY
# What the name of a setting has in it whose rows are reversals alone.
REVERSAL = "_reversal_"
# So much of what comes late is to be read by the next night. The number of standard errors is that of 95 %.
TARGET, ERRORS = 0.99, 1.96


@dataclass(frozen=True)
class Lookback:
    """A setting, and where what comes late shows: in the days that `stream` reads.

    `log` is a table of statements, of which `rows` (SQL) count. They are called late in the SQL of their `day`, by
    which a reading finds them, and of what is joined `beside` them. Without a log the source counts by itself.
    `zone` is the setting that names the zone of the stream's days; None for UTC.
    """

    setting: str
    stream: str
    log: str = ""
    rows: str = "true"
    day: str = "late.occurred_on"
    beside: str = ""
    zone: str | None = None


@dataclass(frozen=True)
class InUse:
    """How many days a setting comes to. With "auto": `share` of the `measured` late rows came within them, `at_least`
    so many of all (95 % sure), in `watched_days`; None of what is not known. `why` it is another number, in words."""

    setting: str
    days: int
    is_auto: bool = False
    share: float | None = None
    at_least: float | None = None
    measured: int = 0
    watched_days: int = 0
    why: str | None = None


def in_use(settings: Settings, setting: str, state: Restored) -> InUse:
    """What a setting comes to, with the state of its source; of several streams that are measured, the most days."""
    if settings[setting] != AUTO:
        return InUse(setting, int(settings[setting]))
    default = default_of(settings, setting)
    watched = _watched(state, setting) or [{}]
    return max((_chosen(setting, default, noted) for noted in watched), key=lambda one: one.days)


def reach(settings: Settings, setting: str, state: Restored, through: str | None, today: date) -> int:
    """How many days before its cursor (`through`) a stream is read now: those in use, or more for a deep reading."""
    days, watched = in_use(settings, setting, state).days, _watched(state, setting)
    if settings[setting] != AUTO or not watched or through is None:
        return days
    depth, deeps = depth_of(default_of(settings, setting)), [noted.get("deep") for noted in watched]
    deep = date.fromisoformat(min(filter(None, deeps))) if all(deeps) else None
    if deep is None or (today - deep).days > MOST_APART:
        return max(days, depth)
    if (today - deep).days < EVERY:
        return days
    return max(days, depth + (min(date.fromisoformat(through), today) - deep).days)


def default_of(settings: Settings, setting: str) -> int:
    """What the setting is where nobody sets it."""
    return int(getattr(type(settings), setting))


def depth_of(default: int) -> int:
    """So many days late may be what a deep reading is sure to bring; no lookback is longer by itself."""
    return max(default, DEEP)


def _watched(state: Restored, setting: str) -> list[Restored]:
    return list(state.get(STATE, {}).get(setting, {}).values())


def _chosen(setting: str, default: int, noted: Restored) -> InUse:
    ages, watched = Counter[int](), 0
    for month in noted.get("months", {}).values():
        watched += month["days"]
        ages.update({int(age): rows for age, rows in month["ages"].items()})
    measured = ages.total()

    def within(days: int, why: str | None = None) -> InUse:
        rows = sum(rows for age, rows in ages.items() if age <= days)
        share, sure = rows / measured if measured else None, lower_bound(rows, measured)
        return InUse(setting, days, True, share, sure, measured, watched, why)

    if watched < EVERY:
        return within(default, f"that is its default, until {EVERY} days were watched")
    if (lower_bound(measured, measured) or 0) < TARGET:
        least = ceil(TARGET / (1 - TARGET) * ERRORS**2)
        return within(default, f"that is its default, until {least} late rows were measured")
    each = map(within, range(min(FLOOR, default), depth_of(default) + 1))
    enough = next((one for one in each if (one.at_least or 0) >= TARGET), None)
    return enough or within(depth_of(default), "it takes no more by itself, and deep readings bring no more")


def told(found: InUse) -> str:
    """What "auto" comes to, as a sentence without its full stop."""
    what, watched = (
        "late reversal" if REVERSAL in found.setting else "late row",
        counted(found.watched_days, "day"),
    )
    says = f"{found.setting} is auto: {counted(found.days, 'day')}, "
    if found.share is None or found.at_least is None:
        says += f"no {what} was measured in {watched}"
    else:
        says += (
            f"within which {_percent(found.share)} of {counted(found.measured, what)} came that were measured in "
            f"{watched} (95 % sure: at least {_percent(found.at_least)} of all)"
        )
    return "; ".join(filter(None, [says, found.why]))


def _percent(share: float) -> str:
    """Never more than it is."""
    return f"{floor(share * 1000) / 10:.1f} %"


def lower_bound(rows: int, measured: int) -> float | None:
    """The lower end of Wilson's interval for a share of which `rows` of `measured` were seen; None of none."""
    if not measured:
        return None
    share, error = rows / measured, ERRORS**2 / measured
    spread = ERRORS * sqrt(share * (1 - share) / measured + error / (4 * measured))
    return (share + error / 2 - spread) / (1 + error)


class Watch:
    """What is measured of one stream, as its source's state keeps it (`noted`): JSON, days as text.

    `covered` are the days that were read once they were over, `sweep` a reading on its way to the present, `deep` the
    day of the last deep one, `pending` what came since, by its age in days, and `months` that of the spans that ended.
    """

    def __init__(self, noted: State, depth: int) -> None:
        self._noted, self._depth = noted, depth

    def take(
        self, came: Iterable[tuple[date, int]], read_on: date, windows: Iterable[tuple[date, date, date]]
    ) -> None:
        """One load: the rows that it brought by their day, and its windows (start, end, the day on which it was read).

        Loads are taken in their order, each once. A day with no rows that count may be among them: it has some.
        """
        self._believe(read_on)
        for day, rows in came:
            self._count(day, rows, read_on)
        for start, end, on in windows:
            self._cover(start, min(end, on))
            self._sweep(start, end, on)

    def _believe(self, read_on: date) -> None:
        """What is dated later than a load that came after it was read by a wrong clock: it tells of no day to come."""
        if covered := self._noted.get("covered"):
            kept = [[start, min(end, str(read_on))] for start, end in covered if start < str(read_on)]
            self._noted["covered"] = kept
        if self._deep is not None and self._deep > read_on:
            self._noted.pop("deep")

    def _count(self, day: date, rows: int, read_on: date) -> None:
        noted, deep = self._noted, self._deep
        noted["first"] = min(noted.get("first", str(day)), str(day))
        is_late = rows > 0 and any(start <= str(day) < end for start, end in noted.get("covered", ()))
        age = (read_on - day).days
        # What is older than the last deep reading was sure of is not always seen.
        if is_late and deep is not None and age <= self._depth + (read_on - deep).days:
            pending = noted.setdefault("pending", {})
            pending[str(age)] = pending.get(str(age), 0) + rows

    @property
    def _deep(self) -> date | None:
        return date.fromisoformat(self._noted["deep"]) if self._noted.get("deep") else None

    def _cover(self, start: date, end: date) -> None:
        """Adds days to those that were read, `end` not included; what touches is made one."""
        apart, own = list[list[str]](), [str(start), str(end)]
        for one in self._noted.get("covered", ()):
            if one[1] < own[0] or own[1] < one[0]:
                apart.append(one)
            else:
                own = [min(one[0], own[0]), max(one[1], own[1])]
        if own[0] < own[1]:
            self._noted["covered"] = sorted([*apart, own])

    def _sweep(self, start: date, end: date, on: date) -> None:
        """A window after those that it goes on from, back to the first; it is over where it reaches the present."""
        begun = self._noted.pop("sweep", None)
        if begun is not None and begun[0] <= str(start) <= begun[1]:
            start, first_on = date.fromisoformat(begun[0]), date.fromisoformat(begun[2])
            end = max(end, date.fromisoformat(begun[1]))
        else:
            first_on = on
        if end < on:
            self._noted["sweep"] = [str(start), str(end), str(first_on)]
        else:
            self._reached(start, first_on)

    def _reached(self, start: date, on: date) -> None:
        """All days from `start` to the present were read, none of them before the day `on`."""
        noted, depth = self._noted, timedelta(days=self._depth)
        deep = self._deep
        if deep is None or (on - deep).days > MOST_APART:
            noted.pop("deep", None)
            noted["pending"] = {}
            if start <= on - depth:
                noted["deep"] = str(on)
        elif deep < on and start <= deep - depth:
            if date.fromisoformat(noted.get("first", str(on))) <= deep - depth:
                self._keep(f"{on:%Y-%m}", (on - deep).days)
            noted.update(deep=str(on), pending={})

    def _keep(self, month: str, days: int) -> None:
        """The span that ended in the month is among those that count; for a year, since a vendor may change."""
        months: dict[str, Document] = self._noted.setdefault("months", {})
        kept = months.setdefault(month, {"days": 0, "ages": {}})
        kept["days"] += days
        for age, rows in self._noted["pending"].items():
            kept["ages"][age] = kept["ages"].get(age, 0) + rows
        for old in [old for old in months if old <= f"{int(month[:4]) - 1}{month[4:]}"]:
            del months[old]


def watch(state: State, settings: Settings, lookback: Lookback) -> tuple[Watch, Any]:
    """What is measured of a stream, to be added to, and the mapping in which the source's `state` keeps it."""
    noted = state.setdefault(STATE, {}).setdefault(lookback.setting, {}).setdefault(lookback.stream, {})
    return Watch(noted, depth_of(default_of(settings, lookback.setting))), noted


def auto(settings: Settings, lookbacks: Iterable[Lookback]) -> list[Lookback]:
    """Those whose setting is "auto"."""
    return [one for one in lookbacks if settings[one.setting] == AUTO]


def settings_of(lookbacks: Iterable[Lookback]) -> Mapping[str, None]:
    """The settings, each once, in their order."""
    return dict.fromkeys(one.setting for one in lookbacks)

"""A lookback that sets itself: night after night over lateness that is known, beside a calculation of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from dlt.common.configuration.specs import BaseConfiguration, configspec

from conversync.extract.lookback import EVERY, FLOOR, InUse, Lookback, depth_of, in_use, reach, told, watch
from conversync.extract.ranges import AUTO, LookbackDays
from conversync.extract.windows import lookback_window

NAME = "acme_lookback_days"
LATE = Lookback(NAME, "rows")
BEGIN = date(2026, 1, 1)
NORMAL = 1.959964


@configspec
class Settings(BaseConfiguration):
    """One lookback, of which nobody measured anything yet."""

    acme_lookback_days: LookbackDays = 60


@configspec
class Short(BaseConfiguration):
    """One whose default is short."""

    acme_lookback_days: LookbackDays = 5


@dataclass
class Vendor:
    """Rows of each day since `since`, some of them so many days late; what a reading of the days brings, and when."""

    settings: Any = field(default_factory=Settings)
    since: date = BEGIN - timedelta(days=170)
    state: dict[str, Any] = field(default_factory=dict)
    due: dict[date, Counter[date]] = field(default_factory=dict)
    """By the day on which they come, the rows of each day."""
    unseen: Counter[date] = field(default_factory=Counter)
    seen: Counter[tuple[date, date]] = field(default_factory=Counter)
    """By the day of a reading, the rows that it brought first, by their day."""
    read: list[tuple[date, date]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settings[NAME] = AUTO
        self.told_until = self.since

    def tell(self, day: date, late: Iterable[int]) -> None:
        """What will come of a day: one row in time, and one for each number of days."""
        for days in (0, *late):
            self.due.setdefault(day + timedelta(days=days), Counter())[day] += 1

    def night(self, today: date) -> int:
        """One reading; how many days there were before its cursor."""
        for day in sorted(one for one in self.due if one <= today):
            self.unseen += self.due.pop(day)
        progress = self.state.setdefault("rows", {})
        through = progress.get("through")
        days = reach(self.settings, NAME, self.state, through, today)
        window = lookback_window(
            date.fromisoformat(through) if through else None, today - timedelta(days=180), days, today
        )
        came = {day: rows for day, rows in self.unseen.items() if window.start <= day <= window.end}
        for day, rows in came.items():
            self.seen[today, day] += rows
            del self.unseen[day]
        own, _ = watch(self.state, self.settings, LATE)
        own.take(came.items(), today, [(window.start, window.end, today)])
        progress["through"] = str(today)
        self.read.append((today, window.start))
        return days

    @property
    def in_use(self) -> InUse:
        """What the setting comes to."""
        return in_use(self.settings, NAME, self.state)


def nights(
    vendor: Vendor,
    count: int,
    late: Callable[[date], list[int]],
    first: int = 0,
    left_out: Callable[[int], bool] = lambda _night: False,
) -> list[int]:
    """So many nights from number `first` on, some left out; how many days were in use after each."""
    used = []
    for number in range(first, first + count):
        today = BEGIN + timedelta(days=number)
        while vendor.told_until <= today:
            vendor.tell(vendor.told_until, late(vendor.told_until))
            vendor.told_until += timedelta(days=1)
        if not left_out(number):
            vendor.night(today)
        used.append(vendor.in_use.days)
    return used


def lower(rows: int, of: int) -> float:
    """The least share from which so many of so many are within the error that is let: found by halving."""
    least, most = 0.0, rows / of
    for _ in range(60):
        middle = (least + most) / 2
        if rows / of - middle > NORMAL * (middle * (1 - middle) / of) ** 0.5:
            least = middle
        else:
            most = middle
    return least


def expected(vendor: Vendor, default: int) -> tuple[int, int]:
    """The days, and of how many rows: what was read again, between readings that reach as deep as is promised."""
    depth = timedelta(days=max(default, 31))
    marks = list[date]()
    for today, start in vendor.read:
        if not marks or start <= marks[-1] - depth:
            marks.append(today)
    spans = list(pairwise(marks))
    covered: dict[date, date] = {}
    for today, start in vendor.read:
        for number in range((today - start).days):
            covered.setdefault(start + timedelta(days=number), today)
    ages = Counter[int]()
    for (today, day), rows in vendor.seen.items():
        mark = next((one for one, until in spans if one < today <= until), None)
        is_late = covered.get(day, today) < today
        if mark is not None and is_late and (today - day) - (today - mark) <= depth:
            ages[(today - day).days] += rows
    total = ages.total()
    for days in range(min(7, default), depth.days):
        if lower(sum(rows for age, rows in ages.items() if age <= days), total) >= 0.99:
            return days, total
    return depth.days, total


def drawn(random: Random, most: int, share: float) -> Callable[[date], list[int]]:
    """Six late rows a day, most of them within some days, a `share` of them up to `most` late."""
    return lambda _day: [
        random.randint(1, most) if random.random() < share else random.randint(1, 12) for _ in range(6)
    ]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("most", "share"), [(12, 0.0), (40, 0.05), (55, 0.3)])
def test_it_is_what_another_calculation_comes_to(seed: int, most: int, share: float) -> None:
    """The fewest days within which 99 of 100 late rows came, 95 % sure, over a year and more of nights."""
    vendor = Vendor()
    random = Random(seed)
    nights(vendor, 300, drawn(random, most, share), left_out=lambda _night: random.random() < 0.1)
    days, rows = expected(vendor, 60)
    found = vendor.in_use
    assert (found.days, found.measured) == (days, rows)
    deep = date.fromisoformat(vendor.state["lateness"][NAME]["rows"]["deep"])
    assert found.watched_days == (deep - vendor.read[0][0]).days
    assert found.at_least is not None
    assert found.share is not None
    assert 0.99 <= found.at_least < found.share <= 1
    assert days < 60, "the nights are cheaper for it"


def test_what_is_shorter_by_now_does_not_make_itself_shorter() -> None:
    """The trap: over two years the days stay above what 99 of 100 need, though nights see nothing beyond them."""
    vendor, random = Vendor(), Random(1)
    used = nights(vendor, 730, drawn(random, 45, 0.2))
    # 4 of 45 late by more than 41: 0.2 * 4 / 45 = 1.8 %; by more than 43: 0.9 %.
    needed = 43
    assert used[0] == 60
    assert {days for days in used[60:] if days != 60} <= {needed, needed + 1, needed + 2}
    assert min(used) >= needed
    assert vendor.unseen.total() <= 6 * 45 * 0.2, "what is to come yet"


def test_lateness_that_grows_is_seen_where_no_night_looks() -> None:
    """Weeks of nights read a week; then a tenth comes after fifty days: two deep readings later it is looked for."""
    vendor = Vendor()
    assert nights(vendor, 100, lambda _day: [2, 3] * 5)[-1] == FLOOR
    late = nights(vendor, 50 + 3 * EVERY, lambda _day: [2] * 9 + [50], first=100)
    assert late[49] == FLOOR
    assert late[-1] > 50
    assert all(rows == 0 for day, rows in vendor.unseen.items() if day < BEGIN)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_within_the_depth_is_lost(seed: int) -> None:
    """However late up to it, and whatever nights are left out: the next deep reading brings it."""
    vendor, random = Vendor(), Random(seed)
    outage = random.randint(100, 200)

    def left_out(number: int) -> bool:
        return outage <= number < outage + 20 or random.random() < 0.2

    def late(day: date) -> list[int]:
        return [2] * 20 + ([60] if day.day == 9 else [])

    nights(vendor, 400, late, left_out=left_out)
    nights(vendor, 60 + 2 * EVERY, lambda _day: [], first=400)
    assert vendor.unseen.total() == 0
    assert vendor.in_use.days < 60


def test_every_night_but_the_deep_ones_reads_what_is_in_use() -> None:
    """One in four weeks reads from before the last deep one on, as far as the depth; the others the days in use."""
    vendor = Vendor()
    nights(vendor, 200, lambda _day: [1, 2] * 4)
    reached = [(today - start).days for today, start in vendor.read[100:]]
    assert Counter(reached).most_common(1)[0][0] == FLOOR + 1
    deep = [number for number, days in enumerate(reached) if days > FLOOR + 1]
    assert {later - number for number, later in pairwise(deep)} == {EVERY}
    assert {reached[number] for number in deep} == {60 + EVERY}


@pytest.mark.parametrize(
    ("count", "late", "why"),
    [
        (EVERY, [2] * 30, "28 days were watched"),
        (90, [2, 2], "381 late rows were measured"),
        (90, [], "381 late rows were measured"),
    ],
)
def test_too_little_is_the_default_and_says_so(count: int, late: list[int], why: str) -> None:
    """Watched too short, or too few rows: until then it is what it would be without a word."""
    vendor = Vendor()
    nights(vendor, count, lambda _day: late)
    assert vendor.in_use.days == 60
    assert told(vendor.in_use).startswith(f"{NAME} is auto: 60 days, ")
    assert told(vendor.in_use).endswith(f"; that is its default, until {why}")
    nights(vendor, 150, lambda _day: [2] * 8, first=count)
    assert vendor.in_use.days == FLOOR
    assert "; " not in told(vendor.in_use)


def test_a_vendor_that_is_young_has_nothing_that_is_old() -> None:
    """Days of which nothing can be late by more than a month tell nothing of two."""
    vendor = Vendor(since=BEGIN - timedelta(days=10))
    used = nights(vendor, 200, lambda _day: [3] * 20)
    young = 60 - 10
    assert set(used[: young + EVERY]) == {60}
    assert used[-1] == FLOOR


def test_a_default_below_the_floor_is_a_floor_of_its_own() -> None:
    """And where more is late it is more than the default, up to the depth and no further."""
    assert depth_of(5) == 31
    vendor = Vendor(Short())
    assert nights(vendor, 100, lambda _day: [2] * 10)[-1] == 5
    assert vendor.in_use.why is None
    vendor = Vendor(Short())
    assert nights(vendor, 100, lambda _day: [2] * 10 + [25])[-1] == 31
    assert told(vendor.in_use).endswith("; it takes no more by itself, and deep readings bring no more")


def test_what_was_measured_long_ago_counts_no_more() -> None:
    """For a year: a vendor that has become quick is read less deep then."""
    vendor = Vendor()
    slow = nights(vendor, 200, lambda _day: [2] * 9 + [50])
    quick = nights(vendor, 500, lambda _day: [2] * 10, first=200)
    assert slow[-1] >= 50
    assert quick[100] >= 50
    assert quick[-1] == FLOOR
    assert len(vendor.state["lateness"][NAME]["rows"]["months"]) <= 13


def test_a_backfill_is_not_late() -> None:
    """Days older than any deep reading is sure of: what comes of them, at a first look or later, is not always seen."""
    vendor = Vendor()
    nights(vendor, 40, lambda _day: [2] * 20)
    own, noted = watch(vendor.state, vendor.settings, LATE)
    old, today = BEGIN - timedelta(days=700), BEGIN + timedelta(days=40)
    own.take([(old, 900)], today, [(old, old + timedelta(days=20), today)])
    own.take([(old, 900)], today + timedelta(days=1), [])
    assert max(map(int, noted["pending"])) < 60 + EVERY
    assert len(noted["covered"]) == 2
    nights(vendor, 2 * EVERY, lambda _day: [2] * 20, first=40)
    assert vendor.in_use.share == 1


def test_a_night_of_a_wrong_clock_makes_nothing_late() -> None:
    """A reading dated a year ahead: what comes of these days in time is not late, and deep readings go on."""
    vendor = Vendor()
    nights(vendor, 60, lambda _day: [9] * 20)
    own, noted = watch(vendor.state, vendor.settings, LATE)
    ahead, before = BEGIN + timedelta(days=425), len(vendor.read)
    own.take([], ahead, [(ahead - timedelta(days=500), ahead, ahead)])
    assert noted["deep"] == str(ahead)
    nights(vendor, 90, lambda _day: [9] * 20, first=60)
    found = vendor.in_use
    assert (found.days, found.share, found.measured) == (9, 1, 20 * found.watched_days)
    assert sum(start < today - timedelta(days=30) for today, start in vendor.read[before:]) >= 3


def test_a_number_is_that_number() -> None:
    """Whatever was measured."""
    vendor = Vendor()
    nights(vendor, 100, lambda _day: [2] * 10)
    vendor.settings[NAME] = 45
    assert vendor.in_use == InUse(NAME, 45)
    assert vendor.night(BEGIN + timedelta(days=300)) == 45

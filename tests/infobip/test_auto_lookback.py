"""A lookback that sets itself by how long counts of a day still changed."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from conversync.sandbox import World
from conversync.sandbox.front import Variants as Answers
from tests.besitos.test_auto_lookback import wilson
from tests.houses import VendorWorkspace
from tests.infobip.conftest import MakeHouse
from tests.infobip.test_nights import key
from tests.support import command

DEFAULT, DEPTH = 30, 31
NIGHTS = (40, 52, 64, 68)


def counts(house: VendorWorkspace, first: date, last: date) -> dict[tuple[Any, ...], tuple[int, int]]:
    """By pair and day, what the vendor counts now."""
    return {
        (*key(pair), day): (rate.start_count, rate.end_count)
        for pair in house.sandbox.infobip.pairs
        for day, rate in house.sandbox.infobip.oracle.rates(key(pair), first, last).items()
    }


@pytest.mark.more
def test_it_is_as_many_days_as_counts_still_changed(make_house: MakeHouse) -> None:
    """By the vendor's own books: what each night found otherwise than the last one that read the day."""
    world = World(days=70, players=2000, conversions_a_day=200)
    house = make_house(world, infobip_lookback_days="auto", infobip_start_date=str(world.start))
    house.sandbox.server.variants = Answers(date="clock")
    seen: dict[tuple[Any, ...], tuple[int, int]] = {}
    ages = Counter[int]()
    read = before = world.start
    for number in NIGHTS:
        world.now = world.day(number) + timedelta(hours=12)
        house.load()
        today, start = world.now.date(), world.start
        if number != NIGHTS[0]:
            start = max(world.start, read - timedelta(days=DEFAULT))
        if number == NIGHTS[-1]:
            start = before - timedelta(days=DEPTH)
        for one, now in counts(house, start, today).items():
            then = seen.get(one, now)
            if one[-1] < read:
                ages[(today - one[-1]).days] += sum(abs(a - b) for a, b in zip(now, then, strict=True))
            seen[one] = now
        before = before if number != NIGHTS[0] else today
        read = today
    total = ages.total()
    assert total > 381, "the world is too small for its promise"
    days = next(
        days
        for days in range(7, DEPTH + 1)
        if wilson(sum(rows for age, rows in ages.items() if age <= days), total) >= 0.99 or days == DEPTH
    )
    assert days != DEFAULT, "the world would not show it"
    told = command("status", "infobip", "--json", cwd=house.folder, environment=house.environment)
    [found] = json.loads(told.out)["sources"][0]["lookbacks"]
    assert (found["days"], found["measured"], found["watched_days"]) == (days, total, 28)
    asked = len(house.sandbox.requests)
    world.now = world.day(69) + timedelta(hours=12)
    house.load()
    told_days = [one.query.get("from", one.target) for one in house.sandbox.requests[asked:]]
    assert any(str(read - timedelta(days=days)) in one for one in told_days), told_days
    assert not any(str(read - timedelta(days=days + 1)) in one for one in told_days), told_days

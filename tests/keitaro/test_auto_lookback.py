"""A lookback that sets itself by the days of the clicks whose conversions came late."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from conversync.sandbox import World
from conversync.sandbox.front import Variants as Answers
from tests.besitos.test_auto_lookback import wilson
from tests.keitaro.books import LOG, body
from tests.keitaro.conftest import MakeHouse

DEFAULT, DEPTH = 30, 31
NIGHTS = (40, 54, 68)


@pytest.mark.more
def test_it_is_as_many_days_as_conversions_came_after_their_clicks(make_house: MakeHouse) -> None:
    """By the statements that are held: each night's, of days that an earlier one had read."""
    world = World(days=75, players=2000, conversions_a_day=110)
    house = make_house(world, keitaro_lookback_days="auto")
    house.sandbox.server.variants = Answers(date="clock")
    for number in NIGHTS:
        world.now = world.day(number) + timedelta(hours=12)
        house.load()
    days = "least(occurred_at::date, coalesce(click_datetime, occurred_at)::date)"
    held = house.query(
        f"select dense_rank() over (order by valid_from), {days} from keitaro.conversion_events"
    )
    ages = Counter[int]()
    for night, day in held:
        today, before = (world.day(NIGHTS[number]).date() for number in (night - 1, max(night - 2, 0)))
        age = (today - day).days
        if night > 1 and day < before and age <= DEPTH + (today - world.day(NIGHTS[0]).date()).days:
            ages[age] += 1
    total = ages.total()
    assert total > 381, "the world is too small for its promise"
    wanted = next(
        days
        for days in range(7, DEPTH + 1)
        if wilson(sum(rows for age, rows in ages.items() if age <= days), total) >= 0.99 or days == DEPTH
    )
    assert wanted != DEFAULT, "the world would not show it"
    seen = len(house.sandbox.requests)
    world.now = world.day(69) + timedelta(hours=12)
    house.load()
    first = world.day(NIGHTS[-1]).date() - timedelta(days=wanted)
    assert min(body(one)["range"]["from"] for one in house.asked(LOG, seen)) == str(first)

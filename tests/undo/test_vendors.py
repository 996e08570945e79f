"""Every source's loads can be taken back, whatever way its tables are kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from conversync.sandbox import World
from conversync.vendors import vendors
from tests.undo.past import Past, Tables


@pytest.mark.quick(1)
@pytest.mark.parametrize("name", ["keitaro", "conductrics", "infobip", "besitos"])
def test_a_load_is_taken_back_whatever_it_replaced(make_past: Callable[..., Past], name: str) -> None:
    """Rows that are only read again come back with their own load, too; the first load leaves empty tables."""
    assert name in vendors()
    past = make_past(name, world=World(days=6, conversions_a_day=6))
    if name != "conductrics":
        start = past.sandbox.world.start
        past.settings[f"{name.upper()}_START_DATE"] = str(start)
    stood: list[Tables] = [{}]
    for day in (3, 5):
        past.sandbox.world.now = past.sandbox.world.day(day) + timedelta(hours=3)
        past.night()
        stood.append(past.tables())
    assert stood[2] != stood[1]
    before = past.tables(times=False)
    past.undo()
    assert past.tables() == stood[1]
    past.night()
    assert past.tables(times=False) == before
    for number in (1, 0):
        past.undo()
        assert past.tables() == stood[number]
    past.night()
    assert past.tables(times=False).keys() == before.keys()

"""Whatever the vendor's document leaves open: the tables are right under every reading of it."""

from __future__ import annotations

from datetime import date

import pytest

from conversync.sandbox import World
from conversync.sandbox.besitos import parse_variants
from tests.besitos.conftest import MakeHouse
from tests.support import Workspace, at_once, held_is_the_oracles, sometimes, tables

FROM, TO = date(2025, 12, 30), date(2026, 6, 30)

MEANINGS = [
    "",
    "omitted=originals",
    "true=reversed",
    "true=ignored",
    "reversal_dated=original",
    "reversal_sign=negative",
    "reversal_payout=absent",
    "original_disappears=true",
    "to_date_inclusive=false",
    "repeats=counted",
    "repeats=uncounted page_cap=60",
]
# How the same is written, cut and sorted. Alone in the long suite; many of them at once in the quick one.
WRITTEN = [
    "reversal_payout=zero",
    "page_cap=60",
    "order=newest",
    "false=originals",
    "reverse=text",
    "reverse=boolean",
    "zone=America/New_York",
    "numbers_as_text=true",
    "ids_as_text=true",
    "surveys=false",
    "deal_type=offer",
    "order=shuffled page_cap=60",
    "past_end=last",
    "links=full",
    "links_root=https://wall.besitos.ai",
    "last_is_one=true",
    "ignores=per_page",
    "ignores=is_reverse",
]
COMBINED = [
    "numbers_as_text=true ids_as_text=true reverse=text links=full last_is_one=true page_cap=60 order=shuffled",
    "omitted=originals reversal_dated=original reversal_payout=absent reversal_sign=negative",
    "true=ignored original_disappears=true to_date_inclusive=false repeats=uncounted page_cap=60 past_end=last",
    "true=reversed repeats=counted order=newest page_cap=35 reverse=boolean zone=America/New_York",
]


# Read as the command does it, in two commits; the others in one, to save time.
ONE_BY_ONE = ["", "original_disappears=true", *COMBINED]


def promised(house: Workspace) -> None:
    """A first run, a second at the same hour, and a third after all reversals, late rows and restatements."""
    world = house.sandbox.world
    world.now = world.day(8)
    house.load(FROM, TO)
    held_is_the_oracles(house)

    first = tables(house.path)
    again = house.load(FROM, TO)
    assert (again.total("added"), again.total("restated")) == (0, 0)
    assert tables(house.path) == first

    world.now = world.last_change()
    later = house.load(FROM, TO)
    assert later.total("added") > 0
    held_is_the_oracles(house)
    histories = {len(history) for history in house.held().values()}
    assert histories >= {1, 2}, "nothing was restated: the world is too small for its promise"


@pytest.mark.quick(1)
@pytest.mark.parametrize(
    "reading", sometimes("", *COMBINED, *MEANINGS[1:], quick=3, ids=lambda reading: reading or "likeliest")
)
def test_tables_are_right_under_every_meaning(make_house: MakeHouse, reading: str) -> None:
    """Run, run again, run months later: the tables hold every statement, and the view's sums, to the cent."""
    promised(house_under(make_house, reading))


@pytest.mark.long
@pytest.mark.parametrize("reading", WRITTEN)
def test_tables_are_right_however_it_is_written(make_house: MakeHouse, reading: str) -> None:
    """As above, for the readings that change how rows and pages are written."""
    promised(house_under(make_house, reading))


def house_under(make_house: MakeHouse, reading: str) -> Workspace:
    """Twelve days under this reading, with the settings that a person who knew it would use."""
    variants = parse_variants(reading.split())
    house = make_house(World(days=12, conversions_a_day=18), variants, besitos_zone=variants.zone)
    if reading not in ONE_BY_ONE:
        house.vendor = at_once()
    return house

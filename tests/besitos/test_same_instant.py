"""Reversals that all carry their original's date: their rewards alone tell them apart."""

from __future__ import annotations

from typing import Any

import pytest

from conversync.sandbox import World
from conversync.sandbox.besitos import parse_variants
from tests.besitos.conftest import MakeHouse
from tests.besitos.rows import FROM, TO, reversal, row
from tests.support import Workspace, held_is_the_oracles, sometimes, tables

AT = "2024-12-04 06:25:36"
SALE = row(1, payout=30, reward=300, date_time=AT)
FOUR = reversal(1, payout=4, reward=40, date_time=AT)
SIX = reversal(1, payout=6, reward=60, date_time=AT)
STANDS = "select reversals, is_reversal_replaced, reversed_payout, net_payout from besitos.conversions"


def codes(house: Workspace, *served: list[Any]) -> list[int]:
    """The exit codes of one night for each list of rows."""
    found = []
    for rows in served:
        house.sandbox.besitos.rows = rows
        found.append(house.run(FROM, TO).exit_code)
    return found


@pytest.mark.parametrize(
    "served",
    sometimes(
        [[SALE, FOUR], [SALE, FOUR, SIX]],
        [[SALE, FOUR, SIX]],
        [[SIX, FOUR, SALE]],
        [[SALE, SIX], [SALE, FOUR, SIX]],
        [[FOUR, SIX], [SIX, SALE, FOUR]],
        quick=2,
    ),
)
def test_m01_two_of_one_instant_and_two_rewards_both_count(house: Workspace, served: list[list[Any]]) -> None:
    """30 less 4 and 6, in whatever order and night; exit 0, nothing set aside, and nothing new the next night."""
    assert codes(house, *served) == [0] * len(served)
    before = tables(house.path)
    assert codes(house, served[-1]) == [0]
    assert tables(house.path) == before
    assert house.query(STANDS) == [(2, False, 10, 20)]
    assert house.query("select count(*) from besitos.rejected_rows") == [(0,)]
    assert house.query("select count(*) from besitos.conversion_events") == [(3,)]


@pytest.mark.more
def test_m01_two_of_one_instant_and_one_reward_are_a_repeat(house: Workspace) -> None:
    """Nothing tells them from a row that is served twice: it takes once, and no row is set aside."""
    assert codes(house, [SALE, FOUR, FOUR], [SALE, FOUR]) == [0, 0]
    assert house.query(STANDS) == [(1, False, 4, 26)]


def test_m01_a_reward_that_is_restated_in_place_counts_alone(house: Workspace) -> None:
    """10 becomes 12 at the same instant, and 10 again: what is served no more gave way to the other."""
    ten, twelve = ({**FOUR, "payout": amount, "reward": 10 * amount} for amount in (10, 12))
    assert codes(house, [SALE, ten], [SALE, twelve]) == [0, 0]
    assert house.query(STANDS) == [(1, True, 12, 18)]
    assert codes(house, [SALE, ten]) == [0]
    assert house.query(STANDS) == [(1, True, 10, 20)]
    assert house.query("select count(*), count(valid_to) from besitos.conversion_events") == [(3, 0)]


@pytest.mark.more
def test_m01_one_of_two_that_is_restated_leaves_the_other(house: Workspace) -> None:
    """4 and 6, then 4 and 5: 9."""
    five = {**SIX, "payout": 5, "reward": 50}
    assert codes(house, [SALE, FOUR, SIX], [SALE, FOUR, five]) == [0, 0]
    assert house.query(STANDS) == [(2, True, 9, 21)]


@pytest.mark.more
def test_m01_another_sign_is_no_other_reversal(house: Workspace) -> None:
    """What a vendor's upgrade writes as -4 is the 4 of the night before, stated anew."""
    assert codes(house, [SALE, FOUR], [SALE, {**FOUR, "payout": -4, "reward": -40}]) == [0, 0]
    assert house.query(STANDS) == [(1, False, 4, 26)]
    assert house.query("select count(*), count(valid_to) from besitos.conversion_events") == [(3, 1)]


def test_m01_rewards_that_are_all_restated_are_believed(house: Workspace) -> None:
    """Twelve reversals of which each has another reward: none left the feed, however many."""
    sales = [row(number, payout=30, reward=300) for number in range(1, 13)]
    before = [reversal(number, payout=10, reward=100) for number in range(1, 13)]
    after = [{**one, "payout": 12, "reward": 120} for one in before]
    assert codes(house, sales + before, sales + after) == [0, 0]
    assert house.query("select count(*), sum(net_payout) from besitos.conversions") == [(12, 12 * 18)]


@pytest.mark.more
def test_m01_instalments_under_the_originals_date_are_the_oracles(make_house: MakeHouse) -> None:
    """A third, and days later the rest beside it, of every reversal of a story."""
    variants = parse_variants(["instalments=1", "reversal_dated=original"])
    house = make_house(World(days=12, conversions_a_day=18), variants, besitos_zone=variants.zone)
    world = house.sandbox.world
    for now in (world.day(8), world.last_change()):
        world.now = now
        assert house.run("2025-12-30", "2026-06-30").exit_code == 0
        held_is_the_oracles(house)
    assert house.query("select max(reversals) from besitos.conversions") == [(2,)]

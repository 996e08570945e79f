"""What is left of a conversion, whatever was said of it, in which order, and however often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import combinations, count, product
from typing import Any, NamedTuple

import pytest

from conversync.sandbox import Sandbox, Statement, Totals, World
from conversync.sandbox.besitos import totals_by_offer
from tests.besitos.rows import FROM, TO, reversal, row
from tests.support import Workspace, at_once, view_totals

D = Decimal
Rows = list[dict[str, Any]]
NIGHTS = 3


class Case(NamedTuple):
    """What the feed says of one transaction, night by night, and what the view then says of it."""

    nights: tuple[Rows, ...]
    expected: dict[str, Any]
    statements: int


def o(**changes: Any) -> dict[str, Any]:
    """The original; its number comes later."""
    return row(0, **changes)


def r(**changes: Any) -> dict[str, Any]:
    """The reversal."""
    return reversal(0, **changes)


WHOLE = {
    "payout": D("11.05"),
    "reversed_payout": D("11.05"),
    "net_payout": 0,
    "net_reward": 0,
    "is_reversed": True,
}
NOT_REVERSED = {"net_payout": D("11.05"), "reversed_payout": None, "is_reversed": False, "reversed_at": None}
ORPHAN = {
    "payout": None,
    "net_payout": 0,
    "reversed_payout": D("11.05"),
    "is_orphan": True,
    "is_over_reversed": False,
    "is_future_dated": False,
}
UNKNOWN = {
    "reversed_payout": None,
    "net_payout": D("11.05"),
    "reversal_payout_unknown": True,
    "net_reward": 0,
}
PART = {"reversed_payout": D("3.25"), "net_payout": D("7.8"), "reversed_reward": 10, "net_reward": 30}
CASES: dict[str, Case] = {
    "a conversion is what it earned": Case(([o()], [o()], [o()]), NOT_REVERSED, 1),
    "S01 a reversal in a later run takes it back": Case(([o()], [r()], []), WHOLE, 2),
    "S02 a reversal before its original nets the same": Case(([r()], [o()], []), WHOLE, 2),
    "S03 a reversal behind its original in one batch nets the same": Case(([o(), r()], [], []), WHOLE, 2),
    "S03 a reversal ahead of its original in one batch nets the same": Case(([r(), o()], [], []), WHOLE, 2),
    "S05 a reversal that comes twice counts once": Case(([o(), r(), r()], [r()], [r()]), WHOLE, 2),
    "S06 a part taken back leaves the rest": Case(([o()], [r(payout=3.25, reward=10)], []), PART, 2),
    "S06 a negative part is the same part": Case(([o()], [r(payout=-3.25, reward=-10)], []), PART, 2),
    "S06 a part that becomes the whole is the whole": Case(
        ([o()], [r(payout=3.25, reward=10)], [r()]), WHOLE, 3
    ),
    "S06 a reversal that says no payout takes none, and it shows": Case(
        ([o()], [r(payout=None)], []), UNKNOWN, 2
    ),
    "S06 a reversal of payout 0 says that none is taken": Case(
        ([o(), r(payout=0)], [], []),
        {"reversed_payout": 0, "net_payout": D("11.05"), "reversal_payout_unknown": False, "net_reward": 0},
        2,
    ),
    "S06 more taken back than was given is not hidden": Case(
        ([o()], [r(payout=12, reward=41)], []),
        {"net_payout": D("-0.95"), "net_reward": -1, "is_over_reversed": True},
        2,
    ),
    "S07 an original that comes again stays reversed": Case(([o(), r()], [o()], [o()]), WHOLE, 2),
    "S08 a restated amount is the amount": Case(
        ([o()], [o(payout=13)], [o(payout=13)]), {"net_payout": 13}, 2
    ),
    "S08 an amount restated and told back is as at first": Case(
        ([o()], [o(payout=13)], [o()]), NOT_REVERSED, 3
    ),
    "S08 another reward or point is a restatement too": Case(
        ([o()], [o(reward_local_currency=4001)], [o(reward=41)]),
        {"reward": 41, "reward_local_currency": 4000},
        3,
    ),
    "S08 every documented field is": Case(
        ([o()], [o(note="Level 92 Reached")], [o(offer_name="X")]), {"offer_name": "X"}, 3
    ),
    "S09 a reversal without any original earns and costs nothing": Case(([], [r()], []), ORPHAN, 1),
    "S10 an id in other letters is the same user": Case(
        ([o(user_id="ABC")], [o(user_id="abc")], []), {"user_key": "abc"}, 1
    ),
    "S11 a negative payout keeps its sign, and so does its reversal": Case(
        ([o(payout=-2, reward=0)], [r(payout=2, reward=0)], []),
        {"payout": -2, "reversed_payout": -2, "net_payout": 0},
        2,
    ),
    "S11 payout 0 with a reward is a cost": Case(
        ([o(payout=0)], [], []), {"net_payout": 0, "net_reward": 40}, 1
    ),
    "J08 an unknown field makes no new statement": Case(([o()], [o(bonus=1)], [o(bonus=2)]), NOT_REVERSED, 1),
    "J06 the same amount written otherwise makes no new statement": Case(
        ([o()], [o(payout="11.050", transaction_id="@")], [o(payout=11.05, reverse=0, type=None)]),
        NOT_REVERSED,
        1,
    ),
    "the same instant written otherwise makes no new statement": Case(
        ([o()], [o(date_time="2024-12-04T06:25:36")], []), NOT_REVERSED, 1
    ),
    "what leaves the feed keeps its last statement": Case(([o()], [], []), NOT_REVERSED, 1),
    "S06 more reward taken back than was given is not hidden either": Case(
        ([o()], [r(reward=41)], []), {"net_payout": 0, "net_reward": -1, "is_over_reversed": True}, 2
    ),
    "S11 more than a negative payout taken back is as over as any": Case(
        ([o(payout=-10)], [r(payout=12)], []),
        {"reversed_payout": -12, "net_payout": 2, "net_reward": 0, "is_over_reversed": True},
        2,
    ),
}
NUMBERS = {name: 5000 + number for number, name in enumerate(CASES)}
SOME_NIGHTS = [set(chosen) for size in range(1, NIGHTS + 1) for chosen in combinations(range(NIGHTS), size)]
# Original and reversal, each told on any of the nights, in either order: number -> (nights of the one, of the other).
ORDERS = dict(
    zip(count(7000), product(SOME_NIGHTS, SOME_NIGHTS, ("original first", "reversal first")), strict=False)
)


def numbered(rows: Rows, number: int) -> Rows:
    """The rows as of that transaction, each of a survey of its own; "@" stands for its number as text."""
    ids = [str(number) if one["transaction_id"] == "@" else number for one in rows]
    return [{**one, "transaction_id": id_, "survey_id": number} for one, id_ in zip(rows, ids, strict=True)]


def feed(night: int) -> Rows:
    """All that is told on one night."""
    rows = [one for name, case in CASES.items() for one in numbered(case.nights[night], NUMBERS[name])]
    for number, (originals, reversals, order) in ORDERS.items():
        pair = [row(number)] * (night in originals) + [reversal(number)] * (night in reversals)
        rows += numbered(pair if order == "original first" else pair[::-1], number)
    return rows


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Three nights of all cases at once."""
    with Sandbox(World(days=1)) as sandbox:
        house = Workspace(sandbox, tmp_path_factory.mktemp("nights"), vendor=at_once())
        for night in range(NIGHTS):
            sandbox.besitos.rows = feed(night)
            house.load(FROM, TO)
        yield house


def conversion(house: Workspace, number: int) -> dict[str, Any]:
    """The view's one row of a transaction."""
    names = [name for [name] in house.query("select column_name from (describe besitos.conversions)")]
    [values] = house.query(f"select * from besitos.conversions where transaction_id = {number}")
    return dict(zip(names, values, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_what_is_left_of_a_conversion(loaded: Workspace, name: str) -> None:
    """As the test's id says; and every statement that was ever made is there."""
    case = CASES[name]
    held = conversion(loaded, NUMBERS[name])
    assert {column: held[column] for column in case.expected} == case.expected
    assert held["statements"] == case.statements


def test_in_whatever_order_and_however_often_it_is_told_the_net_is_the_same(loaded: Workspace) -> None:
    """S01 to S07. All ways to tell an original and its reversal over three nights: 98 transactions, one result."""
    names = "payout, reversed_payout, net_payout, reward, reversed_reward, net_reward"
    names += ", is_reversed, is_orphan, statements"
    results = loaded.query(f"select distinct {names} from besitos.conversions where transaction_id >= 7000")
    assert results == [(D("11.05"), D("11.05"), 0, 40, 40, 0, True, False, 2)]
    assert loaded.query("select count(*) from besitos.conversions where transaction_id >= 7000") == [
        (len(ORDERS),)
    ]
    assert len(ORDERS) == 98


def test_earlier_statements_are_closed_and_kept(loaded: Workspace) -> None:
    """A, then B, then A: three rows, two closed when the next one opened, the last one open."""
    key = f"{NUMBERS['S08 an amount restated and told back is as at first']}:original"
    assert [statement.payout for statement in loaded.held()[key]] == [D("11.05"), D(13), D("11.05")]


def test_the_view_is_the_oracles_sum_of_what_stands(loaded: Workspace) -> None:
    """To the cent, by offer, over all the cases above."""
    standing: dict[str, Statement] = {}
    for night in range(NIGHTS):
        # The row of an event that is first in other letters keeps its spelling; nothing of money hangs on it.
        told = [replace(Statement.of_row(one), user_id=None) for one in feed(night)]
        # What is told no more gave way to another reversal of its transaction.
        taken_back = {one.transaction_id for one in told if one.is_reversal}
        for key, one in list(standing.items()):
            if one.is_reversal and one.transaction_id in taken_back:
                del standing[key]
        standing |= {one.event_key: one for one in told}
    assert view_totals(loaded.path) == totals_by_offer(standing.values())
    assert (
        sum(view_totals(loaded.path).values(), Totals()).net_payout
        == loaded.query("select sum(net_payout) from besitos.conversions")[0][0]
    )


def test_when_a_reversal_was_learned_of_is_kept_apart_from_its_date(loaded: Workspace) -> None:
    """`reversed_at` is what the feed says; `reversal_seen_at` is the load that brought it first."""
    held = conversion(loaded, NUMBERS["S05 a reversal that comes twice counts once"])
    assert held["reversed_at"] == datetime(2024, 12, 6, 14, 0, tzinfo=UTC)
    assert held["reversal_seen_at"] == held["first_seen_at"] > held["reversed_at"]
    late = conversion(loaded, NUMBERS["S01 a reversal in a later run takes it back"])
    assert late["reversal_seen_at"] > late["first_seen_at"]


TAKEN: dict[str, tuple[dict[str, Any], dict[str, Any], str | None]] = {
    "the whole reward back takes the whole payout": (o(), r(payout=None), "0"),
    "a part of the reward takes its share": (o(payout=10, reward=40), r(payout=0, reward=-10), "7.5"),
    "a share is exact where no float is": (
        o(payout="999999999999.999999", reward=3),
        r(payout=None, reward=1),
        "666666666666.666666",
    ),
    "and rounded as it should be": (o(payout=1, reward=3), r(payout=None, reward=2), "0.333333"),
    "a third is rounded to six digits": (o(payout=10, reward=3), r(payout=0, reward=1), "6.666667"),
    "nothing of nothing is the whole": (o(reward=0), r(payout=0, reward=0), "0"),
    "a payout that is said is believed": (o(), r(payout=2), "9.05"),
    "a reward taken back that was never given tells nothing": (o(reward=0), r(payout=0, reward=5), "11.05"),
}


def test_with_the_setting_a_reversal_takes_the_payout_too(house: Workspace) -> None:
    """For an account whose reversals leave the payout out, or at 0: whole for whole, a share for a part."""
    house.settings["BESITOS_REVERSAL_TAKES_PAYOUT"] = "true"
    rows = [numbered([original, taken], number) for number, (original, taken, _) in enumerate(TAKEN.values())]
    house.sandbox.besitos.rows = [one for pair in rows for one in pair]
    house.load(FROM, TO)
    nets = {name: conversion(house, number)["net_payout"] for number, name in enumerate(TAKEN)}
    assert nets == {name: D(net or 0) for name, (_, _, net) in TAKEN.items()}

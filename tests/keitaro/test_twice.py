"""A tracker gives new ids to some conversions: both are kept, and each night says with exit 3 that they count twice."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from tests.houses import VendorWorkspace
from tests.keitaro.books import conversion
from tests.keitaro.test_withdrawn import OTHER_IDS, by_steps, current, later, loaded, renamed, rows

Row = dict[str, Any]


def some(served: list[Row], count: int) -> list[Row]:
    """The first few of them under other ids."""
    return [*renamed(served[:count], OTHER_IDS["prefix"]), *served[count:]]


def night(house: VendorWorkspace, served: list[Row]) -> tuple[int, list[str]]:
    """The exit code of one run, and what it says of conversions that stand twice."""
    house.sandbox.keitaro.rows = served
    report = house.run()
    assert report.error is None
    later(house)
    return report.exit_code, [note for note in report.notes if "twice" in note]


THREE = (
    "3 conversions came from Keitaro under another id than before (c0 is ev-c0, c1 is ev-c1, c2 is ev-c2): each is "
    "kept under both and counts twice. Ask who runs the tracker what became of its ids. If the new ones stay, delete "
    "the old ones from keitaro.conversion_events; the source's README.md has a query that lists them"
)
OLD_IDS = """
    delete from keitaro.conversion_events where conversion_id in (
        select gone.conversion_id from keitaro.conversions as gone
        inner join keitaro.conversions as came on gone.sub_id = came.sub_id and gone.tid = came.tid
        where gone.first_seen_at < came.first_seen_at
    )
"""


def test_m02_other_ids_for_some_conversions_are_told_each_night(house: VendorWorkspace) -> None:
    """Three of ten: in the same night, and until the old ones are taken out."""
    served = rows(10)
    loaded(house, served)
    for _ in range(3):
        assert night(house, some(served, 3)) == (3, [THREE])
    assert current(house) == [(13, 19.5)]
    with duckdb.connect(str(house.path)) as connection:
        connection.execute(OLD_IDS)
    assert night(house, some(served, 3)) == (0, [])
    assert current(house) == [(10, 15)]


@pytest.mark.more
def test_m02_more_than_half_and_window_by_window(
    house: VendorWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the command reads; a few are named."""
    loaded(house, rows())
    by_steps(house, monkeypatch)
    code, [said] = night(house, some(rows(), 22))
    assert code == 3
    assert said.startswith("22 conversions came from Keitaro under another id")
    assert ", ...): each is kept under both and counts twice" in said
    assert night(house, some(rows(), 22)) == (3, [said])


@pytest.mark.more
def test_m02_old_ids_that_come_back_still_stand_twice(house: VendorWorkspace) -> None:
    """The other way round; where both are served, they are two conversions of the tracker."""
    served = rows(10)
    loaded(house, served)
    night(house, some(served, 1))
    code, [said] = night(house, served)
    assert code == 3
    assert said.startswith(
        "1 conversion came from Keitaro under another id than before (ev-c0 is c0): it is kept"
    )
    assert night(house, served)[0] == 3
    assert night(house, [*served, *some(served, 1)[:1]]) == (0, [])


def test_m02_a_conversion_that_left_without_another_is_none_of_these(house: VendorWorkspace) -> None:
    """Nor is one of another click or transaction, or one that was there before."""
    served = rows(10)
    loaded(house, served)
    other = conversion(50, tid="t0", sub_id="another", datetime=served[0]["datetime"])
    assert night(house, [*served[1:], other]) == (0, [])
    assert current(house) == [(11, 16.5)]


@pytest.mark.more
def test_m02_without_a_transaction_all_else_has_to_be_the_same(house: VendorWorkspace) -> None:
    """Of two that are alike, one is given another id; another amount is another conversion."""
    same = [conversion(number, tid=None, sub_id="s", datetime="2026-01-03 10:00:00") for number in (1, 2, 3)]
    loaded(house, same)
    code, [said] = night(house, [*renamed(same[:1], OTHER_IDS["prefix"]), *same[1:]])
    assert (code, "(c1 is ev-c1)" in said) == (3, True)
    moved = [{**one, "revenue": 2} for one in renamed(same[1:2], OTHER_IDS["prefix"])]
    assert night(house, [*renamed(same[:1], OTHER_IDS["prefix"]), *moved, same[2]]) == (3, [said])

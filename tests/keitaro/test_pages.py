"""A window is read whole or not at all: offsets, caps, totals that lie, rows that move while they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest

from conversync.sandbox import Fault, Request, World
from conversync.sandbox.keitaro import Variants
from tests.houses import VendorWorkspace
from tests.keitaro.books import LOG, body, conversion, expected, held, pages
from tests.keitaro.conftest import MakeHouse
from tests.support import sometimes


def _told(variants: Variants) -> str:
    """What is unlike the likeliest tracker."""
    unlike = [
        one.name for one in fields(variants) if getattr(variants, one.name) != getattr(Variants(), one.name)
    ]
    return " ".join(f"{name}={getattr(variants, name)}" for name in unlike)


def loaded(house: VendorWorkspace) -> list[str]:
    """The ids in the table, open ones."""
    return [row[0] for row in house.query("select conversion_id from keitaro.conversions order by 1")]


def test_pages_follow_each_other_by_offset(house: VendorWorkspace) -> None:
    """Fifty conversions at twelve a page: five questions of the same form, each a row before the end of the last."""
    house.settings["KEITARO_PAGE_SIZE"] = "12"
    house.sandbox.keitaro.rows = [conversion(number) for number in range(50)]
    house.load()
    assert sorted(pages(house, LOG)) == [(12, offset) for offset in range(0, 50, 11)]
    assert len(loaded(house)) == 50
    asked = [body(one) for one in house.asked(LOG) if body(one)["limit"] == 12]
    for one in asked:
        one.pop("offset")
    assert all(one == asked[0] for one in asked)


@pytest.mark.long
def test_a_page_that_is_cut_short_moves_the_next_ones(house: VendorWorkspace) -> None:
    """A tracker that gives nine rows where twelve were asked for says so nowhere: no row is skipped."""
    house.settings["KEITARO_PAGE_SIZE"] = "12"
    house.sandbox.keitaro.variants = Variants(page_cap=9)
    house.sandbox.keitaro.rows = [conversion(number) for number in range(30)]
    house.load()
    assert [offset for _, offset in sorted(pages(house, LOG))] == [0, 8, 16, 24]
    assert len(loaded(house)) == 30


@pytest.mark.parametrize("total", sometimes("page", "absent", quick=1))
def test_a_total_of_one_page_is_not_taken_for_all(house: VendorWorkspace, total: Any) -> None:
    """Where the total counts a page, or is missing, pages are asked for until one is empty, twice over."""
    house.settings["KEITARO_PAGE_SIZE"] = "25"
    house.sandbox.keitaro.variants = Variants(total=total)
    house.sandbox.keitaro.rows = [conversion(number) for number in range(60)]
    house.load()
    assert [offset for _, offset in pages(house, LOG)] == [0, 25, 50, 75] * 2
    assert len(loaded(house)) == 60


def test_b02_a_window_short_of_its_total_is_loaded_told_and_read_again(house: VendorWorkspace) -> None:
    """A day whose total is never met: what came is in the table, exit 3, and the next night that adds up heals it."""
    house.settings["KEITARO_PAGE_SIZE"] = "25"
    house.sandbox.keitaro.rows = [conversion(number) for number in range(60)]

    def one_more(document: dict[str, Any], _query: Mapping[str, str]) -> dict[str, Any]:
        return (
            {**document, "total": document["total"] + bool(document["rows"])}
            if "rows" in document
            else document
        )

    def with_the_day(asked: Request) -> bool:
        days = body(asked)["range"]
        return bool(days["from"] <= "2026-01-05" <= days["to"])

    fault = house.sandbox.faults.add(Fault(path=LOG, where=with_the_day, mutate=one_more))
    report = house.run()
    assert fault.delivered
    assert report.error is None
    assert report.exit_code == 3
    assert report.total("missing") > 0
    assert any("is short by" in note for note in report.notes)
    assert len(loaded(house)) == 60
    house.sandbox.faults.clear()
    house.load()
    assert len(loaded(house)) == 60


@pytest.mark.quick(1)
@pytest.mark.parametrize(
    "variants",
    sometimes(
        Variants(order="page", sorts="none"),
        Variants(total_cap=50),
        Variants(limit_max=20),
        Variants(order="unstable", sorts="none"),
        Variants(repeats="first", total="absent"),
        Variants(repeats="first"),
        Variants(short_page=True),
        Variants(total_behind=7),
        Variants(repeats="first", total="page"),
        quick=3,
        ids=_told,
    ),
)
def test_b01_b04_b05_b08_a_tracker_that_cannot_be_believed_is_read_whole(
    house: VendorWorkspace, variants: Variants
) -> None:
    """Ties between offsets, offsets not heard, totals from a cache, large pages refused: every row, and exit 0."""
    house.settings["KEITARO_PAGE_SIZE"] = "25"
    house.sandbox.keitaro.variants = variants
    rows = [conversion(number, datetime=f"2026-01-{4 + number % 3:02} 10:00:00") for number in range(60)]
    house.sandbox.keitaro.rows = rows
    house.load()
    assert len(loaded(house)) == 60


def test_what_happens_during_the_walk_is_in_the_table(house: VendorWorkspace) -> None:
    """Between two pages one conversion comes, and one of an earlier page is posted again: the window is walked anew."""
    house.settings |= {"KEITARO_PAGE_SIZE": "10", "KEITARO_CONCURRENCY": "1"}
    before = [conversion(number) for number in range(30)]
    house.sandbox.keitaro.rows = before

    def meanwhile() -> None:
        again = conversion(0, status="sale", datetime="2026-01-06 12:00:00")
        house.sandbox.keitaro.rows = [again, *before[1:], conversion(30)]

    late = Fault(path=LOG, times=1, where=lambda one: body(one)["offset"] == 20, action=meanwhile)
    house.sandbox.faults.add(late)
    house.load()
    assert late.delivered == 1
    assert house.query(
        "select walks, announced, statements from keitaro.windows where stream = 'conversions'"
    ) == [(2, 31, 31)]
    assert len(loaded(house)) == 31
    assert house.query("select status, statements from keitaro.conversions where conversion_id = 'c0'") == [
        ("sale", 1)
    ]


def test_one_conversion_on_two_pages_with_two_contents(house: VendorWorkspace) -> None:
    """The later one stands; the other is set aside as superseded, and counted."""
    early, late = conversion(1, revenue=1), conversion(1, revenue=2, datetime="2026-01-06 00:00:00")
    house.sandbox.keitaro.rows = [early, late, conversion(2)]
    house.sandbox.keitaro.variants = Variants(total="less")
    report = house.run()
    assert report.error is None
    assert (report.exit_code, report.total("rejected_new")) == (3, 1)
    assert house.query("select conversion_id, revenue from keitaro.conversions order by 1") == [
        ("c1", 2),
        ("c2", 1.5),
    ]
    [[reason, raw]] = house.query("select reason, raw from keitaro.rejected_rows")
    assert reason.startswith("superseded: another row of c1 came in the same walk")
    assert '"revenue":1.000000' in raw


FAULTS = {
    "reset": Fault(path=LOG, times=1, reset_after=300),
    "a bot check once": Fault(path=LOG, times=1, html=True),
    "503": Fault(path=LOG, times=2, status=503),
    "429": Fault(path=LOG, times=1, status=429, headers={"Retry-After": "1"}),
    "cut": Fault(path=LOG, times=1, truncate_to=200),
    "report": Fault(path="/admin_api/v1/report/build", times=1, status=500),
}


@pytest.mark.parametrize("name", sometimes(*FAULTS, quick=1))
def test_a_passing_fault_costs_nothing(make_house: MakeHouse, name: str) -> None:
    """Asked again, and every row is there once."""
    fault = FAULTS[name]
    house = make_house(World(days=2, conversions_a_day=6), keitaro_page_size="5")
    house.sandbox.faults.add(fault)
    house.load()
    assert fault.delivered == fault.times
    assert held(house) == expected(house)


@pytest.mark.long
def test_a_fault_in_the_middle_loads_nothing_of_the_window(house: VendorWorkspace) -> None:
    """A tracker that stops answering in the middle refuses its window; the next run has it whole."""
    house.settings |= {"KEITARO_PAGE_SIZE": "10", "HTTP_BUDGET": "0"}
    house.sandbox.keitaro.rows = [conversion(number) for number in range(30)]
    stopped: list[bool] = []

    def has_stopped(asked: Request) -> bool:
        stopped.extend([True] if body(asked)["offset"] == 20 else [])
        return bool(stopped)

    house.sandbox.faults.add(Fault(path=LOG, status=500, where=has_stopped))
    report = house.run()
    assert (report.exit_code, report.steps) == (6, [])
    house.sandbox.faults.clear()
    house.load()
    assert len(loaded(house)) == 30


def test_an_empty_window_is_right(house: VendorWorkspace) -> None:
    """No conversions: the tables and the view are there, and empty."""
    house.load()
    assert loaded(house) == []
    query = "select distinct announced, received, walks from keitaro.windows where stream = 'conversions'"
    assert house.query(query) == [(0, 0, 1)]

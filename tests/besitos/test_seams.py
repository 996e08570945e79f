"""Pages that overlap: what slides from one onto another is seen, and a vendor that behaves is asked nothing for it."""

from __future__ import annotations

from typing import Any

import pytest

from conversync.sandbox import Fault, Variants, World
from tests.besitos.changes import everything
from tests.besitos.conftest import MakeHouse
from tests.besitos.rows import AFTER, FROM, TO, row
from tests.support import Workspace

# As a night asks: everything of these days in one question.
WIDE = {"from_date": FROM, "to_date": AFTER}


def at_noon(number: int) -> dict[str, Any]:
    return row(number, date_time=f"2024-12-04 12:00:{number:02}")


@pytest.fixture
def house(make_house: MakeHouse) -> Workspace:
    """Twenty-three rows of one day, ten a page, one page at a time."""
    house = make_house(World(), besitos_page_size="10", besitos_concurrency="1")
    house.sandbox.besitos.rows = [at_noon(number) for number in range(1, 24)]
    return house


def held(house: Workspace) -> list[int]:
    return [id_ for [id_] in house.query("select transaction_id from besitos.conversions order by 1")]


def asked(house: Workspace) -> list[tuple[int, int]]:
    """The pages that were asked for of everything on these days, with how many rows each was to have."""
    queries = [one.query for one in house.sandbox.requests if everything(one)]
    return [(int(one["page"]), int(one["per_page"])) for one in queries if WIDE.items() <= one.items()]


def test_pages_overlap_and_are_no_more_than_without(house: Workspace) -> None:
    """Three pages for 23 rows, as of ten rows each; the second begins a row, the third two rows before the end."""
    house.load(FROM, TO)
    assert asked(house) == [(1, 10), (2, 9), (3, 8)]
    assert held(house) == list(range(1, 24))
    assert house.query(
        "select pages, announced, received from besitos.windows where stream = 'conversions'"
    ) == [(3, 23, 23)]


def test_where_pages_have_become_short_a_longer_one_begins_where_they_end(house: Workspace) -> None:
    """Twenty-nine rows: page 4 of nine rows begins a row before the end of page 4 of seven."""
    house.sandbox.besitos.rows = [at_noon(number) for number in range(1, 30)]
    house.load(FROM, TO)
    assert asked(house) == [(1, 10), (2, 9), (3, 8), (4, 7), (4, 9)]
    assert held(house) == list(range(1, 30))


def test_where_an_overlap_would_take_many_more_pages_there_is_none(house: Workspace) -> None:
    house.settings["BESITOS_PAGE_SIZE"] = "3"
    house.load(FROM, TO)
    assert asked(house) == [(page, 3) for page in range(1, 9)]
    assert held(house) == list(range(1, 24))


@pytest.mark.quick(2)
@pytest.mark.parametrize("page", [2, 3])
@pytest.mark.parametrize("leave", [1, 2, 3])
def test_m02_rows_that_leave_while_as_many_come_hide_none(house: Workspace, page: int, leave: int) -> None:
    """Between two pages, of one total: what slid onto a page that was read is there, in this night."""
    rows = [at_noon(number) for number in range(1, 24)]
    come = [row(90 + number, date_time=f"2024-12-04 12:00:{number}") for number in range(30, 30 + leave)]

    def move() -> None:
        house.sandbox.besitos.rows = [*rows[:1], *rows[1 + leave :], *come]

    fault = house.sandbox.faults.add(Fault(page=page, times=1, action=move, query=WIDE, where=everything))
    report = house.run(FROM, TO)
    assert (report.error, report.exit_code, fault.delivered) == (None, 0, 1)
    assert held(house) == [1, *range(2 + leave, 24), *range(120, 120 + leave)]
    assert house.load(FROM, TO).notes == []


@pytest.mark.parametrize("order", ["newest", "shuffled"])
def test_rows_that_come_first_or_stand_in_any_order_on_their_page_are_no_slide(
    house: Workspace, order: Any
) -> None:
    house.sandbox.besitos.variants = Variants(order=order)
    house.load(FROM, TO)
    assert asked(house) == [(1, 10), (2, 9), (3, 8)]
    assert held(house) == list(range(1, 24))


@pytest.mark.parametrize("other", ["refused", "rounded"])
def test_a_vendor_that_gives_pages_of_some_sizes_only_is_asked_for_those(
    house: Workspace, other: Any
) -> None:
    """Noticed at the second page, told, and known from then on: the next night asks as for pages of one size."""
    house.sandbox.besitos.variants = Variants(per_page_step=5, per_page_other=other)
    report = house.run(FROM, TO)
    assert (report.error, report.exit_code) == (None, 0)
    assert asked(house)[:2] == [(1, 10), (2, 9)]
    assert held(house) == list(range(1, 24))
    assert any("all pages have to be of one size" in note for note in report.notes)
    before = len(asked(house))
    again = house.load(FROM, TO)
    assert asked(house)[before:] == [(1, 10), (2, 10), (3, 10)]
    assert again.notes == []


def test_a_list_that_became_shorter_teaches_nothing_of_pages(house: Workspace) -> None:
    """Thirteen rows leave before page 2, which has one that page 1 had, and no other: it is read again, and right."""
    rows = [at_noon(number) for number in range(1, 24)]

    def leave() -> None:
        house.sandbox.besitos.rows = rows[13:]

    house.sandbox.faults.add(Fault(page=2, times=1, action=leave, query=WIDE, where=everything))
    report = house.run(FROM, TO)
    assert (report.error, report.exit_code) == (None, 0)
    assert held(house) == list(range(14, 24))
    assert not any("all pages have to be of one size" in note for note in report.notes)


def test_a_vendor_that_allows_some_page_sizes_only_is_asked_for_a_usual_one(house: Workspace) -> None:
    """Forty are refused, and so would be half of that; twenty-five are allowed, and no fewer."""
    house.settings["BESITOS_PAGE_SIZE"] = "40"
    house.sandbox.besitos.variants = Variants(per_page_step=25)
    house.sandbox.besitos.rows = [at_noon(number) for number in range(1, 55)]
    report = house.run(FROM, TO)
    assert (report.error, report.exit_code) == (None, 0)
    assert held(house) == list(range(1, 55))
    before = len(asked(house))
    house.load(FROM, TO)
    assert asked(house)[before:] == [(1, 25), (2, 25), (3, 25)]


def test_rows_that_are_set_aside_join_pages_as_well(house: Workspace) -> None:
    """The tenth row, with which page 1 ends and page 2 begins, cannot be read: it is set aside once."""
    rows = [at_noon(number) for number in range(1, 24)]
    rows[9] = {**rows[9], "payout": "much"}
    house.sandbox.besitos.rows = rows
    report = house.run(FROM, TO)
    assert report.exit_code == 3
    assert asked(house) == [(1, 10), (2, 9), (3, 8)]
    assert held(house) == [number for number in range(1, 24) if number != 10]
    assert house.query("select count(*) from besitos.rejected_rows") == [(1,)]


def test_a_server_that_says_one_size_and_gives_another_is_no_slide_for_ever(house: Workspace) -> None:
    """Deaf to per_page after the first page, and echoing it: two readings that are alike are believed."""
    rows = [at_noon(number) for number in range(1, 24)]

    def deaf(document: dict[str, Any], query: Any) -> dict[str, Any]:
        begin = (int(query["page"]) - 1) * 10
        document["data"] = rows[begin : begin + 10]
        return document

    house.sandbox.faults.add(Fault(where=everything, mutate=deaf))
    report = house.run(FROM, TO)
    assert (report.error, report.exit_code) == (None, 0)
    assert held(house) == list(range(1, 24))

"""A vendor that answers one day, page, page size or range for ever with what is no data: that costs this part alone."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from conversync.sandbox import Fault, Request, Variants
from tests.besitos.changes import everything
from tests.besitos.conftest import MakeHouse
from tests.besitos.rows import FROM, TO, row
from tests.support import Workspace, at_once, sometimes

ALL = set(range(1, 46))
# What a question is answered with, and what is said of it.
KINDS = {
    "error": "with an error instead of data (The report is being rebuilt)",
    "page": "a web page instead of data",
    "cut": "cannot be used",
    "form": "no list of rows",
    "empty": "it is empty",
    "unknown": "does not know GET /data/partner/conversions (404: Not Found)",
    "failed": "failed at GET /data/partner/conversions (500: Server Error)",
}
# Where smaller questions are answered, and so nothing is lost.
AROUND: dict[str, dict[str, Any]] = {
    "a page": {"spoilt_page": 2},
    "a page size": {"spoilt_per_page": 4},
    "a range": {"spoilt_range": 5},
}


@pytest.fixture
def nine_days(make_house: MakeHouse) -> Workspace:
    """45 rows of 1, 2, 3, ... USD on nine days, ten to a page; what fails is asked for once."""
    house = make_house(besitos_page_size="10", http_budget="0")
    house.vendor = at_once()
    house.sandbox.besitos.rows = [
        row(n, payout=Decimal(n), date_time=f"2024-12-{4 + n % 9:02} 06:25:36") for n in range(1, 46)
    ]
    return house


def held(house: Workspace) -> set[int]:
    """The transactions in the table."""
    return {number for [number] in house.query("select transaction_id from besitos.conversions")}


def spoil(house: Workspace, kind: str, **where: Any) -> None:
    """Some questions are answered so from now on."""
    house.sandbox.besitos.variants = Variants(spoilt=kind, **where)  # type: ignore[arg-type] # one of its values


def healed(house: Workspace) -> None:
    """The vendor mends, and the next night is whole: nothing is short, nothing counts as withdrawn."""
    house.sandbox.besitos.variants = Variants()
    house.load(FROM, TO)
    assert held(house) == ALL
    assert house.query("select count(*) from besitos.days where state = 'short'") == [(0,)]
    assert house.query("select count(*) from besitos.withdrawn_events") == [(0,)]


@pytest.mark.more
@pytest.mark.parametrize("kind", sometimes(*KINDS, quick=3))
def test_h11_a_day_that_is_no_data_for_ever_costs_that_day_alone(nine_days: Workspace, kind: str) -> None:
    """The others are loaded, it is told with what came, exit 3; the next night heals it, and few requests did it."""
    spoil(nine_days, kind, spoilt_day="2024-12-09", spoilt_flag="everything")
    report = nine_days.run(FROM, TO)
    assert report.error is None
    assert (report.exit_code, report.total("missing") > 0) == (3, True)
    [note] = [note for note in report.notes if "are read again next time" in note]
    assert "on 2024-12-09: " in note
    assert KINDS[kind] in note
    assert "Nothing of" not in note
    assert held(nine_days) == {n for n in ALL if n % 9 != 5}
    assert len(nine_days.sandbox.requests) < 50
    healed(nine_days)


@pytest.mark.more
@pytest.mark.parametrize("where", sometimes(*AROUND, quick=3))
@pytest.mark.parametrize("kind", sometimes(*KINDS, quick=1))
def test_h11_what_is_no_data_in_one_size_is_asked_for_in_another(
    nine_days: Workspace, kind: str, where: str
) -> None:
    """A page, a page size, a range that is never given: the same rows come in other questions, exit 0."""
    spoil(nine_days, kind, **AROUND[where])
    report = nine_days.run(FROM, TO)
    assert report.error is None
    assert (report.exit_code, held(nine_days)) == (0, ALL)
    assert len(nine_days.sandbox.requests) < 100
    healed(nine_days)


@pytest.mark.quick(1)
@pytest.mark.parametrize("kind", sometimes(*KINDS, quick=2))
def test_h13_where_everything_is_no_data_nothing_is_loaded(nine_days: Workspace, kind: str) -> None:
    """A changed interface, or a wrong address: exit 6 as ever, after a dozen requests."""
    spoil(nine_days, kind)
    report = nine_days.run(FROM, TO)
    assert (report.exit_code, report.steps) == (6, [])
    assert KINDS[kind] in str(report.error)
    assert len(nine_days.sandbox.requests) <= 12
    healed(nine_days)


def test_h13_a_window_of_which_nothing_comes_is_not_loaded(nine_days: Workspace) -> None:
    """The days before it are answered, and not one of its own: exit 6, and not a night of nothing but short days."""
    spoil(nine_days, "page", spoilt_day="2024-12-09")
    report = nine_days.run("2024-12-09", "2024-12-09")
    assert (report.exit_code, report.steps) == (6, [])
    assert "a web page instead of data" in str(report.error)
    assert len(nine_days.sandbox.requests) < 30
    healed(nine_days)


def on_the_ninth(asked: Request) -> bool:
    """Is the ninth day among those that all conversions are asked for of?"""
    return everything(asked) and asked.query["from_date"] <= "2024-12-09" <= asked.query["to_date"]


@pytest.mark.more
def test_h13_the_cursor_stays_before_a_day_that_was_no_data(make_house: MakeHouse) -> None:
    """Each night without dates reads it again, until it comes."""
    house = make_house(
        besitos_start_date="2024-12-01", besitos_lookback_days="1", besitos_reversal_lookback_days="1"
    )
    house.sandbox.besitos.rows = [row(n, date_time=f"2024-12-{4 + n % 9:02} 06:25:36") for n in ALL]
    spoil(house, "form", spoilt_day="2024-12-09", spoilt_flag="everything")
    assert house.run().exit_code == 3
    assert held(house) == {n for n in ALL if n % 9 != 5}
    house.sandbox.besitos.variants = Variants()
    house.load()
    assert held(house) == ALL


@pytest.mark.parametrize("rows_a_page", sometimes(10, 4, quick=1))
def test_p05_a_page_number_that_is_clamped_without_a_word_is_not_needed(
    nine_days: Workspace, rows_a_page: int
) -> None:
    """Page 3 is answered with page 2 for ever: fewer days at a time, and every row, exit 0."""
    nine_days.settings["BESITOS_PAGE_SIZE"] = str(rows_a_page)
    nine_days.sandbox.besitos.variants = Variants(last_page=2)
    nine_days.load(FROM, TO)
    assert held(nine_days) == ALL
    assert len(nine_days.sandbox.requests) < 100


@pytest.mark.more
def test_p05_a_server_that_does_not_listen_to_page_is_read_in_parts(nine_days: Workspace) -> None:
    """It would answer with its first page for ever: no more days are asked for than fit on it."""
    nine_days.sandbox.besitos.variants = Variants(ignores=frozenset({"page"}))
    nine_days.load(FROM, TO)
    assert held(nine_days) == ALL


@pytest.mark.more
def test_p05_a_day_beyond_the_clamp_is_loaded_as_far_as_it_comes(nine_days: Workspace) -> None:
    """More rows on one day than the pages that are given: those are loaded, the others counted, exit 3."""
    nine_days.sandbox.besitos.rows = [row(n, payout=Decimal(n)) for n in sorted(ALL)]
    nine_days.sandbox.besitos.variants = Variants(last_page=2, page_cap=10)
    report = nine_days.run(FROM, TO)
    assert (report.error, report.exit_code) == (None, 3)
    assert len(held(nine_days)) == 45 - report.total("missing") >= 20
    assert len(nine_days.sandbox.requests) < 120
    healed(nine_days)


@pytest.mark.more
@pytest.mark.parametrize("budget", ["3", "0"])
def test_h20_days_that_fail_share_one_budget_of_waiting(make_house: MakeHouse, budget: str) -> None:
    """Five days that are each a 500 for ever: waited for twice the budget at most, all others loaded, exit 3."""
    house = make_house(besitos_page_size="10", http_budget=budget)
    house.vendor = at_once()
    house.sandbox.besitos.rows = [
        row(n, date_time=f"2024-12-{4 + n % 12:02} 06:25:36") for n in range(1, 101)
    ]
    bad = ("2024-12-05", "2024-12-07", "2024-12-09", "2024-12-11", "2024-12-13")

    def is_bad(asked: Request) -> bool:
        return any(asked.query["from_date"] <= day <= asked.query["to_date"] for day in bad)

    fault = house.sandbox.faults.add(Fault(status=500, where=lambda one: everything(one) and is_bad(one)))
    report = house.run(FROM, TO)
    assert fault.delivered
    assert (report.error, report.exit_code) == (None, 3)
    assert held(house) == {n for n in range(1, 101) if f"2024-12-{4 + n % 12:02}" not in bad}
    [note] = [note for note in report.notes if "are read again next time" in note]
    assert f"on {', '.join(bad)}: " in note
    assert report.seconds < 2 * float(budget) + 8
    assert len(house.sandbox.requests) < 110


@pytest.mark.more
@pytest.mark.parametrize("days", sometimes([9], [5, 7, 9, 11, 13], [*range(4, 16)], quick=2, ids=str))
def test_b02_days_that_are_cut_off_share_one_budget_of_requests(
    make_house: MakeHouse, days: list[int]
) -> None:
    """Half of each such day is announced and never comes: what came is loaded, and it ends."""
    house = make_house(besitos_page_size="10")
    house.vendor = at_once()
    house.sandbox.besitos.rows = [
        row(n, date_time=f"2024-12-{4 + n % 12:02} 06:25:36") for n in range(1, 101)
    ]

    def is_lost(number: int) -> bool:
        return 4 + number % 12 in days and number % 24 < 12

    def without(document: dict[str, Any], _query: object) -> dict[str, Any]:
        document["data"] = [one for one in document["data"] if not is_lost(one["transaction_id"])]
        return document

    fault = house.sandbox.faults.add(Fault(mutate=without))
    report = house.run(FROM, TO)
    assert fault.delivered
    assert (report.error, report.exit_code) == (None, 3)
    assert held(house) == {n for n in range(1, 101) if not is_lost(n)}
    assert len(house.sandbox.requests) < 140
    house.sandbox.faults.clear()
    house.load(FROM, TO)
    assert held(house) == set(range(1, 101))


@pytest.mark.more
@pytest.mark.parametrize("page_size", [1000, 10])
def test_b04_a_total_that_is_always_too_high_costs_two_readings(
    make_house: MakeHouse, page_size: int
) -> None:
    """Five too many, of reversals of which there are none, too: known after a few questions, and exit 0."""
    house = make_house(variants=Variants(total_behind=-5), besitos_page_size=str(page_size))
    house.sandbox.besitos.rows = [
        row(n, date_time=f"2024-12-{4 + n % 12:02} 06:25:36") for n in range(1, 101)
    ]
    house.load(FROM, TO)
    assert held(house) == set(range(1, 101))
    pages = -(-105 // page_size) + 1
    assert len(house.sandbox.requests) <= 2 * pages + 12


@pytest.mark.more
def test_b02_two_short_days_side_by_side_count_the_border_once(nine_days: Workspace) -> None:
    """Neighbouring questions share a day: a row that is missing on it is not counted as two, and the days are named."""

    def without(document: dict[str, Any], _query: object) -> dict[str, Any]:
        document["data"] = [one for one in document["data"] if one["transaction_id"] not in (14, 23, 15)]
        return document

    fault = nine_days.sandbox.faults.add(Fault(mutate=without))
    report = nine_days.run(FROM, TO)
    assert fault.delivered
    [note] = [note for note in report.notes if "are read again next time" in note]
    assert "conversions is short by 3 rows on 2024-12-09 .. 2024-12-10: " in note
    assert "were announced, and" not in note


def test_b03_two_payouts_of_one_transaction_on_one_page_are_no_cut(nine_days: Workspace) -> None:
    """Two contents of one event: one stands, the other is set aside, and no range is said to be cut short."""
    rows = list(nine_days.sandbox.besitos.rows or ())
    nine_days.sandbox.besitos.rows = [*rows, row(45, payout=Decimal(46), date_time="2024-12-04 06:25:36")]
    nine_days.settings["BESITOS_PAGE_SIZE"] = "1000"
    report = nine_days.run(FROM, TO)
    assert report.error is None
    assert not [note for note in report.notes if "cut short" in note]
    assert (report.total("missing"), report.total("rejected_new")) == (0, 1)
    assert held(nine_days) == ALL


UNTOLD = Variants(numbers="untold")


@pytest.mark.more
@pytest.mark.parametrize("page_size", sometimes(10, 1000, quick=2))
def test_p04_a_feed_without_any_number_is_read_to_its_end(nine_days: Workspace, page_size: int) -> None:
    """No total, no last page, no next link: the days together bring what they bring in parts, exit 0."""
    nine_days.settings["BESITOS_PAGE_SIZE"] = str(page_size)
    nine_days.sandbox.besitos.variants = UNTOLD
    nine_days.load(FROM, TO)
    assert held(nine_days) == ALL
    assert nine_days.query("select distinct proof, missing from besitos.windows") == [("passes", 0)]
    healed(nine_days)


@pytest.mark.more
@pytest.mark.parametrize("past_end", ["empty", "last"])
def test_p04_one_day_without_any_number_is_believed_in_two_sizes(nine_days: Workspace, past_end: Any) -> None:
    """All rows on one day: pages of another size bring the same. Where no empty page shows the end, it is short."""
    nine_days.sandbox.besitos.rows = [row(n) for n in range(1, 31)]
    nine_days.sandbox.besitos.variants = replace(UNTOLD, past_end=past_end)
    report = nine_days.run(FROM, TO)
    assert report.error is None
    assert held(nine_days) == set(range(1, 31))
    assert report.exit_code == (0 if past_end == "empty" else 3)
    if past_end == "last":
        assert any("no number of rows is announced" in note for note in report.notes)


@pytest.mark.more
@pytest.mark.parametrize("cut", sometimes({"page_cap": 4, "ignores": frozenset({"page"})}, quick=1, ids=str))
def test_p04_a_cut_that_no_number_shows_is_never_silent(nine_days: Workspace, cut: dict[str, Any]) -> None:
    """The first four rows of each question alone: exit 3 on the days that have more."""
    nine_days.sandbox.besitos.variants = replace(UNTOLD, **cut)
    report = nine_days.run(FROM, TO)
    assert report.error is None
    assert report.exit_code == 3
    assert held(nine_days) < ALL
    healed(nine_days)


@pytest.mark.more
def test_p04_an_empty_feed_without_a_number_is_not_believed(nine_days: Workspace) -> None:
    """`{"data": []}` may be anything: exit 6, until rows showed that this feed tells no numbers."""
    nine_days.sandbox.besitos.variants = UNTOLD
    rows, nine_days.sandbox.besitos.rows = nine_days.sandbox.besitos.rows, []
    report = nine_days.run(FROM, TO)
    assert report.exit_code == 6
    assert "without meta.total" in str(report.error)
    nine_days.sandbox.besitos.rows = rows
    nine_days.load(FROM, TO)
    assert held(nine_days) == ALL
    nine_days.load("2024-11-01", "2024-11-20")


@pytest.mark.more
def test_p04_a_page_without_its_total_is_none_where_others_have_one(nine_days: Workspace) -> None:
    """A feed that announces: `{"data": []}` for one day is no day without rows. Exit 3, and it heals."""

    def bare(_document: dict[str, Any], _query: object) -> dict[str, Any]:
        return {"data": []}

    fault = nine_days.sandbox.faults.add(Fault(where=on_the_ninth, mutate=bare))
    report = nine_days.run(FROM, TO)
    assert fault.delivered
    assert (report.error, report.exit_code) == (None, 3)
    assert any("without meta.total" in note and "on 2024-12-09: " in note for note in report.notes)
    nine_days.sandbox.faults.clear()
    healed(nine_days)

"""What strangers lost without a word: rows that slid, days that were not heeded, reversals that never came."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from conversync.sandbox import Fault, Variants, World
from tests.besitos.changes import everything
from tests.besitos.conftest import MakeHouse
from tests.besitos.rows import reversal, row
from tests.besitos.test_mended import OPEN, at, daily, payouts
from tests.besitos.test_nights import january
from tests.support import Workspace, vendor_at

START = date(2026, 1, 1)


@pytest.fixture
def nights(make_house: MakeHouse) -> Any:
    """As in test_mended, ten rows a page and one page at a time."""

    def make(rows: list[Any], **variants: Any) -> Workspace:
        house = make_house(
            World(start=START, days=1),
            Variants(**variants),
            besitos_start_date=january(0),
            besitos_reversal_lookback_days="30",
            besitos_page_size="10",
            besitos_concurrency="1",
            http_budget="3",
        )
        house.sandbox.besitos.rows = rows
        house.vendor = vendor_at(house.sandbox)
        return house

    return make


def answer(*rows: dict[str, Any]) -> bytes:
    """One page that is all there is."""
    meta = {"total": len(rows), "current_page": 1, "last_page": 1, "per_page": 10}
    page = {"data": rows, "links": {"next": None}, "meta": meta}
    return json.dumps(page, default=float).encode()


@pytest.mark.more
@pytest.mark.parametrize("what", ["m02-deleted", "m02-reversed-in-its-place"])
def test_m02_a_row_that_leaves_while_another_comes_today_hides_no_third(
    make_house: MakeHouse, what: str
) -> None:
    """Old days are read apart from those that still move: there, the total tells that one left. By the real clock."""
    today = datetime.now(UTC).astimezone(timezone(timedelta(hours=-5))).date()

    def dated(number: int) -> dict[str, Any]:
        return row(number, date_time=f"{today - timedelta(days=20 - number)} 00:00:01")

    rows = [dated(number) for number in range(1, 21)]
    house = make_house(
        World(start=today - timedelta(days=30), days=1),
        besitos_start_date=str(today - timedelta(days=19)),
        besitos_page_size="10",
        besitos_concurrency="1",
    )
    house.sandbox.besitos.rows = rows
    come = row(99, date_time=f"{today} 00:00:01")
    if what != "m02-deleted":
        come = reversal(2, date_time=f"{today} 00:00:01")

    def move() -> None:
        house.sandbox.besitos.rows = [*rows[:1], *rows[2:], come]

    fault = house.sandbox.faults.add(Fault(page=2, times=1, action=move))
    report = house.run()
    assert (report.exit_code, fault.delivered) == (0, 1)
    held = {id_ for [id_] in house.query("select distinct transaction_id from besitos.conversion_events")}
    assert held >= set(range(1, 21)) - {2}, "the row that slid onto a page that was read is there"


@pytest.mark.more
def test_m02_a_row_that_leaves_while_another_comes_hides_none_of_the_last_days(make_house: MakeHouse) -> None:
    """Two pages of one total, and on the second a row that happened since the first: read again, in this night."""
    zone = timezone(timedelta(hours=-5))
    today = datetime.now(UTC).astimezone(zone)
    rows = [row(n, date_time=f"{today - timedelta(days=2):%Y-%m-%d} 01:{n:02}:00") for n in range(1, 21)]
    house = make_house(World(start=today.date() - timedelta(days=30), days=1))
    house.settings |= {"BESITOS_START_DATE": f"{today - timedelta(days=3):%Y-%m-%d}"}
    house.settings |= {"BESITOS_PAGE_SIZE": "10", "BESITOS_CONCURRENCY": "1"}
    house.sandbox.besitos.rows = rows

    def move() -> None:
        come = row(99, date_time=f"{datetime.now(UTC).astimezone(zone):%Y-%m-%d %H:%M:%S}")
        house.sandbox.besitos.rows = [*rows[:1], *rows[2:], come]

    fault = house.sandbox.faults.add(Fault(page=2, times=1, action=move))
    report = house.run()
    assert (report.error, report.exit_code, fault.delivered) == (None, 0, 1)
    held = {id_ for [id_] in house.query("select transaction_id from besitos.conversions")}
    assert held == {*range(1, 21), 99} - {2}, "the eleventh slid onto the page that was there already"
    assert len([one for one in house.sandbox.requests if "is_reverse" not in one.query]) <= 8


@pytest.mark.more
def test_b05_days_that_are_answered_with_other_days_alone_cost_themselves(nights: Any) -> None:
    """Whatever begins with the first day has rows of the last: not taken for its own, exit 3, and it heals."""
    house = nights(daily(40))
    recent = answer(
        row(39, date_time=f"{january(38)} 12:00:00"), row(40, date_time=f"{january(39)} 12:00:00")
    )
    fault = house.sandbox.faults.add(Fault(query={"from_date": january(0)}, where=everything, body=recent))
    at(house, 40)
    report = house.run()
    assert (report.error, report.exit_code) == (None, 3)
    assert any("the days asked for are not heeded" in note for note in report.notes)
    assert fault.delivered
    assert payouts(house) == sum(range(2, 41))
    house.sandbox.faults.clear()
    house.load()
    assert payouts(house) == sum(range(1, 41))


@pytest.mark.more
@pytest.mark.parametrize("day", [3, 1, 9], ids=["f03-same-day", "f03-an-earlier-day", "f03-a-later-day"])
def test_f03_a_row_that_was_away_and_comes_back_mended_is_loaded(nights: Any, day: int) -> None:
    """Served no more is not mended: it stays open, and is looked for on all days of the question that it came in."""
    house = nights(daily(25), unreadable=4)
    at(house, 25)
    assert house.run().exit_code == 3
    others = [one for one in daily(25) if one["transaction_id"] != 4]
    house.sandbox.besitos.rows, house.sandbox.besitos.variants = others, Variants()
    at(house, 26)
    house.load()
    assert house.query(OPEN) == [(1,)]
    house.sandbox.besitos.rows = [*others, row(4, payout=Decimal(4), date_time=f"{january(day)} 12:00:00")]
    at(house, 27)
    house.load()
    assert (payouts(house) == sum(range(1, 26)), house.query(OPEN)) == (True, [(0,)])


@pytest.mark.more
def test_f03_a_row_that_was_a_reversal_and_is_mended_into_a_conversion_is_loaded(nights: Any) -> None:
    """Both streams set it aside; the one that shows it whatever it becomes asks for its day again."""
    rows = daily(40)
    rows[3] = row(4, payout=Decimal(4), date_time=f"{january(3)} 12:00:00", reverse=1)
    house = nights(rows, unreadable=4)
    at(house, 40)
    assert house.run().exit_code == 3
    house.sandbox.besitos.rows = daily(40)
    house.sandbox.besitos.variants = Variants()
    at(house, 41)
    house.load()
    assert payouts(house) == sum(range(1, 41))
    assert house.query(OPEN) == [(0,)]

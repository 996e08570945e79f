"""A tracker that fails at some questions for good and answers others: no night is stuck at them, and none is silent."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from conversync.sandbox import Fault, Request
from conversync.sandbox.keitaro import Variants
from tests.houses import VendorWorkspace
from tests.keitaro.books import LOG, body, conversion
from tests.keitaro.conftest import MakeHouse
from tests.support import sometimes


@pytest.fixture
def sixty(house: VendorWorkspace) -> VendorWorkspace:
    """Sixty conversions on six days, 25 a page; a failure is waited for as long as it takes to ask once."""
    house.settings |= {"KEITARO_PAGE_SIZE": "25", "HTTP_BUDGET": "0"}
    house.sandbox.keitaro.rows = [
        conversion(number, datetime=f"2026-01-{2 + number % 6:02} 10:00:00") for number in range(60)
    ]
    return house


def loaded(house: VendorWorkspace) -> set[str]:
    """The ids in the table."""
    return {row[0] for row in house.query("select conversion_id from keitaro.conversions")}


ALL = {f"c{number}" for number in range(60)}


@pytest.mark.more
@pytest.mark.parametrize("beyond", ["failed", "refused"])
@pytest.mark.parametrize(
    "limits",
    sometimes({"range_limit": 4}, {"offset_limit": 20}, {"limit_max": 20}, quick=1, ids=str),
)
def test_b05_a_limit_is_found_by_asking(sixty: VendorWorkspace, limits: dict[str, int], beyond: str) -> None:
    """Long ranges, deep and large pages, refused with their name or each a 500 for ever: found, said, remembered."""
    sixty.sandbox.keitaro.variants = Variants(**limits, beyond_limits=beyond)  # type: ignore[arg-type] # its values
    report = sixty.load()
    assert loaded(sixty) == ALL
    assert any("are refused" in note for note in report.notes)
    since = len(sixty.sandbox.requests)
    assert not [note for note in sixty.load().notes if "are refused" in note]
    assert loaded(sixty) == ALL
    if "limit_max" in limits:
        assert max(body(one)["limit"] for one in sixty.asked(LOG, since)) <= 20


@pytest.mark.more
def test_b05_a_page_that_is_a_500_for_ever_costs_its_own_rows_alone(sixty: VendorWorkspace) -> None:
    """One conversion that the tracker cannot write: the other days are whole, its own is told, the next night heals."""
    sixty.sandbox.keitaro.variants = Variants(broken="c7")
    report = sixty.run()
    assert report.error is None
    assert (report.exit_code, report.total("missing") > 0) == (3, True)
    [note] = [note for note in report.notes if "are read again next time" in note]
    assert "Keitaro failed at POST /admin_api/v1/conversions/log (500: Internal Server Error)" in note
    assert {f"c{n}" for n in range(60) if n % 6 != 7 % 6} <= loaded(sixty) <= ALL - {"c7"}
    sixty.sandbox.keitaro.variants = Variants()
    sixty.load()
    assert loaded(sixty) == ALL


@pytest.mark.more
@pytest.mark.parametrize("day", sometimes("2026-01-07", "2026-01-04", quick=2))
def test_h11_a_day_that_is_no_data_for_ever_costs_that_day_alone(sixty: VendorWorkspace, day: str) -> None:
    """A web page for the newest day, or one in the middle: the others are loaded, exit 3, and the next night heals."""

    def holds(asked: Request) -> bool:
        days = body(asked)["range"]
        return bool(days["from"] <= day <= days["to"])

    fault = sixty.sandbox.faults.add(Fault(path=LOG, html=True, where=holds))
    report = sixty.run("2026-01-01", "2026-01-07")
    assert fault.delivered
    assert (report.error, report.exit_code) == (None, 3)
    [note] = [note for note in report.notes if "are read again next time" in note]
    assert f" on {day}: " in note
    assert "Keitaro answered with a web page instead of data, while it answered" in note
    assert loaded(sixty) == {f"c{n}" for n in range(60) if f"2026-01-{2 + n % 6:02}" != day}
    assert len(sixty.asked(LOG)) < 80
    sixty.sandbox.faults.clear()
    sixty.load("2026-01-01", "2026-01-07")
    assert loaded(sixty) == ALL


@pytest.mark.more
def test_b05_every_third_day_and_both_ends_that_fail_cost_themselves(sixty: VendorWorkspace) -> None:
    """A 500 wherever it is asked first what the tracker takes: single days between tell, and all others come."""
    first = date(2025, 12, 8)
    bad = [first + timedelta(days) for days in (-1, 0, *range(1, 31, 3), 30, 31, 32)]

    def holds(asked: Request) -> bool:
        days = body(asked)["range"]
        return any(days["from"] <= str(day) <= days["to"] for day in bad)

    sixty.sandbox.faults.add(Fault(path=LOG, status=500, where=holds))
    report = sixty.run("2025-12-08", "2026-01-07")
    assert (report.error, report.exit_code) == (None, 3)
    assert loaded(sixty) == {f"c{n}" for n in range(60) if date(2026, 1, 2 + n % 6) not in bad} != set()
    sixty.sandbox.faults.clear()
    sixty.load("2025-12-08", "2026-01-07")
    assert loaded(sixty) == ALL


@pytest.mark.quick(1)
@pytest.mark.parametrize("day", ["2026-01-07", pytest.param("2026-01-04", marks=pytest.mark.more)])
@pytest.mark.parametrize(
    "answer", [{"status": 401}, {"redirect": "/admin/login"}], ids=["h15-401", "h15-login"]
)
def test_h15_a_day_on_which_we_are_not_let_in_costs_that_day_alone(
    sixty: VendorWorkspace, day: str, answer: dict[str, Any]
) -> None:
    """A gateway turns one day away, the newest, or one in the middle: the others are loaded, exit 3, and it heals."""

    def holds(asked: Request) -> bool:
        days = body(asked)["range"]
        return bool(days["from"] <= day <= days["to"])

    fault = sixty.sandbox.faults.add(Fault(path=LOG, where=holds, **answer))
    report = sixty.run("2026-01-01", "2026-01-07")
    assert fault.delivered
    assert (report.error, report.exit_code) == (None, 3)
    [note] = [note for note in report.notes if f" on {day}: " in note]
    assert "the API key" in note
    assert loaded(sixty) == {f"c{n}" for n in range(60) if f"2026-01-{2 + n % 6:02}" != day}
    assert len(sixty.asked(LOG)) < 40
    sixty.sandbox.faults.clear()
    sixty.load("2026-01-01", "2026-01-07")
    assert loaded(sixty) == ALL


@pytest.mark.more
def test_b05_days_that_are_answered_with_other_days_alone_cost_themselves(sixty: VendorWorkspace) -> None:
    """From the fifth day on, the log has rows of the second alone: these days are told, exit 3, and they heal."""
    second = [one for one in sixty.sandbox.keitaro.rows or () if "2026-01-02" in str(one)]

    def others(document: dict[str, Any], _query: object) -> dict[str, Any]:
        return {**document, "rows": second, "total": len(second)}

    def is_late(asked: Request) -> bool:
        return bool(body(asked)["range"]["from"] >= "2026-01-05")

    sixty.settings["KEITARO_RANGE_DAYS"] = "5"
    fault = sixty.sandbox.faults.add(Fault(path=LOG, where=is_late, mutate=others))
    report = sixty.run("2026-01-01", "2026-01-07")
    assert fault.delivered
    assert (report.error, report.exit_code) == (None, 3)
    assert any("the days asked for are not heeded" in note for note in report.notes)
    assert loaded(sixty) <= ALL
    sixty.sandbox.faults.clear()
    sixty.load("2026-01-01", "2026-01-07")
    assert loaded(sixty) == ALL


def test_h20_a_tracker_that_is_down_altogether_loads_nothing(make_house: MakeHouse) -> None:
    """500 for everything: exit 6, after a handful of questions."""
    house = make_house(http_budget="0")
    fault = house.sandbox.faults.add(Fault(status=500))
    report = house.run()
    assert (report.exit_code, report.steps) == (6, [])
    assert 0 < fault.delivered < 12
    house.sandbox.faults.clear()
    house.load()

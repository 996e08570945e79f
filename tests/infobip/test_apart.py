"""What the vendor fails at costs itself alone: a day, a pair, a window; and only while it answers others."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import Any

import pytest

from conversync.errors import CredentialsError, UnavailableError
from conversync.sandbox import Fault, World
from conversync.sandbox.faults import LOGIN_PAGE
from conversync.sandbox.infobip import error_body
from conversync.sandbox.messages import to_json
from conversync.settings.lookup import resolve
from tests.houses import VendorWorkspace
from tests.infobip.conftest import MakeHouse

BY_DATE = "/1/conversion-rate/process/{}/statistics/conversion-rate"
ALL = "/1/conversion-rate/process/{}/*"
DAY = "2026-01-0{}T00:00:00.000+0000"
REFUSED = to_json(error_body("GENERAL_ERROR", "General error", policy=True)).encode()

SPOILT: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "404": {"status": 404},
    "403": {"status": 403},
    "broken-json": {"status": 200, "body": b'{"conversionRates": ['},
    "error-under-200": {"status": 200, "body": REFUSED},
    "web-page": {"status": 200, "body": LOGIN_PAGE},
    "web-page-403": {"status": 403, "body": LOGIN_PAGE, "headers": {"Content-Type": "text/html"}},
}


@pytest.fixture
def two(make_house: MakeHouse) -> VendorWorkspace:
    """Two pairs, of two processes, by the clock at the end of the fifth day of their story."""
    house = make_house(World(days=6, conversions_a_day=60), http_budget="0", infobip_start_date="2026-01-01")
    house.settings["INFOBIP_PAIRS"] = json.dumps(house.sandbox.infobip.pairs[::2])
    house.sandbox.world.now = house.sandbox.world.day(5)
    return house


def key(house: VendorWorkspace, number: int) -> str:
    """The process of a pair: 0 is the one that is failed at, 1 the one that is answered."""
    return str(json.loads(house.settings["INFOBIP_PAIRS"])[number]["process_key"])


def days(house: VendorWorkspace, number: int) -> str:
    """The days of January that are held of a pair."""
    asked = (
        f"select day from infobip.conversion_rates where process_key = '{key(house, number)}' order by day"
    )
    return "".join(str(day.day) for [day] in house.query(asked))


@pytest.mark.quick(1)
@pytest.mark.parametrize(
    "how", [pytest.param(name, marks=() if name in ("500", "403") else pytest.mark.more) for name in SPOILT]
)
def test_l13_a_pair_that_is_failed_at_costs_itself_alone(two: VendorWorkspace, how: str) -> None:
    """The other one is loaded; exit 3; and the next night that gets it reads all of it."""
    two.sandbox.faults.add(Fault(path=ALL.format(key(two, 0)), **SPOILT[how]))
    report = two.run()
    assert (report.error, report.exit_code) == (None, 3)
    assert (days(two, 0), days(two, 1)) == ("", "12345")
    short = [note for note in report.notes if " rows on 2026-01-01 .. 2026-01-06: " in note]
    assert [note.partition(" is short by ")[2][0] for note in short] == ["6", "7"]
    assert all(key(two, 0) in note for note in short)
    assert "the days are read again next time; if it stays so, ask the vendor" in short[0]
    two.sandbox.faults.clear()
    two.load()
    assert days(two, 0) == days(two, 1) == "12345"


@pytest.mark.more
def test_l13_a_day_that_is_failed_at_costs_itself_alone(two: VendorWorkspace) -> None:
    """By halves the others are had; the cursor stays before it, and every night asks for it again."""

    def holds_the_third(request: Any) -> bool:
        query = dict(request.query)
        return bool(query["from"] <= DAY.format(3) and query["to"] >= DAY.format(4))

    two.sandbox.faults.add(Fault(path=BY_DATE.format(key(two, 0)), where=holds_the_third, status=500))
    report = two.run()
    assert (report.error, report.exit_code, report.total("missing")) == (None, 3, 1)
    assert "is short by 1 row on 2026-01-03: " in "".join(report.notes)
    assert days(two, 0) == "1245"
    two.settings["INFOBIP_LOOKBACK_DAYS"] = "1"
    assert two.run().exit_code == 3
    two.sandbox.faults.clear()
    two.load()
    assert days(two, 0) == days(two, 1) == "12345"


@pytest.mark.more
def test_l13_a_window_that_is_failed_at_ends_no_backfill(two: VendorWorkspace) -> None:
    """Of one pair: what comes before and after it is loaded, and it is read by the next night."""
    two.settings["INFOBIP_PAIRS"] = json.dumps(json.loads(two.settings["INFOBIP_PAIRS"])[1:])

    def in_the_middle(request: Any) -> bool:
        return bool(DAY.format(2) <= dict(request.query)["from"] <= DAY.format(3))

    two.sandbox.faults.add(Fault(path=ALL.format(key(two, 0)), where=in_the_middle, status=500))
    report = two.run(window_days=2)
    assert (report.error, report.exit_code) == (None, 3)
    assert set("145") <= set(days(two, 0))
    assert "3" not in days(two, 0)
    two.settings["INFOBIP_LOOKBACK_DAYS"] = "1"
    two.sandbox.faults.clear()
    two.load()
    assert days(two, 0) == "12345"


@pytest.mark.parametrize(("status", "kind"), [(500, UnavailableError), (403, CredentialsError)])
def test_l13_a_vendor_that_answers_nothing_else_ends_the_run(
    two: VendorWorkspace, status: int, kind: type[Exception]
) -> None:
    """As ever, and after a few questions."""
    fault = two.sandbox.faults.add(Fault(status=status))
    report = two.run()
    assert (type(report.error), report.steps) == (kind, [])
    assert fault.delivered <= 12


@pytest.mark.parametrize("how", ["stalls", "drips"])
def test_l12_a_night_against_a_vendor_that_never_answers_ends_soon(
    two: VendorWorkspace, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """It has its budget and a fair time for one request, and not for each."""
    from conversync.http.limits import Limits
    from sources.infobip import asking

    monkeypatch.setattr(asking, "Limits", partial(Limits, least_patience=0.5))
    drip = 5.0 if how == "drips" else None
    two.sandbox.faults.add(Fault(slow_headers_per_second=drip, stall_after=None if drip else 0))
    began = time.monotonic()
    assert two.run().exit_code == 6
    assert time.monotonic() - began < 8


def test_l13_check_tells_which_pair_is_failed_at(two: VendorWorkspace) -> None:
    """And of the other one what it is; where none is answered, it ends as a night does."""
    two.sandbox.faults.add(Fault(path=ALL.format(key(two, 0)), status=500))
    assert two.vendor is not None
    with two.set():
        settings = resolve(two.vendor.settings, "infobip")
        found = list(two.vendor.check(settings))
    assert [one.good for one in found] == [True, False, True]
    assert found[1].text.startswith(f"{key(two, 0)} from START to END: Infobip failed at GET ")
    two.sandbox.faults.add(Fault(status=500))
    with two.set(), pytest.raises(UnavailableError):
        list(two.vendor.check(settings))

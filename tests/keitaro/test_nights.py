"""Whatever the tracker is: exact tables on the first run, nothing new on the second, all changes on the third."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from conversync.sandbox import World
from conversync.sandbox.keitaro import Variants
from conversync.sandbox.readings import parse
from tests.houses import VendorWorkspace
from tests.keitaro.books import (
    LISTS,
    LOG,
    REPORT,
    body,
    conversion,
    expected,
    held,
    report_expected,
    report_held,
    vendor_at,
)
from tests.keitaro.conftest import MakeHouse
from tests.support import sometimes, tables

GROUPING = ("day", "campaign_id")
METRICS = ("clicks", "conversions", "revenue", "cost")

READINGS = [
    "generation=new",
    "generation=old amounts=text ids_as_text=true report_numbers=text page_cap=11",
    "statuses=newer partial=net history=text total=page page_cap=20 order=unstable",
    "total=absent report_pages=true to_inclusive=false",
    "generation=old",
    "amounts=text",
    "ids_as_text=true",
    "report_numbers=text",
    "statuses=newer",
    "partial=net",
    "history=text",
    "misses=5",
    "order=unstable page_cap=9",
    "page_cap=7",
    "total=text",
    "total=less",
    "total=page",
    "total=page page_cap=9 report_pages=true",
    "total=absent",
    "to_inclusive=false",
    "report_pages=true page_cap=5",
    "report_pages=false",
    "zone=America/New_York",
    "unknown_column=Unknown columns: {columns}",
    "generation=old total=absent page_cap=13 order=unstable ids_as_text=true",
]


def as_the_books(house: VendorWorkspace) -> None:
    """Every statement, and every day of the report, is what the tracker's own books say."""
    assert held(house) == expected(house)
    world = house.sandbox.world
    columns = ", ".join((*GROUPING, *METRICS))
    assert report_held(house, columns) == report_expected(
        house, GROUPING, METRICS, world.start, world.now.date()
    )


def promised(house: VendorWorkspace) -> None:
    """Three nights, the last one after everything was said."""
    world = house.sandbox.world
    world.now = world.day(8) + timedelta(hours=20)
    house.load()
    as_the_books(house)

    first = tables(house.path, "keitaro")
    again = house.load()
    assert (again.total("added"), again.total("restated")) == (0, 0)
    assert tables(house.path, "keitaro") == first

    world.now = world.last_change() + timedelta(days=1)
    later = house.load()
    as_the_books(house)
    assert later.total("restated") > 0, "nothing was restated: the world is too small for its promise"
    assert first["report_daily"] - tables(house.path, "keitaro")["report_daily"], "no day was restated"


@pytest.mark.more
@pytest.mark.parametrize("reading", sometimes(*READINGS, quick=1))
def test_tables_are_right_whatever_the_tracker_is(make_house: MakeHouse, reading: str) -> None:
    """Every state of every conversion, and every day of clicks, to the cent, three nights long."""
    promised(make_house(variants=parse(reading.split(" ") if ":" not in reading else [reading], Variants())))


def test_a_night_asks_what_it_should(make_house: MakeHouse) -> None:
    """UTC days for the log and our own for the report, both over the lookback; every question in a fixed order."""
    house = make_house(
        World(days=40, conversions_a_day=2), keitaro_zone="America/New_York", keitaro_lookback_days="3"
    )
    world = house.sandbox.world
    world.now = world.day(38) + timedelta(hours=2)
    house.load()
    seen = len(house.sandbox.requests)
    world.now = world.day(39) + timedelta(hours=2)
    house.load()
    log, report = ([body(one) for one in house.asked(path, seen)] for path in (LOG, REPORT))
    day = timedelta(days=1)
    today = world.now.date()
    # Two o'clock in UTC is still the day before in New York.
    assert {str(one["range"]) for one in log} == {
        str({"from": str(today - 4 * day), "to": str(today), "timezone": "UTC"})
    }
    assert {str(one["range"]) for one in report} == {
        str({"from": str(today - 5 * day), "to": str(today), "timezone": "America/New_York"})
    }
    assert all(
        one["sort"] == [{"name": "event_id", "order": "ASC"}] for one in log if len(one["columns"]) > 1
    )
    assert all([by["name"] for by in one["sort"]] == list(GROUPING) for one in report)
    assert all((one["grouping"], one["metrics"]) == (list(GROUPING), list(METRICS)) for one in report)
    for request in house.sandbox.requests:
        assert request.headers["api-key"] == house.sandbox.keitaro.api_key
        assert house.sandbox.keitaro.api_key not in request.target
    assert report_held(house, "min(day)").popitem()[0][0] == world.start


def test_whole_nights_of_the_command_bring_the_lists_too(make_house: MakeHouse) -> None:
    """As the command runs it, window by window: log, report and lists, each with its own commit."""
    house = make_house(keitaro_lookback_days="10")
    house.vendor = vendor_at(house.sandbox, at_once=False)
    world = house.sandbox.world
    world.now = world.day(10)
    report = house.load(window_days=11)
    as_the_books(house)
    kinds = [row[0] for row in house.query("select stream from keitaro.windows order by read_at")]
    assert kinds == ["conversions", "report"]
    assert len(report.steps) == 3
    current = house.sandbox.keitaro.oracle.lists()
    for name in LISTS:
        assert dict(house.query(f"select id, name from keitaro.{name} where is_current")) == current[name]


def test_revenue_agrees_with_the_wall_that_paid_it(make_house: MakeHouse) -> None:
    """A tid is the wall's transaction: the amounts agree to the cent, conversion by conversion."""
    house = make_house()
    house.load()
    ours = dict(house.query("select tid, revenue from keitaro.conversions"))
    wall = {
        str(one.transaction_id): one.payout
        for one in house.sandbox.besitos.oracle.statements().values()
        if not one.is_reversal
    }
    assert ours
    assert ours == {tid: wall[tid] for tid in ours}
    assert sum(ours.values(), Decimal(0)) == sum(
        house.sandbox.keitaro.oracle.revenue_by_tid().values(), Decimal(0)
    )


@pytest.mark.parametrize("inclusive", sometimes(False, True, quick=1))
def test_s13_the_last_day_that_is_asked_for_is_whole(house: VendorWorkspace, inclusive: bool) -> None:
    """`--to` a past day, at a tracker whose `to` ends as that day begins: its conversions are there."""
    house.vendor = vendor_at(house.sandbox, at_once=False)
    house.sandbox.keitaro.variants = Variants(to_inclusive=inclusive)
    house.sandbox.keitaro.rows = [
        conversion(1, datetime="2026-01-03 10:00:00"), conversion(2, datetime="2026-01-04 23:59:59"),
    ]  # fmt: skip
    house.load("2026-01-01", "2026-01-04")
    assert house.query("select conversion_id from keitaro.conversions order by 1") == [("c1",), ("c2",)]
    days = "select window_start::text, window_end::text from keitaro.windows order by stream"
    assert house.query(days) == [("2026-01-01", "2026-01-05"), ("2026-01-01", "2026-01-04")]
    house.sandbox.world.now = house.sandbox.world.day(4)
    since = len(house.sandbox.requests)
    house.load("2026-01-04", "2026-01-05")
    asked = [body(one)["range"]["to"] for one in house.asked(LOG, since)]
    assert set(asked) == {"2026-01-05"}, "a day that has not begun is not asked for"

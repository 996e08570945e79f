"""Nights of Infobip: exact rates and times, nothing changed by a second run, grown counts after later ones."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import duckdb
import pytest

from conversync.load import pipeline_for, restored
from conversync.sandbox import World
from conversync.sandbox.infobip import Variants
from conversync.sandbox.readings import parse
from conversync.warehouse.warehouse import Warehouse
from tests.houses import VendorWorkspace
from tests.infobip.conftest import MakeHouse
from tests.support import tables

DAY = timedelta(days=1)
PAIR = "process_key, start_tag, end_tag"
AT_ONCE = (
    "zone=+0200 to_inclusive=true zero_rate=NaN empty_days=shown no_time=zero time_unit=minutes order=newest"
)
EACH = [
    "zone=+0000 zero_rate=null empty_days=shown time_unit=hours units_in_capitals=false enums=words order=shuffled",
    "",
    "zone=+0200",
    "to_inclusive=true",
    "empty_days=shown",
    "empty_days=shown zero_rate=null",
    "empty_days=shown zero_rate=NaN",
    "no_time=zero",
    "time_unit=minutes",
    "time_unit=hours",
    "time_unit=days",
    "enums=words",
    "order=newest",
    "order=shuffled",
]


def days(first: date, last: date) -> list[date]:
    return [first + DAY * number for number in range((last - first).days + 1)]


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def rates_held(house: VendorWorkspace) -> set[tuple[Any, ...]]:
    columns = f"{PAIR}, day, start_count, end_count, conversion_rate"
    return set(house.query(f"select {columns} from infobip.conversion_rates"))


def rates_expected(house: VendorWorkspace, first: date, last: date) -> set[tuple[Any, ...]]:
    rows = set()
    for pair in house.sandbox.infobip.pairs:
        for rate in house.sandbox.infobip.oracle.rates(key(pair), first, last).values():
            rows.add((*key(pair), rate.day, rate.start_count, rate.end_count, rate.conversion_rate))
    return rows


def key(pair: dict[str, str]) -> tuple[str, str, str]:
    return pair["process_key"], pair["start_tag"], pair["end_tag"]


def times_held(house: VendorWorkspace) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    windows = "start_from, start_to, end_from, end_to"
    figures = "start_count, end_count, conversion_rate, average_seconds"
    rows = house.query(f"select {PAIR}, {windows}, {figures} from infobip.conversion_times")
    return {row[:7]: row[7:] for row in rows}


def times_expected(house: VendorWorkspace, wanted: list[date], trailing: date | None) -> dict[Any, Any]:
    """What the oracle says of each day, end tags within 30 days; and of the 30 days up to `trailing`."""
    windows = [
        (midnight(day), midnight(day) + DAY, midnight(day), midnight(day) + 30 * DAY) for day in wanted
    ]
    if trailing:
        end = midnight(trailing) + DAY
        windows.append((end - 30 * DAY, end, end - 30 * DAY, end))
    last = timedelta(milliseconds=house.sandbox.infobip.variants.to_inclusive)
    found = {}
    for pair in house.sandbox.infobip.pairs:
        for one in windows:
            start, start_end, end, end_end = one
            figures = house.sandbox.infobip.oracle.duration(
                key(pair), start, start_end - last, end_from=end, end_to=end_end - last
            )
            found[(*key(pair), *one)] = (
                figures.start_count, figures.end_count, figures.conversion_rate, figures.average_seconds
            )  # fmt: skip
    return found


def promised(house: VendorWorkspace) -> None:
    """A first run, a second at the same hour, and a third three nights later: each as the oracle says."""
    world = house.sandbox.world
    first = world.day(0).date()
    world.now = world.day(5) + timedelta(hours=7)
    house.load()
    assert rates_held(house) == rates_expected(house, first, world.now.date())
    assert times_held(house) == times_expected(house, days(first, world.now.date()), world.now.date())

    before, seen = tables(house.path, "infobip"), times_held(house)
    assert house.load().total("added") == 0
    assert tables(house.path, "infobip") == before

    world.now = world.day(8) + timedelta(hours=7)
    house.load()
    assert rates_held(house) == rates_expected(house, first, world.now.date())
    expected = times_expected(house, days(first, world.now.date()), world.now.date())
    trailing_then = {window: row for window, row in seen.items() if window[4] - window[3] == 30 * DAY}
    assert times_held(house) == {**trailing_then, **expected}
    assert before["conversion_rates"] - tables(house.path, "infobip")["conversion_rates"], (
        "no day was restated"
    )


@pytest.mark.more
def test_rates_and_times_are_right_under_every_reading(make_house: MakeHouse) -> None:
    """Whatever the document leaves open, all at once: first, second and third run hold what the oracle says."""
    promised(house_under(make_house, AT_ONCE))


@pytest.mark.long
@pytest.mark.parametrize("reading", EACH)
def test_rates_and_times_are_right_under_each_reading(make_house: MakeHouse, reading: str) -> None:
    """As above, one reading at a time."""
    promised(house_under(make_house, reading))


def house_under(make_house: MakeHouse, reading: str) -> VendorWorkspace:
    variants = parse(reading.split(), Variants())
    world = World(days=8, conversions_a_day=25)
    return make_house(world, variants, infobip_start_date=str(world.day(0).date()))


def test_everything_is_asked_in_the_documents_form(house: VendorWorkspace) -> None:
    """Basic authorization, Content-Type on a GET, both dates with milliseconds and %2B, tags where they are set."""
    house.load("2026-01-02", "2026-01-03")
    key = house.sandbox.infobip.pairs[0]["process_key"]
    path = f"/1/conversion-rate/process/{key}/statistics/"
    first = "start-tag=START&end-tag=END&from=2026-01-02T00%3A00%3A00.000%2B0000&to="
    by_date = f"{path}conversion-rate?{first}2026-01-04T00%3A00%3A00.000%2B0000"
    second_day = (
        f"{path}average-conversion-rate?{first.replace('-02T', '-03T')}2026-01-03T23%3A59%3A59.999%2B0000"
        "&end-tag-from=2026-01-03T00%3A00%3A00.000%2B0000&end-tag-to=2026-02-01T23%3A59%3A59.999%2B0000"
    )
    targets = [request.target for request in house.sandbox.requests]
    assert {by_date, second_day} <= set(targets)
    assert len(targets) == len(set(targets)) == 3 * (1 + 2)
    for request in house.sandbox.requests:
        assert (request.method, request.body) == ("GET", b"")
        assert request.headers["authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        assert request.headers["content-type"] == "application/json"


def test_tags_may_be_left_to_the_vendor(house: VendorWorkspace) -> None:
    """A pair without tags sends none, and its key holds '' for them; what the vendor took stands beside."""
    process = house.sandbox.infobip.pairs[0]["process_key"]
    house.settings["INFOBIP_PAIRS"] = f'[{{"process_key": "{process}"}}]'
    house.load("2026-01-02", "2026-01-02")
    assert all(
        "tag" not in name or name.startswith("end-tag-")
        for one in house.sandbox.requests
        for name in one.query
    )
    oracle = house.sandbox.infobip.oracle.rates((process, "", ""), date(2026, 1, 2), date(2026, 1, 2))
    expected = {
        (process, "", "", day, one.start_count, one.end_count, one.conversion_rate)
        for day, one in oracle.items()
    }
    assert rates_held(house) == expected
    assert house.query(
        "select start_tag, end_tag, answered_start_tag, answered_end_tag from infobip.conversion_times"
    ) == [("", "", "START", "END")]
    assert house.query("select key from infobip.processes") == [(process,)]
    assert house.query("select * from infobip.tags") == []


def test_each_pair_has_its_own_cursor(house: VendorWorkspace) -> None:
    """A new pair is read from the start, the others with the lookback alone; what is known of a process stays."""
    house.settings |= {"INFOBIP_START_DATE": "2025-12-25", "INFOBIP_LOOKBACK_DAYS": "2"}
    *known, new = house.sandbox.infobip.pairs
    house.settings["INFOBIP_PAIRS"] = json.dumps(known)
    house.load()
    with duckdb.connect(str(house.path)) as connection:
        connection.execute("update infobip.processes set name = 'Sign-up tracking'")
    house.settings["INFOBIP_PAIRS"] = json.dumps([known[0], new])
    before = len(house.sandbox.requests)
    house.load()
    asked = {
        (one.path.split("/")[4], one.query["end-tag"], one.query["from"][:10], one.query["to"][:10])
        for one in house.asked("/conversion-rate", before)
    }
    assert asked == {
        (known[0]["process_key"], "END", "2026-01-04", "2026-01-07"),
        (new["process_key"], "END", "2025-12-25", "2026-01-07"),
    }
    pipeline = pipeline_for(
        "infobip", Warehouse(house.path).dlt_destination(["infobip"]), house.folder / "work"
    )
    cursors = {name: one for name, one in restored(pipeline, "infobip").items() if name.startswith("[")}
    assert set(cursors) == {json.dumps(list(key(pair))) for pair in (known[0], new)}
    assert {one["through"] for one in cursors.values()} == {"2026-01-06"}
    names = dict(house.query("select key, name from infobip.processes"))
    assert names == {known[0]["process_key"]: "Sign-up tracking", new["process_key"]: None}


def test_a_range_is_read_in_windows_and_a_day_once(house: VendorWorkspace) -> None:
    """`--from --to --window 3d`: several commits, and the same rows as in one."""
    house.load("2026-01-01", "2026-01-05", window_days=3)
    held = rates_held(house), times_held(house)
    assert held[0] == rates_expected(house, date(2026, 1, 1), date(2026, 1, 5))
    assert held[1] == times_expected(house, days(date(2026, 1, 1), date(2026, 1, 5)), None)
    [[commits]] = house.query("select count(distinct _dlt_load_id) from infobip.windows")
    assert commits == 2


@pytest.mark.more
def test_what_is_new_was_read(make_house: MakeHouse) -> None:
    """The figures of a load count rows of the vendor: what the settings alone say of processes and tags is none."""
    house = make_house(World(days=2, conversions_a_day=5))
    done = house.load()
    [[rows]] = house.query(
        "select (select count(*) from infobip.conversion_rates) + (select count(*) from infobip.conversion_times)"
    )
    assert house.query("select count(*) from infobip.processes") != [(0,)]
    assert done.total("added") == rows
    assert done.total("added") <= done.total("received")
    assert house.load().total("added") == 0

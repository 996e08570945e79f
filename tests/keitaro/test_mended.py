"""Rows of the log and of the report that were set aside on old days are met again; what came and went is not loaded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from conversync.sandbox import Fault, Request
from conversync.sandbox.keitaro import Variants
from tests.houses import VendorWorkspace
from tests.keitaro.books import LOG, REPORT, body, conversion
from tests.keitaro.test_report import group
from tests.support import sometimes

OPEN = "select stream from keitaro.rejected_rows where resolved_at is null order by 1"


def day(number: int) -> str:
    """The day so many days after the first of January."""
    return f"{'2026-01' if number < 31 else '2026-02'}-{number % 31 + 1:02}"


def asked(house: VendorWorkspace, path: str, since: int) -> list[tuple[str, str]]:
    """The ranges that whole pages were asked for, in their order."""
    bodies = [body(one) for one in house.asked(path, since)]
    ranges = [one["range"] for one in bodies if one["limit"] > 20]
    return list(dict.fromkeys((one["from"], one["to"]) for one in ranges))


@pytest.fixture
def forty(house: VendorWorkspace) -> VendorWorkspace:
    """A conversion and a group of the report on each of forty days; a week is read again."""
    house.settings["KEITARO_LOOKBACK_DAYS"] = "7"
    tracker = house.sandbox.keitaro
    tracker.rows = [conversion(number, datetime=f"{day(number)} 10:00:00") for number in range(40)]
    tracker.report_rows = [group(day(number)) for number in range(40)]
    return house


def night(house: VendorWorkspace, number: int) -> Any:
    """One night at three o'clock, and where its requests begin."""
    house.sandbox.world.now = house.sandbox.world.day(number) + timedelta(hours=3)
    since = len(house.sandbox.requests)
    return house.run(), since


@pytest.mark.more
def test_f03_a_row_of_an_old_day_is_loaded_the_night_after_it_was_mended(forty: VendorWorkspace) -> None:
    """A conversion and a group of the report, weeks before the lookback: their days alone, until they are mended."""
    tracker = forty.sandbox.keitaro
    tracker.variants = Variants(unreadable="c3")
    groups = list(tracker.report_rows or [])
    tracker.report_rows = [*groups[:10], group(day(10), clicks="many"), *groups[11:]]
    first, _ = night(forty, 40)
    assert (first.error, first.exit_code, forty.query(OPEN)) == (None, 3, [("conversions",), ("report",)])
    second, since = night(forty, 41)
    assert (second.exit_code, second.known_rejected) == (0, 2)
    assert asked(forty, LOG, since) == [(day(33), day(41)), (day(3), day(4))]
    assert asked(forty, REPORT, since) == [(day(33), day(42)), (day(10), day(12))]
    tracker.variants, tracker.report_rows = Variants(), groups
    third, since = night(forty, 42)
    assert (third.exit_code, third.known_rejected, forty.query(OPEN)) == (0, 0, [])
    assert len(asked(forty, LOG, since)) == 2
    assert forty.query("select count(*), sum(revenue) from keitaro.conversions") == [(40, 60)]
    assert forty.query("select count(*), count(distinct day) from keitaro.report_daily") == [(40, 40)]
    fourth, since = night(forty, 43)
    assert (fourth.exit_code, asked(forty, LOG, since)) == (0, [(day(35), day(43))])


@pytest.mark.quick(1)
@pytest.mark.parametrize("departures", [1, 3], ids=["m02-one", "m02-three"])
def test_m02_a_conversion_that_leaves_between_two_pages_is_not_loaded(
    house: VendorWorkspace, departures: int
) -> None:
    """A page of a pass that was given up had it: the log is what the pass that is believed says, and a word says so."""
    house.settings |= {"KEITARO_PAGE_SIZE": "10", "KEITARO_CONCURRENCY": "1"}
    house.sandbox.keitaro.rows = [conversion(number) for number in range(10, 50)]
    house.sandbox.keitaro.variants = Variants(departures=departures)
    report = house.load()
    left = [f"c{number}" for number in range(10 + departures, 50)]
    assert house.query("select conversion_id from keitaro.conversions order by 1") == [(one,) for one in left]
    assert any("gone before the reading was over" in note for note in report.notes)
    assert house.load().notes == []


@pytest.mark.parametrize("offset", sometimes(9, 18, 27, quick=1))
def test_m02_one_that_leaves_while_another_comes_hides_no_third(house: VendorWorkspace, offset: int) -> None:
    """Between two pages of one total: a page that begins with no row of the one before is not believed."""
    house.settings |= {"KEITARO_PAGE_SIZE": "10", "KEITARO_CONCURRENCY": "1"}
    rows = [conversion(number) for number in range(10, 46)]
    house.sandbox.keitaro.rows = rows

    def moves() -> None:
        house.sandbox.keitaro.rows = [*rows[:2], *rows[3:], conversion(80)]

    late = Fault(path=LOG, times=1, where=lambda one: body(one)["offset"] == offset, action=moves)
    house.sandbox.faults.add(late)
    report = house.load()
    assert (report.exit_code, late.delivered) == (0, 1)
    left = [f"c{number}" for number in range(10, 46) if number != 12]
    assert house.query("select conversion_id from keitaro.conversions order by 1") == [
        (one,) for one in [*left, "c80"]
    ]


def test_m02_a_conversion_that_moves_to_now_meanwhile_is_there(house: VendorWorkspace) -> None:
    """Posted again between two pages, it left its day for today's, which a later question has: it is loaded, once."""
    house.settings |= {"KEITARO_PAGE_SIZE": "10", "KEITARO_CONCURRENCY": "1", "KEITARO_RANGE_DAYS": "3"}
    before = [conversion(number) for number in range(10, 40)]
    house.sandbox.keitaro.rows = before

    def moves() -> None:
        house.sandbox.keitaro.rows = [
            conversion(10, status="sale", datetime="2026-01-07 09:00:00"),
            *before[1:],
        ]

    late = Fault(path=LOG, times=1, where=lambda one: body(one)["offset"] == 20, action=moves)
    house.sandbox.faults.add(late)
    house.load()
    assert late.delivered == 1
    assert house.query("select count(*), count(distinct conversion_id) from keitaro.conversions") == [
        (30, 30)
    ]
    assert house.query("select status, statements from keitaro.conversions where conversion_id = 'c10'") == [
        ("sale", 1)
    ]


def test_m02_a_conversion_that_comes_where_its_day_is_asked_for_alone_is_not_lost(
    house: VendorWorkspace,
) -> None:
    """A pass that adds up without it is not taken for its word; its day is UTC's, though its figures are Tokyo's."""
    house.settings |= {"KEITARO_PAGE_SIZE": "10", "KEITARO_CONCURRENCY": "1", "KEITARO_ZONE": "Asia/Tokyo"}
    house.sandbox.keitaro.rows = [
        conversion(number, datetime=f"2026-01-04 23:00:{number}") for number in range(10, 35)
    ]

    def is_wide(one: Request) -> bool:
        return bool(body(one)["range"]["from"] == "2026-01-01")

    def announces_less(document: dict[str, Any], _query: Mapping[str, str]) -> dict[str, Any]:
        document["total"] -= 1 if len(document["rows"]) < 10 else 0
        return document

    def lacks_one(document: dict[str, Any], _query: Mapping[str, str]) -> dict[str, Any]:
        document["total"] -= 1
        document["rows"] = [one for one in document["rows"] if one["event_id"] != "c34"]
        return document

    first, second = (
        Fault(path=LOG, json={"limit": 10}, where=is_wide, attempts={1}, mutate=change)
        for change in (announces_less, lacks_one)
    )
    house.sandbox.faults.add(first)
    house.sandbox.faults.add(second)
    report = house.load()
    assert (first.delivered, second.delivered) == (3, 3)
    assert house.query("select count(*) from keitaro.conversions") == [(25,)]
    assert not any("gone before" in note for note in report.notes)

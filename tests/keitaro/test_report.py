"""The daily report: whole days are replaced, so what vanished is gone, whatever was asked to be grouped by."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from conversync.cli.output import notes
from conversync.errors import InvalidResponseError, SettingsError
from conversync.sandbox import Fault, World
from conversync.sandbox.keitaro import Variants
from tests.houses import VendorWorkspace
from tests.keitaro.books import REPORT, body, money, pages, report_expected, report_held, vendor_at
from tests.keitaro.conftest import MakeHouse
from tests.support import sometimes


def group(day: str, campaign: int = 1, **figures: Any) -> dict[str, Any]:
    """A row of the default report."""
    return {
        "day": day,
        "campaign_id": campaign,
        "clicks": 5,
        "conversions": 1,
        "revenue": 1.25,
        "cost": 0.5,
        **figures,
    }


def days_held(house: VendorWorkspace) -> list[tuple[Any, ...]]:
    """Day, campaign and clicks of every row."""
    columns = "cast(day as varchar), campaign_id, clicks"
    return house.query(f"select {columns} from keitaro.report_daily order by all")


def test_vanished_groups_and_emptied_days_are_gone(house: VendorWorkspace) -> None:
    """A group that the report no longer has leaves its day; a day without any group left is empty."""
    tracker = house.sandbox.keitaro
    tracker.report_rows = [
        group("2026-01-03"),
        group("2026-01-03", 2),
        group("2026-01-04"),
        group("2026-01-05"),
    ]
    house.load()
    tracker.report_rows = [group("2026-01-03", 2, clicks=6), group("2026-01-05")]
    house.load()
    assert days_held(house) == [("2026-01-03", 2, 6), ("2026-01-05", 1, 5)]
    tracker.report_rows = [group("2026-01-04")]
    house.load()
    assert days_held(house) == [("2026-01-04", 1, 5)]
    assert house.query("select count(*) from keitaro.report_daily where is_cleared is not null") == [(0,)]


def test_days_outside_the_window_stay(house: VendorWorkspace) -> None:
    """A reading of two days replaces these two, and a tracker that answers with more than was asked no other."""
    tracker = house.sandbox.keitaro
    tracker.report_rows = [group(f"2026-01-{number:02}") for number in range(1, 9)]
    house.load()
    tracker.report_rows = ['{"day":"2026-01-02 ","campaign_id":9,"clicks":9}', group("2026-01-05", clicks=7)]
    house.load("2026-01-04", "2026-01-05")
    assert days_held(house) == [
        (f"2026-01-{number:02}", 1, 7 if number == 5 else 5) for number in (1, 2, 3, 5, 6, 7, 8)
    ]


def test_a_day_on_which_a_piece_ends_was_read(house: VendorWorkspace) -> None:
    """Pieces of the report share no day, and leave none out: nothing is called never read, and what was mended is open
    no more, on the last day of a piece as on any other."""
    house.settings["KEITARO_RANGE_DAYS"] = "3"
    tracker = house.sandbox.keitaro
    tracker.report_rows = [group("2026-01-02"), group("2026-01-03", clicks="many")]
    assert house.run().total("rejected_new") == 1
    asked = [one["range"]["from"] for one in map(body, house.asked(REPORT)) if one["limit"] > 1]
    assert asked == ["2026-01-01", "2026-01-04", "2026-01-07"]
    states = house.query("select stream, state, count(*) from keitaro.days group by all order by all")
    assert states == [("conversions", "whole", 7), ("report", "whole", 7)]
    tracker.report_rows = [group("2026-01-02"), group("2026-01-03")]
    house.load()
    assert house.query("select stream, resolved_at is not null from keitaro.rejected_rows") == [
        ("report", True)
    ]


def test_a_group_that_vanishes_while_it_is_read_is_gone(house: VendorWorkspace) -> None:
    """Only the walk that stands counts: what an earlier one saw, and the later one did not, is no group."""
    house.settings |= {"KEITARO_PAGE_SIZE": "2", "KEITARO_CONCURRENCY": "1"}
    tracker = house.sandbox.keitaro
    tracker.variants = Variants(report_pages=True)
    tracker.report_rows = [group("2026-01-03", number) for number in range(1, 6)]

    def vanish() -> None:
        tracker.report_rows = [group("2026-01-03", number) for number in range(2, 6)]

    late = Fault(path=REPORT, times=1, where=lambda one: body(one)["offset"] == 4, action=vanish)
    house.sandbox.faults.add(late)
    house.load()
    assert late.delivered == 1
    assert days_held(house) == [("2026-01-03", number, 5) for number in range(2, 6)]


@pytest.mark.parametrize("inclusive", sometimes(False, True, quick=1))
def test_the_last_day_is_covered_however_the_range_ends(make_house: MakeHouse, inclusive: bool) -> None:
    """Whether `to` covers its day is not known: a past window is exact all the same, and its last day not cleared."""
    world = World(days=8, conversions_a_day=6)
    house = make_house(world, Variants(to_inclusive=inclusive))
    house.load()
    first, last = world.day(2).date(), world.day(4).date()
    house.load(first, last)
    columns = ("day", "campaign_id", "clicks", "conversions", "revenue", "cost")
    assert report_held(house, ", ".join(columns)) == report_expected(
        house, columns[:2], columns[2:], world.start, world.now.date()
    )


def test_grouping_and_metrics_come_from_the_settings(make_house: MakeHouse) -> None:
    """Names are text, ids of lists and counts whole numbers, all else exact decimals; the day is always there."""
    world = World(days=4, conversions_a_day=8)
    grouping, metrics = ["offer_id", "country", "sub_id_2"], ["sales", "profit", "campaign_unique_clicks"]
    house = make_house(
        world,
        keitaro_report_grouping=json.dumps(grouping),
        keitaro_report_metrics=json.dumps(metrics),
        keitaro_page_size="10",
    )
    house.load()
    assert report_held(house, ", ".join(["day", *grouping, *metrics])) == report_expected(
        house, ["day", *grouping], metrics, world.start, world.now.date()
    )
    types = dict(
        house.query(
            "select column_name, data_type from information_schema.columns where table_name = 'report_daily'"
        )
    )
    assert [types[name] for name in ("day", *grouping, *metrics)] == [
        "DATE", "BIGINT", "VARCHAR", "VARCHAR", "BIGINT", "DECIMAL(18,6)", "BIGINT"
    ]  # fmt: skip


@pytest.mark.long
def test_numbers_that_come_as_text_are_numbers(house: VendorWorkspace) -> None:
    """Also where a count is written with decimals."""
    house.sandbox.keitaro.report_rows = [
        group("2026-01-03", clicks="12", conversions="3.00", revenue="10.10", cost=".5"),
        group("2026-01-04", revenue=None, cost=""),
    ]
    report = house.run()
    assert report.total("rejected_new") == 1
    assert report_held(house, "clicks, conversions, revenue, cost") == {
        (12, 3, money("10.1"), money("0.5")): 1
    }
    assert house.query("select reason, stream from keitaro.rejected_rows") == [
        ("cost is not a number", "report")
    ]


@pytest.mark.long
def test_a_metric_that_the_tracker_leaves_out_is_said_once(house: VendorWorkspace) -> None:
    """Unknown metrics are silently dropped by the tracker: their column stays empty, and the summary says so."""
    house.settings["KEITARO_REPORT_METRICS"] = '["clicks", "leeds"]'
    house.sandbox.keitaro.report_rows = ['{"day":"2026-01-03","campaign_id":1,"clicks":3}']
    assert "keitaro: the report leaves out the metrics leeds: they stay empty." in notes(house.load())
    assert list(notes(house.load())) == []
    assert report_held(house, "day, clicks, leeds") == {(date(2026, 1, 3), 3, None): 1}


def test_a_grouping_that_the_tracker_leaves_out_ends_the_run(make_house: MakeHouse) -> None:
    """Its figures would be of other groups than those asked for."""
    house = make_house(World(days=2, conversions_a_day=4), keitaro_report_grouping='["day", "campain_id"]')
    report = house.run()
    assert isinstance(report.error, InvalidResponseError)
    assert "leaves out the grouping campain_id" in str(report.error)
    assert "check keitaro_report_grouping" in str(report.error)


@pytest.mark.long
@pytest.mark.parametrize("pages_heard", [True, False])
def test_long_reports_are_read_whole(make_house: MakeHouse, pages_heard: bool) -> None:
    """Page by page where the tracker pages its report, and all at once where it does not."""
    world = World(days=6, conversions_a_day=10)
    house = make_house(world, Variants(report_pages=pages_heard), keitaro_page_size="10")
    house.load()
    columns = ("day", "campaign_id", "clicks", "conversions", "revenue", "cost")
    wanted = report_expected(house, columns[:2], columns[2:], world.start, world.now.date())
    assert report_held(house, ", ".join(columns)) == wanted
    assert len(wanted) > 20
    asked = [offset for _, offset in pages(house, REPORT)]
    assert (len(asked) > 2) == pages_heard


@pytest.mark.long
def test_the_report_counts_the_settings_days(make_house: MakeHouse) -> None:
    """The zone is asked for by name, and today is a day of that zone."""
    house = make_house(World(days=3, conversions_a_day=3), keitaro_zone="Asia/Tokyo")
    world = house.sandbox.world
    world.now = world.day(2) + timedelta(hours=20)
    house.load()
    asked = body(house.asked(REPORT)[-1])["range"]
    assert asked == {
        "from": str(world.start),
        "to": str(world.day(4).date()),
        "timezone": "Asia/Tokyo",
    }
    [[total]] = house.query("select sum(clicks) from keitaro.report_daily")
    assert total > Decimal(0)


@pytest.mark.parametrize("name", ["Clicks", "is_cleared", "a b"])
def test_what_cannot_be_a_column_is_refused_before_any_request(house: VendorWorkspace, name: str) -> None:
    """Exit 2, and the setting is named."""
    house.settings["KEITARO_REPORT_METRICS"] = json.dumps([name])
    house.vendor = vendor_at(house.sandbox)
    with pytest.raises(SettingsError, match="keitaro_report_metrics holds"):
        house.run()
    assert house.sandbox.requests == []

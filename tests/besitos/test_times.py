"""A time in the feed has no offset: the zone that is set decides the instant, the feed's own text the day."""

from __future__ import annotations

from datetime import UTC, date, datetime

import duckdb
import pytest

from tests.besitos.rows import row
from tests.support import Workspace

# id -> (the feed's text, the instant in EST, the instant in New York)
TIMES = {
    "winter": ("2026-01-15 12:00:00", "2026-01-15T17:00", "2026-01-15T17:00"),
    "summer": ("2026-07-01 12:00:00", "2026-07-01T17:00", "2026-07-01T16:00"),
    "the hour that New York skips": ("2026-03-08 02:30:00", "2026-03-08T07:30", "2026-03-08T07:30"),
    "just before it": ("2026-03-08 01:59:59", "2026-03-08T06:59:59", "2026-03-08T06:59:59"),
    "just after it": ("2026-03-08 03:00:00", "2026-03-08T08:00", "2026-03-08T07:00"),
    "the hour that New York has twice": ("2026-11-01 01:30:00", "2026-11-01T06:30", "2026-11-01T05:30"),
    "the first second of a day": ("2026-07-02 00:00:00", "2026-07-02T05:00", "2026-07-02T04:00"),
    "the last second of a day": ("2026-07-02 23:59:59", "2026-07-03T04:59:59", "2026-07-03T03:59:59"),
    "long ago": ("1970-01-01 00:00:00", "1970-01-01T05:00", "1970-01-01T05:00"),
    "S15 in 2099": ("2099-06-01 00:00:00", "2099-06-01T05:00", "2099-06-01T04:00"),
}


@pytest.mark.quick(1)
@pytest.mark.parametrize(("zone", "column"), [("EST", 1), ("America/New_York", 2)])
def test_s12_times_are_read_in_the_zone_that_is_set(house: Workspace, zone: str, column: int) -> None:
    """EST is -05:00 in summer too. An hour that comes twice is its first; one that is skipped is counted on."""
    house.settings |= {"BESITOS_ZONE": zone, "BESITOS_RANGE_DAYS": "3650"}
    house.sandbox.besitos.rows = [
        row(number, date_time=times[0]) for number, times in enumerate(TIMES.values())
    ]
    house.load("1970-01-01", "2099-12-31")
    held = house.query(
        "select date_time, occurred_at, occurred_on from besitos.conversion_events order by transaction_id"
    )
    assert held == [
        (
            times[0],
            datetime.fromisoformat(times[column]).replace(tzinfo=UTC),
            date.fromisoformat(times[0][:10]),
        )
        for times in TIMES.values()
    ]


def test_s13_the_day_of_a_row_is_the_vendors_whoever_reads(house: Workspace) -> None:
    """`occurred_on` is a date: it does not follow the reader's session zone, as a timestamp's day does."""
    house.sandbox.besitos.rows = [
        row(1, date_time="2026-07-02 23:59:59"),
        row(2, date_time="2026-07-02 00:00:00"),
    ]
    house.load("2026-07-01", "2026-07-03")
    for zone in ("Asia/Tokyo", "America/Los_Angeles"):
        with duckdb.connect(str(house.path), read_only=True) as reader:
            reader.execute(f"set timezone = '{zone}'")
            days = reader.execute("select distinct occurred_on from besitos.conversions").fetchall()
        assert days == [(date(2026, 7, 2),)]

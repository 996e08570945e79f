"""Infobip's statistics: cohorts that grow, windows, units, offsets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest

from conversync.sandbox import Sandbox, World
from conversync.sandbox.infobip import Variants
from conversync.sandbox.infobip.instants import read, shown
from conversync.sandbox.infobip.processes import told_by
from conversync.sandbox.readings import parse
from tests.sandbox.asking import infobip


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Twenty days of messages, with the clock at their end."""
    with Sandbox(World(days=20)) as running:
        yield running


def statistics(sandbox: Sandbox, what: str, pair: int = 0, /, **query: str) -> Any:
    """One of the two statistics for one of the world's pairs."""
    chosen = sandbox.infobip.pairs[pair]
    asked = {"start-tag": chosen["start_tag"], "end-tag": chosen["end_tag"], **query}
    path = f"/1/conversion-rate/process/{chosen['process_key']}/statistics/{what}"
    return infobip(sandbox, f"{path}?{urlencode(asked)}").json()


def days(first: date, last: date) -> dict[str, str]:
    """The window of these UTC days as the document writes times."""
    return {
        "from": f"{first}T00:00:00.000+0000",
        "to": f"{last + timedelta(days=1)}T00:00:00.000+0000",
    }


def key_of(sandbox: Sandbox, pair: int) -> tuple[str, str, str]:
    chosen = sandbox.infobip.pairs[pair]
    return chosen["process_key"], chosen["start_tag"], chosen["end_tag"]


FIRST, LAST = date(2025, 12, 25), date(2026, 1, 20)


@pytest.mark.parametrize("pair", [0, 1, 2])
@pytest.mark.parametrize("empty_days", ["absent", "shown"])
def test_days_are_the_oracles(sandbox: Sandbox, pair: int, empty_days: str) -> None:
    """Each bucket a UTC day shown in the vendor's offset, without tags and without an end frame."""
    sandbox.infobip.variants = parse([f"empty_days={empty_days}"], Variants())
    rows = statistics(sandbox, "conversion-rate", pair, **days(FIRST, LAST))["conversionRates"]
    expected = sandbox.infobip.oracle.rates(key_of(sandbox, pair), FIRST, LAST)
    seen = {}
    for row in rows:
        assert list(row) == ["startTimeFrame", "endTimeFrame", "conversionRateStats"]
        assert row["endTimeFrame"] is None
        begins, ends = (read(row["startTimeFrame"][edge]) for edge in ("from", "to"))
        assert (begins.hour, ends - begins) == (0, timedelta(days=1))
        assert row["startTimeFrame"]["from"].endswith("T01:00:00.000+0100")
        seen[begins.date()] = row["conversionRateStats"]
    assert {day: (one["startCount"], one["endCount"]) for day, one in seen.items()} == {
        day: (one.start_count, one.end_count) for day, one in expected.items()
    }
    assert len(expected) == (27 if empty_days == "shown" else len(rows))
    assert sum(one.start_count for one in expected.values()) > 100


def test_end_counts_of_past_days_grow(sandbox: Sandbox) -> None:
    """Starts of a day are soon final; those who convert later count on the day they started."""
    oracle, world, key = sandbox.infobip.oracle, sandbox.world, key_of(sandbox, 0)
    day = date(2026, 1, 5)
    ends = []
    for number in (5, 6, 8, 12, 20):
        world.now = world.day(number)
        one = oracle.rates(key, day, day)[day]
        ends.append(one.end_count)
        assert one.start_count > 5
    assert ends == sorted(ends)
    assert ends[0] < ends[-1]


def test_messages_at_midnight_belong_to_the_day_that_begins(sandbox: Sandbox) -> None:
    """With an inclusive `to` the day after has a bucket of its own, of that millisecond alone."""
    oracle, key = sandbox.infobip.oracle, key_of(sandbox, 0)
    sandbox.infobip.variants = Variants(to_inclusive=True)
    found = 0
    for number in range(1, 18):
        day = date(2026, 1, 1) + timedelta(days=number)
        rows = statistics(sandbox, "conversion-rate", **days(day, day))["conversionRates"]
        assert rows[0]["conversionRateStats"]["startCount"] == oracle.rates(key, day, day)[day].start_count
        found += sum(row["conversionRateStats"]["startCount"] for row in rows[1:])
    assert found >= 2


def test_a_late_conversion_counts_once_it_is_known(sandbox: Sandbox) -> None:
    """It happened before, and the statistics did not say so."""
    logs = told_by(sandbox.world).logs
    sent = {(one.process_key, one.log_key): one.at for one in reversed(logs)}
    late = next(one for one in logs if one.known_at - one.at > timedelta(hours=5))
    begun = sent[late.process_key, late.log_key]
    pair, moment = (late.process_key, "START", "END"), timedelta(milliseconds=1)

    def ends(now: datetime) -> int:
        oracle = sandbox.infobip.oracle
        return oracle.duration(pair, begun, begun + moment, end_to=late.at + moment, now=now).end_count

    assert [ends(late.known_at - moment), ends(late.known_at)] == [0, 1]


def test_averages_are_the_oracles(sandbox: Sandbox) -> None:
    """For a window of starts, and for ends in a window of their own."""
    start, end = datetime(2026, 1, 3, tzinfo=UTC), datetime(2026, 1, 7, tzinfo=UTC)
    window = days(start.date(), date(2026, 1, 6))
    told = statistics(sandbox, "average-conversion-rate", **window)
    key = key_of(sandbox, 0)
    one = sandbox.infobip.oracle.duration(key, start, end)
    assert (told["startTag"], told["endTag"]) == ("START", "END")
    assert told["startTagTimeFrame"] == told["endTagTimeFrame"]
    assert read(told["startTagTimeFrame"]["to"]) == end
    assert told["conversionRateStats"]["endCount"] == one.end_count
    assert told["averageConversionTime"] == {"time": one.average_seconds, "timeUnit": "SECONDS"}
    wide = {"end-tag-from": window["from"], "end-tag-to": "2026-01-21T00:00:00.000+0000"}
    later = statistics(sandbox, "average-conversion-rate", **window, **wide)
    expected = sandbox.infobip.oracle.duration(key, start, end, end_to=sandbox.world.day(20))
    assert later["conversionRateStats"]["endCount"] == expected.end_count > one.end_count
    assert later["conversionRateStats"]["startCount"] == one.start_count
    assert read(later["endTagTimeFrame"]["to"]) == sandbox.world.day(20)


@pytest.mark.parametrize(
    ("unit", "seconds"), [("seconds", 1), ("minutes", 60), ("hours", 3600), ("days", 86400)]
)
def test_time_units(sandbox: Sandbox, unit: str, seconds: int) -> None:
    """The mean in whole units; the oracle's seconds are what that unit can tell."""
    exact = sandbox.infobip.oracle.duration(key_of(sandbox, 0), sandbox.world.day(0), sandbox.world.day(20))
    sandbox.infobip.variants = parse([f"time_unit={unit}"], Variants())
    told = statistics(sandbox, "average-conversion-rate", **days(date(2026, 1, 1), LAST))
    one = sandbox.infobip.oracle.duration(key_of(sandbox, 0), sandbox.world.day(0), sandbox.world.day(20))
    assert told["averageConversionTime"] == {
        "time": (one.average_seconds or 0) // seconds,
        "timeUnit": unit.upper(),
    }
    assert abs((one.average_seconds or 0) - (exact.average_seconds or 0)) <= seconds / 2


@pytest.mark.parametrize(("zero_rate", "written"), [("zero", 0), ("null", None), ("NaN", "NaN")])
def test_the_rate_without_a_start(sandbox: Sandbox, zero_rate: str, written: object) -> None:
    """Whatever is written, the table's rate is null; no average time either."""
    sandbox.infobip.variants = parse([f"zero_rate={zero_rate}", "empty_days=shown"], Variants())
    day = date(2027, 1, 1)
    rows = statistics(sandbox, "conversion-rate", **days(day, day))["conversionRates"]
    assert rows[0]["conversionRateStats"] == {"startCount": 0, "endCount": 0, "conversionRate": written}
    told = statistics(sandbox, "average-conversion-rate", **days(day, day))
    assert (told["conversionRateStats"]["conversionRate"], told["averageConversionTime"]) == (written, None)
    assert sandbox.infobip.oracle.rates(key_of(sandbox, 0), day, day)[day].conversion_rate is None


def test_without_dates_it_is_the_last_month_until_now(sandbox: Sandbox) -> None:
    """To the millisecond; and without tags the process's own first ones."""
    sandbox.world.now = datetime(2026, 3, 31, 12, 0, 0, 5000, UTC)
    path = f"/1/conversion-rate/process/{key_of(sandbox, 2)[0]}/statistics/average-conversion-rate"
    told = infobip(sandbox, path).json()
    assert (told["startTag"], told["endTag"]) == ("START", "END")
    assert told["startTagTimeFrame"] == {
        "from": "2026-02-28T13:00:00.005+0100",
        "to": "2026-03-31T14:00:00.005+0200",
    }


@pytest.mark.parametrize(
    ("instant", "zone", "text"),
    [
        ("2014-10-10T13:55:09.647", "central-europe", "2014-10-10T15:55:09.647+0200"),
        ("2015-03-19T08:21:57.934", "central-europe", "2015-03-19T09:21:57.934+0100"),
        ("2015-03-29T00:59:59.999", "central-europe", "2015-03-29T01:59:59.999+0100"),
        ("2015-03-29T01:00:00.000", "central-europe", "2015-03-29T03:00:00.000+0200"),
        ("2015-10-25T00:59:59.999", "central-europe", "2015-10-25T02:59:59.999+0200"),
        ("2015-10-25T01:00:00.000", "central-europe", "2015-10-25T02:00:00.000+0100"),
        ("2015-01-01T00:00:00.000", "+0200", "2015-01-01T02:00:00.000+0200"),
        ("2015-07-01T00:00:00.000", "+0000", "2015-07-01T00:00:00.000+0000"),
    ],
)
def test_times_are_shown_and_read_in_any_offset(instant: str, zone: str, text: str) -> None:
    """Offset without colon, always milliseconds."""
    utc = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert shown(utc, parse([f"zone={zone}"], Variants())) == text
    assert read(text) == utc


def test_order_and_scripted_rows(sandbox: Sandbox) -> None:
    """Newest first, or any; a test's rows verbatim, those that begin in the window."""
    window = days(FIRST, LAST)
    oldest = statistics(sandbox, "conversion-rate", **window)["conversionRates"]
    sandbox.infobip.variants = Variants(order="newest")
    assert statistics(sandbox, "conversion-rate", **window)["conversionRates"] == oldest[::-1]
    sandbox.infobip.variants = Variants(order="shuffled")
    assert statistics(sandbox, "conversion-rate", **window)["conversionRates"] != oldest
    frame = {"from": "2026-01-02T01:00:00.000+0100", "to": "2026-01-03T01:00:00.000+0100"}
    sandbox.infobip.rows = [{"startTimeFrame": frame}, '{"odd":1.50}']
    sandbox.infobip.average = {"averageConversionTime": None}
    assert statistics(sandbox, "conversion-rate", **days(LAST, LAST))["conversionRates"] == [
        {"odd": Decimal("1.5")}
    ]
    assert len(statistics(sandbox, "conversion-rate", **window)["conversionRates"]) == 2
    assert statistics(sandbox, "average-conversion-rate") == {"averageConversionTime": None}


@pytest.mark.parametrize(("rate", "end"), [("percent", " %"), ("word", "n/a")])
def test_f12_a_rate_that_cannot_be_read(sandbox: Sandbox, rate: str, end: str) -> None:
    """Text in its place, in both statistics; the counts from which it follows stand beside it."""
    window = days(FIRST, LAST)
    plain = statistics(sandbox, "conversion-rate", **window)["conversionRates"]
    sandbox.infobip.variants = parse([f"rate={rate}"], Variants())
    rows = statistics(sandbox, "conversion-rate", **window)["conversionRates"]
    whole = statistics(sandbox, "average-conversion-rate", **window)["conversionRateStats"]
    told = [row["conversionRateStats"] for row in rows]
    assert {one["conversionRate"].endswith(end) for one in (*told, whole)} == {True}
    assert [one["startCount"] for one in told] == [row["conversionRateStats"]["startCount"] for row in plain]
    assert len(told) > 10


def test_f12_counts_with_a_point(sandbox: Sandbox) -> None:
    """`10.0` on the wire, and the same number."""
    window = days(FIRST, LAST)
    plain = statistics(sandbox, "average-conversion-rate", **window)["conversionRateStats"]
    sandbox.infobip.variants = Variants(counts="decimal")
    pointed = statistics(sandbox, "average-conversion-rate", **window)["conversionRateStats"]
    assert str(pointed["startCount"]) == f"{plain['startCount']}.0"
    assert pointed == plain
    assert plain["startCount"] > 10


@pytest.mark.parametrize(("no_days", "expected"), [("list", [[]]), ("null", [None]), ("absent", [])])
def test_f12_no_days_at_all(sandbox: Sandbox, no_days: str, expected: list[Any]) -> None:
    """An empty list, null, or no such member; where there are days they come as ever."""
    sandbox.infobip.variants = parse([f"no_days={no_days}"], Variants())
    before = statistics(sandbox, "conversion-rate", **days(date(2024, 1, 1), date(2024, 1, 9)))
    assert [value for name, value in before.items() if name == "conversionRates"] == expected
    assert "granulation" in before
    assert len(statistics(sandbox, "conversion-rate", **days(FIRST, LAST))["conversionRates"]) > 10

"""The tracker's log: columns of two generations, ranges, filters, and conversions that move."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from conversync.sandbox import Sandbox, World
from conversync.sandbox.keitaro import Event, Read, Variants
from conversync.sandbox.readings import parse
from tests.sandbox.asking import keitaro
from tests.sandbox.tracker import NEW, OLD, log, scan


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Ten days of conversions, with the clock a month later."""
    world = World(days=10)
    world.now = world.day(40)
    with Sandbox(world) as running:
        yield running


def told(event: Event) -> dict[str, Any]:
    """An event as the newer columns tell it in UTC."""
    return {
        "event_id": event.conversion_id,
        "datetime": f"{event.at:%Y-%m-%d %H:%M:%S}",
        "version": event.version,
        "status_history": [{"status": s, "datetime": f"{at:%Y-%m-%d %H:%M:%S}"} for s, at in event.history],
        "conversion_type": event.kind,
        "tid": event.tid,
        "sub_id": event.sub_id,
        "status": event.status,
        "revenue": event.revenue,
    }


def test_the_pages_are_what_the_oracle_holds(sandbox: Sandbox) -> None:
    """Sorted and walked with limit and offset, every conversion comes once, in all its asked-for columns."""
    expected = [told(event) for event in sandbox.keitaro.oracle.events().values()]
    assert sorted(scan(sandbox, 100), key=lambda row: row["event_id"]) == sorted(
        expected, key=lambda row: str(row["event_id"])
    )
    assert len(expected) > 300


def test_only_the_asked_for_columns_come(sandbox: Sandbox) -> None:
    """In the asked order; `rows`, `total` and `meta` stand around them."""
    page = log(sandbox, columns=["status", "event_id"], limit=3)
    assert list(page) == ["rows", "total", "meta"]
    assert [list(row) for row in page["rows"]] == [["status", "event_id"]] * 3
    assert page["total"] == len(sandbox.keitaro.oracle.events())
    assert page["meta"] == [{"name": "status"}, {"name": "event_id"}]


@pytest.mark.parametrize(
    ("generation", "column"), [("new", one) for one in OLD[:4]] + [("old", one) for one in NEW[:5]]
)
def test_a_column_of_the_other_generation_is_a_400_that_names_it(
    sandbox: Sandbox, generation: str, column: str
) -> None:
    """So does a filter or a sort by it."""
    sandbox.keitaro.variants = parse([f"generation={generation}"], Variants())
    asked = [
        {"columns": ["tid", column]},
        {"columns": ["tid"], "sort": [{"name": column}]},
        {"columns": ["tid"], "filters": [{"name": column, "operator": "EQUALS", "expression": 1}]},
    ]
    replies = [keitaro(sandbox, "conversions/log", body) for body in asked]
    assert [(one.status, one.json()) for one in replies] == [
        (400, {"error": f"Unknown column: {column}"})
    ] * 3


def test_the_error_may_name_all_unknown_columns(sandbox: Sandbox) -> None:
    """In words of its own."""
    sandbox.keitaro.variants = Variants(unknown_column="Columns [{columns}] not defined")
    reply = keitaro(sandbox, "conversions/log", {"columns": ["x", "tid", "payout"]})
    assert reply.json() == {"error": "Columns [x, payout] not defined"}


def test_the_older_generation_tells_the_same(sandbox: Sandbox) -> None:
    """The same conversions under numeric ids, with the previous and the first status."""
    expected = {event.tid: event for event in sandbox.keitaro.oracle.events().values()}
    sandbox.keitaro.variants = Variants(generation="old")
    rows = log(sandbox, columns=OLD)["rows"]
    assert len(rows) == len(expected)
    for row in rows:
        event = expected[row["tid"]]
        assert (row["status"], row["revenue"]) == (event.status, event.revenue)
        assert row["previous_status"] == event.previous_status
        assert row["original_status"] == event.original_status
        assert row["postback_datetime"] == f"{event.at:%Y-%m-%d %H:%M:%S}"
    assert {type(row["conversion_id"]) for row in rows} == {int}
    assert set(sandbox.keitaro.oracle.events()) == {str(row["conversion_id"]) for row in rows}


def test_a_reposted_conversion_keeps_its_id_and_moves(sandbox: Sandbox) -> None:
    """Night by night a conversion is a lead, a sale, rejected: same id, higher version, later datetime."""
    oracle, world = sandbox.keitaro.oracle, sandbox.world
    last = next(event for event in oracle.events().values() if len(event.history) == 3)
    seen = []
    for status, at in last.history:
        world.now = at + timedelta(seconds=1)
        day = {"from": f"{at:%Y-%m-%d %H:%M:%S}", "to": f"{at:%Y-%m-%d %H:%M:%S}", "timezone": "UTC"}
        rows = [row for row in log(sandbox, range=day)["rows"] if row["event_id"] == last.conversion_id]
        assert [row["status"] for row in rows] == [status]
        seen += rows
    assert [row["status"] for row in seen] == ["lead", "sale", "rejected"]
    assert sorted({row["version"] for row in seen}) == [row["version"] for row in seen]
    first = {
        "from": f"{last.history[0][1]:%Y-%m-%d}",
        "to": f"{last.history[0][1]:%Y-%m-%d}",
        "timezone": "UTC",
    }
    assert last.conversion_id not in [row["event_id"] for row in log(sandbox, range=first)["rows"]]


def test_a_range_is_of_days_in_the_asked_zone(sandbox: Sandbox) -> None:
    """Times come in that zone too; without one it is the tracker's own."""
    zones: list[tuple[dict[str, str], int]] = [
        ({"timezone": "UTC"}, 0),
        ({"timezone": "Europe/Moscow"}, 3),
        ({}, 3),
    ]
    for zone, hours in zones:
        rows = log(sandbox, range={"from": "2026-01-05", "to": "2026-01-05", **zone})["rows"]
        begin = datetime(2026, 1, 5, tzinfo=UTC) - timedelta(hours=hours)
        expected = {
            event.conversion_id
            for event in sandbox.keitaro.oracle.events().values()
            if begin <= event.at < begin + timedelta(days=1)
        }
        assert {row["event_id"] for row in rows} == expected
        assert {row["datetime"][:10] for row in rows} == {"2026-01-05"}
    assert sandbox.keitaro.reads[0] == Read(
        sandbox.world.now, datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)
    )


def test_an_end_may_be_exclusive_and_an_interval_named(sandbox: Sandbox) -> None:
    """Then the last day holds its first second alone. `all_time` is everything, as is no range."""
    count = len(sandbox.keitaro.oracle.events())
    assert log(sandbox, range={"interval": "all_time"})["total"] == log(sandbox, range=None)["total"] == count
    today = {"interval": "today", "timezone": "UTC"}
    assert log(sandbox, range=today)["total"] == 0
    sandbox.world.now = sandbox.world.day(5) - timedelta(seconds=1)
    day = {"from": "2026-01-05", "to": "2026-01-05", "timezone": "UTC"}
    assert log(sandbox, range=today)["total"] == log(sandbox, range=day)["total"] > 20
    sandbox.keitaro.variants = Variants(to_inclusive=False)
    assert log(sandbox, range=day)["total"] < 3


def test_filters(sandbox: Sandbox) -> None:
    """By any column, asked for or not; an unknown operator is refused."""

    def found(name: str, operator: str, expression: object) -> list[dict[str, Any]]:
        wish = [{"name": name, "operator": operator, "expression": expression}]
        rows: list[dict[str, Any]] = log(sandbox, filters=wish)["rows"]
        return rows

    rows = log(sandbox)["rows"]
    assert found("tid", "EQUALS", rows[5]["tid"]) == [rows[5]]
    rejected = [row for row in rows if row["status"] == "rejected"]
    assert found("status", "IN_LIST", ["rejected", "trash"]) == rejected
    assert len(found("status", "NOT_EQUAL", "rejected")) == len(rows) - len(rejected)
    assert found("revenue", "GREATER_THAN", 12) == [row for row in rows if row["revenue"] > 12]
    assert found("country", "EQUALS", "JP") != []
    wrong = {"filters": [{"name": "tid", "operator": "LIKE", "expression": "1"}]}
    assert keitaro(sandbox, "conversions/log", wrong).status == 400


def test_how_values_may_be_written(sandbox: Sandbox) -> None:
    """Amounts and ids as text, histories as words, columns that are accepted and do not come."""
    columns = ["revenue", "cost", "profit", "campaign_id", "offer", "status_history"]
    plain = log(sandbox, columns=columns)["rows"]
    sandbox.keitaro.variants = Variants(
        amounts="text", ids_as_text=True, history="text", omits=frozenset({"offer"})
    )
    texts = log(sandbox, columns=columns)["rows"]
    for one, text in zip(plain, texts, strict=True):
        assert (type(text["revenue"]), Decimal(text["revenue"])) == (str, one["revenue"])
        assert Decimal(text["profit"]) == one["revenue"] - one["cost"]
        assert text["campaign_id"] == str(one["campaign_id"])
        assert text["status_history"] == ",".join(step["status"] for step in one["status_history"])
        assert "offer" in one
        assert "offer" not in text


def test_newer_statuses(sandbox: Sandbox) -> None:
    """registration, deposit and trash are kinds of lead, sale and rejected."""
    classic = {event.tid: event.status for event in sandbox.keitaro.oracle.events().values()}
    sandbox.keitaro.variants = Variants(statuses="newer")
    rows = log(sandbox)["rows"]
    assert {row["tid"]: row["conversion_type"] for row in rows} == classic
    assert {"deposit", "trash"} <= {row["status"] for row in rows}
    assert "registration" in {row["status_history"][0]["status"] for row in rows}


def test_held_keeps_every_state_that_was_read(sandbox: Sandbox) -> None:
    """Over nights with a lookback of two days, each conversion's states in order; the last one stands."""
    world, oracle = sandbox.world, sandbox.keitaro.oracle
    nights = [world.day(number) for number in range(1, 41)]
    reads = [Read(night, night - timedelta(days=2), None) for night in nights]
    held = oracle.held(reads)
    assert {key: states[-1] for key, states in held.items()} == oracle.events() == oracle.standing(reads)
    versions = [[state.version for state in states] for states in held.values()]
    assert all(numbers == sorted(set(numbers)) for numbers in versions)
    assert max(len(numbers) for numbers in versions) >= 3
    assert oracle.held([*reads, reads[-1]]) == held


def test_reads_are_noted_once_a_walk_and_never_with_filters(sandbox: Sandbox) -> None:
    """What was asked with a filter is no read of the range; a conversion outside the range is not held by it."""
    span = {"from": "2026-01-03", "to": "2026-01-04", "timezone": "UTC"}
    scan(sandbox, 10, range=span)
    log(sandbox, range=span, filters=[{"name": "status", "operator": "EQUALS", "expression": "sale"}])
    [read] = sandbox.keitaro.reads
    expected = {row["event_id"] for row in log(sandbox, range=span)["rows"]}
    assert set(sandbox.keitaro.oracle.standing([read])) == expected
    assert 20 < len(expected) < len(sandbox.keitaro.oracle.events())

"""As of any moment: the functions say what the view said then, and the changes add up to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import duckdb
import pytest

from conversync.sandbox import World
from conversync.warehouse.publish import publish
from conversync.warehouse.warehouse import Warehouse
from tests.besitos.rows import reversal, row
from tests.books.conftest import Ledger, Told
from tests.books.nights import Feed

MakeLedger = Callable[..., Ledger]
LINES = "occurred_on, currency, offer_id"
AMOUNTS = ("gross", "reversed", "net")


def literal(moment: datetime) -> str:
    """As SQL."""
    return f"timestamptz '{moment.isoformat()}'"


def equals_every_night(house: Told) -> None:
    """As of the end of each night, the function says what the view said; so do the changes until then, by line."""
    for moment, said in house.said:
        assert house.conversions(f"conversions_as_of({literal(moment)})") == said
        sums = ", ".join(f"sum({name}_revenue)" for name in AMOUNTS)
        nonzero = "having bool_or(gross_revenue <> 0 or reversed_revenue <> 0)"
        books = house.query(
            f"select {LINES}, {sums} from {house.name}.revenue_as_of({literal(moment)}) "
            f"group by all {nonzero} order by all"
        )
        changes = ", ".join(f"sum({name}_change)" for name in AMOUNTS)
        known = house.query(
            f"select {LINES}, {changes} from {house.name}.revenue_changes "
            f"where known_at <= {literal(moment)} group by all order by all"
        )
        assert {row[:3]: row[3:] for row in known if any(row[3:])} == {
            row[:3]: row[3:] for row in books if any(row[3:])
        }


@pytest.mark.quick(1)
@pytest.mark.parametrize(("seed", "counts"), [(1, "false"), (2, "true"), (3, "false"), (4, "true")])
def test_any_night_can_be_asked_again(make_ledger: MakeLedger, seed: int, counts: str) -> None:
    """Whatever was taken back, restated, withdrawn, served again or given another id since."""
    house = make_ledger(besitos_withdrawn_counts=counts)
    for rows in Feed(seed).tell(9):
        house.night(rows)
    assert len({str(said) for _, said in house.said}) > 6, "the nights differ"
    equals_every_night(house)
    assert house.conversions("conversions_as_of('2020-01-01')") == []
    assert house.conversions("conversions_as_of(now())") == house.conversions()


def test_the_trackers_nights_can_be_asked_again(make_ledger: MakeLedger) -> None:
    """A conversion that was posted again, on another day, stood on its first one then."""
    world = World(start=date(2026, 1, 1), days=20, conversions_a_day=8)
    house = make_ledger("keitaro", world, keitaro_start_date="2025-12-31")
    for day in (6, 9, 12, 18):
        world.now = world.day(day) + timedelta(hours=3)
        house.load("2025-12-31", world.day(day).date())
        house.remember()
    equals_every_night(house)


def test_an_event_that_is_served_again_was_gone_before(make_ledger: MakeLedger) -> None:
    """The table of what is gone holds only what is so now; its history tells the rest."""
    house = make_ledger(besitos_withdrawn_counts="false")
    rows = [row(number) for number in range(1, 14)]
    for served in (rows, rows[1:], rows):
        house.night(served)
    assert [len(said) for _, said in house.said] == [13, 12, 13]
    equals_every_night(house)
    reasons = house.query(
        "select reason, net_change from besitos.revenue_changes where conversion_id = '1' order by known_at"
    )
    assert [(reason, float(change)) for reason, change in reasons] == [
        ("history", 11.05),
        ("withdrawn", -11.05),
        ("late arrival", 11.05),
    ]


def test_what_an_earlier_version_found_gone_was_gone_since(make_ledger: MakeLedger) -> None:
    """A warehouse without the history knows from withdrawn_events when what is gone now went."""
    house = make_ledger(besitos_withdrawn_counts="false")
    rows = [row(number) for number in range(1, 14)]
    for served in (rows, rows[1:]):
        house.night(served)
    with duckdb.connect(str(house.path)) as connection:
        connection.execute("delete from besitos.withdrawn_history")
    equals_every_night(house)


def test_a_warehouse_of_an_earlier_version_keeps_what_it_had_found(make_ledger: MakeLedger) -> None:
    """Its first load makes the history, with what is gone since: also of an event that is served again later."""
    house = make_ledger(besitos_withdrawn_counts="false")
    rows = [row(number) for number in range(1, 14)]
    for served in (rows, rows[1:]):
        house.night(served)
    with duckdb.connect(str(house.path)) as connection:
        connection.execute("drop view besitos.revenue_changes; drop table besitos.withdrawn_history")
        connection.execute(
            "update besitos._dlt_version set version_hash = 'earlier' || version, schema = "
            """json_merge_patch(schema, '{"tables": {"withdrawn_history": null}}')"""
        )
    for served in (rows[1:], rows):
        house.night(served)
    assert [len(said) for _, said in house.said] == [13, 12, 12, 13]
    equals_every_night(house)


def test_what_a_killed_load_had_found_and_not_told_is_told_by_the_next_one(make_ledger: MakeLedger) -> None:
    """Tables are committed one after the other: it knew what is served again or gone, and had no history of it."""
    house = make_ledger(besitos_withdrawn_counts="false")
    rows = [row(number) for number in range(1, 15)]
    for served in (rows, rows[1:], [rows[0], *rows[2:]]):
        house.night(served)
    house.said.pop()
    with duckdb.connect(str(house.path)) as connection:
        newest = "(select max(valid_from) from besitos.withdrawn_history)"
        connection.execute(f"update besitos.withdrawn_history set valid_to = null where valid_to = {newest}")
        connection.execute(f"delete from besitos.withdrawn_history where valid_from = {newest}")
    house.night([rows[0], *rows[2:]])
    assert house.query(
        "select event_key from besitos.withdrawn_history where valid_to is null order by 1, valid_from"
    ) == [
        ("1:original",),
        ("2:original",),
    ]
    assert house.conversions("conversions_as_of(now())") == house.conversions()
    equals_every_night(house)


def test_what_was_there_before_us_is_dated_by_the_vendor(make_ledger: MakeLedger) -> None:
    """A first load brings old days: what they earned is known since then, what was taken back since that day."""
    house = make_ledger()
    house.night([row(1, payout=10), reversal(1, payout=4), row(2, payout=7)])
    house.night([row(1, payout=10), reversal(1, payout=4), row(2, payout=8), row(3, payout=1)])
    known = house.query(
        "select conversion_id, reason, is_backfilled, known_on = cast(known_at at time zone 'EST' as date), "
        "cast(known_on as varchar), cast(net_change as float) from besitos.revenue_changes "
        "order by known_at, 1, net_change desc"
    )
    today = house.query(
        "select distinct cast(cast(known_at at time zone 'EST' as date) as varchar) from besitos.revenue_changes"
    )
    assert len(today) == 1, "the test ran over midnight in the vendor's zone"
    [[now]] = today
    assert known == [
        ("1", "history", True, False, "2024-12-04", 10.0),
        ("1", "history", True, False, "2024-12-06", -4.0),
        ("2", "history", True, False, "2024-12-04", 7.0),
        ("2", "restatement", False, True, now, 1.0),
        ("3", "late arrival", False, True, now, 1.0),
    ]


def test_a_copy_for_readers_has_the_functions(make_ledger: MakeLedger) -> None:
    """Copied as a file, written anew, and without what is withheld."""
    house = make_ledger()
    house.night([row(1), row(2, reward="many")])
    with house.set():
        for compact in (False, True):
            path = publish(Warehouse(house.path), compact=compact)
            assert path is not None
            with duckdb.connect(str(path), read_only=True) as copy:
                rows = copy.execute("select count(*) from besitos.conversions_as_of(now())").fetchall()
                assert rows == [(1,)]
                assert copy.execute("select count(*) from besitos.revenue_changes").fetchall() == [(1,)]


def test_a_function_that_is_as_it_should_be_is_left_alone(make_ledger: MakeLedger) -> None:
    """Another one, or none, is made by the next load."""
    house = make_ledger()
    rows = [row(1)]
    house.night(rows)
    numbers = "select function_oid from duckdb_functions() where function_name = 'conversions_as_of'"
    before = house.query(numbers)
    house.night(rows)
    assert house.query(numbers) == before
    with duckdb.connect(str(house.path)) as connection:
        connection.execute(
            "create or replace macro besitos.conversions_as_of(moment) as table select 1 as one"
        )
        connection.execute("drop macro table besitos.revenue_as_of")
    house.night(rows)
    equals_every_night(house)

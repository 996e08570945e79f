"""When a tracker's rejection became known: the view `reversals`, on rows that say it in small."""

from __future__ import annotations

from types import SimpleNamespace

import duckdb

from conversync.vendors import vendors
from conversync.warehouse.views import portable
from sources.keitaro.log import STATEMENTS

EVENTS = """
    create schema keitaro;
    create table keitaro.conversion_events as from declared;
    insert into keitaro.conversion_events by name
    select
        conversion_id, status, 'of the test' as statement_hash,
        timestamptz '2026-01-01 12:00:00+00' + to_days(cast(seen as integer)) as valid_from,
        if(is_open, null, now()) as valid_to, date '2026-01-01' as occurred_on,
        timestamptz '2026-01-01 10:00:00+00' as occurred_at
    from (values {rows}) as told (conversion_id, status, seen, is_open)
"""


def known(*rows: tuple[str, str | None, int, bool]) -> dict[str, tuple[int | None, bool]]:
    """By conversion: days until its rejection was known, and whether its arrival is; a row is a statement."""
    values = ", ".join(
        f"('{name}', {_text(status)}, {seen}, {is_open})" for name, status, seen, is_open in rows
    )
    view = vendors()["keitaro"].views(SimpleNamespace(keitaro_zone="UTC"))["reversals"]
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("declared", STATEMENTS.empty_table())
        connection.execute(EVENTS.format(rows=values))
        body = portable(view, "keitaro.{}".format, "duckdb")
        connection.execute(f"create view keitaro.reversals as {body}")
        found = connection.execute(
            "select conversion_id, days_until_known, is_arrival_known from keitaro.reversals"
        ).fetchall()
    return {name: (days, is_known) for name, days, is_known in found}


def _text(value: str | None) -> str:
    return "null" if value is None else f"'{value}'"


def test_a_rejection_is_known_from_when_it_last_began() -> None:
    """A conversion that was approved again in between was not reversed then; one that stands is not at all."""
    assert known(
        ("again", "rejected", 1, False),
        ("again", "sale", 2, False),
        ("again", "rejected", 3, False),
        ("again", "trash", 4, True),
        ("stands", "rejected", 1, False),
        ("stands", "sale", 2, True),
        ("untold", None, 1, True),
    ) == {"again": (3, True)}


def test_what_a_late_first_look_brings_is_of_unknown_lateness() -> None:
    """Rejected where we first read it, two days late: it came by then. Later than that, nobody knows when."""
    assert known(
        ("early", "rejected", 2, True), ("late", "rejected", 9, True), ("seen", "sale", 9, False)
    ) == {
        "early": (2, True),
        "late": (None, False),
    }
    assert known(("seen", "sale", 9, False), ("seen", "rejected", 20, True)) == {"seen": (20, True)}

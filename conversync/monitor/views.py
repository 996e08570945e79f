"""The views of which status, alert, report and dbt read what is known of a source: `days`, `reversals`, `lateness`.

They stand in the vendor's dataset beside its tables, made after each load with the settings of that load, so that a
copy of the warehouse says the same, with or without dbt. SQL is DuckDB's, made portable by `warehouse.views`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from string import Template

from conversync.warehouse.planned_days import NOTHING
from conversync.warehouse.views import MARIADB

FOLDER = Path(__file__).parent / "sql"
DAYS, REVERSALS, LATENESS = "days", "reversals", "lateness"
# A source is fresh for so many hours after it was read, where no setting says otherwise.
STALE_HOURS = 26.0


def judged(hours: float = STALE_HOURS, dialect: str | None = None) -> str:
    """The SQL expression for the state of a row of `days`, by what counts as stale: whole, short, never or open.

    A day that is `due` is open where its stream came within these hours: a night reads it yet. Else it was never read.
    """
    seconds = f"{hours * 3600:.0f}"
    since = (
        f"utc_timestamp(6) - interval {seconds} second"
        if dialect == MARIADB
        else f"now() - interval '{seconds} seconds'"
    )
    return f"case when state <> 'due' then state when last_read < {since} then 'never' else 'open' end"


def days(zone: str, *, current: str = "true") -> dict[str, str]:
    """The view of each day of each stream.

    `zone` is a SQL expression for the zone of a stream's days, and `current` one that tells whether the settings still
    name the stream; both of a row of windows, called w.
    """
    return {DAYS: _filled(DAYS, zone=zone, is_current=current)}


def lists() -> dict[str, str]:
    """The same of a vendor whose listings have no days."""
    return {DAYS: _filled("lists")}


def lateness(reversed_rows: str, zone: str) -> dict[str, str]:
    """The views of when reversals became known.

    `reversed_rows` is a query of what is taken back: conversion_id, occurred_on, occurred_at, first_seen_at,
    reversed_at (null where the vendor does not date it), reversal_seen_at. `zone` is the name of the zone of its days.
    """
    rows = _filled(REVERSALS, reversed=reversed_rows, zone=text(zone))
    return {REVERSALS: rows, LATENESS: _filled(LATENESS, reversals=rows, zone=text(zone))}


def text(value: str) -> str:
    """A text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def among(values: Iterable[str]) -> str:
    """The list of a SQL `in`; without texts it holds an empty one, since SQL wants something there."""
    return "(" + ", ".join(map(text, list(values) or [""])) + ")"


def _filled(name: str, **places: str) -> str:
    return Template((FOLDER / f"{name}.sql").read_text(encoding="utf-8")).substitute(places, planned=NOTHING)

"""On DuckDB a load is merged from its files as they lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest
from dlt.common.configuration.specs import BaseConfiguration, configspec

from conversync.extract.evidence import REJECTED_ROWS, rejected_table
from conversync.extract.routing import Routed, routed
from conversync.load import load
from conversync.sandbox import Sandbox
from conversync.vendors import LoadRequest, Step, Vendor
from conversync.warehouse.warehouse import Warehouse
from tests.process.support import Place, ProcessPool

STAGED = "select table_name from duckdb_tables() where schema_name = 'besitos_staging' order by 1"
SCHEMA = "select count(*) from duckdb_schemas() where schema_name = 'besitos_staging'"
KEPT = """
    select column_name, any_value(compression) from pragma_storage_info('besitos.conversion_events')
    where segment_type = 'VARCHAR' group by all having count(distinct compression) = 1
"""
COPY = """
    create schema if not exists besitos_staging;
    create table besitos_staging.conversion_events as select * from besitos.conversion_events;
    create table besitos_staging._dlt_version as select * from besitos._dlt_version
"""


def test_nothing_of_a_load_is_kept_beside_its_tables(place: Place) -> None:
    """No staging schema, and of the working directory nothing; what an earlier version left is removed.

    That version would believe that its tables stand where dlt noted so, or where the schema does not lack them all.
    """
    place.loaded()
    assert place.query(SCHEMA) == [(0,)]
    place.change(COPY)
    place.loaded()
    assert place.query(SCHEMA) == [(0,)]
    assert place.leftovers() == []
    place.change(f"{COPY}; create table besitos_staging.somebody_elses as select 1 as x")
    place.loaded()
    assert place.query(STAGED) == [("somebody_elses",)]


def test_a_path_may_hold_what_ends_a_statement(
    tmp_path: Path, sandbox: Sandbox, nursery: ProcessPool
) -> None:
    """Semicolons and blanks, of which dlt's jobs are made."""
    folder = tmp_path / "of a;  drop -- b"
    folder.mkdir()
    Place(folder, sandbox, nursery).loaded()


def test_texts_that_hardly_ever_repeat_are_not_looked_through_for_repeats(place: Place) -> None:
    """DuckDB is told how to keep them, and need not try every other way."""
    place.loaded()
    kept = dict(place.query(KEPT))
    assert {name for name, way in kept.items() if way == "FSST"} == {
        *("event_key", "statement_hash", "user_id", "user_key", "date_time")
    }


def _row(number: int, amount: str, *marks: str) -> dict[str, Any]:
    """One row as a plain dict, with what has a type of its own, and a list, which becomes a table."""
    seen = datetime(2026, 1, number, 12, tzinfo=UTC)
    more = {"note": {"b": [1]}, "day": seen.date(), "rate": 0.5, "none": None}
    return {"id": number, "amount": Decimal(amount), "seen": seen, "marks": list(marks), **more}


def _steps(rows: list[dict[str, Any]], hints: Mapping[str, Any], *_: Any) -> Iterator[Step]:
    """A source whose one resource yields dicts, and what every vendor has."""

    @dlt.source(name="acme")
    def source() -> Any:
        merged: dict[str, Any] = {"write_disposition": "merge", "primary_key": "id"}
        yield dlt.resource(rows, name="rows", columns=COLUMNS, **merged, **hints)
        yield from routed(
            dlt.resource([Routed("rejected_rows", rejected_table([]))], name="scan", selected=False),
            [REJECTED_ROWS],
        )

    yield Step("rows", lambda _page: source())


@configspec
class Settings(BaseConfiguration):
    """What every vendor has."""

    acme_url: str = "http://127.0.0.1:9"


class Silent:
    """Nobody looks on."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_: None


COLUMNS: dict[str, Any] = {
    "note": {"data_type": "json"},
    "amount": {"scale": 6, "precision": 18},
}
SHOWN = """
    select id, amount::varchar, epoch(seen)::int, note::varchar, day::varchar, rate, list(value order by value)
    from acme.rows as r left join acme.rows__marks as m on m._dlt_parent_id = r._dlt_id group by all order by id
"""


@pytest.mark.parametrize("hints", [{}, pytest.param({"file_format": "jsonl"}, marks=pytest.mark.more)])
def test_somebody_elses_resource_may_yield_dicts(tmp_path: Path, hints: Mapping[str, Any]) -> None:
    """Merged by their key, in whatever form dlt writes them; a changed row once, and nothing of a list that is gone."""
    for rows in (
        [_row(1, "1.5", "a", "b"), _row(2, "2.25", "c")],
        [_row(2, "3.75")],
        [_row(3, "0.000001", "d; '", "e")],
    ):
        vendor = Vendor("acme", "Acme", Settings, steps=partial(_steps, rows, hints))
        [report] = load(Warehouse(tmp_path / "warehouse.duckdb"), [vendor], LoadRequest(), Silent())
        assert report.error is None
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("set timezone = 'UTC'")
        told = connection.execute(SHOWN).fetchall()
        assert connection.execute("select count(*) from acme.rows__marks").fetchall() == [(4,)]
        schemas = "select schema_name from duckdb_schemas() where schema_name like 'acme%'"
        assert connection.execute(schemas).fetchall() == [("acme",)]
    assert [(row[0], row[1], row[6]) for row in told] == [
        (1, "1.500000", ["a", "b"]),
        (2, "3.750000", [None]),
        (3, "0.000001", ["d; '", "e"]),
    ]
    assert told[0][2:6] == (1767268800, '{"b":[1]}', "2026-01-01", 0.5)

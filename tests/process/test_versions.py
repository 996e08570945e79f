"""C18, C20: what another version of dlt, of DuckDB or of ours left is read on, or refused before anything happens."""

from __future__ import annotations

import json
import shutil
import signal
import struct
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest

from tests.process.nights import Nights
from tests.process.support import Done, Place

# What this version added to tables of earlier ones: nullable columns, at their end.
ADDED = {
    "windows": ("missing", "proof"),
    "conversion_events": ("currency",),
    "rejected_rows": ("resolved_at",),
}


def kept(place: Place) -> list[list[tuple[Any, ...]]]:
    """The noted schemas and states, and the statements."""
    tables = ("_dlt_version", "_dlt_pipeline_state", "conversion_events")
    return [place.query(f"from besitos.{name} order by all") for name in tables]


def schema_of(place: Place, number: int | None = None) -> dict[str, Any]:
    """The newest schema that is noted; with a number, it is made one of that format of dlt's."""
    [[text]] = place.query(
        "select schema from besitos._dlt_version order by version desc, inserted_at desc limit 1"
    )
    schema: dict[str, Any] = json.loads(text)
    if number is not None:
        note(place, {**schema, "engine_version": number})
    return schema


def note(place: Place, schema: dict[str, Any]) -> None:
    """Puts a schema in the place of all that are noted."""
    with duckdb.connect(str(place.warehouse)) as connection:
        query = "update besitos._dlt_version set schema = ?, engine_version = ?"
        connection.execute(query, [json.dumps(schema), schema["engine_version"]])


def state_of_format(place: Place, number: int) -> None:
    """Makes the noted states ones of that format of dlt's."""
    from dlt.common.versioned_state import compress_state, decompress_state

    with duckdb.connect(str(place.warehouse)) as connection:
        states = connection.execute("select distinct state from besitos._dlt_pipeline_state").fetchall()
        for [text] in states:
            state: Any = {**decompress_state(text), "_state_engine_version": number}
            query = "update besitos._dlt_pipeline_state set state = ?, engine_version = ? where state = ?"
            connection.execute(query, [compress_state(state), number, text])


def file_of_version(place: Place, number: int) -> None:
    """Makes the file one of that version of DuckDB's format, its checksum right."""
    data = bytearray(place.warehouse.read_bytes())
    data[12] = number
    total = 5381
    for (word,) in struct.iter_unpack("<Q", bytes(data[8:4096])):
        total ^= (word * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    data[:8] = struct.pack("<Q", total)
    place.warehouse.write_bytes(bytes(data))


@pytest.mark.more
@pytest.mark.parametrize("what", ["schema", "state"])
def test_c18_what_an_older_dlt_noted_is_read(loaded: Place, what: str) -> None:
    """The next load goes on from it: nothing is lost, and nothing is stated anew."""
    before = loaded.held()
    if what == "schema":
        schema_of(loaded, 9)
    else:
        state_of_format(loaded, 3)
    loaded.loaded()
    assert loaded.held() == before
    assert schema_of(loaded)["engine_version"] > 9


@pytest.mark.parametrize("what", ["schema", "state"])
def test_c18_what_a_newer_dlt_noted_is_refused(loaded: Place, what: str) -> None:
    """Exit 2 before any request; the sentence names the newer version as the way out, and no table to drop."""
    if what == "schema":
        schema_of(loaded, 99)
    else:
        state_of_format(loaded, 99)
    before, asked = kept(loaded), len(loaded.sandbox.requests)
    done = loaded.load()
    done.refused(2, "a newer version of dlt", "Nothing was loaded or changed", "a later one")
    assert "drop" not in done.told
    assert len(loaded.sandbox.requests) == asked
    assert kept(loaded) == before


@pytest.mark.more
def test_c18_a_file_of_an_older_duckdb_is_read_on(loaded: Place) -> None:
    """As DuckDB 1.0 wrote it: the next load goes on from it."""
    before, old = loaded.held(), loaded.folder / "old.duckdb"
    with duckdb.connect() as connection:
        connection.execute(
            f"attach '{loaded.warehouse}' as new (read_only); attach '{old}' as old (storage_version 'v1.0.0'); "
            "copy from database new to old"
        )
    old.replace(loaded.warehouse)
    loaded.loaded()
    assert loaded.held() == before


def test_c18_a_file_of_a_newer_duckdb_is_refused_and_not_touched(loaded: Place) -> None:
    """Exit 2 before any request; nobody is told to restore what is whole."""
    file_of_version(loaded, 99)
    data, asked = loaded.warehouse.read_bytes(), len(loaded.sandbox.requests)
    done = loaded.load()
    done.refused(2, "a newer version of DuckDB", "It was left as it is", "a later one")
    assert "restore" not in done.told
    assert loaded.warehouse.read_bytes() == data
    assert len(loaded.sandbox.requests) == asked


def as_before(place: Place) -> None:
    """Makes the warehouse one of an earlier version of ours: without the columns of `ADDED`, in schema and tables."""
    schema = schema_of(place)
    with duckdb.connect(str(place.warehouse)) as connection:
        query = "select schema_name, view_name from duckdb_views() where not internal"
        for names in connection.execute(query).fetchall():
            connection.execute("drop view if exists {}.{} cascade".format(*names))
        for table, columns in ADDED.items():
            for column in columns:
                del schema["tables"][table]["columns"][column]
                connection.execute(f"alter table besitos.{table} drop column {column}")
                connection.execute(
                    f"alter table if exists besitos_staging.{table} drop column if exists {column}"
                )
    note(place, schema)


def has_all(place: Place) -> bool:
    """Whether every column of `ADDED` is there, in the tables and in what is noted of them."""
    query = "select table_name, column_name from duckdb_columns() where schema_name = 'besitos'"
    there = set(place.query(query))
    wanted = {(table, column) for table, columns in ADDED.items() for column in columns}
    tables = schema_of(place)["tables"]
    return wanted <= there and all(column in tables[table]["columns"] for table, column in wanted)


def added_and_killed(nights: Nights, folder: Path, moments: Sequence[float]) -> None:
    """Kills at these parts of a night that adds the columns; the next night alone makes all right."""
    old = nights.first.copy(folder / "old")
    as_before(old)
    assert not has_all(old)
    counted = old.copy(folder / "counted")
    done = counted.load(points=str(folder / "points"))
    assert done.code == 0, done.told
    assert (has_all(counted), counted.held()) == (True, nights.after)
    points, halves = int((folder / "points").read_text()), 0
    for part, moment in enumerate(moments):
        at = min(1 + int(moment * points), points - 2)
        place = old.copy(folder / f"killed_{part}")
        assert place.load(at=at).code == -signal.SIGKILL
        halves += not has_all(place)
        healed: Done = place.load()
        assert healed.code == 0, f"killed at point {at} of {points}: {healed.told}"
        assert (has_all(place), place.held()) == (True, nights.after), at
        assert place.leftovers() == []
        shutil.rmtree(place.folder)
    assert halves > 0, "no kill came before the columns were there"


@pytest.mark.more
def test_c20_a_kill_while_columns_are_added_costs_nothing(nights: Nights, tmp_path: Path) -> None:
    """The next run has every column, and every statement once."""
    added_and_killed(nights, tmp_path, [0.2])


@pytest.mark.long
def test_c20_long_kills_all_over_a_night_that_adds_columns(nights: Nights, tmp_path: Path) -> None:
    """As above, at forty moments."""
    random = Random(20)
    added_and_killed(nights, tmp_path, [(part + random.random()) / 40 for part in range(40)])

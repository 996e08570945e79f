"""The warehouse explains itself: every table, view and column carries its sentence as a DuckDB comment.

The sentences stand once, in the dbt project's source files (`dbt/models/staging/*.yml`); models carry their own, which
dbt writes. Comments are lost when a view is created anew, so they are looked over after every load.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from conversync.build import project
from conversync.vendors import vendors

STAGING = "_staging"

# The tables in which dlt keeps its own books, the same in every dataset; and its columns in ours.
DLT_TABLES = {
    "_dlt_loads": (
        "The loads that were committed here, a row each.",
        {
            "load_id": "The load, as _dlt_load_id names it: seconds since 1970 when it began.",
            "schema_name": "dlt's name for the source.",
            "status": "0: the load is whole. Only such loads count.",
            "inserted_at": "When it was committed.",
            "schema_version_hash": "The tables' definition that it was made with.",
        },
    ),
    "_dlt_version": (
        "The definitions of the tables, each version once; dlt reads them at the start of a load.",
        {
            "version": "Counts the versions of the definition.",
            "engine_version": "The format of the definition.",
            "inserted_at": "When it was written.",
            "schema_name": "dlt's name for the source.",
            "version_hash": "The definition's fingerprint.",
            "schema": "The definition, as JSON text.",
        },
    ),
    "_dlt_pipeline_state": (
        "Where the next load goes on: the cursors of every stream, packed; dlt reads the newest.",
        {
            "version": "Counts the states.",
            "engine_version": "The format of the state.",
            "pipeline_name": "The pipeline whose state it is.",
            "state": "The state: JSON, compressed, in base64.",
            "created_at": "When it was made.",
            "version_hash": "The state's fingerprint.",
            "_dlt_load_id": "The load that wrote it.",
        },
    ),
}
DLT_COLUMNS = {
    "_dlt_load_id": "The load that wrote the row; _dlt_loads says when, and whether it was whole.",
    "_dlt_id": "dlt's name for the row.",
    "is_cleared": "Set on the row that clears a day which became empty; no such row stays.",
}


@dataclass(frozen=True)
class Described:
    """What a table or view is, and what each of its columns is."""

    text: str
    columns: Mapping[str, str]


def descriptions(datasets: AbstractSet[str]) -> dict[tuple[str, str], Described]:
    """By (dataset, table): as a vendor declares them; else from the dbt project, which has a file for each dataset."""
    files = sorted((project() / "models" / "staging").glob("*.yml"))
    found = {name: told for file in files if file.stem in datasets for name, told in _read(file).items()}
    for dataset in datasets & vendors().keys():
        for name, table in vendors()[dataset].described.items():
            found[dataset, name] = Described(table.says, table.said)
    return found


@cache
def _read(file: Path) -> dict[tuple[str, str], Described]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = {}
    for source in yaml.load(file.read_bytes(), loader).get("sources", ()):  # noqa: S506 - both are the safe ones
        for table in source["tables"]:
            columns = {column["name"]: column["description"] for column in table.get("columns", ())}
            found[file.stem, table["name"]] = Described(table["description"], columns)
    return found


def refresh(connection: Any) -> int:
    """Writes the comments that are missing or not as they should be, all at once; how many these were.

    `connection` is DuckDB's, to the warehouse. Tables that nobody describes, such as a person's own, are left alone.
    """
    relations = connection.execute(_RELATIONS).fetchall()
    known = descriptions({schema.removesuffix(STAGING) for schema, *_ in relations})
    columns: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for schema, name, column, comment in connection.execute(_COLUMNS).fetchall():
        columns.setdefault((schema, name), []).append((column, comment))
    wanted = []
    for schema, name, kind, comment in relations:
        described = _described(known, schema, name)
        if described is None:
            continue
        place = f'"{schema}"."{name}"'
        if comment != described.text:
            wanted.append(f"comment on {kind} {place} is {_literal(described.text)}")
        for column, said in columns.get((schema, name), ()):
            text = described.columns.get(column) or DLT_COLUMNS.get(column)
            if text and said != text:
                wanted.append(f'comment on column {place}."{column}" is {_literal(text)}')
    if wanted:
        connection.begin()
        try:
            connection.execute("; ".join(wanted))
        except BaseException:
            connection.rollback()
            raise
        connection.commit()
    return len(wanted)


def _described(known: Mapping[tuple[str, str], Described], schema: str, name: str) -> Described | None:
    dataset = schema.removesuffix(STAGING)
    ours = {one for one, _ in known}
    if name in DLT_TABLES and dataset in ours:
        return Described(*DLT_TABLES[name])
    found = known.get((dataset, name))
    if found is None or schema == dataset:
        return found
    return Described(f"Where a load waits to be merged into {dataset}.{name}.", found.columns)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_RELATIONS = """
    select schema_name, table_name, 'table', comment from duckdb_tables() where not internal and not temporary
    union all
    select schema_name, view_name, 'view', comment from duckdb_views() where not internal and not temporary
    order by all
"""
_COLUMNS = """
    select schema_name, table_name, column_name, comment from duckdb_columns() where not internal
    order by schema_name, table_name, column_index
"""

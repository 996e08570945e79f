"""Whether the tables are still as the last load left them: asked before anything is read, merged or deleted.

dlt looks at its own record of the schema, not at the tables. Where somebody renamed, dropped or retyped what it
writes to, a load would fail halfway or, worse, round money silently.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import cast

from conversync.errors import ConversyncError
from conversync.types import Document, JobClient, Pipeline, SqlClient


def check(pipeline: Pipeline, source: str, views: Iterable[str]) -> None:
    """Raises ConversyncError, with what is wrong and the way out, unless the dataset is as a load made it.

    Asks the destination for what the schema of `source`, as it is noted there, names. Where none is noted, the
    tables are still to be made, or dlt makes what it misses; columns that others added do not matter.
    """
    dataset = pipeline.dataset_name
    exact = pipeline.destination.destination_name == "duckdb"
    with session(pipeline) as client:
        made = noted(client, source)
        if not made or not hasattr(client, "get_storage_tables"):
            return
        stored = dict(client.get_storage_tables(made))
        in_the_way = _tables_named(client.sql_client, views) if exact else []
    for table, what in _altered(made, stored, exact=exact):
        again = f"drop schema {dataset} cascade; drop schema if exists {dataset}_staging cascade"
        way_out = f"Restore the warehouse from a copy, or load everything anew after: {again}."
        if table.startswith("_dlt"):
            way_out = f"The next run makes it anew after: drop table {dataset}._dlt_version."
        raise ConversyncError(
            f"Somebody altered the warehouse: {dataset}.{what}. Nothing was loaded. {way_out}"
        )
    for name in in_the_way:
        raise ConversyncError(
            f"{dataset}.{name} is a table, where a view of ours belongs. Nothing was loaded. "
            f"Rename it: alter table {dataset}.{name} rename to {name}_copy."
        )


@contextmanager
def session(pipeline: Pipeline) -> Iterator[JobClient]:
    """dlt's client of the destination, open: what it can do beyond asking is the destination's."""
    with pipeline.destination_client() as client:
        yield cast("JobClient", client)


def noted(client: JobClient, source: str) -> dict[str, Document]:
    """The columns of each table that the newest schema in the destination holds; empty without one."""
    from conversync.dlt_internals import DestinationUndefinedEntity

    try:
        newest = client.get_stored_schema(source) if client.is_storage_initialized() else None
    except DestinationUndefinedEntity:
        newest = None
    tables = json.loads(newest.schema)["tables"] if newest is not None else {}
    # The record of schemas itself is one that dlt does make anew.
    return {
        n: table["columns"] for n, table in tables.items() if table.get("columns") and n != "_dlt_version"
    }


def _altered(
    made: Mapping[str, Document], stored: Mapping[str, Document], *, exact: bool
) -> Iterator[tuple[str, str]]:
    for table, columns in made.items():
        if not stored.get(table):
            yield table, f"{table} is gone"
            continue
        found = {name.casefold(): column for name, column in stored[table].items()}
        for name, column in columns.items():
            if not column.get("data_type"):
                continue
            if name.casefold() not in found:
                yield table, f"{table} has no column {name}"
            elif (is_now := _kind(found[name.casefold()])) != (was := _kind(column)) and (
                exact or "decimal" in was
            ):
                yield table, f"{table}.{name} is {is_now}, and a load made it {was}"


def _kind(column: Document) -> str:
    kind = str(column.get("data_type"))
    return f"{kind}({column.get('precision')},{column.get('scale')})" if kind == "decimal" else kind


def _tables_named(client: SqlClient, views: Iterable[str]) -> list[str]:
    query = (
        "select table_name from duckdb_tables() where database_name = current_database() and schema_name = %s"
    )
    tables = {name for (name,) in client.execute_sql(query, client.dataset_name) or ()}
    return [name for name in views if name in tables]

"""What a server's database needs to find rows by, so that a night's cost follows what came.

A DuckDB file needs none: it knows of each part of a column between what its values lie, and an index of its own would
have to be held in memory. A database that is neither is left to those who run it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from conversync.types import Pipeline, SqlClient

# The destination that has them.
SERVER = "postgres"
# What PostgreSQL cuts off a longer name, in bytes.
LONGEST_NAME = 63


def keep(pipeline: Pipeline, days: Mapping[str, str]) -> None:
    """Makes the indexes that the tables of the pipeline lack; `days` has the column of days of some of them.

    Made after a first load, they cost one pass over what it brought.
    """
    if pipeline.destination.destination_name != SERVER:
        return
    with pipeline.sql_client() as client:
        there = client.execute_sql(
            "select indexname from pg_indexes where schemaname = %s", client.dataset_name
        )
        have = {name for (name,) in there or ()}
        for name in pipeline.default_schema.data_table_names(seen_data_only=True):
            place = client.make_qualified_table_name(name)
            wanted = dict(_wanted(name, pipeline.default_schema.tables[name], days.get(name), client))
            for index in wanted.keys() - have:
                called = client.escape_column_name(index)
                client.execute_sql(f"create index if not exists {called} on {place} {wanted[index]}")
            if wanted.keys() - have:
                # Until the server looks at a table by itself, it takes a few of its rows to be open, not nearly all.
                client.execute_sql(f"analyze {place}")


def _wanted(
    name: str, table: Mapping[str, Any], day: str | None, client: SqlClient
) -> Iterator[tuple[str, str]]:
    """The name of each index, and what stands behind its table: by what rows are merged, and by what is asked."""
    from conversync.dlt_internals import get_columns_names_with_prop, get_validity_column_names

    def index(columns: list[str], where: str = "") -> tuple[str, str]:
        called = f"{name}_by_{'_'.join(columns)}{'_open' if where == is_open else ''}"[:LONGEST_NAME]
        return called, f"({', '.join(map(client.escape_column_name, columns))}){where}"

    def hinted(hint: object) -> list[str]:
        return get_columns_names_with_prop(table, hint)  # type: ignore[arg-type] # a table of the schema

    strategy, is_open = table.get("x-merge-strategy"), " where false"
    keys = hinted("merge_key") or hinted("primary_key")
    if strategy == "scd2":
        begin, end = map(str, get_validity_column_names(table))  # type: ignore[arg-type] # as above
        is_open = f" where {client.escape_column_name(end)} is null"
        yield from (index([one], is_open) for one in (*keys[:1], *filter(None, [day])))
        yield from (index([one]) for one in (begin, "_dlt_load_id"))
        yield index([end], f" where {client.escape_column_name(end)} is not null")
    elif table.get("write_disposition") == "merge" and keys:
        yield index(keys)

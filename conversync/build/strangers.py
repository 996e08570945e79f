"""Tables of others in the models' schemas, called as a model is: dbt would put the model in their place."""

from __future__ import annotations

from collections.abc import Iterable

from conversync.errors import SettingsError
from conversync.types import Document
from conversync.warehouse.query import Rows


def refuse(rows: Rows, models: Iterable[Document], *, on_postgres: bool) -> None:
    """SettingsError, with its name, where a relation that is called as a model was made by somebody else.

    `models` are as dbt's files declare them, each with its `schema`. One of ours has a comment, and so have columns of
    it, as of every model of every version; where these are lost, as by DuckDB's `export database`, it has at least half
    of the columns.
    """
    held = {(schema, name): columns for schema, name, columns in rows(_POSTGRES if on_postgres else _DUCKDB)}
    found = [
        f"{schema}.{name}"
        for schema, name, declared in map(_declared, models)
        if (schema, name) in held and 2 * len(declared & set(held[schema, name])) < len(declared)
    ]
    if found:
        is_, it = ("is", "it") if len(found) == 1 else ("are", "them")
        raise SettingsError(
            f"{', '.join(found)} {is_} called as what a build makes, and somebody else made {it}; nothing was built. "
            f"Rename {it}, or move {it} to another schema."
        )


def _declared(model: Document) -> tuple[str, str, set[str]]:
    """Where dbt makes it, and its columns."""
    return (
        str(model["schema"]),
        str(model["config"]["alias"]),
        {column["name"] for column in model["columns"]},
    )


# Relations that lack a comment, or one of any column, with their columns.
_DUCKDB = """
    select held.schema, held.name, list(columns.column_name)
    from (
        select schema_name as schema, table_name as name, comment from duckdb_tables()
        where database_name = current_database()
        union all
        select schema_name, view_name, comment from duckdb_views()
        where database_name = current_database() and not internal
    ) as held
    inner join duckdb_columns() as columns
        on columns.database_name = current_database() and columns.schema_name = held.schema
        and columns.table_name = held.name
    group by held.schema, held.name, held.comment
    having held.comment is null or count(columns.comment) = 0 order by 1, 2
"""
_POSTGRES = """
    select space.nspname, held.relname, array_agg(own.attname::text)
    from pg_class as held
    inner join pg_namespace as space on space.oid = held.relnamespace
    inner join pg_attribute as own on own.attrelid = held.oid and own.attnum > 0 and not own.attisdropped
    where held.relkind in ('r', 'p', 'v', 'm', 'f')
    group by space.nspname, held.relname, held.oid
    having obj_description(held.oid, 'pg_class') is null or count(col_description(held.oid, own.attnum)) = 0
    order by 1, 2
"""

"""Views: plain SQL beside its source, made portable. They stand before the first row does.

A run makes them before its first load is committed, on tables that are empty then or hold earlier loads; one that is
missing at the start of a run is made there and then, since the vendor may not answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache

from conversync.types import Document, Pipeline, SqlClient
from conversync.warehouse import in_place


def refresh(pipeline: Pipeline, views: Mapping[str, str]) -> list[str]:
    """Creates the views whose tables the schema knows, replacing those of that name, each in one transaction.

    On PostgreSQL one that is as it should be is left alone (see in_place.py). Returns the names of those that stand.
    """
    known = pipeline.default_schema.tables
    made = []
    with pipeline.sql_client() as client:
        dialect = client.capabilities.sqlglot_dialect or "duckdb"
        for name, query in views.items():
            if not tables_of(query) <= {table for table in known if known[table].get("columns")}:
                continue
            target = client.make_qualified_table_name(name)
            body = portable(query, in_dataset(client, dialect), dialect)
            if dialect == in_place.SERVER:
                in_place.make(client, name, body)
            else:
                with client.begin_transaction():
                    client.execute_sql(f"drop view if exists {target}")
                    client.execute_sql(f"create view {target} as {body}")
            made.append(name)
    return made


def mend(pipeline: Pipeline, views: Mapping[str, str]) -> list[str]:
    """Makes the views that cannot be read, and returns their names; those that older tables do not allow wait.

    Such a view names a column that the next load will add; `refresh` makes it then.
    """
    from conversync.dlt_internals import DatabaseException

    if not pipeline.default_schema_name:
        return []
    with pipeline.sql_client() as client:
        lost = {name: views[name] for name in missing(client, views)}
    if lost:
        with suppress(DatabaseException):
            refresh(pipeline, lost)
    return list(lost)


def missing(client: SqlClient, views: Mapping[str, str]) -> Iterator[str]:
    """The views that are not there, or cannot be read."""
    from conversync.dlt_internals import DatabaseException

    for name in views:
        try:
            client.execute_sql(f"select 1 from {client.make_qualified_table_name(name)} where 1 = 0")  # noqa: S608 - our own names
        except DatabaseException:
            yield name


def tables_of(query: str) -> set[str]:
    """The tables that a query in DuckDB's dialect reads."""
    return {name for name, _, _ in _read(query)}


def with_tables(query: str, selects: Mapping[str, str]) -> str:
    """A query in DuckDB's dialect that reads these SELECTs in the place of the tables of their names."""
    text = query.encode()
    for name, start, is_called in sorted(_read(query), key=lambda one: -one[1]):
        if name in selects:
            end = start + len(name.encode())
            inner = f"({selects[name]})" if is_called else f"({selects[name]}) as {name}"
            text = text[:start] + inner.encode() + text[end:]
    return text.decode()


def in_dataset(client: SqlClient, dialect: str) -> Callable[[str], str]:
    """How views name a table: as dlt's client of the destination does (Snowflake's names are in upper case).

    On DuckDB without the name of the file, which a copy has another of.
    """
    if dialect == "duckdb":
        return lambda table: f'"{client.dataset_name}".{table}'
    return lambda table: str(client.make_qualified_table_name(table))


def portable(query: str, place: Callable[[str], str], dialect: str) -> str:
    """A query in DuckDB's dialect as one in `dialect`, in which `place` says how each of its tables is named."""
    if dialect != "duckdb":
        return _transpiled(query, tuple((table, place(table)) for table in sorted(tables_of(query))), dialect)
    text = query.encode()
    for table, start, _ in sorted(_read(query), key=lambda one: -one[1]):
        text = text[:start] + place(table).encode() + text[start + len(table.encode()) :]
    return text.decode()


@cache
def _transpiled(query: str, places: tuple[tuple[str, str], ...], dialect: str) -> str:
    """ValueError for what the dialect has no words for."""
    import sqlglot
    from sqlglot import exp

    tree, named = sqlglot.parse_one(query, read="duckdb"), dict(places)
    local = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in list(tree.find_all(exp.Table)):
        if table.name in named and table.name not in local:
            path = exp.to_table(named[table.name], dialect=dialect)
            for part in ("this", "db", "catalog"):
                table.set(part, path.args.get(part))
    return tree.sql(dialect, comments=False, unsupported_level=sqlglot.ErrorLevel.RAISE)


@cache
def _read(query: str) -> tuple[tuple[str, int, bool], ...]:
    """The tables that a query reads, as DuckDB itself understands it.

    Each with the byte at which it is named, and whether it is given another name there.
    """
    [[text]] = _parser().execute("select json_serialize_sql(?)", [query]).fetchall()
    translate_errors = json.loads(text)
    if translate_errors["error"]:
        raise ValueError(translate_errors["error_message"])
    nodes = list(_nodes(translate_errors))
    local = {cte["key"] for node in nodes for cte in node.get("cte_map", {}).get("map", ())}
    tables = (node for node in nodes if node.get("type") == "BASE_TABLE")
    return tuple(
        (node["table_name"], node["query_location"], bool(node["alias"]))
        for node in tables
        if node["table_name"] not in local
    )


@cache
def _parser():  # type: ignore[no-untyped-def] # duckdb is imported where it is first needed
    import duckdb

    return duckdb.connect(config={"threads": 1})


def _nodes(tree: object) -> Iterator[Document]:
    """Every object in a JSON document."""
    if isinstance(tree, dict):
        yield tree
    for inner in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(inner)

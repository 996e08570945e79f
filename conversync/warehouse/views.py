"""Views: plain SQL beside its source, made portable. They stand before the first row does.

A run makes them before its first load is committed, on tables that are empty then or hold earlier loads; one that is
missing at the start of a run is made there and then, since the vendor may not answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache

from conversync.errors import SettingsError
from conversync.types import Document, Pipeline, SqlClient
from conversync.warehouse import postgres_views

# Types of columns by their names, by table; what can be remembered of.
Columns = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
# sqlglot's name for what MariaDB speaks.
MARIADB = "mysql"
# Views that are not made where this is spoken, since they cannot be said; the README has them.
UNSAID = {MARIADB: frozenset({"revenue_changes"})}
# What objects of a JSON document may be in.
_NESTED = (dict, list)


@dataclass(frozen=True)
class Reads:
    """What a query reads: relations, as schema.name, and parts of it that are queries by themselves, by their SQL."""

    relations: frozenset[str]
    parts: Mapping[str, Reads] = field(default_factory=dict)


def refresh(pipeline: Pipeline, views: Mapping[str, str]) -> list[str]:
    """Creates the views whose tables the schema knows, replacing those of that name, each in one transaction.

    On PostgreSQL one that is as it should be is left alone (see postgres_views.py). Returns the names of those that
    stand.
    """
    known = pipeline.default_schema.tables
    made = []
    with pipeline.sql_client() as client:
        dialect = client.capabilities.sqlglot_dialect or "duckdb"
        for name, query in _said(views, client).items():
            if not tables_of(query) <= {table for table in known if known[table].get("columns")}:
                continue
            target = client.make_qualified_table_name(name)
            body = portable(query, in_dataset(client, dialect), dialect, columns_of(pipeline))
            if dialect == postgres_views.SERVER:
                postgres_views.make(client, name, body)
            elif dialect == MARIADB:
                from conversync.warehouse import mariadb

                mariadb.check_view(client, body)
                # In one step: there, what makes and drops is no part of a transaction.
                client.execute_sql(f"create or replace view {target} as {body}")
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

    for name in _said(views, client):
        try:
            client.execute_sql(f"select 1 from {client.make_qualified_table_name(name)} where 1 = 0")  # noqa: S608 - our own names
        except DatabaseException:
            yield name


def _said(views: Mapping[str, str], client: SqlClient) -> Mapping[str, str]:
    """Those of the views that are made there."""
    unsaid = UNSAID.get(client.capabilities.sqlglot_dialect or "", frozenset())
    return {name: query for name, query in views.items() if name not in unsaid}


def tables_of(query: str) -> set[str]:
    """The tables that a query in DuckDB's dialect reads."""
    return {name for name, _, _ in _read(query)}


def reads_of(query: str, apart: Collection[str] = ()) -> Reads:
    """What a query in DuckDB's dialect reads, in which each relation is named with its schema.

    Its `with` of the names in `apart` are parts by themselves. ValueError for what DuckDB cannot take apart, and for a
    relation of which nobody knows the schema.
    """
    tree, parts = _tree(query), {}
    for node in _nodes(tree):
        ctes = node.get("cte_map", {}).get("map", ())
        for cte in [cte for cte in ctes if cte["key"] in apart]:
            inner = json.dumps({"error": False, "statements": [cte["value"]["query"]]})
            [[sql]] = _parser().execute("select json_deserialize_sql(cast(? as json))", [inner]).fetchall()
            parts[sql] = reads_of(sql)
            cte["value"] = {}
    local, found = _local(tree), set()
    for node in _tables(tree):
        if node["schema_name"]:
            found.add(f"{node['schema_name']}.{node['table_name']}")
        elif node["table_name"] not in local:
            raise ValueError(f"{node['table_name']} is in a schema that is not told")
    return Reads(frozenset(found), parts)


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


def columns_of(pipeline: Pipeline) -> Columns:
    """The types of the columns of each table that the schema knows, by dlt's names."""
    return tuple(
        (name, tuple((column, str(told.get("data_type"))) for column, told in table["columns"].items()))
        for name, table in pipeline.default_schema.tables.items()
    )


def portable(query: str, place: Callable[[str], str], dialect: str, columns: Columns = ()) -> str:
    """A query in DuckDB's dialect as one in `dialect`, in which `place` says how each of its tables is named.

    `columns` are those of the tables: there are dialects that say a sum otherwise, depending on what is added.
    """
    if dialect != "duckdb":
        places = tuple((table, place(table)) for table in sorted(tables_of(query)))
        return _transpiled(query, places, dialect, columns if dialect == MARIADB else ())
    text = query.encode()
    for table, start, _ in sorted(_read(query), key=lambda one: -one[1]):
        text = text[:start] + place(table).encode() + text[start + len(table.encode()) :]
    return text.decode()


@cache
def _transpiled(query: str, places: tuple[tuple[str, str], ...], dialect: str, columns: Columns) -> str:
    """SettingsError for what the dialect has no words for."""
    import sqlglot
    from sqlglot import exp

    tree, named = sqlglot.parse_one(query, read="duckdb"), dict(places)
    try:
        if dialect == MARIADB:
            from conversync.warehouse import mariadb_views

            tree = mariadb_views.said(tree, {table: dict(kinds) for table, kinds in columns})
        local = {cte.alias for cte in tree.find_all(exp.CTE)}
        for table in list(tree.find_all(exp.Table)):
            if table.name in named and table.name not in local:
                path = exp.to_table(named[table.name], dialect=dialect)
                for part in ("this", "db", "catalog"):
                    table.set(part, path.args.get(part))
        return tree.sql(
            dialect,
            comments=False,
            unsupported_level=sqlglot.ErrorLevel.RAISE,
            identify=dialect == MARIADB,
        )
    except (ValueError, sqlglot.errors.SqlglotError) as error:
        raise SettingsError(
            f"A view cannot be made on this destination, which has no words for it ({str(error).splitlines()[0]}): "
            "name another one with --destination, or have the view say it otherwise."
        ) from error


@cache
def _read(query: str) -> tuple[tuple[str, int, bool], ...]:
    """The tables that a query reads, as DuckDB itself understands it.

    Each with the byte at which it is named, and whether it is given another name there.
    """
    tree = _tree(query)
    local = _local(tree)
    return tuple(
        (node["table_name"], node["query_location"], bool(node["alias"]))
        for node in _tables(tree)
        if node["table_name"] not in local
    )


def _tree(query: str) -> Document:
    """A query as DuckDB understands it. ValueError where it does not."""
    [[text]] = _parser().execute("select json_serialize_sql(?)", [query]).fetchall()
    tree: Document = json.loads(text)
    if tree["error"]:
        raise ValueError(tree["error_message"])
    return tree


def _local(tree: Document) -> set[str]:
    """The names of its `with`."""
    return {cte["key"] for node in _nodes(tree) for cte in node.get("cte_map", {}).get("map", ())}


def _tables(tree: Document) -> Iterator[Document]:
    return (node for node in _nodes(tree) if node.get("type") == "BASE_TABLE")


@cache
def _parser():  # type: ignore[no-untyped-def] # duckdb is imported where it is first needed
    import duckdb

    return duckdb.connect(config={"threads": 1})


def _nodes(tree: object) -> Iterator[Document]:
    """Every object in a JSON document."""
    due = [tree]
    while due:
        one = due.pop()
        if isinstance(one, dict):
            yield one
            due += [inner for inner in one.values() if inner.__class__ in _NESTED]
        elif isinstance(one, list):
            due += one

"""The warehouse explains itself: every table, view and column carries its sentence as a DuckDB comment.

The sentences stand once, where the tables are declared (`Vendor.tables`); models carry their own, which dbt writes.
Comments are lost when a view is created anew, so they are looked over after every load.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from conversync.send import placing
from conversync.types import Connection
from conversync.vendors import Vendor, known
from conversync.warehouse import undoable
from conversync.warehouse.datasets import accounts
from conversync.warehouse.privileges import STAGING
from conversync.warehouse.query import of_duckdb

if TYPE_CHECKING:
    from conversync.extract.declared import Table

SENT = "sent"


def descriptions(
    relations: Collection[tuple[str, str]], named: Sequence[Vendor] = ()
) -> dict[tuple[str, str], Table]:
    """By (dataset, table): what is declared of those of a dataset that a load made.

    `relations` are what the warehouse has, `named` its accounts.
    """
    from conversync.extract.evidence import EVIDENCE
    from conversync.warehouse.dlt_tables import DLT_TABLES

    ledgers = _of_sent({name for dataset, name in relations if dataset == SENT})
    declared: dict[str, Sequence[Table]] = {SENT: (*ledgers, *DLT_TABLES)}
    for source in (*known().values(), *named):
        if source.tables:
            declared[source.dataset] = (*source.tables, *EVIDENCE, *DLT_TABLES, *undoable.TABLES)
    there = {dataset for dataset, _ in relations} & declared.keys()
    told = {(name, table.name): table for name in there for table in declared[name]}
    beside = {(name, undoable.PREFIX + table): undoable.beside(one) for (name, table), one in told.items()}
    return beside | told


def _of_sent(names: Iterable[str]) -> Iterator[Table]:
    """What is declared of those that are a vendor's, of whichever account."""
    declared = {table.name: table for vendor in known().values() for table in vendor.ledgers}
    for name in names:
        found, account = placing.whose(name) or ("", "")
        if found in declared:
            table = declared[found]
            yield replace(table, name=name, says=f"{table.says} Account {account}.") if account else table


def refresh(connection: Connection) -> int:
    """Writes the comments that are missing or not as they should be, all at once; how many these were.

    `connection` is DuckDB's, to the warehouse. Tables that nobody describes, such as a person's own, are left alone.
    """
    relations = connection.execute(_RELATIONS).fetchall()
    places = [(schema.removesuffix(STAGING), name) for schema, name, *_ in relations]
    declared = descriptions(places, accounts(of_duckdb(connection)))
    columns: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for schema, name, column, comment in connection.execute(_COLUMNS).fetchall():
        columns.setdefault((schema, name), []).append((column, comment))
    wanted = []
    for schema, name, kind, comment in relations:
        dataset = schema.removesuffix(STAGING)
        if table := declared.get((dataset, name)):
            is_waiting = schema != dataset and not name.startswith("_dlt_")
            says = f"Where a load waits to be merged into {dataset}.{name}." if is_waiting else table.says
            place = f'"{schema}"."{name}"'
            if comment != says:
                wanted.append(f"comment on {kind} {place} is {_literal(says)}")
            wanted += _of_columns(table, place, columns.get((schema, name), ()))
    if wanted:
        connection.begin()
        try:
            connection.execute("; ".join(wanted))
        except BaseException:
            connection.rollback()
            raise
        connection.commit()
    return len(wanted)


def _of_columns(table: Table, place: str, columns: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The statements for those whose comment is not as it should be."""
    from conversync.warehouse.dlt_tables import DLT_COLUMNS

    told = {**DLT_COLUMNS, **table.said}
    for column, said in columns:
        if column in told and said != told[column]:
            yield f'comment on column {place}."{column}" is {_literal(told[column])}'


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

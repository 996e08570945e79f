"""Current lists that a vendor shows whole: what left the list stays in the table, as no longer current."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import dlt
import pyarrow as pa

from conversync.dlt_internals import Container, PipelineContext
from conversync.extract.columns import now
from conversync.extract.declared import Table
from conversync.extract.page_decoder import dumps
from conversync.extract.typed import typed
from conversync.http.strictjson import is_number_key
from conversync.types import Document, Pipeline, Row

Item = TypeVar("Item")


def confirmed(fetch: Callable[[], list[Item]]) -> list[Item]:
    """A list; an empty one is asked for twice before it is believed."""
    return fetch() or fetch()


def objects_of(value: object) -> list[Document] | None:
    """The entries of a list, all of them objects; None for anything else.

    An object whose keys are numbers is a list, too: so PHP writes one that has lost some of its entries.
    """
    if isinstance(value, dict) and value and all(map(is_number_key, value)):
        value = list(value.values())
    return value if isinstance(value, list) and all(isinstance(one, dict) for one in value) else None


def current_list(rows: Sequence[Row], table: Table) -> pa.Table:
    """The table of a list just read, and of what was current at the destination but stands in it no more.

    `rows` have the table's columns but for `is_current` and `last_seen_at`. To be merged on the key: ended rows keep
    their names and when they were last seen.
    """
    [key], seen_at = table.key, now()
    current = {row[key]: {**row, "is_current": True, "last_seen_at": seen_at} for row in rows}
    ended = [{**row, "is_current": False} for row in held(table, "is_current") if row[key] not in current]
    return pa.Table.from_pylist([*current.values(), *ended], schema=table.schema)


# Values that are fetched from the destination together, so that memory does not grow with the table: as Python's, and
# as Arrow's, which take a quarter of that.
HELD_TOGETHER, HELD_AS_ARROW = 250_000, 1_000_000


def held(table: Table, condition: str, names: Sequence[str] = ()) -> list[Document]:
    """The rows of a table that the active pipeline's destination holds; none where it has no such table yet.

    `condition` is SQL on the table's columns, ours and never a vendor's; `names` are those that are fetched, if not
    all. JSON comes back as text; a column that the table has not got yet is null.
    """
    names = names or table.schema.names
    known = _known(table.name)
    present = [name for name in names if name in known]
    empty = dict.fromkeys(names)
    rows = _held(table, present, condition) if present else ()
    return [{**empty, **dict(zip(present, row, strict=True))} for row in rows]


def held_texts(table: str, column: str, condition: str) -> Iterator[pa.Table]:
    """One column of `held` that is text, as tables of this column, some rows at a time."""
    if column not in _known(table):
        return
    schema = pa.schema([pa.field(column, pa.string())])
    with _asked(table, [column], condition) as (dialect, cursor):
        if dialect == "duckdb":
            yield from (found.cast(schema) for found in cursor.iter_arrow(chunk_size=HELD_AS_ARROW))
            return
        while rows := cursor.fetchmany(HELD_TOGETHER):
            yield pa.table([pa.array([value for [value] in rows], pa.string())], schema=schema)


def _known(table: str) -> Row:
    """The columns of a table that the destination holds; empty without one."""
    schema = dlt.current.source_schema() if Container()[PipelineContext].is_active() else None
    if schema is None or table not in schema.data_table_names(seen_data_only=True):
        return {}
    return schema.tables[table]["columns"]


def _held(table: Table, columns: Sequence[str], condition: str) -> Iterator[list[Any]]:
    with _asked(table.name, columns, condition) as (dialect, cursor):
        kinds = {field.name: field.type for field in table.schema} if dialect == "mysql" else {}
        otherwise = [(at, kinds[name]) for at, name in enumerate(columns) if name in kinds]
        while rows := cursor.fetchmany(HELD_TOGETHER):
            for row in rows:
                values = list(map(_plain, row))
                for at, kind in otherwise:
                    values[at] = typed(kind, values[at])
                yield values


@contextmanager
def _asked(table: str, columns: Sequence[str], condition: str) -> Iterator[tuple[str | None, Any]]:
    """What speaks SQL there, and dlt's cursor."""
    pipeline = cast("Pipeline", Container()[PipelineContext].pipeline())
    with pipeline.sql_client() as client:
        names = ", ".join(client.escape_column_name(name) for name in columns)
        target = client.make_qualified_table_name(table)
        with client.execute_query(f"select {names} from {target} where {condition}") as cursor:  # noqa: S608
            yield client.capabilities.sqlglot_dialect, cursor


def _plain(value: object) -> Any:
    return dumps(value) if isinstance(value, dict | list) else value

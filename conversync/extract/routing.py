"""The resources of a source: one that walks, and one for each table that takes what the walk brings.

They are dlt's own, so that a pipeline of anybody's may add its steps to them: those are given rows.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from conversync.dlt_internals import ItemTransform
from conversync.errors import SettingsError
from conversync.extract.declared import Table
from conversync.extract.evidence import current_load, its_load
from conversync.extract.spill import SpillFile
from conversync.types import Document


@dataclass(frozen=True)
class Routed:
    """Rows on their way from the one resource that walks to the table that takes them."""

    table: str
    rows: pa.Table | SpillFile

    def items(self) -> Iterator[Any]:
        """What dlt is given: a table, or a file that a load takes as it lies; outside of a load, its tables."""
        rows = self.rows
        # What was read before its load was named has not got the load's id with each row.
        if (
            isinstance(rows, pa.Table)
            or not rows.rows
            or current_load() is None
            or rows.load_id != its_load()
        ):
            yield from self.tables()
        else:
            yield dlt.mark.with_file_import(str(rows.path), "parquet", rows.rows, rows.none)

    def tables(self) -> Iterator[pa.Table]:
        """The same as Arrow's tables; one at least, which says what the columns are."""
        rows = self.rows
        if isinstance(rows, pa.Table):
            yield rows
        elif rows.rows:
            yield from rows.tables()
        else:
            yield rows.none


# What a walk yields when all is read that it was to read: what comes then wants the destination's newest state.
READ = Routed("", pa.table({}))


def routed(scan: DltResource, tables: Iterable[Table]) -> list[DltResource]:
    """The resources of these tables: what `scan` routes to each.

    A source has one unselected resource that walks and one of these for each table: sibling resources would be
    extracted in turns, the evidence before the rows. `add_map`, `add_filter` and the like are given rows, a dict each;
    another write disposition than the table's raises SettingsError, since what is read twice would be doubled or lost.
    """
    logging.getLogger("dlt").addFilter(_says_more)
    return [_routed(scan, table) for table in tables]


def _routed(scan: DltResource, table: Table) -> DltResource:
    def pick(item: Routed) -> Iterator[Any]:
        if item.table != table.name:
            return
        if _is_as_declared(table):
            yield from item.items()
        else:
            yield from _rows(item.tables())

    return dlt.transformer(pick, data_from=scan, name=table.name, **table.hints).add_step(AsDeclared(table))


def listed(read: Callable[[Table], Iterable[pa.Table]], table: Table) -> DltResource:
    """The resource of a list that comes whole, as `read` makes its tables; steps and hints as of `routed`."""

    def rows() -> Iterator[Any]:
        is_as_declared = _is_as_declared(table)
        found = read(table)
        yield from found if is_as_declared else _rows(found)

    return dlt.resource(rows, name=table.name, **table.hints).add_step(AsDeclared(table))


def _is_as_declared(table: Table) -> bool:
    """Whether nobody added a step to the resource that runs; SettingsError as of `routed`."""
    resource = dlt.current.resource()
    _refuse_other(resource, table)
    return len(resource._pipe) == OWN_STEPS  # noqa: SLF001 - dlt has no other name for the steps that a person added


def _rows(tables: Iterable[pa.Table]) -> Iterator[list[Document]]:
    # Empty, it passes all steps, and says what the columns are where a filter lets nothing through.
    yield []
    for table in tables:
        yield table.to_pylist()


# The walk's rows are picked, and become the table's again.
OWN_STEPS = 2


class AsDeclared(ItemTransform[Any, Any]):
    """The last step of a resource: rows that a person's steps were given are the table's again, with their types.

    A column that such a step added comes after those of the table, of the type of its values.
    """

    placement_affinity: ClassVar[float] = 1.5  # after whatever is added later

    def __init__(self, table: Table) -> None:
        super().__init__(lambda item: item)
        self._schema, self._name = table.schema, table.name

    def __call__(self, item: Any, meta: Any = None) -> Any:  # noqa: ARG002 - dlt's
        """Rows, a dict each, as Arrow's table; whatever else comes as it is."""
        if not isinstance(item, list | dict):
            return item
        return _as_table(item if isinstance(item, list) else [item], self._schema, self._name)


def _as_table(rows: list[Document], schema: pa.Schema, name: str) -> pa.Table:
    """Rows as a table's, with what else they hold in columns after its own; SettingsError for what is no row."""
    _refuse_no_rows(rows, name)
    columns = [_column([row.get(field.name) for row in rows], field, name) for field in schema]
    table = pa.Table.from_arrays(columns, schema=schema)
    for more in dict.fromkeys(key for row in rows for key in row if key not in schema.names):
        added = pa.array([_as_json(row.get(more)) for row in rows])
        table = table if added.null_count == len(rows) else table.append_column(more, added)
    return table


def _refuse_no_rows(rows: list[Any], name: str) -> None:
    if not all(isinstance(row, dict) for row in rows):
        raise SettingsError(
            f"A step that was added to {name} gave back something else than a row: give back the row that it was "
            "given, or leave rows out with add_filter."
        )


def _column(values: list[Any], field: pa.Field, table: str) -> pa.Array:
    try:
        return pa.array(values, field.type)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise SettingsError(
            f"A step that was added to {table} gave {field.name} a value that is no {field.type}: {error}."
        ) from None


def _as_json(value: Any) -> Any:
    """A list or a dict as JSON text, so that every batch of rows has one type for it."""
    return json.dumps(value, default=str) if isinstance(value, list | dict) else value


def _refuse_other(resource: DltResource, table: Table) -> None:
    """SettingsError where a person's hint, or a run's, says that the table is kept otherwise."""
    declared, asked = table.hints["write_disposition"], resource.write_disposition
    if asked != declared:
        raise SettingsError(
            f"{table.name} is kept by the write disposition {_told(declared)}, not by {_told(asked)}: what is read "
            "twice would stand there twice, or what was read before would be gone. Leave write_disposition out."
        )


def _told(disposition: Any) -> str:
    return disposition if isinstance(disposition, str) else str(disposition.get("strategy", disposition))


def _says_more(record: logging.LogRecord) -> bool:
    """Not dlt's warning that columns declared as JSON come as Arrow's text: Arrow has no other type for them."""
    return "when merging arrow schema with dlt schema" not in str(record.msg)

"""Loads outcomes into the ledger, and what follows from them into the tables that a target fills."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from conversync.errors import ConversyncError
from conversync.extract.field_kinds import MONEY
from conversync.load import pipeline_for
from conversync.send.ledger import DATASET, TIMES
from conversync.send.placing import placed, table_of
from conversync.send.records import Record
from conversync.send.tables import ledger
from conversync.send.target import Target
from conversync.types import Destination, Pipeline, Row
from conversync.vendors import dataset as dataset_of
from conversync.vendors import parted, source_of

# The values of a column.
Column = list[Any]
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")


def load(destination: Destination, folder: Path, target: Target, outcomes: Sequence[Record]) -> None:
    """Merges the outcomes into the ledger, and what follows from them into the other tables.

    The caller holds the warehouse. All of it may be done again after a failure in between.
    """
    followed: dict[str, Column] = defaultdict(list)
    for outcome in outcomes:
        for name, rows in json.loads(outcome.tables, parse_float=Decimal).items():
            followed[name] += rows
    by_dataset: dict[str, list[DltResource]] = {DATASET: [_ledger(target, outcomes)]}
    for name, rows in followed.items():
        dataset, _, table = placed(target, name).partition(".")
        by_dataset.setdefault(dataset, []).append(_table(target, name, table, rows))
    for dataset, resources in by_dataset.items():
        _run(pipeline_for(dataset, destination, folder), resources, _schema_of(dataset, target))


def _schema_of(name: str, target: Target) -> str:
    """What the dataset's own loads call their schema: an account's do as their vendor's."""
    vendor, account = parted(source_of(target.name))
    return vendor if name == dataset_of(vendor, account) else name


def _run(pipeline: Pipeline, resources: list[DltResource], schema_name: str) -> None:
    """One load; into the schema that the dataset's own loads have, so that they go on with it."""
    pipeline.sync_destination()
    named = pipeline.default_schema_name
    schema = pipeline.schemas[named] if named else dlt.Schema(schema_name)
    pipeline.run(resources, schema=schema)


def _ledger(target: Target, outcomes: Sequence[Record]) -> DltResource:
    table = ledger(table_of(target.name))
    names = table.schema.names
    values: dict[str, Column] = {name: [getattr(one, name) for one in outcomes] for name in names}
    for name in TIMES:
        values[name] = [datetime.fromisoformat(value) for value in values[name]]
    values["occurred_on"] = [value and date.fromisoformat(value) for value in values["occurred_on"]]
    made: DltResource = dlt.resource([pa.table(values, schema=table.schema)], name=table.name, **table.hints)
    return made


def _table(target: Target, name: str, table: str, rows: Sequence[Row]) -> DltResource:
    """Rows of another table, the later of two with one key; nested values as JSON text, empty columns left out.

    `name` is what the target calls it, `table` what it is called in its dataset.
    """
    keys = target.keys.get(name)
    if not keys:
        raise ConversyncError(f"{target.name} fills {name}, and names no key for it.")
    folded = {tuple(row.get(key) for key in keys): row for row in rows}
    columns = _columns(list(folded.values()))
    nested = [name for name, column in columns.items() if _is_nested(column)]
    columns |= {name: [_nested(value) for value in columns[name]] for name in nested}
    arrays = {name: _array(column) for name, column in columns.items()}
    made: DltResource = dlt.resource(
        [pa.table(arrays)],
        name=table,
        write_disposition={"disposition": "merge", "strategy": "delete-insert"},
        primary_key=list(keys),
        columns={name: {"data_type": "json"} for name in nested},
    )
    return made


def _columns(rows: Sequence[Row]) -> dict[str, Column]:
    """The values by column, in its name's order; columns without any left out."""
    names = sorted({name for row in rows for name, value in row.items() if value is not None})
    return {name: [row.get(name) for row in rows] for name in names}


def _is_nested(column: Sequence[object]) -> bool:
    return any(isinstance(value, dict | list) for value in column)


def _nested(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _array(column: Column) -> pa.Array:
    """Amounts are money as everywhere: what the first rows hold must not decide what later ones may."""
    decimal = any(isinstance(value, Decimal) for value in column)
    return pa.array(_times(column), MONEY if decimal else None)


def _times(column: Column) -> Column:
    """The journal writes a time as `moment` does: a column that holds nothing else is one of times again."""
    if not all(value is None or (isinstance(value, str) and _MOMENT.fullmatch(value)) for value in column):
        return column
    return [None if value is None else datetime.fromisoformat(value) for value in column]

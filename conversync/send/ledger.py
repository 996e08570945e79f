"""The ledger: `sent.<vendor>_<what>` in the warehouse, one row a send_key, written by dlt from the journal.

Also the other tables that a vendor's answers fill (`Outcome.tables`). All are merged on their keys: loading the same
outcomes again changes nothing.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from conversync.errors import ConversyncError
from conversync.load import pipeline_for
from conversync.send.records import Known, Record, moment
from conversync.send.target import Target
from conversync.warehouse.allowed import STAGING

DATASET = "sent"
_TIMES = ("first_sent_at", "sent_at")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")
# Keys asked for at once.
BATCH = 1_000


def table_of(target: str) -> str:
    """`keitaro.conversions` has its ledger in `keitaro_conversions`."""
    return target.replace(".", "_")


def datasets(target: Target) -> list[str]:
    """What is written with its outcomes, its ledger's first."""
    return [DATASET, *sorted({name.partition(".")[0] for name in target.keys} - {DATASET})]


def schemas(target: Target) -> list[str]:
    """Where something is made for it on a server: the ledger's, and those in which rows wait until they are merged."""
    return [DATASET, *(f"{name}{STAGING}" for name in datasets(target))]


def states(client: Any, target: Target) -> dict[str, Known]:
    """By send_key, what the ledger knows; empty before the first load. `client` is an open sql_client."""
    columns = _pick(client, target, Known._fields)
    rows = ask(client, f"select send_key, {columns} from {place_of(client, target)}")  # noqa: S608 - our own names
    return {
        key: Known.of(status, h, moment(at), moment(first), int(n), _day(day), outbox)
        for key, status, h, at, first, n, day, outbox in rows
    }


def epoch(client: Any, target: Target) -> int | None:
    """The number of the last send whose outcomes it has; None for none, or a ledger of an older version."""
    rows = ask(client, f"select max({_pick(client, target, ['epoch'])}) from {place_of(client, target)}")  # noqa: S608
    return int(rows[0][0]) if rows and rows[0][0] is not None else None


def records(client: Any, target: Target, keys: Sequence[str]) -> Iterator[Record]:
    """The whole rows of these keys, or of all if there are as many."""
    from conversync.send.tables import COLUMNS

    names = [column.name for column in COLUMNS]
    nested = [column.name for column in COLUMNS if column.is_json]
    columns = _pick(client, target, names) if keys else ""
    for start in range(0, len(keys), BATCH):
        part = keys[start : start + BATCH]
        marks = ", ".join(["%s"] * len(part))
        query = f"select {columns} from {place_of(client, target)} where send_key in ({marks})"  # noqa: S608
        for row in ask(client, query, *part):
            values = dict(zip(names, row, strict=True))
            values |= {name: _text(values[name]) for name in nested}
            values |= {name: moment(values[name]) for name in _TIMES}
            yield Record(**{**values, "occurred_on": _day(values["occurred_on"])})


def _pick(client: Any, target: Target, names: Iterable[str]) -> str:
    """The columns for a select; null for those that a ledger of an older version lacks."""
    present = columns_of(client, place_of(client, target))
    return ", ".join(name if name in present else "null" for name in names)


def columns_of(client: Any, place: str) -> set[str]:
    """The columns of a table; none where it does not exist."""
    from conversync.dlt_internals import DatabaseUndefinedRelation

    try:
        with client.execute_query(f"select * from {place} where 1 = 0") as cursor:  # noqa: S608 - our own names
            return {str(column[0]).lower() for column in cursor.description}
    except DatabaseUndefinedRelation:
        return set()


def _day(value: Any) -> str | None:
    return None if value is None else str(value)[:10]


def known_rows(client: Any, tables: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The rows of other tables that a target's warnings look at; those that do not exist are left out."""
    found: dict[str, list[dict[str, Any]]] = {}
    for table in tables:
        place = ".".join(f'"{part}"' for part in table.split("."))
        rows = _dicts(client, f"select * from {place}")  # noqa: S608 - a target's own names
        if rows is not None:
            found[table] = rows
    return found


def load(destination: Any, folder: Path, target: Target, outcomes: Sequence[Record]) -> None:
    """Merges the outcomes into the ledger, and what follows from them into the other tables.

    The caller holds the warehouse. All of it may be done again after a failure in between.
    """
    others: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for outcome in outcomes:
        for name, rows in json.loads(outcome.tables, parse_float=Decimal).items():
            dataset, _, table = name.partition(".")
            others[dataset][table] += rows
    own = [_ledger(target, outcomes)] + [
        _table(target, DATASET, table, rows) for table, rows in others.pop(DATASET, {}).items()
    ]
    _run(pipeline_for(DATASET, destination, folder), own)
    for dataset, tables in others.items():
        _run(
            pipeline_for(dataset, destination, folder),
            [_table(target, dataset, t, r) for t, r in tables.items()],
        )


def _run(pipeline: Any, resources: list[Any]) -> None:
    """One load; into the schema that the dataset's own loads have, so that they go on with it."""
    import dlt

    pipeline.sync_destination()
    named = pipeline.default_schema_name
    schema = pipeline.schemas[named] if named else dlt.Schema(pipeline.dataset_name)
    pipeline.run(resources, schema=schema)


def _ledger(target: Target, outcomes: Sequence[Record]) -> Any:
    import dlt
    import pyarrow as pa

    from conversync.send.tables import ledger

    table = ledger(table_of(target.name))
    names = table.schema.names
    values: dict[str, list[Any]] = {name: [getattr(one, name) for one in outcomes] for name in names}
    for name in _TIMES:
        values[name] = [datetime.fromisoformat(value) for value in values[name]]
    values["occurred_on"] = [value and date.fromisoformat(value) for value in values["occurred_on"]]
    return dlt.resource([pa.table(values, schema=table.schema)], name=table.name, **table.hints)


def _table(target: Target, dataset: str, table: str, rows: Sequence[Mapping[str, Any]]) -> Any:
    """Rows of another table, the later of two with one key; nested values as JSON text, empty columns left out."""
    import dlt
    import pyarrow as pa

    keys = target.keys.get(f"{dataset}.{table}")
    if not keys:
        raise ConversyncError(f"{target.name} fills {dataset}.{table}, and names no key for it.")
    folded = {tuple(row.get(key) for key in keys): row for row in rows}
    columns = _columns(list(folded.values()))
    nested = [name for name, column in columns.items() if _is_nested(column)]
    columns |= {name: [_nested(value) for value in columns[name]] for name in nested}
    arrays = {name: _array(column) for name, column in columns.items()}
    return dlt.resource(
        [pa.table(arrays)],
        name=table,
        write_disposition={"disposition": "merge", "strategy": "delete-insert"},
        primary_key=list(keys),
        columns={name: {"data_type": "json"} for name in nested},
    )


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The values by column, in its name's order; columns without any left out."""
    names = sorted({name for row in rows for name, value in row.items() if value is not None})
    return {name: [row.get(name) for row in rows] for name in names}


def _is_nested(column: Sequence[Any]) -> bool:
    return any(isinstance(value, dict | list) for value in column)


def _nested(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _array(column: list[Any]) -> Any:
    """Amounts are money as everywhere: what the first rows hold must not decide what later ones may."""
    import pyarrow as pa

    from conversync.extract.kinds import MONEY

    decimal = any(isinstance(value, Decimal) for value in column)
    return pa.array(_times(column), MONEY if decimal else None)


def _times(column: list[Any]) -> list[Any]:
    """The journal writes a time as `moment` does: a column that holds nothing else is one of times again."""
    if not all(value is None or (isinstance(value, str) and _MOMENT.fullmatch(value)) for value in column):
        return column
    return [None if value is None else datetime.fromisoformat(value) for value in column]


def place_of(client: Any, target: Target) -> str:
    """With its dataset: the session may stand in another one."""
    return ".".join(client.escape_column_name(name) for name in (DATASET, table_of(target.name)))


def ask(client: Any, query: str, *values: Any) -> list[Any]:
    """The rows; none where the table does not exist yet. `%s` stands for a value."""
    from conversync.dlt_internals import DatabaseUndefinedRelation

    try:
        return list(client.execute_sql(query, *values) or [])
    except DatabaseUndefinedRelation:
        return []


def _dicts(client: Any, query: str) -> list[dict[str, Any]] | None:
    from conversync.dlt_internals import DatabaseUndefinedRelation

    try:
        with client.execute_query(query) as cursor:
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except DatabaseUndefinedRelation:
        return None


def _text(value: Any) -> str | None:
    """JSON as text, whichever of the two a destination gives back."""
    return value if value is None or isinstance(value, str) else json.dumps(value)

"""The ledger: `sent.<vendor>_<what>` in the warehouse, one row a send_key, written by dlt from the journal. Of an
account with a name it is `sent.<vendor>_<account>_<what>`.

Also the other tables that a vendor's answers fill (`Outcome.tables`). All are merged on their keys: loading the same
outcomes again changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from conversync.send.placing import DATASET as DATASET
from conversync.send.placing import placed
from conversync.send.placing import table_of as table_of
from conversync.send.records import Known, Record, moment
from conversync.send.target import Target
from conversync.types import Document, SqlClient, Values
from conversync.warehouse.privileges import STAGING
from conversync.warehouse.query import columns as answered
from conversync.warehouse.query import rows as query_rows

TIMES = ("first_sent_at", "sent_at")
# Keys asked for at once.
BATCH = 1_000


def datasets(target: Target) -> list[str]:
    """What is written with its outcomes, its ledger's first."""
    return [DATASET, *sorted({placed(target, name).partition(".")[0] for name in target.keys} - {DATASET})]


def schemas(target: Target) -> list[str]:
    """Where something is made for it on a server: the ledger's, and those in which rows wait until they are merged."""
    return [DATASET, *(f"{name}{STAGING}" for name in datasets(target))]


def all_of(client: SqlClient) -> list[str]:
    """Every ledger of the warehouse, by its columns: also of accounts that the settings do not name (any more).

    On DuckDB and PostgreSQL, as far as we may read it; elsewhere none.
    """
    if client.capabilities.sqlglot_dialect not in ("duckdb", "postgres"):
        return []
    return [str(name) for (name,) in query_rows(client, _LEDGERS, DATASET)]


def states(client: SqlClient, target: Target) -> dict[str, Known]:
    """By send_key, what the ledger knows; empty before the first load. `client` is an open sql_client."""
    columns = _pick(client, target, Known._fields)
    rows = ask(client, f"select send_key, {columns} from {place_of(client, target)}")  # noqa: S608 - our own names
    return {
        key: Known.of(status, h, moment(at), moment(first), int(n), _day(day), outbox)
        for key, status, h, at, first, n, day, outbox in rows
    }


def epoch(client: SqlClient, target: Target) -> int | None:
    """The number of the last send whose outcomes it has; None for none, or a ledger of an older version."""
    rows = ask(client, f"select max({_pick(client, target, ['epoch'])}) from {place_of(client, target)}")  # noqa: S608
    return int(rows[0][0]) if rows and rows[0][0] is not None else None


def records(client: SqlClient, target: Target, keys: Sequence[str]) -> Iterator[Record]:
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
            values |= {name: moment(values[name]) for name in TIMES}
            yield Record(**{**values, "occurred_on": _day(values["occurred_on"])})


def _pick(client: SqlClient, target: Target, names: Iterable[str]) -> str:
    """The columns for a select; null for those that a ledger of an older version lacks."""
    present = columns_of(client, place_of(client, target))
    return ", ".join(name if name in present else "null" for name in names)


def columns_of(client: SqlClient, place: str) -> set[str]:
    """The columns of a table; none where it does not exist."""
    from conversync.dlt_internals import DatabaseUndefinedRelation

    try:
        with client.execute_query(f"select * from {place} where 1 = 0") as cursor:  # noqa: S608 - our own names
            return {name.lower() for name in answered(cursor)}
    except DatabaseUndefinedRelation:
        return set()


def _day(value: object) -> str | None:
    return None if value is None else str(value)[:10]


def known_rows(client: SqlClient, target: Target) -> dict[str, list[Document]]:
    """By the name that the target has for it, the rows of what its warnings look at; without what does not exist."""
    found = {table: rows_of(client, placed(target, table)) for table in target.reads}
    return {table: rows for table, rows in found.items() if rows is not None}


def rows_of(client: SqlClient, table: str) -> list[Document] | None:
    """The rows of a table (dataset.table); None where it does not exist."""
    place = ".".join(f'"{part}"' for part in table.split("."))
    return _dicts(client, f"select * from {place}")  # noqa: S608 - our own names, or a target's


def place_of(client: SqlClient, target: Target) -> str:
    """With its dataset: the session may stand in another one."""
    return ".".join(client.escape_column_name(name) for name in (DATASET, table_of(target.name)))


def ask(client: SqlClient, query: str, *values: object) -> Sequence[Values]:
    """The rows; none where the table does not exist yet. `%s` stands for a value."""
    from conversync.dlt_internals import DatabaseUndefinedRelation

    try:
        return query_rows(client, query, *values)
    except DatabaseUndefinedRelation:
        return []


def _dicts(client: SqlClient, query: str) -> list[Document] | None:
    from conversync.dlt_internals import DatabaseUndefinedRelation

    try:
        with client.execute_query(query) as cursor:
            names = answered(cursor)
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except DatabaseUndefinedRelation:
        return None


def _text(value: object) -> str | None:
    """JSON as text, whichever of the two a destination gives back."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


_LEDGERS = """
    select table_name from information_schema.columns
    where table_schema = %s and table_catalog = current_database()
        and column_name in ('send_key', 'status', 'content_hash', 'sent_at')
    group by table_name having count(*) = 4 order by table_name
"""

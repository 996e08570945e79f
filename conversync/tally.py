"""What a load came to, asked of the tables once it stands in them: rows that are new, restated, set aside, missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conversync.vendors import Vendor
from conversync.warehouse import committed, merging


@dataclass(frozen=True)
class StepReport:
    """What one committed window came to; all in rows."""

    received: int = 0
    added: int = 0
    reversals: int = 0
    restated: int = 0
    rejected: int = 0
    rejected_new: int = 0
    missing: int = 0
    replaced: int = 0
    """Events in whose place another one stands now, under the same key."""
    unknown_fields: Counter[str] = field(default_factory=Counter)
    notes: tuple[str, ...] = ()


def rows(pipeline: Any, vendor: Vendor) -> int:
    """How many rows the tables hold that are read, and not logs of statements or of evidence."""
    if not pipeline.default_schema_name:
        return 0
    tables = set(pipeline.default_schema.data_table_names(seen_data_only=True))
    lists = sorted(
        tables - {"rejected_rows", "windows", "withdrawn_events"} - vendor.statements.keys() - vendor.own
    )
    with pipeline.sql_client() as client:
        counts = [f"(select count(*) from {client.make_qualified_table_name(table)})" for table in lists]  # noqa: S608
        [[rows]] = client.execute_sql(f"select {' + '.join(counts) or 0}")
    return int(rows)


def of_loads(
    pipeline: Any, vendor: Vendor, loads: Sequence[str], before: int, written: Mapping[str, int]
) -> StepReport:
    """What the rows of these loads say: the evidence of their windows, and the statements that are new in them."""
    ids = ", ".join(f"'{load}'" for load in loads)
    added, reversals, restated, replaced = max(0, rows(pipeline, vendor) - before), 0, 0, 0
    with pipeline.sql_client() as client:
        merging.find_by_index(client)

        def ask(query: str, table: str, **values: str) -> list[Any]:
            place = client.make_qualified_table_name(table)
            return list(client.execute_sql(query.format(table=place, ids=ids, **values)) or [])

        windows = ask(_WINDOWS, "windows") if written.get("windows") else []
        for table in vendor.statements.keys() & written.keys():
            [[new, reversed_]] = ask(_ADDED, table, reversal=vendor.statements[table] or "false")
            [[closed]] = ask(_RESTATED, table)
            added, reversals, restated = added + new, reversals + (reversed_ or 0), restated + closed
            if closed and (lasting := vendor.lasting.get(table)):
                key = committed.key_of(pipeline.default_schema.tables[table]["columns"])
                changed = " and ".join(f"old.{name} <> new.{name}" for name in lasting)
                [[count]] = ask(_REPLACED, table, key=key, changed=changed)
                replaced += count
    unknown: Counter[str] = Counter()
    for row in windows:
        unknown.update(_object(row[3]))
    return StepReport(
        received=sum(row[0] for row in windows) if windows else sum(written.values()),
        added=added,
        reversals=reversals,
        restated=restated,
        rejected=sum(row[1] for row in windows),
        rejected_new=sum(row[2] for row in windows),
        missing=sum(row[5] or 0 for row in windows),
        unknown_fields=unknown,
        replaced=replaced,
        notes=(*(row[4] for row in windows if row[4]), *_replaced(vendor, replaced)),
    )


def _replaced(vendor: Vendor, events: int) -> Iterator[str]:
    """The sentence about events in whose place others stand now."""
    if events:
        came = (
            "1 event came under the id of another one"
            if events == 1
            else f"{events:,} events came under the ids of others"
        )
        told = " and ".join(name for names in vendor.lasting.values() for name in names)
        yield (
            f"{came} ({told} are other ones): an id holds one event, so what stood there counts no more. "
            f"Ask {vendor.title} whether an id is given twice"
        )


# Of the loads whose ids are put in; each is asked once its load stands in `_dlt_loads`.
_WINDOWS = """
    select received, rejected, rejected_new, unknown_fields, note, missing from {table} where _dlt_load_id in ({ids})
"""
_ADDED = (
    "select count(*), sum(case when {reversal} then 1 else 0 end) from {table} where _dlt_load_id in ({ids})"
)
_RESTATED = (
    "select count(*) from {table} "
    "where valid_to in (select valid_from from {table} where _dlt_load_id in ({ids}))"
)

# Statements that took the place of another one's.
_REPLACED = (
    "select count(*) from {table} as new "
    "join {table} as old on old.{key} = new.{key} and old.valid_to = new.valid_from "
    "where new._dlt_load_id in ({ids}) and {changed}"
)


def set_aside(pipeline: Any, loads: Sequence[str]) -> int:
    """How many distinct rows these loads set aside, however many windows brought them."""
    ids = ", ".join(f"'{load}'" for load in loads)
    with pipeline.sql_client() as client:
        table = client.make_qualified_table_name("rejected_rows")
        query = f"select count(*) from {table} where _dlt_load_id in ({ids}) and resolved_at is null"  # noqa: S608
        [[count]] = client.execute_sql(query)
    return int(count)


def _object(value: Any) -> dict[str, int]:
    import json

    return dict(json.loads(value) if isinstance(value, str) else value or {})

"""What a load came to, asked of the tables once it stands in them: rows that are new, restated, set aside, missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from conversync.types import Pipeline, Values
from conversync.vendors import Vendor
from conversync.warehouse import commit_check, merging
from conversync.warehouse import query as asking


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


def rows(pipeline: Pipeline, vendor: Vendor) -> int:
    """How many rows the tables hold that are read, and not logs of statements or of evidence."""
    if not pipeline.default_schema_name:
        return 0
    tables = set(pipeline.default_schema.data_table_names(seen_data_only=True))
    lists = sorted(
        tables - {"rejected_rows", "windows", "withdrawn_events"} - vendor.statements.keys() - vendor.own
    )
    with pipeline.sql_client() as client:
        counts = [f"(select count(*) from {client.make_qualified_table_name(table)})" for table in lists]  # noqa: S608
        [[count]] = asking.rows(client, f"select {' + '.join(counts) or 0}")
    return int(count)


def of_loads(
    pipeline: Pipeline, vendor: Vendor, loads: Sequence[str], before: int, written: Mapping[str, int]
) -> StepReport:
    """What the rows of these loads say: the evidence of their windows, and the statements that are new in them."""
    ids = ", ".join(f"'{load}'" for load in loads)
    new = Counter(added=max(0, rows(pipeline, vendor) - before))
    with pipeline.sql_client() as client:
        merging.find_by_index(client)

        def ask(query: str, table: str, **values: str) -> Sequence[Values]:
            place = client.make_qualified_table_name(table)
            return asking.rows(client, query.format(table=place, ids=ids, **values))

        windows = [_Evidence(*row) for row in ask(_WINDOWS, "windows")] if written.get("windows") else []
        for table in vendor.statements.keys() & written.keys():
            new.update(_statements(ask, table, vendor, pipeline))
    evidence = _of_windows(windows)
    return replace(
        evidence,
        received=evidence.received if windows else sum(written.values()),
        added=new["added"],
        reversals=new["reversals"],
        restated=new["restated"],
        replaced=new["replaced"],
        notes=(*evidence.notes, *_replaced(vendor, new["replaced"])),
    )


def _statements(
    ask: Callable[..., Sequence[Values]], table: str, vendor: Vendor, pipeline: Pipeline
) -> dict[str, int]:
    """What is new in a log of statements, by its name in a StepReport."""
    [[added, reversals]] = ask(_ADDED, table, reversal=vendor.statements[table] or "false")
    [[restated]] = ask(_RESTATED, table)
    new = {"added": added, "reversals": reversals or 0, "restated": restated}
    if restated and (lasting := vendor.lasting.get(table)):
        key = commit_check.key_of(pipeline.default_schema.tables[table]["columns"])
        changed = " and ".join(f"old.{name} <> new.{name}" for name in lasting)
        [[new["replaced"]]] = ask(_REPLACED, table, key=key, changed=changed)
    return new


class _Evidence(NamedTuple):
    """A row of `windows`, as `_WINDOWS` asks for it."""

    received: int
    rejected: int
    rejected_new: int
    unknown_fields: Any
    note: str | None
    missing: int | None


def _of_windows(windows: Sequence[_Evidence]) -> StepReport:
    unknown: Counter[str] = Counter()
    for one in windows:
        unknown.update(_object(one.unknown_fields))
    return StepReport(
        received=sum(one.received for one in windows),
        rejected=sum(one.rejected for one in windows),
        rejected_new=sum(one.rejected_new for one in windows),
        missing=sum(one.missing or 0 for one in windows),
        unknown_fields=unknown,
        notes=tuple(one.note for one in windows if one.note),
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


def set_aside(pipeline: Pipeline, loads: Sequence[str]) -> int:
    """How many distinct rows these loads set aside, however many windows brought them."""
    ids = ", ".join(f"'{load}'" for load in loads)
    with pipeline.sql_client() as client:
        table = client.make_qualified_table_name("rejected_rows")
        query = f"select count(*) from {table} where _dlt_load_id in ({ids}) and resolved_at is null"  # noqa: S608
        [[count]] = asking.rows(client, query)
    return int(count)


def _object(value: Any) -> dict[str, int]:
    import json

    return dict(json.loads(value) if isinstance(value, str) else value or {})

"""All sources and sends together, read from the live file, or from the published copy while a run holds that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pendulum

from conversync.dlt_errors import translate_errors
from conversync.errors import LockedError, SettingsError
from conversync.extract.lookback import InUse, in_use, settings_of
from conversync.load import pipeline_for, restored
from conversync.monitor.limits import Limits, limits
from conversync.monitor.source import SourceHealth, Tables
from conversync.monitor.source import look as look_at
from conversync.send.placing import target_of
from conversync.settings import lookup
from conversync.types import Document, Restored
from conversync.vendors import Vendor
from conversync.warehouse import confined_sql, query
from conversync.warehouse.datasets import accounts
from conversync.warehouse.publish import last_written, published_path
from conversync.warehouse.warehouse import Warehouse

SENT = "sent"


@dataclass(frozen=True)
class SendHealth:
    """One ledger of what was sent, in rows."""

    target: str
    sent: int = 0
    rejected: int = 0
    in_doubt: int = 0
    last_sent: datetime | None = None


@dataclass(frozen=True)
class Published:
    """The copy for readers; `behind` if the warehouse was written after it was made, by whatever."""

    path: Path
    made: datetime
    behind: bool


@dataclass
class Health:
    """What is known at `at`. `read_from` is the file that was read; with a `note`, it is not the live one."""

    warehouse: str
    read_from: str
    at: datetime
    note: str | None = None
    sources: list[SourceHealth] = field(default_factory=list)
    sends: list[SendHealth] = field(default_factory=list)
    published: Published | None = None


def look(
    warehouse: Warehouse,
    vendors: Sequence[Vendor],
    folder: Path,
    first: date | None = None,
    bounds: Limits | None = None,
    *,
    unnamed: bool = False,
) -> Health:
    """Looks at the vendors that were loaded, or have their settings; days from `first` on, if that is given.

    `unnamed`: also at the accounts in a DuckDB file, or on a PostgreSQL, that the settings name no more, which the
    models still count.

    `bounds` tell when a stream is stale, so that the days which it owes are missing; by default as set.
    dlt works in `folder`. SettingsError where there is no warehouse; LockedError where a run holds it, and there is
    no published copy.
    """
    now, hours = pendulum.now("UTC"), (bounds or limits()).stale_hours
    with translate_errors(), opened(warehouse) as (readable, note):
        health = Health(str(warehouse), str(readable), now, note)
        configured = {one.label for one in vendors if lookup.is_configured(one.settings, one.label)}
        for vendor in (*vendors, *_unnamed(readable, vendors, folder, wanted=unnamed)):
            found = _source(readable, vendor, folder, first, now.date(), hours)
            if found is None and vendor.label in configured:
                found = SourceHealth(vendor.label, lookbacks=lookbacks(vendor, {}))
            if found is not None:
                found.expected = not configured or vendor.label in configured
                health.sources.append(found)
        health.sends = list(_sends(readable, folder))
    health.published = _published(warehouse)
    return health


def _unnamed(warehouse: Warehouse, vendors: Sequence[Vendor], folder: Path, *, wanted: bool) -> list[Vendor]:
    if not wanted:
        return []
    named = {one.dataset for one in vendors}
    return [one for one in _accounts(warehouse, folder) if one.dataset not in named]


def _accounts(warehouse: Warehouse, folder: Path) -> list[Vendor]:
    """All that were ever loaded; of a destination that cannot be asked for its datasets, none are known."""
    if warehouse.destination == "duckdb":
        with warehouse.reader() as connection:
            return accounts(query.of_duckdb(connection))
    if not warehouse.is_postgres:
        return []
    with confined_sql.reading(_reading(warehouse, SENT, folder)) as client:
        return accounts(partial(query.rows, client))


@contextmanager
def opened(warehouse: Warehouse) -> Iterator[tuple[Warehouse, str | None]]:
    """The warehouse to read, held still meanwhile; the copy while a run holds it, with a sentence that says so."""
    if not warehouse.exists():
        raise SettingsError(f"There is no warehouse at {warehouse}; `conversync load` makes it.")
    if warehouse.destination != "duckdb":
        yield warehouse, None
        return
    readable, note = warehouse, None
    try:
        connection = warehouse.reader()
    except LockedError:
        readable, note = _copy(warehouse)
        connection = readable.reader()
    with connection:
        yield readable, note


def _copy(warehouse: Warehouse) -> tuple[Warehouse, str]:
    copy = published_path(warehouse)
    if copy is None or not copy.exists():
        raise LockedError(
            f"A run holds {warehouse}, and there is no published copy to read instead; try again when it has ended."
        )
    made = pendulum.from_timestamp(copy.stat().st_mtime)
    return Warehouse(copy), (
        f"A run holds {warehouse.path.name}: this is the published copy of {made:%Y-%m-%d %H:%M} UTC"
    )


def dataset_of(warehouse: Warehouse, vendor: Vendor, folder: Path) -> tuple[Any, Document]:
    """A dlt pipeline that only reads a source's dataset, and the state that its loads left."""
    pipeline = _reading(warehouse, vendor.dataset, folder)
    return pipeline, restored(pipeline, vendor.name)


def lookbacks(vendor: Vendor, state: Restored) -> list[InUse]:
    """How many days each lookback of a source comes to, by what its last load noted; none where its settings are wrong.

    What is wrong with them is what `check` and `load` tell.
    """
    try:
        settings: Any = lookup.resolve_partly(vendor.settings, vendor.label)
    except SettingsError:
        return []
    return [in_use(settings, one, state) for one in settings_of(vendor.lookbacks)]


def _reading(warehouse: Warehouse, dataset: str, folder: Path) -> Any:
    return pipeline_for(dataset, warehouse.dlt_destination([dataset], read_only=True), folder)


def _source(
    warehouse: Warehouse, vendor: Vendor, folder: Path, first: date | None, today: date, hours: float
) -> SourceHealth | None:
    pipeline, state = dataset_of(warehouse, vendor, folder)
    if not pipeline.default_schema_name:
        return None
    names = pipeline.default_schema.data_table_names(seen_data_only=True)
    with confined_sql.reading(pipeline) as client:
        found = look_at(Tables(client, names), vendor, state, first, today, hours)
    found.lookbacks = lookbacks(vendor, state)
    return found


def _sends(warehouse: Warehouse, folder: Path) -> Iterator[SendHealth]:
    """Every ledger there is: a table of the dataset `sent` with a send_key."""
    pipeline = _reading(warehouse, SENT, folder)
    restored(pipeline, SENT)
    if not pipeline.default_schema_name:
        return
    schema = pipeline.default_schema
    names = schema.data_table_names(seen_data_only=True)
    with confined_sql.reading(pipeline) as client:
        tables = Tables(client, names)
        for name in tables.names:
            if {"send_key", "status"} <= schema.tables[name]["columns"].keys():
                rows = tables.ask("select status, count(*), max(sent_at) from {table} group by status", name)
                counts = {status: int(count) for status, count, _ in rows}
                last = max((at for status, _, at in rows if status == "sent"), default=None)
                yield SendHealth(
                    target_of(name) or name.replace("_", ".", 1),
                    counts.get("sent", 0),
                    counts.get("rejected", 0),
                    counts.get("in_doubt", 0),
                    last and pendulum.instance(last).in_timezone("UTC"),
                )


def _published(warehouse: Warehouse) -> Published | None:
    path = published_path(warehouse)
    if path is None or not path.exists():
        return None
    made = path.stat().st_mtime
    return Published(path, pendulum.from_timestamp(made), last_written(warehouse) > made)

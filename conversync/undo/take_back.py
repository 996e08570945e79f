"""Takes a load back: in one transaction, with the right to write, all or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pendulum

from conversync.books.closing import who
from conversync.books.histories import CHANGES
from conversync.books.lines import has, place
from conversync.dlt_errors import translate_errors
from conversync.errors import ConversyncError, SettingsError
from conversync.load import pipeline_for
from conversync.monitor.overview import opened
from conversync.send import ledger
from conversync.send.target_books import Bookkeeper, all_targets
from conversync.types import Document, SqlClient
from conversync.undo import against, loads
from conversync.undo.loads import Load
from conversync.vendors import Vendor
from conversync.warehouse import comments, undoable
from conversync.warehouse.query import rows
from conversync.warehouse.undoable import PLACES, POINT, PREFIX
from conversync.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Part:
    """What taking a load back does to a table, in rows: so many go, so many come back as they were.

    Of a log of statements (`is_log`) those come back that the load closed: they stand again.
    """

    table: str
    gone: int
    back: int
    is_log: bool = False
    is_replaced: bool = False


@dataclass(frozen=True)
class Undoing:
    """A load that is to be taken back, or was: its tables, by how much net revenue moves, what stands against it."""

    load: Load
    parts: Sequence[Part]
    money: dict[str, Decimal] = field(default_factory=dict)
    """By currency."""
    against: Sequence[str] = ()


def would_undo(warehouse: Warehouse, vendors: Sequence[Vendor], load_id: str | None) -> Undoing:
    """What `undo` would do now. No lock, and nothing is written. Errors as from `undo`, but for `against`."""
    import tempfile

    with (
        tempfile.TemporaryDirectory() as folder,
        translate_errors(),
        opened(warehouse) as (readable, _),
        ExitStack() as open_,
    ):
        clients = {
            vendor.dataset: open_.enter_context(_client(readable, vendor, Path(folder), read_only=True))
            for vendor in vendors
        }
        load = loads.chosen([loads.of(clients[vendor.dataset], vendor) for vendor in vendors], load_id)
        return _looked_at(clients[load.vendor.dataset], warehouse, load)


def undo(
    warehouse: Warehouse,
    vendors: Sequence[Vendor],
    load_id: str | None,
    *,
    why: str | None = None,
    wait: float = 0,
) -> Undoing:
    """Takes the load back, which is the last one of its source; None for the last of the only source there is.

    Raises ConversyncError, with every reason, where it cannot be; SettingsError where it is not clear which load is
    meant; LockedError after `wait` seconds without the right to write. Nothing was changed then.
    """
    if not warehouse.exists():
        raise SettingsError(f"There is no warehouse at {warehouse}; `conversync load` makes it.")
    with translate_errors(), _writing(warehouse, vendors, wait) as clients:
        load = loads.chosen([loads.of(clients[vendor.dataset], vendor) for vendor in vendors], load_id)
        client = clients[load.vendor.dataset]
        found = _looked_at(client, warehouse, load)
        refuse(found)
        _take_back(client, found, why)
    return found


def refuse(found: Undoing) -> None:
    """ConversyncError with every reason there is."""
    if found.against:
        raise ConversyncError(
            f"{found.load} was not taken back, and nothing was changed: {'; '.join(found.against)}."
        )


@contextmanager
def _writing(warehouse: Warehouse, vendors: Sequence[Vendor], wait: float) -> Iterator[dict[str, SqlClient]]:
    """Sessions on these datasets that may write, while nobody loads or closes them, and nobody sends."""
    names = [vendor.dataset for vendor in vendors]
    with ExitStack() as held:
        targets = all_targets(warehouse)
        for target in targets.values():
            held.enter_context(Bookkeeper(warehouse, target, wait).locked_here())
        sends = [f"{ledger.DATASET}/{target}" for target in targets]
        folder = held.enter_context(warehouse.locked(wait, "undo", [*names, *sends]))
        connection = held.enter_context(warehouse.held(wait, folder))
        yield {
            vendor.dataset: held.enter_context(_client(warehouse, vendor, folder / vendor.dataset))
            for vendor in vendors
        }
        if connection is not None:
            comments.refresh(connection)


@contextmanager
def _client(
    warehouse: Warehouse, vendor: Vendor, folder: Path, *, read_only: bool = False
) -> Iterator[SqlClient]:
    destination = warehouse.dlt_destination([vendor.dataset], read_only=read_only)
    pipeline = pipeline_for(vendor.dataset, destination, folder)
    if pipeline.destination.destination_type not in PLACES:
        raise SettingsError("Loads can be taken back on DuckDB and on PostgreSQL, not on this destination.")
    with pipeline.sql_client() as client:
        yield client


def _looked_at(client: SqlClient, warehouse: Warehouse, load: Load) -> Undoing:
    parts = [part for part in _parts(client, load) if part.gone or part.back]
    return Undoing(load, parts, _money(client, load), against.reasons(client, warehouse, load))


def _parts(client: SqlClient, load: Load) -> Iterator[Part]:
    """Every table that a load knew, as far as it is there."""
    there = undoable.columns_of(client)
    for name, table in _known(client, load.vendor).items():
        if name.startswith("_dlt") or name not in there:
            continue
        if "_dlt_load_id" not in there[name] or table.get("write_disposition") == "replace":
            raise ConversyncError(
                f"{load} cannot be taken back: of {load.vendor.dataset}.{name} nobody knows which load wrote a row."
            )
        is_log = table.get("x-merge-strategy") == "scd2"
        is_replaced = PREFIX + name in there
        place = client.make_qualified_table_name(name)
        [[gone]] = rows(client, f"select count(*) from {place} where _dlt_load_id > %s", load.point)  # noqa: S608
        back = 0
        if is_log:
            closed = f"select count(*) from {place} where valid_to > %s and _dlt_load_id <= %s"  # noqa: S608
            [[back]] = rows(client, closed, load.since, load.point)
        elif is_replaced:
            kept = client.make_qualified_table_name(PREFIX + name)
            [[back]] = rows(client, f"select count(*) from {kept} where {POINT} = %s", load.point)  # noqa: S608
        yield Part(name, int(gone), int(back), is_log, is_replaced)


def _known(client: SqlClient, vendor: Vendor) -> Document:
    """The tables of all schemas that dlt noted, each as the newest has it: a killed run may have noted one, too."""
    versions = client.make_qualified_table_name("_dlt_version")
    query = f"select schema from {versions} where schema_name = %s order by version, inserted_at"  # noqa: S608
    found: Document = {}
    for (text,) in rows(client, query, vendor.name):
        found |= json.loads(text)["tables"]
    return found


def _money(client: SqlClient, load: Load) -> dict[str, Decimal]:
    """By how much net revenue moves when what became known by the load is known no more."""
    vendor = load.vendor
    if not vendor.books or not has(client, vendor.dataset, CHANGES):
        return {}
    query = (
        f"select currency, sum(net_change) from {place(client, vendor.dataset, CHANGES)} "  # noqa: S608 - our own names
        "where known_at > %s group by 1 order by 1"
    )
    return {str(currency): -change for currency, change in rows(client, query, load.since)}


def _take_back(client: SqlClient, found: Undoing, why: str | None) -> None:
    load = found.load

    def run(query: str, table: str, *values: object, **more: str) -> None:
        client.execute_sql(query.format(table=client.make_qualified_table_name(table), **more), *values)

    with client.begin_transaction():
        for part in found.parts:
            run("delete from {table} where _dlt_load_id > %s", part.table, load.point)
            if part.is_log:
                run("update {table} set valid_to = null where valid_to > %s", part.table, load.since)
            if part.is_replaced:
                _bring_back(client, part.table, str(load.point))
        for table in undoable.copies(client):
            run(f"delete from {{table}} where {POINT} >= %s", PREFIX + table, load.point)  # noqa: S608
        run("delete from {table} where point >= %s", undoable.LOADS.name, load.point)
        run("delete from {table} where _dlt_load_id > %s", "_dlt_pipeline_state", load.point)
        run("delete from {table} where load_id > %s", "_dlt_loads", load.point)
        undoable.create(client, undoable.UNDONE)
        now, told = pendulum.now("UTC"), json.dumps(fields_of(found))
        run(
            "insert into {table} values (%s, %s, %s, %s, %s)",
            undoable.UNDONE.name,
            *(",".join(load.commits), now, who(), why, told),
        )


def _bring_back(client: SqlClient, table: str, point: str) -> None:
    """The rows that stood there, with the columns that were kept of them: later ones were empty."""
    there = undoable.columns_of(client)
    kept = [client.escape_column_name(one) for one in there[PREFIX + table] if one != POINT]
    names = {"place": table, "kept": PREFIX + table}
    into, of = (client.make_qualified_table_name(one) for one in names.values())
    listed = ", ".join(kept)
    client.execute_sql(f"insert into {into} ({listed}) select {listed} from {of} where {POINT} = %s", point)  # noqa: S608


def fields_of(found: Undoing) -> Document:
    """As JSON has it: amounts as text."""
    return {
        "vendor": found.load.vendor.label,
        "load_ids": list(found.load.commits),
        "committed_at": found.load.committed_at.isoformat(),
        "tables": [{"table": one.table, "gone": one.gone, "back": one.back} for one in found.parts],
        "net_revenue_changes": {currency: f"{change:f}" for currency, change in found.money.items()},
        "against": list(found.against),
    }

"""`conversync status`: what the warehouse holds, and through which day. Takes no lock, asks no vendor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.load import pipeline_for, restored
from pipelines.sentences import understood
from pipelines.vendors import Vendor
from pipelines.warehouse import Warehouse
from wire.errors import SettingsError


@dataclass(frozen=True)
class TableStatus:
    """One table: its rows, the day of its newest one, and through which day it is read, where it has days."""

    dataset: str
    table: str
    rows: int
    newest: str | None = None
    through: str | None = None
    last_loaded: str | None = None

    def fields(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def status(warehouse: Warehouse, vendors: Sequence[Vendor], folder: Path) -> list[TableStatus]:
    """Every table of the vendors that were loaded; SettingsError where there is no warehouse."""
    if not warehouse.exists():
        raise SettingsError(f"There is no warehouse at {warehouse}; `conversync load` makes it.")
    found: list[TableStatus] = []
    for vendor in vendors:
        destination = warehouse.dlt_destination([vendor.name], read_only=True)
        pipeline = pipeline_for(vendor.name, destination, folder)
        state = restored(pipeline, vendor.name)
        if pipeline.default_schema_name:
            with understood(), pipeline.sql_client() as client:
                found += _tables(
                    client, vendor, pipeline.default_schema.data_table_names(seen_data_only=True), state
                )
    return found


def _tables(
    client: Any, vendor: Vendor, tables: Sequence[str], state: dict[str, Any]
) -> Iterator[TableStatus]:
    through = min(
        (s["through"] for s in state.values() if isinstance(s, dict) and "through" in s), default=None
    )
    [[loaded]] = client.execute_sql(
        f"select max(inserted_at) from {client.make_qualified_table_name('_dlt_loads')} where status = 0"  # noqa: S608
    )
    for table in sorted(tables):
        place = client.make_qualified_table_name(table)
        day = vendor.days.get(table)
        newest = f"max({client.escape_column_name(day)})" if day else "null"
        [[rows, last]] = client.execute_sql(f"select count(*), {newest} from {place}")  # noqa: S608
        yield TableStatus(
            vendor.name,
            table,
            rows,
            str(last) if last is not None else None,
            through if day else None,
            f"{loaded:%Y-%m-%d %H:%M}" if loaded else None,
        )

"""Tables in Delta's format, in folders `<lake>/<schema>/<table>`: each is replaced whole, in one commit.

What a table holds is told by the number that Delta keeps of an application's last transaction, so it is there with the
rows, or not at all. The log says of a file how many rows it has, and no value: old entries hold nothing of anybody.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from conversync.errors import ConversyncError
from conversync.warehouse.lake_tables import LakeTable, Place, State, write_files

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from pyarrow.fs import FileSystem

APPLICATION = "conversync"
LOG = "_delta_log"


class DeltaTables:
    """The tables of a lake, at a folder or an address of an object store."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self.is_local = "://" not in address

    def strays(self, known: set[Place]) -> Iterator[Place]:
        """All tables of ours that are there, but for these."""
        for schema in self._folders(""):
            for table in self._folders(schema):
                place = Place(schema, table)
                is_delta = place not in known and LOG in self._folders(f"{schema}/{table}")
                if is_delta and _number(self._table(place)) is not None:
                    yield place

    def state(self, place: Place) -> State | None:
        """What a table of ours holds; None where there is none. ConversyncError for somebody else's."""
        found = self._there(place)
        if found is None:
            return None
        number = _number(found)
        if number is None:
            raise ConversyncError(
                f"{self._at(place)} is a Delta table that Conversync did not write, so it stays as it is: move it "
                "away, or name another place as `published_lake` in .dlt/config.toml."
            )
        return State(sum(found.get_add_actions()["num_records"].to_pylist()), number)

    def replace(self, table: LakeTable, state: State, batches: pa.RecordBatchReader) -> None:
        """Puts these rows, with their columns, in place of what is there, at once."""
        from deltalake import CommitProperties, Schema, Transaction
        from deltalake.transaction import AddAction, create_table_with_add_actions

        place, names = table.place, iter(lambda: f"{uuid.uuid4()}.parquet", None)
        files = self._files(place)
        added = [
            AddAction(
                one.name, one.size, {}, _now(), data_change=True, stats=json.dumps({"numRecords": one.rows})
            )
            for one in write_files(batches, files.open_output_stream, names, files.delete_file)
        ]
        schema = Schema.from_arrow(batches.schema)
        noted = CommitProperties(app_transactions=[Transaction(APPLICATION, state.number)])
        if (there := self._there(place)) is None:
            create_table_with_add_actions(self._at(place), schema, added, commit_properties=noted)
            return
        _allow_local_times(there, batches.schema)
        there.create_write_transaction([*added], "overwrite", schema, commit_properties=noted)

    def describe(self, table: LakeTable) -> None:
        """What is said of a table."""
        there = self._table(table.place)
        if (there.metadata().description or "") != table.comment:
            there.alter.set_table_description(table.comment)

    def clean(self, place: Place, hours: int, *, thoroughly: bool) -> None:
        """Deletes what no version younger than that needs; `thoroughly`, what runs that were killed left as well."""
        self._table(place).vacuum(hours, dry_run=False, enforce_retention_duration=False, full=thoroughly)

    def drop(self, place: Place) -> None:
        """Deletes a table, its log last: a run that is killed meanwhile leaves what the next one deletes."""
        from pyarrow.fs import FileSelector, FileType

        files = self._files(place)
        found = [
            one.path
            for one in files.get_file_info(FileSelector("", recursive=True))
            if one.type == FileType.File
        ]
        for path in sorted(found, key=lambda one: (one.startswith(LOG), one)):
            files.delete_file(path)
        if self.is_local:
            shutil.rmtree(self._at(place))

    @cached_property
    def _lake(self) -> FileSystem:
        return self._opened(self.address)

    def _folders(self, path: str) -> list[str]:
        from pyarrow.fs import FileSelector, FileType

        found = self._lake.get_file_info(FileSelector(path))
        return [one.base_name for one in found if one.type == FileType.Directory]

    def _files(self, place: Place) -> FileSystem:
        return self._opened(self._at(place))

    def _opened(self, address: str) -> FileSystem:
        from deltalake.fs import DeltaStorageHandler
        from pyarrow.fs import PyFileSystem

        if self.is_local:
            Path(address).mkdir(parents=True, exist_ok=True)
        return PyFileSystem(DeltaStorageHandler(address))

    def _at(self, place: Place) -> str:
        return f"{self.address}/{place.schema}/{place.table}"

    def _there(self, place: Place) -> DeltaTable | None:
        from deltalake import DeltaTable

        return self._table(place) if DeltaTable.is_deltatable(self._at(place)) else None

    def _table(self, place: Place) -> DeltaTable:
        from deltalake import DeltaTable

        return DeltaTable(self._at(place))


def _number(table: DeltaTable) -> int | None:
    return table.transaction_version(APPLICATION)


def _now() -> int:
    return int(time.time() * 1000)


def _allow_local_times(table: DeltaTable, schema: pa.Schema) -> None:
    """Times without a zone are a feature that a table made without one does not have yet."""
    import pyarrow as pa
    from deltalake import TableFeatures

    if any(pa.types.is_timestamp(one.type) and one.type.tz is None for one in schema) and (
        "timestampNtz" not in (table.protocol().writer_features or ())
    ):
        table.alter.add_feature(TableFeatures.TimestampWithoutTimezone, allow_protocol_versions_increase=True)

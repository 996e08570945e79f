"""Tables in Iceberg's format, `schema.table` in a catalog: each is replaced whole, in one commit.

What a table holds is told by the summary of the snapshot that was committed with it. Without a catalog of somebody's
own, the names are in an SQLite file in the lake's folder, as pyiceberg has it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from conversync.errors import ConversyncError
from conversync.warehouse.lake_tables import LakeTable, Place, State, write_files

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.fs import FileSystem
    from pyiceberg.catalog import Catalog
    from pyiceberg.manifest import DataFile
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table, Transaction
    from pyiceberg.types import IcebergType

CATALOG, FILE = "conversync", "catalog.sqlite"
ROWS, NUMBER = "conversync.rows", "conversync.number"
OURS = {"written-by": "conversync"}
# Of a commit's metadata, few earlier ones are kept: they name files that are gone. Of a file it is told how many rows
# it has, and no value: what says that a file went would keep the smallest and the largest id in it.
PROPERTIES = {
    **OURS,
    "write.metadata.metrics.default": "counts",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "5",
}
UNKNOWN = State(-1, -1)
IO = {"py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"}


class IcebergTables:
    """The tables of a lake, whose files are at an address; `catalog` is the name of one that pyiceberg is told of."""

    def __init__(self, address: str, catalog: str | None) -> None:
        self.address, self.named = address.rstrip("/"), catalog

    def strays(self, known: set[Place]) -> Iterator[Place]:
        """All tables of ours that are there, but for these."""
        for schema, *inner in self._catalog.list_namespaces():
            for *_, table in () if inner else self._catalog.list_tables((schema,)):
                place = Place(schema, table)
                if place not in known and _is_ours(self._catalog.load_table(place)):
                    yield place

    def state(self, place: Place) -> State | None:
        """What a table of ours holds; None where there is none. ConversyncError for somebody else's."""
        if not self._catalog.table_exists(place):
            return None
        found = self._catalog.load_table(place)
        if not _is_ours(found):
            raise ConversyncError(
                f"{place} is an Iceberg table that Conversync did not write, so it stays as it is: move it away, or "
                "name another place as `published_lake` in .dlt/config.toml."
            )
        snapshot = found.current_snapshot()
        told = snapshot.summary if snapshot else None
        if told is None or told[NUMBER] is None:  # somebody else committed to it since
            return UNKNOWN
        return State(int(told[ROWS] or 0), int(told[NUMBER] or 0))

    def replace(self, table: LakeTable, state: State, batches: pa.RecordBatchReader) -> None:
        """Puts these rows, with their columns, in place of what is there, at once."""
        from pyiceberg.io.pyarrow import parquet_files_to_data_files

        schema = _schema(batches.schema)
        changing, before = self._changing(table.place, schema), self._files(table.place)
        io = changing._table.io  # noqa: SLF001 - nobody else tells it of a table that is about to be made
        where = changing.table_metadata.location
        names = iter(lambda: f"{where}/data/{uuid.uuid4()}.parquet", None)
        rows = _numbered(batches, changing.table_metadata.schema())
        files = write_files(rows, lambda name: io.new_output(name).create(), names, io.delete)
        written = [one.name for one in files]
        noted = {ROWS: str(state.rows), NUMBER: str(state.number)}
        with changing.update_snapshot(snapshot_properties=noted).overwrite() as snapshot:
            for file in before:
                snapshot.delete_data_file(file)
            for file in parquet_files_to_data_files(io, changing.table_metadata, iter(written)):
                snapshot.append_data_file(file)
        changing.commit_transaction()

    def _changing(self, place: Place, schema: Schema) -> Transaction:
        """A transaction in which the table has these columns."""
        if not self._catalog.table_exists(place):
            self._catalog.create_namespace_if_not_exists((place.schema,))
            location = f"{self.address}/{place.schema}/{place.table}"
            return self._catalog.create_table_transaction(place, schema, location, properties=PROPERTIES)
        there = self._catalog.load_table(place)
        changing = there.transaction()
        if _told(there.schema()) != _told(schema):
            # New ones throughout: by their numbers no reader takes a column for another that had its name.
            with changing.update_schema(allow_incompatible_changes=True) as update:
                for name in there.schema().column_names:
                    update.delete_column(name)
                for one in schema.fields:
                    update.add_column(one.name, one.field_type, one.doc)
        return changing

    def _files(self, place: Place) -> list[DataFile]:
        if not self._catalog.table_exists(place):
            return []
        return [one.file for one in self._catalog.load_table(place).scan().plan_files()]

    def describe(self, table: LakeTable) -> None:
        """What is said of a table."""
        there = self._catalog.load_table(table.place)
        if there.properties.get("comment", "") != table.comment:
            with there.transaction() as change:
                change.set_properties(comment=table.comment)

    def clean(self, place: Place, hours: int, *, thoroughly: bool) -> None:
        """Deletes what no version younger than that needs; `thoroughly`, what runs that were killed left as well."""
        there, until = self._catalog.load_table(place), datetime.now(UTC) - timedelta(hours=hours)
        order = sorted(there.snapshots(), key=lambda one: one.sequence_number or 0)
        old = [
            one.snapshot_id
            for one, next_ in pairwise(order)
            if next_.timestamp_ms <= until.timestamp() * 1000
        ]
        if old:
            there.maintenance.expire_snapshots().by_ids(old).commit()
            there = self._catalog.load_table(place)
        if old or thoroughly:
            _sweep(there, until, _needed(there))

    def drop(self, place: Place) -> None:
        """Deletes a table, what names its files after them: what a killed run leaves, the next one deletes."""
        there = self._catalog.load_table(place)
        _sweep(there, datetime.max.replace(tzinfo=UTC), {there.metadata_location})
        self._catalog.drop_table(place)
        files, path = _storage(there)
        files.delete_dir(path)

    @cached_property
    def _catalog(self) -> Catalog:
        from pyiceberg.catalog import load_catalog

        if self.named:
            return load_catalog(self.named, **IO)
        return load_catalog(CATALOG, type="sql", uri=f"sqlite:///{self.address}/{FILE}", **IO)


def catalogs() -> list[str]:
    """The names of those that pyiceberg is told of."""
    from pyiceberg.catalog import list_catalogs

    return list_catalogs()


def _is_ours(table: Table) -> bool:
    return OURS.items() <= table.properties.items()


def _schema(columns: pa.Schema) -> Schema:
    from pyiceberg.schema import Schema
    from pyiceberg.types import NestedField

    fields = [
        NestedField(number, one.name, _type(one.type), required=False, doc=_comment(one))
        for number, one in enumerate(columns, 1)
    ]
    return Schema(*fields)


def _comment(field: pa.Field) -> str | None:
    told = (field.metadata or {}).get(b"comment")
    return told.decode() if told else None


def _type(kind: pa.DataType) -> IcebergType:
    """Of a column, as Iceberg has it."""
    import pyarrow as pa
    from pyiceberg import types

    if pa.types.is_decimal(kind):
        return types.DecimalType(kind.precision, kind.scale)
    if pa.types.is_timestamp(kind):
        return types.TimestamptzType() if kind.tz else types.TimestampType()
    known = {
        pa.bool_(): types.BooleanType(),
        pa.int32(): types.IntegerType(),
        pa.int64(): types.LongType(),
        pa.float32(): types.FloatType(),
        pa.float64(): types.DoubleType(),
        pa.string(): types.StringType(),
        pa.binary(): types.BinaryType(),
        pa.date32(): types.DateType(),
    }
    return known[kind]


def _told(schema: Schema) -> list[tuple[str, str, str | None]]:
    return [(one.name, str(one.field_type), one.doc) for one in schema.fields]


def _numbered(batches: pa.RecordBatchReader, schema: Schema) -> pa.RecordBatchReader:
    """The same rows, with the table's number of each column in the schema: by that readers know it again."""
    import pyarrow as pa

    ids = {one.name: str(one.field_id) for one in schema.fields}
    columns = pa.schema([one.with_metadata({"PARQUET:field_id": ids[one.name]}) for one in batches.schema])
    return pa.RecordBatchReader.from_batches(
        columns, (pa.RecordBatch.from_arrays(one.columns, schema=columns) for one in batches)
    )


def _needed(table: Table) -> set[str]:
    """The files of all versions that there are."""
    found = {table.metadata_location, *(one.metadata_file for one in table.metadata.metadata_log)}
    for snapshot in table.snapshots():
        found.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            found.add(manifest.manifest_path)
            found |= {
                one.data_file.file_path
                for one in manifest.fetch_manifest_entry(table.io, discard_deleted=True)
            }
    return found


def _storage(table: Table) -> tuple[FileSystem, str]:
    """Where a table's files are, and the path of their folder there."""
    from pyiceberg.io.pyarrow import PyArrowFileIO

    io: Any = table.io
    scheme, host, path = PyArrowFileIO.parse_location(table.location(), io.properties)
    return io.fs_by_scheme(scheme, host), path


def _sweep(table: Table, until: datetime, needed: set[str]) -> None:
    """Deletes the files of a table that were written until then and are not needed."""
    from pyarrow.fs import FileSelector, FileType
    from pyiceberg.io.pyarrow import PyArrowFileIO

    files, folder = _storage(table)
    kept = {PyArrowFileIO.parse_location(one, table.io.properties)[2] for one in needed}
    for one in files.get_file_info(FileSelector(folder, recursive=True)):
        if one.type == FileType.File and one.path not in kept and one.mtime <= until:
            files.delete_file(one.path)

"""What a lake gets of the published copy: its tables, each as columns, rows and a number that any change changes.

Types are those that Delta, Iceberg and DuckDB all have; a whole number that is larger is a decimal, and what they have
not (lists, structures, JSON, intervals ...) is text, JSON where it has parts.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from conversync.types import Connection
from conversync.warehouse import tombstones

if TYPE_CHECKING:
    import pyarrow as pa

# What is read and written at once, and how many rows a file holds at most.
BATCH, FILE = 65_536, 2_097_152
# Of dlt, and of ours what no reader needs.
_PRIVATE = "_"
# What both formats and the engines above them take for a name without quoting it in some way of their own.
_TABLE, _COLUMN = re.compile(r"[A-Za-z0-9][\w-]*", re.ASCII), re.compile(r"\w+")
# DuckDB's types that both formats have, and those that have another name there.
_KEPT = re.compile(
    r"BOOLEAN|INTEGER|BIGINT|FLOAT|DOUBLE|DECIMAL\(.*\)|VARCHAR|BLOB|DATE|TIMESTAMP|TIMESTAMP WITH TIME ZONE"
)
_WIDER = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "UTINYINT", "USMALLINT"), "INTEGER"),
    **dict.fromkeys(("TIMESTAMP_S", "TIMESTAMP_MS"), "TIMESTAMP"),
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20, 0)",
    "HUGEINT": "DECIMAL(38, 0)",
}
_PARTS = re.compile(r".*\]|(STRUCT|MAP|UNION)\(.*\)", re.DOTALL)
_TABLES = """
    select schema_name, table_name, comment from duckdb_tables()
    where database_name = current_database() and not internal order by all
"""
_COLUMNS = """
    select column_name, data_type, comment from duckdb_columns()
    where database_name = current_database() and schema_name = ? and table_name = ? order by column_index
"""


class Place(NamedTuple):
    """A table's name in the lake, as in the copy."""

    schema: str
    table: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"


class State(NamedTuple):
    """What a table holds: how many rows, and a number of 63 bits, of these, its columns and what is said of them."""

    rows: int
    number: int


class File(NamedTuple):
    """One that was written."""

    name: str
    size: int
    rows: int


@dataclass(frozen=True)
class Column:
    """One of a table, as DuckDB has it."""

    name: str
    kind: str
    comment: str | None

    @property
    def said(self) -> str:
        """Its value as a lake has it, as SQL."""
        name = _quoted(self.name)
        if _KEPT.fullmatch(self.kind):
            return name
        value = f"to_json({name})" if _PARTS.fullmatch(self.kind) else name
        return f"cast({value} as {_WIDER.get(self.kind, 'varchar')}) as {name}"


@dataclass(frozen=True)
class LakeTable:
    """A table of the copy."""

    place: Place
    comment: str
    columns: tuple[Column, ...]

    @property
    def query(self) -> str:
        """All its rows."""
        return f"select {', '.join(one.said for one in self.columns)} from {_quoted(*self.place)}"  # noqa: S608 - names from the catalogue

    def state(self, connection: Connection) -> State:
        """Of its rows, in whatever order: all of them are read."""
        [[count, told]] = connection.execute(
            f"select count(*), cast(sum(hash(told)) as varchar) from ({self.query}) as told"  # noqa: S608 - as above
        ).fetchall()
        said = json.dumps([count, told, [[one.name, one.kind, one.comment] for one in self.columns]])
        return State(count, int(hashlib.sha256(said.encode()).hexdigest()[:16], 16) >> 1)

    def batches(self, connection: Connection) -> pa.RecordBatchReader:
        """Its rows, a batch at a time; the schema has what is said of each column, as `comment`."""
        import pyarrow as pa

        found = connection.execute(self.query).to_arrow_reader(BATCH)
        told = {one.name: {"comment": one.comment} if one.comment else None for one in self.columns}
        schema = pa.schema([one.with_metadata(told[one.name]) for one in found.schema])
        batches = (pa.RecordBatch.from_arrays(one.columns, schema=schema) for one in found)
        return pa.RecordBatchReader.from_batches(schema, batches)


def tables(connection: Connection) -> tuple[list[LakeTable], list[str]]:
    """Those that a lake gets, and a sentence for each that it does not, since a name of it fits in no lake."""
    found, left = [], []
    for schema, name, comment in connection.execute(_TABLES).fetchall():
        if name.startswith(_PRIVATE) or schema.startswith(_PRIVATE) or schema == tombstones.DATASET:
            continue
        columns = [Column(*one) for one in connection.execute(_COLUMNS, [schema, name]).fetchall()]
        if misfits := _misfits(schema, name, columns):
            left.append(f"{schema}.{name} ({', '.join(misfits)})")
        else:
            found.append(LakeTable(Place(schema, name), comment or "", tuple(columns)))
    return found, left


def _misfits(schema: str, table: str, columns: Sequence[Column]) -> list[str]:
    named = [one.name for one in columns if not _COLUMN.fullmatch(one.name)]
    return named + [one for one in (schema, table) if not _TABLE.fullmatch(one)]


def write_files(
    batches: pa.RecordBatchReader,
    create: Callable[[str], Any],
    names: Iterator[str],
    delete: Callable[[str], None],
) -> Iterator[File]:
    """Writes the rows into Parquet files of these names, which `create` opens; none where there are no rows.

    Where that fails none of them stays: a table that was never made has nobody else who would `delete` them.
    """
    begun = list[str]()
    try:
        yield from _written(batches, create, names, begun)
    except Exception:
        for name in begun:
            with suppress(OSError):  # it is about the first error
                delete(name)
        raise


def _written(
    batches: pa.RecordBatchReader, create: Callable[[str], Any], names: Iterator[str], begun: list[str]
) -> Iterator[File]:
    import pyarrow.parquet as pq

    batch = next(batches, None)
    while batch is not None:
        name, rows = next(names), 0
        begun.append(name)
        with create(name) as sink:
            with pq.ParquetWriter(sink, batches.schema, compression="zstd") as writer:
                while batch is not None and rows < FILE:
                    writer.write_batch(batch)
                    rows += batch.num_rows
                    batch = next(batches, None)
            size = sink.tell()
        yield File(name, size, rows)


def _quoted(*names: str) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)

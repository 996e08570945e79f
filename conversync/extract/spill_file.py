"""One walk's statements as a file of parquet, in the form in which dlt takes it into a load as it lies.

So a row is written once between its page and its table. Nothing is compressed: the file lives for minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from weakref import finalize

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from conversync.extract.columns import hashes
from conversync.extract.declared import LOAD_ID

# Bytes that are written together, and those that are handed on at a time.
WRITTEN, PIECE = 8 * 1024 * 1024, 4 * 1024 * 1024
# A text that comes so often, on the average, is written once for each group of rows.
OFTEN = 4


class SpillFile:
    """The tables of one walk, in the order they came.

    With `load_id`, the file holds that of its load with each row, in dlt's column beside `schema`.
    """

    def __init__(self, path: Path, key: str, load_id: str | None = None) -> None:
        self.path = path
        self.rows = self.size = 0
        self.schema: pa.Schema | None = None
        self._key = key
        self.load_id = load_id
        self._hashes: list[np.ndarray] = []
        self._is_each_once: bool | None = None
        self._writer: pq.ParquetWriter | None = None

    @property
    def none(self) -> pa.Table:
        """A table without a row, with the columns of the file."""
        return self.stored.empty_table()

    @property
    def stored(self) -> pa.Schema:
        """The columns of the file."""
        assert self.schema is not None  # noqa: S101 - there are rows
        return self.schema if self.load_id is None else self.schema.append(LOAD_ID.field)

    def write(self, table: pa.Table) -> None:
        """Adds a table; all of one file have the same schema."""
        if self._writer is None:
            self.schema = table.schema
            self._writer = pq.ParquetWriter(
                str(self.path),
                self.stored,
                compression="none",
                use_dictionary=_repeated(table),
                write_statistics=False,
            )
        if not table.num_rows:
            return
        together = max(1, WRITTEN * table.num_rows // max(table.nbytes, WRITTEN))
        self._writer.write_table(self._as_stored(table), row_group_size=together)
        self._hashes.append(hashes(table.column(self._key)))
        self._is_each_once = None
        self.rows += table.num_rows
        self.size += table.nbytes

    def _as_stored(self, table: pa.Table) -> pa.Table:
        if self.load_id is None:
            return table
        load_ids = pa.repeat(pa.scalar(self.load_id, LOAD_ID.type), table.num_rows)
        return table.append_column(LOAD_ID.field, load_ids)

    def close(self) -> None:
        """Ends the writing; what was written can then be read."""
        if self._writer is not None:
            self._writer.close()

    def outlive(self) -> None:
        """The file stays when its folder goes, beside it, for as long as this object is known to anybody.

        dlt takes what a resource yielded when the resource may have ended.
        """
        self.path = self.path.rename(self.path.parent.with_name(f"{self.path.parent.name}-{self.path.name}"))
        finalize(self, partial(self.path.unlink, missing_ok=True))

    def no_event_twice(self) -> bool:
        """True only if no event stands twice; false where that would have to be looked up.

        Equal keys have equal hashes, so where no hash stands twice, no key does. Eight bytes a row are held for it.
        """
        if self._is_each_once is None:
            ordered = np.sort(np.concatenate(self._hashes)) if self._hashes else np.empty(0, np.uint64)
            self._hashes = [ordered]
            self._is_each_once = not bool(np.any(ordered[1:] == ordered[:-1]))
        return self._is_each_once

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """What was written, some rows at a time; of these columns, or of all but the load's."""
        assert self.schema is not None  # noqa: S101 - there are rows
        names = list(self.schema.names if columns is None else columns)
        with pq.ParquetFile(str(self.path)) as file:
            for number in range(file.num_row_groups):
                table = file.read_row_group(number, columns=names, use_threads=False).select(names)
                size = max(1, PIECE * table.num_rows // max(table.nbytes, PIECE))
                yield from (table.slice(at, size) for at in range(0, max(table.num_rows, 1), size))


def _repeated(table: pa.Table) -> list[str]:
    """The columns of text whose values come again and again."""
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    often = [name for name in texts if OFTEN * pc.count_distinct(table[name]).as_py() <= table.num_rows]
    return [*often, LOAD_ID.name]

"""What a DuckDB file holds of tables and views, as texts that any change of them changes, without reading their rows.

DuckDB writes rows into blocks, and never again into a block that holds some: whoever changes a row, by a load or by
hand, has its part of the table written anew. So a table is the bytes of its blocks, what DuckDB keeps of each part in
place of a block, and which of its rows were deleted since. A view is its SQL, and what that reads.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from conversync.warehouse.query import Rows, of_duckdb
from conversync.warehouse.views import Reads, reads_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# DuckDB's three headers, after which the blocks begin: what file it is, and the two of which each commit into the file
# writes one anew.
HEADERS = 3 * 4096
# The loads that were committed; what else begins so is of dlt or ours, and no model reads it.
LOADS = "_dlt_loads"
# The view of which the clock has a say, too, beside the table of what was read: it is what it says, not what it reads.
DATED, EVIDENCE = "days", "windows"
# What a view reads of which nobody knows that.
UNKNOWN = Reads(frozenset({"?"}))
# Parts (`with`) of views and models that are small and say less than what they read, a night's new evidence least of
# all: they are what they say, too.
SMALL = frozenset({"books_days", "whole_days", "offer_names"})
# Everything that DuckDB keeps of a table but for the block's number and where the log has it.
SEGMENTS = """
    select
        row_group_id, column_path, segment_id, segment_type, start, count, compression, stats, segment_info,
        block_offset, persistent and not has_updates as is_kept, block_id, additional_block_ids
    from pragma_storage_info({name})
"""
HERE = "database_name = current_database() and not internal"
COLUMNS = f"""
    select schema_name || '.' || table_name, column_name, data_type, is_nullable, column_default, comment
    from duckdb_columns() where {HERE} order by schema_name, table_name, column_index
"""  # noqa: S608 - our own words
RELATIONS = f"""
    select schema_name || '.' || table_name, sql, comment, false from duckdb_tables() where {HERE}
    union all
    select schema_name || '.' || view_name, sql, comment, true from duckdb_views() where {HERE}
"""  # noqa: S608 - our own words
FUNCTIONS = f"""
    select schema_name, function_name, cast(parameters as varchar), macro_definition
    from duckdb_functions() where {HERE} order by all
"""  # noqa: S608 - our own words


@dataclass(frozen=True)
class Stored:
    """How a table is kept: `told` is all that is not in a block, `blocks` those of its parts, in order.

    None in place of `told`: some of it is in DuckDB's memory or log alone.
    """

    told: str | None
    blocks: tuple[int, ...]

    def digest(self, path: Path, size: int) -> str | None:
        """Of what the table holds, by its blocks of so many bytes in the file."""
        if self.told is None:
            return None
        digest, seen = hashlib.sha256(self.told.encode()), set[int]()
        with path.open("rb", buffering=0) as file:
            for block in self.blocks:
                if block >= 0 and block not in seen:
                    seen.add(block)
                    digest.update(os.pread(file.fileno(), size, HEADERS + block * size))
        return digest.hexdigest()


@dataclass
class Look:
    """What stands in the file `path` at one moment, by relations (schema.name). What cannot be known is None.

    `columns` are its tables' and views', `texts` all that the catalogue says of each, `views` what each view reads,
    `rows` what queries said that are known by that; `functions` a text of all that were made there, by schema.
    """

    path: Path
    block_size: int
    columns: Mapping[str, list[tuple[object, ...]]]
    texts: Mapping[str, str]
    views: Mapping[str, Reads]
    tables: Mapping[str, Stored]
    functions: Mapping[str, list[tuple[object, ...]]]
    rows: dict[str, str | None] = field(default_factory=dict)
    digests: dict[str, str | None] = field(default_factory=dict)

    def own(self, name: str) -> str | None:
        """A text of one relation by itself; not to be asked while this process has the file open."""
        if name not in self.digests:
            self.digests[name] = self._own(name)
        return self.digests[name]

    def _own(self, name: str) -> str | None:
        held: str | None = ""
        if name in self.tables:
            held = self.tables[name].digest(self.path, self.block_size)
        elif self.is_dated(name):
            held = self.rows.get(all_of(name))
        elif name not in self.views:
            return None
        return None if held is None else _digest(self.texts[name], held)

    def said(self, reads: Reads) -> str | None:
        """A text of all that a query says, by what it reads: it says the same as long as that is the same."""
        told: dict[str, str | None] = {}
        for one in self._through(reads, dated=False):
            told.update((sql, self.rows.get(sql)) for sql in one.parts)
            told.update((name, self.own(name)) for name in one.relations)
        return None if None in told.values() else _digest(told)

    def reach(self, reads: Reads) -> set[str]:
        """All relations that a query reads, whatever it makes of them."""
        found: set[str] = set()
        for one in self._through(reads, dated=True):
            found |= one.relations
            for inner in one.parts.values():
                found |= self.reach(inner)
        return found

    def _through(self, reads: Reads, *, dated: bool) -> Iterator[Reads]:
        """What a query reads, and what the views among that do; `dated`: also those that are what they say."""
        seen, due = set[str](), [reads]
        while due:
            yield (one := due.pop())
            for name in one.relations & self.views.keys() - seen:
                seen.add(name)
                if dated or not self.is_dated(name):
                    due.append(self.views[name])

    def ask(self, connection: DuckDBPyConnection, queries: Iterable[Reads]) -> None:
        """Finds out what is known by what it says: the views of days, and the small parts of these queries."""
        parts = (sql for reads in (*self.views.values(), *queries) for sql in reads.parts)
        for sql in (*self.dated(), *parts):
            if sql not in self.rows:
                self.rows[sql] = said_by(of_duckdb(connection), sql)

    def dated(self) -> list[str]:
        """All rows of each view that changes with the clock, as queries."""
        return [all_of(name) for name in self.views if self.is_dated(name)]

    def is_dated(self, name: str) -> bool:
        """Whether a view changes with the clock alone."""
        schema, _, table = name.partition(".")
        return table == DATED and name in self.views and f"{schema}.{EVIDENCE}" in self.tables

    @cached_property
    def shapes(self) -> str:
        """A text of which tables, views and functions there are, but for dlt's own, and of their columns and types."""
        names = [name for name in self.columns if "._" not in name]
        return _digest({name: [column[:2] for column in self.columns[name]] for name in names})


def look(connection: DuckDBPyConnection, path: Path) -> Look:
    """At a file as it was left: nothing of it is in DuckDB's log."""
    columns: dict[str, list[tuple[object, ...]]] = {}
    for name, *column in connection.execute(COLUMNS).fetchall():
        columns.setdefault(name, []).append(tuple(column))
    functions: dict[str, list[tuple[object, ...]]] = {}
    for schema, *function in connection.execute(FUNCTIONS).fetchall():
        functions.setdefault(schema, []).append(tuple(function))
    found = connection.execute(RELATIONS).fetchall()
    [[block_size]] = connection.execute("select block_size from pragma_database_size()").fetchall()
    return Look(
        path,
        block_size,
        columns,
        {name: _digest(sql, comment, columns[name]) for name, sql, comment, _ in found},
        {name: _reads(sql) for name, sql, _, is_view in found if is_view},
        {name: _stored(connection, name) for name, _, _, is_view in found if not is_view and _is_read(name)},
        functions,
    )


def said_by(rows: Rows, query: str) -> str | None:
    """A text of the rows of a query, in whatever order; None where it fails."""
    import duckdb

    asked = f"select count(*), cast(sum(hash(told)) as varchar) from ({query}) as told"  # noqa: S608 - our own queries
    try:
        return str(list(rows(asked)))
    except duckdb.Error:
        return None


def all_of(name: str) -> str:
    """All rows of a relation, as a query."""
    return f"select * from {quoted(name)}"  # noqa: S608 - our own names


def quoted(name: str) -> str:
    """A relation as SQL names it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split(".", 1))


def _is_read(name: str) -> bool:
    return "._" not in name or name.endswith(f".{LOADS}")


@cache
def _reads(view: str) -> Reads:
    try:
        return reads_of(view.partition(" AS ")[2].strip().removesuffix(";"), SMALL)
    except ValueError:
        return UNKNOWN  # somebody's own, made in a way that DuckDB cannot tell of


def _stored(connection: DuckDBPyConnection, name: str) -> Stored:
    """How a table is kept, with a text of which rows of it are there."""
    literal = "'" + quoted(name).replace("'", "''") + "'"
    segments = connection.execute(f"{SEGMENTS.format(name=literal)} order by all").fetchall()
    there = connection.execute(
        f"select count(*), cast(sum(hash(rowid)) as varchar) from {quoted(name)}"  # noqa: S608 - our own names
    ).fetchall()
    if not all(is_kept for *_, is_kept, _, _ in segments):
        return Stored(None, ())
    blocks = (number for *_, block, others in segments for number in (block, *(others or ())))
    return Stored(_digest([segment[:10] for segment in segments], there), tuple(blocks))


def _digest(*told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()

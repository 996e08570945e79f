"""Statements on disk until their window is believed, and what can be asked of them there.

A walk's statements are spooled as they come, so memory follows the page and not the window. DuckDB answers
the questions about a whole walk, within `MEMORY`, spilling beside the spool.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from conversync.extract.declared import PAGE
from conversync.extract.spill_file import SpillFile as SpillFile
from conversync.http import clock

MEMORY = "150MB"
# Rows that are ranked together, in bytes.
PART = 16 * 1024 * 1024


class SpillFiles:
    """A folder of spools that is gone when the reading is over, and the questions about them.

    `key` is the column that names an event; of two contents of one event, the one with the greater `latest` wins.
    `load_id` is that of the load which is to take them, if it wants it with each row.
    """

    def __init__(
        self,
        parent: str | None = None,
        *,
        key: str = "event_key",
        latest: str = "occurred_at",
        load_id: str | None = None,
    ) -> None:
        self._key, self._latest, self._load_id = key, latest, load_id
        self._folder = tempfile.TemporaryDirectory(prefix="conversync-spool-", dir=parent)
        self._count = 0
        self._connection: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()
        self._folder.cleanup()

    def new(self) -> SpillFile:
        """An empty spool."""
        self._count += 1
        path = Path(self._folder.name) / f"{self._count}.parquet"
        return SpillFile(path, self._key, self._load_id)

    def events(self, *spill_files: SpillFile) -> int:
        """How many distinct events the spools hold together."""
        filled = [spill_file for spill_file in spill_files if spill_file.rows]
        if len(filled) == 1 and filled[0].no_event_twice():
            return filled[0].rows
        return self._distinct(self._key, filled)

    def contents(self, spill_file: SpillFile) -> int:
        """How many distinct statements the spool holds: an event with two contents counts twice."""
        return self._distinct("statement_hash", [spill_file] if spill_file.rows else [])

    def _distinct(self, column: str, spill_files: Sequence[SpillFile]) -> int:
        if not spill_files:
            return 0
        query = f"select count(distinct {column}) from walks"  # noqa: S608
        [[found]] = self._ask(query, {"walks": _rows(spill_files, [column])}).fetchall()
        return int(found)

    def span(self, spill_file: SpillFile, day: str) -> tuple[date | None, date | None, int]:
        """The first and the last value of a column of days, and how many rows there are."""
        if not spill_file.rows:
            return None, None, 0
        query = f"select min({day}), max({day}) from scan"  # noqa: S608
        [[first, last]] = self._ask(query, {"scan": spill_file}).fetchall()
        return first, last, spill_file.rows

    def among(self, spill_files: Sequence[SpillFile], column: str, values: Sequence[Any]) -> set[Any]:
        """Which of these values of a column the spools hold."""
        filled = [spill_file for spill_file in spill_files if spill_file.rows]
        if not filled or not values:
            return set()
        query = f"""
            select distinct value from (select {column} as value from walks) where value in (select unnest(?))
        """  # noqa: S608
        return {value for [value] in self._ask(query, {"walks": _rows(filled)}, [list(values)]).fetchall()}

    def same(self, one: SpillFile, other: SpillFile) -> bool:
        """Whether two walks gave the same statements, in whatever order and however often."""
        if not one.rows or not other.rows:
            return one.rows == other.rows
        differences = """
            select count(*) from (
                (select statement_hash from one except select statement_hash from other)
                union all
                (select statement_hash from other except select statement_hash from one)
            )
        """
        return not self._count_of(differences, {"one": one, "other": other})

    def instants(self, spill_file: SpillFile, condition: str) -> int:
        """At how many different instants the events happened that are so; `condition` is SQL of our own."""
        if not spill_file.rows:
            return 0
        query = f"select count(distinct {self._latest}) from scan where {condition}"  # noqa: S608
        return self._count_of(query, {"scan": spill_file})

    def came_since(self, since: datetime, spill_file: SpillFile, before: SpillFile | None = None) -> bool:
        """Whether an event happened from the second of that instant until now; not one that stands in `before`."""
        schema = spill_file.schema
        if schema is None or not pa.types.is_timestamp(schema.field(self._latest).type):
            return False
        rows = {"scan": spill_file}
        query = f"select count(*) from scan where {self._latest} between ? and ?"  # noqa: S608
        if before is not None and before.rows:
            rows["before"] = before
            query += f" and {self._key} not in (select {self._key} from before)"  # noqa: S608
        return self._count_of(query, rows, [since.replace(microsecond=0), clock.theirs()]) > 0

    def one_each(self, spill_files: Sequence[SpillFile], without: Sequence[Any] = ()) -> SpillFile | None:
        """One statement for each event: the last walk's that has it; there, the greatest (occurred_at, hash), of
        equal ones that on the first page.

        Events `without` which it is are named by their keys. None where nothing was written, not even an empty table.
        """
        spill_files = [spill_file for spill_file in spill_files if spill_file.schema is not None]
        if not spill_files:
            return None
        if len(spill_files) == 1 and not without and self.events(spill_files[0]) == spill_files[0].rows:
            return spill_files[0]
        [schema, *_] = [one.schema for one in spill_files if one.schema is not None]
        chosen = self.new()
        chosen.write(schema.empty_table())
        values = [list(without)] if without else []
        for part in self._parts(spill_files):
            query = (
                f"select * exclude (walk, place) from ({self._ranked(part, schema.names)}) where place = 1"  # noqa: S608
            )
            if without:
                query += f" and {self._key} not in (select unnest(?))"
            reader = self._ask(query, {"walks": _walks(spill_files)}, values).to_arrow_reader(20_000)
            for batch in reader:
                chosen.write(pa.Table.from_batches([batch]).cast(schema))
        chosen.close()
        return chosen

    def superseded(
        self, spill_files: Sequence[SpillFile], columns: Sequence[str]
    ) -> Iterator[tuple[str, str]]:
        """(key, JSON of `columns`) of each content that lost against another one in the same walk."""
        spill_files = [spill_file for spill_file in spill_files if spill_file.rows]
        if all(self.events(spill_file) == spill_file.rows for spill_file in spill_files):
            return
        row = ", ".join(f'"{name}" := "{name}"' for name in columns)
        for part in self._parts(spill_files):
            query = f"""
                with ranked as materialized ({self._ranked(part)}),
                kept as (select {self._key}, walk, statement_hash from ranked where place = 1)
                select distinct ranked.{self._key}, cast(to_json(struct_pack({row})) as varchar)
                from ranked join kept using ({self._key}, walk)
                where ranked.statement_hash <> kept.statement_hash
                order by all
            """  # noqa: S608
            yield from self._ask(query, {"walks": _walks(spill_files)}).fetchall()

    def superseded_across(
        self, spill_files: Sequence[SpillFile], columns: Sequence[str]
    ) -> Iterator[tuple[str, str]]:
        """As `superseded`, of contents that came in other spools, under another `latest` than the one that is kept."""
        spill_files = [spill_file for spill_file in spill_files if spill_file.rows]
        if len(spill_files) < 2 or self.events(*spill_files) == sum(
            spill_file.rows for spill_file in spill_files
        ):
            return
        row = ", ".join(f'"{name}" := ranked."{name}"' for name in columns)
        for part in self._parts(spill_files):
            query = f"""
                with ranked as materialized (
                    select *, row_number() over (
                        partition by {self._key} order by {self._latest} desc, statement_hash desc
                    ) as place
                    from walks where {part}
                ),
                kept as (select {self._key}, {self._latest}, statement_hash from ranked where place = 1)
                select distinct {self._key}, cast(to_json(struct_pack({row})) as varchar)
                from ranked join kept using ({self._key})
                where ranked.statement_hash <> kept.statement_hash and ranked.{self._latest} <> kept.{self._latest}
                order by all
            """  # noqa: S608
            yield from self._ask(query, {"walks": _walks(spill_files)}).fetchall()

    def holds(self, spill_files: Sequence[SpillFile], condition: str) -> bool:
        """Whether any row is so; `condition` is SQL of our own."""
        filled = [spill_file for spill_file in spill_files if spill_file.rows]
        query = f"select count(*) from walks where {condition}"  # noqa: S608
        return bool(filled) and self._count_of(query, {"walks": _rows(filled)}) > 0

    def latest(self, spill_files: Sequence[SpillFile], column: str, condition: str) -> Any:
        """The greatest value of a column, of the rows that are so; None where there is none."""
        filled = [spill_file for spill_file in spill_files if spill_file.rows]
        if not filled:
            return None
        query = f"select max({column}) from walks where {condition}"  # noqa: S608
        [[found]] = self._ask(query, {"walks": _rows(filled)}).fetchall()
        return found

    def absent(self, spill_files: Sequence[SpillFile], keys: pa.Table) -> list[Any]:
        """The keys of a table of one column, named as the key is, that the spools do not hold."""
        filled = [spill_file for spill_file in spill_files if spill_file.rows]
        if not filled:
            return list(keys.column(0).to_pylist())
        query = f"select {self._key} from wanted anti join walks using ({self._key})"  # noqa: S608
        found = self._ask(query, {"wanted": keys, "walks": _rows(filled, [self._key])}).fetchall()
        return [key for [key] in found]

    def alike(
        self, spill_files: Sequence[SpillFile], wanted: pa.Table, columns: Sequence[str], condition: str
    ) -> list[dict[str, Any]]:
        """The rows that are as one of the wanted in all its columns, null as null, each once, by these columns.

        `condition` is SQL of our own on these columns.
        """
        filled = [spill_file for spill_file in spill_files if spill_file.rows]
        if not filled or not wanted.num_rows:
            return []
        same = " and ".join(
            f"walks.{name} is not distinct from wanted.{name}" for name in wanted.column_names
        )
        query = (
            f"select distinct {', '.join(columns)} from walks semi join wanted on {same} where {condition}"  # noqa: S608
        )
        walks = _rows(filled, list(dict.fromkeys([*columns, *wanted.column_names])))
        found = self._ask(query, {"wanted": wanted, "walks": walks}).to_arrow_table()
        return list(found.to_pylist())

    def left_out(
        self,
        others: Sequence[SpillFile],
        spill_files: Sequence[SpillFile],
        columns: Sequence[str],
        day: str,
        among: Sequence[tuple[date, date]],
    ) -> list[dict[str, Any]]:
        """Of each event that only the others hold, and not the spools, its key, these columns, and its `day`.

        `day` is SQL of a date. Only those among these days, both ends included.
        """
        others, spill_files = (
            [spill_file for spill_file in some if spill_file.rows] for some in (others, spill_files)
        )
        if not others or not among:
            return []
        days = " or ".join(f"{day} between '{first}' and '{last}'" for first, last in among)
        kept = f"{self._key} not in (select {self._key} from walks where {{part}})"  # noqa: S608
        found: list[dict[str, Any]] = []
        for part in self._parts([*others, *spill_files]):
            query = f"""
                select distinct on ({self._key}) {", ".join([self._key, *columns])}, {day} as day
                from others
                where {part} and ({days}) {"and " + kept.format(part=part) if spill_files else ""}
                order by {self._key}, statement_hash
            """  # noqa: S608
            named = {"others": _walks(others)}
            if spill_files:
                named["walks"] = _walks(spill_files, [self._key])
            found += self._ask(query, named).to_arrow_table().to_pylist()
        return found

    def _parts(self, spill_files: Sequence[SpillFile]) -> Iterator[str]:
        """Conditions that each take some of the events with all their rows, about `PART` bytes; together all of them.

        DuckDB sorts whole rows in more memory than it is allowed: so it is given few at a time.
        """
        parts = sum(spill_file.size for spill_file in spill_files) // PART + 1
        return (f"hash({self._key}) % {parts} = {number}" for number in range(parts))

    def _ranked(self, part: str, columns: Sequence[str] = ()) -> str:
        order = f"walk desc, {self._latest} desc, statement_hash desc"
        order += f", {PAGE.name}" if PAGE.name in columns else ""
        place = f"row_number() over (partition by {self._key} order by {order}) as place"
        return f"select *, {place} from walks where {part}"  # noqa: S608

    def _count_of(self, query: str, rows_of: Mapping[str, Any], values: Sequence[Any] = ()) -> int:
        """How many there are, never whether there is one: Arrow reads on where a question ends before its file does.

        Then it reads what is not there any more, and the process ends.
        """
        [[found]] = self._ask(query, rows_of, values).fetchall()
        return int(found)

    def _ask(self, query: str, rows_of: Mapping[str, Any], values: Sequence[Any] = ()) -> Any:
        if self._connection is None:
            import duckdb

            config: dict[str, Any] = {
                "memory_limit": MEMORY,
                "threads": 2,
                "temp_directory": f"{self._folder.name}/spill",
            }
            self._connection = duckdb.connect(config=config)
        for name, rows in rows_of.items():
            self._connection.unregister(name)
            self._connection.execute(f"drop view if exists {name}")
            if isinstance(rows, SpillFile):
                self._connection.read_parquet(str(rows.path)).create_view(name)
            else:
                self._connection.register(name, rows)
        return self._connection.execute(query, list(values))


def _rows(
    spill_files: Sequence[SpillFile], columns: Sequence[str] | None = None
) -> SpillFile | pa.RecordBatchReader:
    """The rows of them all, with these columns at least; a single file is read by DuckDB itself."""
    return spill_files[0] if len(spill_files) == 1 else _walks(spill_files, columns)


def _walks(spill_files: Sequence[SpillFile], columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
    """The rows of them all, with these columns or all, each with the number of its spool as `walk`; to be read once.

    One stream, however many files: DuckDB would need memory for each of several, and a dataset reads ahead in each.
    """
    [schema, *_] = [spill_file.schema for spill_file in spill_files if spill_file.schema is not None]
    if columns is not None:
        schema = pa.schema([schema.field(name) for name in columns])
    number = pa.field("walk", pa.int64())

    def batches() -> Iterator[pa.RecordBatch]:
        for scan, spill_file in enumerate(spill_files):
            for table in spill_file.tables(columns) if spill_file.rows else ():
                rows = table.select(schema.names).cast(schema)
                yield from rows.append_column(number, pa.repeat(scan, rows.num_rows)).to_batches()

    return pa.RecordBatchReader.from_batches(schema.append(number), batches())

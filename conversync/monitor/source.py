"""One source's tables and views, and what they say of it: freshness, completeness, lateness, what was set aside."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any

import pendulum

from conversync.extract.lookback import InUse
from conversync.extract.windows import DAY
from conversync.monitor.day_figures import Completeness, Day, Volume, completeness, volume
from conversync.monitor.views import DAYS, LATENESS, judged
from conversync.types import Document, Restored, SqlClient, Values
from conversync.vendors import Vendor, dataset, parted
from conversync.warehouse import query as asking

# What came in the day before the last load is new: a night's run, and one that was repeated.
NEW_WITHIN = pendulum.duration(hours=24)
REASONS = 3
# The view that tells what the vendor serves no more.
CONVERSIONS = "conversions"


@dataclass(frozen=True)
class TableHealth:
    """One table: its rows, the day of its newest one, and through which day it is read, where it has days."""

    dataset: str
    table: str
    rows: int
    newest: str | None = None
    through: str | None = None
    last_loaded: str | None = None


@dataclass(frozen=True)
class StreamHealth:
    """One listing of a source: when it was last read, and which of its days were.

    `last_read` is when it last reached its present, if it ever did: a reading of old days alone is no news. None where
    a load set out to read it, and never came to it.
    """

    stream: str
    last_read: datetime | None
    days: Completeness
    is_current: bool = True
    """Whether the settings of the last load still name it; what left them is no alarm."""
    was_read_since: bool = False
    """Whether a reading came after `last_read`, then: one of earlier days, as a backfill's or a shard's."""


@dataclass(frozen=True)
class Lateness:
    """How many days after its conversion a reversal became known: of `rows` of them, on days watched `watched_days`.

    As the view `lateness` has it, where the same is said in full. `latest` is the latest of all, of young days too.
    """

    rows: int
    watched_days: int
    days_for_half: int | None
    days_for_95_percent: int | None
    latest: int | None


@dataclass(frozen=True)
class Rejects:
    """Rows that are set aside and open: all, those new in the last day of loads, the most frequent reasons."""

    rows: int = 0
    new: int = 0
    reasons: tuple[tuple[str, int], ...] = ()


@dataclass
class SourceHealth:
    """What is known of one source; `last_load` is None where no load of it was ever committed whole."""

    source: str
    expected: bool = True
    """Whether it has its settings here, so that it ought to be loaded."""
    last_load: datetime | None = None
    through: str | None = None
    tables: list[TableHealth] = field(default_factory=list)
    streams: list[StreamHealth] = field(default_factory=list)
    are_days_known: bool = True
    """Whether the view `days` is there: a load of a version before it, or one that did not end, left none."""
    lateness: Lateness | None = None
    lookbacks: list[InUse] = field(default_factory=list)
    """How many days back its nights read, by setting, and how sure that is where it is "auto"."""
    rejects: Rejects = field(default_factory=Rejects)
    new_fields: tuple[str, ...] = ()
    withdrawn: int = 0
    """Conversions that the vendor serves no more, in days that were read whole."""
    volume: Volume | None = None

    @property
    def dataset(self) -> str:
        """Where its tables are."""
        return dataset(*parted(self.source))

    def current(self) -> list[StreamHealth]:
        """The streams that the settings still name."""
        return [stream for stream in self.streams if stream.is_current]

    def days(self, name: str) -> list[date]:
        """The days of any current stream that were `never` read, or read `short`."""
        return sorted({day for stream in self.current() for day in getattr(stream.days, name)})


class Tables:
    """The tables of one dataset, through an open sql_client of dlt's."""

    def __init__(self, client: SqlClient, names: Sequence[str]) -> None:
        self._client = client
        self.names = sorted(names)
        self._columns: set[tuple[str, str]] | None = None

    def ask(self, query: str, table: str, *values: object, **words: str) -> Sequence[Values]:
        """The rows of a query, `{table}` being the table and `{loads}` the loads of the dataset."""
        places = {"table": table, "loads": "_dlt_loads"}
        qualified = {name: self._client.make_qualified_table_name(place) for name, place in places.items()}
        return asking.rows(self._client, query.format(**qualified, **words), *values)

    def ask_view(self, query: str, view: str, column: str, **words: str) -> Sequence[Values] | None:
        """The same of a view with this column; None without it, also where it goes in this very moment."""
        from conversync.dlt_internals import DatabaseUndefinedRelation

        if not self.has(view, column):
            return None
        try:
            return self.ask(query, view, **words)
        except DatabaseUndefinedRelation:
            return None

    @property
    def dialect(self) -> str | None:
        """Whose SQL is spoken there."""
        return self._client.capabilities.sqlglot_dialect

    def column(self, name: str) -> str:
        """A column's name, as the destination takes it."""
        return str(self._client.escape_column_name(name))

    def has(self, table: str, column: str) -> bool:
        """Whether a table, or a view, has a column."""
        if self._columns is None:
            *_, dataset = self._client.make_qualified_table_name_path(None, quote=False)
            found = asking.rows(self._client, _COLUMNS, dataset)
            self._columns = {(str(name).lower(), str(own).lower()) for name, own in found}
        return (table, column) in self._columns


def _through(state: Restored) -> Any:
    """The cursor that is furthest behind; None where there is none."""
    cursors = [one["through"] for one in state.values() if isinstance(one, dict) and "through" in one]
    return min(cursors, default=None)


def look(
    tables: Tables, vendor: Vendor, state: Restored, first: date | None, today: date, hours: float
) -> SourceHealth:
    """What is known of a source: its days from `first` to yesterday, or from the first read to the last.

    After `hours` without a reading a stream is stale, and the days that it owes were never read.
    """
    found = SourceHealth(vendor.label)
    readings = _readings(tables) if "windows" in tables.names else []
    found.last_load = max((loaded for loaded, _, _ in readings), default=None)
    found.through = _through(state)
    found.tables = list(_tables(tables, vendor, found))
    if found.last_load is None:
        return found
    told = _days(tables, hours)
    found.are_days_known, days = told is not None, told or []
    found.streams += _streams(vendor, days, first, today - DAY if first else None)
    since = found.last_load - NEW_WITHIN
    found.rejects = _rejects(tables, readings, since)
    found.new_fields = _new_fields(readings, since)
    found.lateness = _lateness(tables)
    found.withdrawn = _withdrawn(tables)
    for table, reversal in vendor.statements.items():
        if table in tables.names and table in vendor.days:
            found.volume = _volume(tables, table, vendor.days[table], reversal, days)
    return found


def _streams(
    vendor: Vendor, days: Iterable[Day], first: date | None, last: date | None
) -> Iterator[StreamHealth]:
    """How complete each stream is; of a list, when it was read."""
    for stream, rows in groupby(days, lambda one: one.stream):
        own = list(rows)
        told = completeness(own, first, last) if vendor.days else Completeness()
        last_read, read_at = own[0].last_read, [one.reading[2] for one in own]
        since = any(at is not None and last_read and _utc(at) > last_read for at in read_at)
        yield StreamHealth(stream, last_read, told, own[0].is_current, since)


# When a load was committed, how many rows its reading set aside anew, and which fields were unknown.
Told = tuple[datetime, int, tuple[str, ...]]


def _readings(tables: Tables) -> list[Told]:
    """The evidence of whole loads. What a killed run left on a destination without transactions is not among it."""
    rows = tables.ask(_READINGS, "windows")
    return [(_utc(loaded), new or 0, tuple(_object(unknown))) for new, unknown, loaded in rows]


def _days(tables: Tables, hours: float) -> list[Day] | None:
    """None without the view."""
    rows = tables.ask_view(_DAYS, DAYS, "state", state=judged(hours, tables.dialect))
    return (
        None
        if rows is None
        else [
            Day(
                stream, day, state, int(missing), (start, end, read_at), last and _utc(last), bool(is_current)
            )
            for stream, day, state, missing, start, end, read_at, last, is_current in rows
        ]
    )


def _tables(tables: Tables, vendor: Vendor, found: SourceHealth) -> Iterator[TableHealth]:
    loaded = f"{found.last_load:%Y-%m-%d %H:%M}" if found.last_load else None
    for table in tables.names:
        day = vendor.days.get(table)
        newest = f"max({tables.column(day)})" if day else "null"
        [[rows, last]] = tables.ask("select count(*), {newest} from {table}", table, newest=newest)
        through = found.through if day else None
        yield TableHealth(
            vendor.dataset, table, rows, str(last) if last is not None else None, through, loaded
        )


def _rejects(tables: Tables, readings: Sequence[Told], since: datetime) -> Rejects:
    """Those that are open: what the vendor mended, or serves no more, is not counted."""
    if "rejected_rows" not in tables.names:
        return Rejects()
    is_open = "resolved_at is null" if tables.has("rejected_rows", "resolved_at") else "true"
    by_reason = [
        (str(reason), int(rows)) for reason, rows in tables.ask(_REJECTS, "rejected_rows", is_open=is_open)
    ]
    rows = sum(count for _, count in by_reason)
    new = sum(new for loaded, new, _ in readings if loaded > since)
    return Rejects(rows, min(new, rows), tuple(by_reason[:REASONS]))


def _new_fields(readings: Sequence[Told], since: datetime) -> tuple[str, ...]:
    """Fields that no document knows, and that no earlier reading had."""
    earlier = {name for loaded, _, names in readings if loaded <= since for name in names}
    lately = {name for loaded, _, names in readings if loaded > since for name in names}
    return tuple(sorted(lately - earlier))


def _lateness(tables: Tables) -> Lateness | None:
    """As the view has it; None where no reversal is known, or the vendor has none."""
    rows = tables.ask_view(_LATENESS, LATENESS, "watched_days") or []
    return next((Lateness(*map(_number, row)) for row in rows if row[-1] is not None), None)


def _number(value: Any) -> Any:
    return None if value is None else int(value)


def _withdrawn(tables: Tables) -> int:
    query = "select count(*) from {table} where withdrawn_at is not null"
    return sum(int(count) for (count,) in tables.ask_view(query, CONVERSIONS, "withdrawn_at") or ())


def _volume(tables: Tables, table: str, day: str, reversal: str | None, days: Sequence[Day]) -> Volume | None:
    counts = tables.ask(_BY_DAY.replace("{reversal}", reversal or "false"), table, day=tables.column(day))
    read = (one.day for one in days if one.stream == "conversions" and one.state in ("whole", "short"))
    return volume({own: rows for own, rows in counts if own is not None}, read)


def _utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def _object(value: Any) -> Document:
    return dict(json.loads(value) if isinstance(value, str) else value or {})


_COLUMNS = "select table_name, column_name from information_schema.columns where table_schema = %s"
_READINGS = """
    select w.rejected_new, w.unknown_fields, l.inserted_at
    from {table} as w inner join {loads} as l on w._dlt_load_id = l.load_id
    where l.status = 0
"""
_DAYS = """
    select stream, day, {state} as state, missing, window_start, window_end, read_at, last_read, is_current
    from {table} order by stream, day
"""
_REJECTS = """
    select reason, count(*) from {table} where {is_open} group by reason order by 2 desc, 1
"""
_LATENESS = """
    select reversals, watched_days, days_for_half, days_for_95_percent, latest_days from {table}
"""
_BY_DAY = "select {day}, count(*) from {table} where valid_to is null and not ({reversal}) group by 1"

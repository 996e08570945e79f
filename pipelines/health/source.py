"""One source's tables, and what they say of it: freshness, completeness, lateness, what was set aside."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pipelines.health.days import (
    NARROWING,
    Completeness,
    Reading,
    Volume,
    completeness,
    percentile,
    volume,
)
from pipelines.vendors import Vendor
from sources.infobip.pairs import Pair

# What came in the day before the last load is new: a night's run, and one that was repeated.
NEW_WITHIN = timedelta(hours=24)
LATE_WITHIN = timedelta(days=90)
# A day first looked at so late does not tell when its rows came.
FIRST_LOOK = 2
REASONS = 3


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
    """One listing of a source: when it was last read, and which of its days were."""

    stream: str
    last_read: datetime
    days: Completeness


@dataclass(frozen=True)
class Lateness:
    """How many days after its own day a statement, or a reversal, came to be known (UTC days)."""

    what: str
    rows: int
    days_p50: int | None
    days_p99_9: int | None
    days_max: int | None


@dataclass(frozen=True)
class Rejects:
    """Rows that were set aside: all, those new in the last day of loads, and the most frequent reasons."""

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
    lateness: list[Lateness] = field(default_factory=list)
    rejects: Rejects = field(default_factory=Rejects)
    new_fields: tuple[str, ...] = ()
    volume: Volume | None = None

    def days(self, name: str) -> list[date]:
        """The days of any stream that were `never` read, or read `short`."""
        return sorted({day for stream in self.streams for day in getattr(stream.days, name)})


class Tables:
    """The tables of one dataset, through an open sql_client of dlt's."""

    def __init__(self, client: Any, names: Sequence[str]) -> None:
        self._client = client
        self.names = sorted(names)

    def ask(self, query: str, table: str, *values: Any, **words: str) -> list[Any]:
        """The rows of a query, `{table}` being the table and `{loads}` the loads of the dataset."""
        places = {"table": table, "loads": "_dlt_loads"}
        qualified = {name: self._client.make_qualified_table_name(place) for name, place in places.items()}
        return list(self._client.execute_sql(query.format(**qualified, **words), *values) or [])

    def column(self, name: str) -> str:
        """A column's name, as the destination takes it."""
        return str(self._client.escape_column_name(name))


def look(
    tables: Tables, vendor: Vendor, state: Mapping[str, Any], first: date | None, today: date
) -> SourceHealth:
    """Looks at everything; days from `first` to yesterday, or from the first read to the last."""
    found = SourceHealth(vendor.name)
    readings = _readings(tables) if "windows" in tables.names else []
    found.last_load = max((reading.loaded_at for reading in readings), default=None)
    cursors = [one["through"] for one in state.values() if isinstance(one, dict) and "through" in one]
    found.through = min(cursors, default=None)
    found.tables = list(_tables(tables, vendor, found))
    last = today - timedelta(days=1) if first else None
    by_stream = _current(readings, state)
    for stream, own in sorted(by_stream.items()):
        days = completeness(own, first, last) if vendor.days else Completeness()
        found.streams.append(StreamHealth(stream, max(one.read_at for one in own), days))
    if found.last_load is not None:
        since = found.last_load - NEW_WITHIN
        found.rejects = _rejects(tables, readings, since)
        found.new_fields = _new_fields(readings, since)
    for table, reversal in vendor.statements.items():
        if table in tables.names and table in vendor.days:
            found.lateness += _lateness(tables, table, vendor.days[table], reversal, readings)
            found.volume = _volume(tables, table, vendor.days[table], reversal, readings)
    return found


def _readings(tables: Tables) -> list[Reading]:
    """The evidence of whole loads. What a killed run left on a destination without transactions is not among it."""
    found = []
    rows = tables.ask(_READINGS, "windows")
    for stream, start, end, read_at, filters, announced, received, new, unknown, load, loaded in rows:
        found.append(
            Reading(
                stream,
                start,
                end,
                _utc(read_at),
                _utc(loaded),
                float(load),
                announced is not None and received < announced,
                not NARROWING.isdisjoint(_object(filters)),
                new or 0,
                tuple(_object(unknown)),
            )
        )
    return found


def _current(readings: Sequence[Reading], state: Mapping[str, Any]) -> dict[str, list[Reading]]:
    """By stream; without those of Infobip's pairs that left the settings, which its state forgets."""
    pairs = set[str]()
    for cursor in state:
        with suppress(ValueError, TypeError):
            pairs.add(str(Pair(*json.loads(cursor))))
    streams = defaultdict(list)
    for reading in readings:
        _, _, pair = reading.stream.partition(" ")
        if not pairs or pair in pairs:
            streams[reading.stream].append(reading)
    return streams


def _tables(tables: Tables, vendor: Vendor, found: SourceHealth) -> Iterator[TableHealth]:
    loaded = f"{found.last_load:%Y-%m-%d %H:%M}" if found.last_load else None
    for table in tables.names:
        day = vendor.days.get(table)
        newest = f"max({tables.column(day)})" if day else "null"
        [[rows, last]] = tables.ask("select count(*), {newest} from {table}", table, newest=newest)
        through = found.through if day else None
        yield TableHealth(vendor.name, table, rows, str(last) if last is not None else None, through, loaded)


def _rejects(tables: Tables, readings: Sequence[Reading], since: datetime) -> Rejects:
    if "rejected_rows" not in tables.names:
        return Rejects()
    by_reason = [(str(reason), int(rows)) for reason, rows in tables.ask(_REJECTS, "rejected_rows")]
    new = sum(one.rejected_new for one in readings if one.loaded_at > since)
    return Rejects(sum(rows for _, rows in by_reason), new, tuple(by_reason[:REASONS]))


def _new_fields(readings: Sequence[Reading], since: datetime) -> tuple[str, ...]:
    """Fields that no document knows, and that no earlier reading had."""
    earlier = {name for one in readings if one.loaded_at <= since for name in one.unknown}
    lately = {name for one in readings if one.loaded_at > since for name in one.unknown}
    return tuple(sorted(lately - earlier))


def _lateness(
    tables: Tables, table: str, day: str, reversal: str | None, readings: Sequence[Reading]
) -> Iterator[Lateness]:
    """Of what came in the last 90 days, by the day under which the vendor files it: so far must a lookback reach.

    What a first look at a day brought, more than two days later, is left out: nobody knows when it came.
    """
    loaded = {reading.load: reading.loaded_at for reading in readings}
    first_look: dict[date, float] = {}
    for reading in sorted(readings, key=lambda one: -one.load):
        first_look.update(dict.fromkeys(_touched(reading), reading.load))
    counts: dict[str, Counter[int]] = {"statements": Counter(), "reversals": Counter()}
    newest = max(loaded.values(), default=datetime.now(UTC))
    query = _ARRIVALS.replace("{reversal}", reversal or "false")
    for own, load, rows, reversals in tables.ask(query, table, day=tables.column(day)):
        at = loaded.get(float(load))
        if at is None or own is None or newest - at > LATE_WITHIN:
            continue
        days = max(0, (at.date() - own).days)
        if days <= FIRST_LOOK or first_look.get(own, float(load)) < float(load):
            counts["statements"][days] += rows
            counts["reversals"][days] += reversals or 0
    for what, found in counts.items():
        if total := sum(found.values()):
            some = +found
            yield Lateness(what, total, percentile(some, 0.5), percentile(some, 0.999), max(some))


def _touched(reading: Reading) -> Iterator[date]:
    for number in range((reading.end - reading.start).days + 1):
        yield reading.start + timedelta(days=number)


def _volume(
    tables: Tables, table: str, day: str, reversal: str | None, readings: Sequence[Reading]
) -> Volume | None:
    counts = tables.ask(_BY_DAY.replace("{reversal}", reversal or "false"), table, day=tables.column(day))
    whole = (one for one in readings if one.stream == "conversions" and not one.narrowed)
    return volume(
        {own: rows for own, rows in counts if own is not None}, (one for r in whole for one in r.whole_days())
    )


def _utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def _object(value: Any) -> dict[str, Any]:
    return dict(json.loads(value) if isinstance(value, str) else value or {})


_READINGS = """
    select w.stream, w.window_start, w.window_end, w.read_at, w.filters, w.announced, w.received, w.rejected_new,
           w.unknown_fields, w._dlt_load_id, l.inserted_at
    from {table} as w inner join {loads} as l on w._dlt_load_id = l.load_id
    where l.status = 0
"""
_REJECTS = """
    select reason, count(*) from {table} group by reason order by 2 desc, 1
"""
_ARRIVALS = """
    select {day}, _dlt_load_id, count(*), sum(case when {reversal} then 1 else 0 end) from {table} group by 1, 2
"""
_BY_DAY = "select {day}, count(*) from {table} where valid_to is null and not ({reversal}) group by 1"

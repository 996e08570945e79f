"""What is measured of the lookbacks that set themselves (see extract/lookback.py), out of what the loads left.

Once a run, before its windows are planned: of the loads since the last look, their windows and how many rows each
brought of which day. What it costs follows what came; the first look goes through all that there is, once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, date
from itertools import groupby
from typing import Any, NamedTuple

from conversync.extract.columns import zone as zone_of
from conversync.extract.lookback import STATE, Lookback, auto, watch
from conversync.types import Document, Pipeline, Restored, Settings, SqlClient
from conversync.vendors import Vendor
from conversync.warehouse import merging, views
from conversync.warehouse.query import rows

# Readings of everybody: one that was narrowed to a user or an offer says nothing of a day.
_WINDOWS = """
    select w._dlt_load_id, w.stream, w.window_start, w.window_end, w.read_at
    from windows as w
    inner join _dlt_loads as l on w._dlt_load_id = l.load_id
    where l.status = 0 and w._dlt_load_id > '{after}' and (
        w.filters is null
        or not (
            cast(w.filters as varchar) like '%"user_id":%'
            or cast(w.filters as varchar) like '%"offer_id":%'
            or cast(w.filters as varchar) like '%"type":%'
        )
    )
    order by w._dlt_load_id, w.window_start, w.window_end
"""
_CAME = """
    with late as (
        select * from {log} where _dlt_load_id > '{after}' and ({rows})
    )

    select late._dlt_load_id, {day} as day, count(*) as rows_of_day
    from late
    {beside}
    group by late._dlt_load_id, {day}
"""


class _Window(NamedTuple):
    load: str
    stream: str
    start: date
    end: date
    on: date


def measured(pipeline: Pipeline, vendor: Vendor, settings: Settings, state: Restored) -> Document:
    """The state of a source with what was measured of it until now; the same where no lookback is "auto"."""
    found = {**state, STATE: deepcopy(dict(state.get(STATE, {})))}
    logs = [one for one in auto(settings, vendor.lookbacks) if one.log]
    if not logs:
        return dict(state)
    for one in logs:
        watch(found, settings, one)
    if pipeline.default_schema_name:
        known = set(pipeline.default_schema.data_table_names(seen_data_only=True))
        with pipeline.sql_client() as client:
            for one in logs:
                if {"windows", one.log} <= known:
                    _add(client, one, found, settings)
    return found


def note(pipeline: Pipeline, vendor: Vendor, settings: Settings, state: Restored) -> Document:
    """As `measured`, and puts it into the pipeline's state, to be committed with the next rows."""
    found = measured(pipeline, vendor, settings, state)
    if found.get(STATE) != state.get(STATE):
        with pipeline.managed_state() as kept:
            kept.setdefault("sources", {}).setdefault(vendor.name, {})[STATE] = deepcopy(found[STATE])
    return found


def _add(client: SqlClient, lookback: Lookback, state: Document, settings: Settings) -> None:
    """What the loads since the last look brought."""
    own, noted = watch(state, settings, lookback)
    after = str(noted.get("after", ""))
    readings = list(_windows(client, lookback, settings, after))
    if not readings:
        return
    came = _came(client, lookback, after)
    for load, windows in groupby(readings, lambda one: one.load):
        read = list(windows)
        mine = [one[2:] for one in read if one.stream == lookback.stream]
        own.take(came.get(load, []), max(one.on for one in read), mine)
        noted["after"] = load


def _windows(client: SqlClient, lookback: Lookback, settings: Settings, after: str) -> Iterator[_Window]:
    zone = zone_of(settings[lookback.zone], lookback.zone) if lookback.zone else UTC
    for load, stream, start, end, at in rows(client, _portable(client, _WINDOWS.format(after=after))):
        instant = at if at.tzinfo else at.replace(tzinfo=UTC)
        yield _Window(load, stream, start, end, instant.astimezone(zone).date())


def _came(client: SqlClient, lookback: Lookback, after: str) -> Mapping[str, Sequence[tuple[date, int]]]:
    """By load, the rows of each day."""
    if after:
        merging.find_by_index(client)
    words = {name: getattr(lookback, name) for name in ("day", "log", "beside", "rows")}
    query = _CAME.format(after=after, **words)
    found: dict[str, list[Any]] = defaultdict(list)
    for load, day, count in rows(client, _portable(client, query)):
        if day is not None:
            found[load].append((day, int(count)))
    return found


def _portable(client: SqlClient, query: str) -> str:
    dialect = client.capabilities.sqlglot_dialect or "duckdb"
    return views.portable(query, views.in_dataset(client, dialect), dialect)

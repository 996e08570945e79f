"""The order of loads is their own, not the clock's.

dlt names a load after the clock, dates its statements by that name, and restores the state of the load with the
greatest one. A clock that ran ahead for a night would so be obeyed until time has caught up with it: every night would
begin where that one ended, and a statement could end before it began. Here the state with the greatest version is the
newest, and a new load comes after all that the dataset holds, whatever the clock says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import timedelta

import pendulum

from conversync.span_words import words
from conversync.types import Document, Pipeline, SqlClient

# So far after the newest load lies the next one where the clock is behind: more than the microsecond of a timestamp.
MOMENT = 0.001
# A clock that is behind by less is no news: machines set theirs right all the time.
TOLERANCE = pendulum.duration(minutes=1)

_NEWEST = """
    select s.version, s.state from {state} as s inner join {loads} as l on l.load_id = s._dlt_load_id
    where l.status = 0 and s.pipeline_name = %s and s.version = (
        select max(s.version) from {state} as s inner join {loads} as l on l.load_id = s._dlt_load_id
        where l.status = 0 and s.pipeline_name = %s
    )
    order by s._dlt_load_id desc
"""
_NEWEST_SCHEMA = """
    select version, schema from {versions}
    where schema_name = %s and version = (select max(version) from {versions} where schema_name = %s)
    order by inserted_at desc
"""


def take_newest_state(pipeline: Pipeline) -> None:
    """Puts the newest state in the place of the one that dlt restored; every load that changes it counts it up.

    Of two that were counted from the same one, as older versions of this program could leave them, the later load's.
    """
    if not pipeline.default_schema_name:
        return
    _take_newest_schema(pipeline)
    with pipeline.sql_client() as client:
        version, newest = newest_state(client, client.make_qualified_table_name, pipeline.pipeline_name)
    if version <= pipeline.state["_state_version"]:
        return
    with pipeline.managed_state() as state:
        state["sources"] = newest.get("sources", {})
        state["_state_version"] = version


def newest_state(client: SqlClient, place: Callable[[str], str], name: str) -> tuple[int, Document]:
    """The newest state of a pipeline, with its version: -1 where there is none. `place` qualifies its tables' names."""
    from conversync.dlt_internals import decompress_state

    places = {"state": place("_dlt_pipeline_state"), "loads": place("_dlt_loads")}
    rows = client.execute_sql(_NEWEST.format(**places), name, name) or []
    if not rows:
        return -1, {}
    version, text = rows[0]
    return int(version), dict(decompress_state(text))


def _take_newest_schema(pipeline: Pipeline) -> None:
    """Likewise the newest schema, which dlt takes to be the one that was written last by the clock."""
    from conversync.dlt_internals import DestinationUndefinedEntity, Schema

    with pipeline.sql_client() as client:
        query = _NEWEST_SCHEMA.format(versions=client.make_qualified_table_name("_dlt_version"))
        try:
            rows = client.execute_sql(query, pipeline.default_schema_name, pipeline.default_schema_name)
        except DestinationUndefinedEntity:
            return  # somebody dropped it, and the next load makes it anew
    if rows and rows[0][0] > pipeline.default_schema.version:
        pipeline.schemas.save_schema(Schema.from_dict(json.loads(rows[0][1])))


def newest_load(pipeline: Pipeline, statements: Iterable[str]) -> float:
    """The latest time by which the dataset knows a load, in seconds since 1970; 0 where there is none.

    Loads that a kill left half done count, too: where a destination commits table by table, their statements stand.
    """
    if not pipeline.default_schema_name:
        return 0.0
    known = set(pipeline.default_schema.data_table_names(seen_data_only=True))
    with pipeline.sql_client() as client:
        place = client.make_qualified_table_name("_dlt_loads")
        [[load]] = client.execute_sql(f"select max(load_id) from {place}")  # noqa: S608 - our own names
        times = [float(load or 0)]
        for table in sorted(known.intersection(statements)):
            place = client.make_qualified_table_name(table)
            [row] = client.execute_sql(f"select max(valid_from), max(valid_to) from {place}")  # noqa: S608 - as above
            times += [pendulum.instance(one).timestamp() for one in row if one is not None]
    return max(times)


def come_after(newest: float) -> None:
    """Every load that is begun from now on in this process is later than `newest`."""
    from conversync.dlt_internals import increasing_precise_time as clock

    # dlt lets the names of a process's loads only rise. It offers no way to tell it of the loads of other processes.
    with clock._lock:  # noqa: SLF001
        clock._last = max(clock._last, newest) + MOMENT  # noqa: SLF001


def behind(newest: float) -> str | None:
    """The sentence about a clock that shows a time before the newest load; None where all is well."""
    now = pendulum.now("UTC")
    if not newest or (late := pendulum.from_timestamp(newest) - now) <= TOLERANCE:
        return None
    return (
        f"this machine's clock ({now:%Y-%m-%d %H:%M} UTC) is {words(late)} behind the newest load, so one of the two "
        "was wrong: set the clock (NTP). What is loaded now counts as loaded after it"
    )


def apart(ahead: timedelta) -> str | None:
    """The sentence about a clock that is so far ahead of the vendor's, behind where negative; None where it is not."""
    if not ahead:
        return None
    what = f"this machine's clock is {words(ahead)} {'ahead of' if ahead > timedelta(0) else 'behind'} the vendor's"
    left = (
        "what has not been there yet counts as not read"
        if ahead > timedelta(0)
        else "later days were not read"
    )
    return f"{what}: {left}. Set the clock (NTP)"

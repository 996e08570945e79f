"""A run of Keitaro: the log and the report window by window, then the lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from conversync.extract.evidence import EVIDENCE
from conversync.extract.lookback import Lookback
from conversync.extract.rejected_days import Days
from conversync.extract.windows import asked_parts, with_its_last_day
from conversync.monitor import views as health
from conversync.table import Table
from conversync.types import Restored
from conversync.vendors import (
    InReport,
    LoadRequest,
    OnPage,
    Step,
    Vendor,
    divided,
    old_days,
    outboxes,
    sql_files,
    windows,
)

from . import keitaro, plan, statuses
from .books import books
from .check import check
from .log import hashes
from .reading import CONVERSIONS, LOOKBACK, REPORT
from .reconcile import RECONCILE
from .settings import KeitaroSettings
from .tables import CONVERSION_EVENTS, LEDGERS, LISTS, REPORT_DAILY, TABLES
from .target import Conversions

# What each stream fills, besides `rejected_rows` and `windows`.
STREAMS = {CONVERSIONS: CONVERSION_EVENTS.name, REPORT: REPORT_DAILY.name}


def steps(state: Restored, settings: KeitaroSettings, asked: LoadRequest) -> Iterator[Step]:
    """Each stream's windows, oldest first; the lists where no days were asked for.

    Last the old days on which rows may have been mended, in one commit a stream.
    """
    due, again = divided(plan(state, settings, asked.start, asked.end))
    for stream, planned, _ in due:
        # The report's own question covers its last day.
        is_open = asked.end and stream == CONVERSIONS
        window = with_its_last_day(planned, settings.today(stream)) if is_open else planned
        for part, on_rest in windows(asked_parts(window, asked.window_days, asked.shard)):
            days = partial(keitaro, part.start, part.end, streams=[stream], on_rest=on_rest)
            told: list[str] = []
            read = partial(days, accept_empty=asked.accept_empty, on_skip=told.append)
            load, own = partial(_days, read, STREAMS[stream]), {stream: stream}
            yield Step(f"{stream} {part}", load, told, days=part, of=window, reads=own)
    if not asked.start:
        skipped: list[str] = []
        yield Step("lists", partial(_lists, skipped.append), skipped)
    yield from _old(again, asked.accept_empty)


def _old(again: Sequence[Days], accept_empty: bool) -> Iterator[Step]:
    """Old days, those of a stream together."""
    for stream in dict.fromkeys(days.stream for days in again):
        old = [days for days in again if days.stream == stream]
        told: list[str] = []
        read = partial(keitaro, again=old, accept_empty=accept_empty, on_skip=told.append)
        label = old_days(days[:2] for days in old)
        yield Step(label, partial(_days, read, STREAMS[stream]), told, is_extra=True)


def _days(read: Callable[..., Any], table: str, on_page: OnPage) -> object:
    """The source without its lists: they are a step of their own."""
    return read(on_page=on_page).with_resources(table, *(one.name for one in EVIDENCE))


def _lists(on_skip: Callable[[str], None], _on_page: OnPage) -> object:
    return keitaro(on_skip=on_skip).with_resources(*(one.name for one in LISTS))


def _own() -> dict[str, str]:
    return sql_files(__file__, kind=statuses.sql())


def views(settings: KeitaroSettings) -> dict[str, str]:
    """`conversions`; its changes; what is known of days (UTC ones of the log, else the tracker's) and of lateness."""
    own = _own()
    zone = health.text(settings.keitaro_zone)
    days = health.days(f"case when w.stream = {health.text(CONVERSIONS)} then 'UTC' else {zone} end")
    rejected = _REVERSED.format(conversions=own["conversions"])
    changes = books(settings.keitaro_zone).views(own["conversions"])
    return {**own, **days, **health.lateness(rejected, settings.keitaro_zone), **changes}


def functions(settings: KeitaroSettings) -> dict[str, str]:
    """What `conversions` said at a moment."""
    return books(settings.keitaro_zone).functions(_own()["conversions"])


# Nobody dates a rejection: it is known since when we saw it.
_REVERSED = """
    select
        conversion_id,
        occurred_on,
        occurred_at,
        first_seen_at,
        cast(null as timestamptz) as reversed_at,
        rejection_seen_at as reversal_seen_at
    from (
{conversions}
    ) as conversions
    where is_rejected
"""


# The log is asked for by the UTC day of a conversion's time, and the report has it on the day of its click.
_LATE_FOR = "cast(least(late.occurred_at, coalesce(late.click_datetime, late.occurred_at)) at time zone 'UTC' as date)"


def _tables(settings: KeitaroSettings) -> list[Table]:
    """The report is keyed by its day and whatever else the settings group it by."""
    return [settings.report().table if table is REPORT_DAILY else table for table in TABLES]


VENDOR = Vendor(
    name="keitaro",
    title="Keitaro",
    says="Conversions as a click tracker counts them. Never sum revenue across currencies.",
    reconcile=RECONCILE,
    source=keitaro,
    targets=(Conversions(),),
    outboxes=outboxes(__file__),
    settings=KeitaroSettings,
    hashes={CONVERSION_EVENTS.name: hashes},
    steps=steps,
    check=check,
    views=views,
    functions=functions,
    in_shards=True,
    books=(CONVERSIONS,),
    lookbacks=[Lookback(LOOKBACK, CONVERSIONS, CONVERSION_EVENTS.name, day=_LATE_FOR)],
    tables=TABLES,
    tables_by=_tables,
    ledgers=LEDGERS,
    in_report=InReport("orange", role="tracker"),
)

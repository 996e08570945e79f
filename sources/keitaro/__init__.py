"""Keitaro, a tracker: the conversions log, the daily report, and the lists that both refer to.

    import dlt
    from sources.keitaro import keitaro

    dlt.pipeline("tracker", destination="duckdb", dataset_name="keitaro").run(keitaro())

reads what is due, by the cursors in the pipeline's state, and needs `KEITARO_URL` and `KEITARO_API_KEY` (or
`keitaro_url` and `keitaro_api_key` in `.dlt/secrets.toml`). What is known of the Admin API, and what is not, is
listed in README.md beside this file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import date
from typing import Any

import dlt
from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.common.typing import TSecretStrValue
from dlt.extract import DltResource
from pendulum import Date

from conversync.errors import SettingsError
from conversync.extract.columns import now, zone
from conversync.extract.evidence import EVIDENCE, Routed, routed
from conversync.extract.mended import Days, with_old_days
from conversync.extract.ranges import BUDGET, DAYS, check_ranges
from conversync.extract.reading import OnRest, Read, move_cursor
from conversync.extract.windows import Window, day, first_day, planned
from conversync.http.client import Client, Limits
from conversync.http.secret import check_secret

from . import report
from .lists import OnSkip, lists, warn
from .reading import CONVERSIONS, READERS, STREAMS, Asking, OnPage
from .tables import CONVERSION_EVENTS
from .tracker import Tracker

# Between these a setting can be meant.
LIMITS = {
    "keitaro_lookback_days": DAYS,
    "keitaro_page_size": (1, 100_000),
    "keitaro_range_days": DAYS,
    "keitaro_concurrency": (1, 64),
    "http_budget": BUDGET,
}
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@configspec
class KeitaroSettings(BaseConfiguration):
    """The settings, in the environment or in `.dlt/`. Only these are taken from there, never an argument."""

    keitaro_api_key: TSecretStrValue = None  # type: ignore[assignment] # dlt's way to say that it is required
    keitaro_url: str = None  # type: ignore[assignment] # as above: the tracker's own address
    keitaro_zone: str = "UTC"
    keitaro_lookback_days: int = 30
    keitaro_start_date: str | None = None
    keitaro_columns: list[str] | None = None
    keitaro_report_grouping: list[str] = field(default_factory=lambda: list(report.GROUPING))
    keitaro_report_metrics: list[str] = field(default_factory=lambda: list(report.METRICS))
    keitaro_page_size: int = 1000
    keitaro_range_days: int = 31
    keitaro_concurrency: int = 4
    http_budget: int = 600

    def on_resolved(self) -> None:
        """Refuses settings that cannot be meant, before any request."""
        check_ranges(self, LIMITS)
        check_secret("keitaro_api_key", str(self.keitaro_api_key))
        self.tracker().close()  # refuses an address or a key that no request can carry
        zone(self.keitaro_zone, "keitaro_zone")
        if self.keitaro_start_date is not None:
            day(self.keitaro_start_date, "keitaro_start_date")
        for name in ("keitaro_report_grouping", "keitaro_report_metrics"):
            for column in self[name]:
                if not isinstance(column, str) or not _NAME.fullmatch(column) or column in report.RESERVED:
                    raise SettingsError(f'{name} holds "{column}", which cannot be a column of report_daily.')

    def today(self, stream: str) -> Date:
        """The day it is, in the zone of the stream's days."""
        here = "UTC" if stream == CONVERSIONS else zone(self.keitaro_zone, "keitaro_zone")
        return now().in_timezone(here).date()

    def tracker(self) -> Tracker:
        """The connection to the tracker, with the key in its header and nowhere else."""
        client = Client(
            self.keitaro_url,
            vendor="Keitaro",
            headers={"Api-Key": str(self.keitaro_api_key), "Accept": "application/json"},
            credentials_hint="Check keitaro_api_key in .dlt/secrets.toml or KEITARO_API_KEY.",
            credential="API key",
            limits=Limits(http_budget=self.http_budget),
        )
        return Tracker(client)

    def report(self) -> report.Report:
        """What the report is asked for."""
        return report.asked_for(self.keitaro_report_grouping, self.keitaro_report_metrics)


def plan(
    state: Mapping[str, Any],
    settings: KeitaroSettings,
    start: date | str | None = None,
    end: date | str | None = None,
    streams: Sequence[str] = STREAMS,
) -> list[Days]:
    """Which days each stream is to read: those asked for, else what is due by the cursors in `state`.

    After what is due come old days, on which rows were set aside that may be mended (see `mended.with_old_days`).
    """
    due, again = list[Days](), list[Days]()
    for stream in streams:
        today, progress = settings.today(stream), state.get(stream, {})
        first = first_day(settings.keitaro_start_date, today, "keitaro_start_date")
        lookback = settings.keitaro_lookback_days
        window, old = planned(progress, first, lookback, today, start, end, bounded=True), list[Window]()
        if not start and not end:
            window, old = with_old_days(state.get("set_aside", {}), [stream], window, today)
        due.append(Days(stream, window))
        again += [Days(stream, one, again=True) for one in old]
    return due + again


@dlt.source(name="keitaro", max_table_nesting=0, spec=KeitaroSettings)
def keitaro(
    start: date | str | None = None,
    end: date | str | None = None,
    *,
    streams: Sequence[str] = STREAMS,
    settings: KeitaroSettings = None,  # type: ignore[assignment] # dlt resolves it
    on_page: OnPage = lambda _received, _announced: None,
    on_rest: OnRest | None = None,
    on_skip: OnSkip = warn,
    again: Sequence[Days] = (),
    accept_empty: bool = False,
) -> list[DltResource]:
    """One window of the log and of the report, with `rejected_rows` and `windows`, and the lists.

    `start` and `end` are days, both asked for; without them each stream reads what is due by its cursor. `on_page`
    is told the rows received and announced so far, `on_skip` of a list that cannot be had, and of conversions that
    stand twice. Raises the errors of `conversync.errors`; then nothing is loaded. With `on_rest`, what was read whole
    until then is loaded, and the days that are left are told. `again` are old days of `plan` to be read, and nothing
    else. Where most of what is held came no more, that is refused unless `accept_empty`.
    """

    @dlt.resource(name="walk", selected=False)
    def scan() -> Iterator[Routed]:
        state = dlt.current.source_state()
        todo = list(again) or plan(state, settings, start, end, streams)
        done: list[Read] = []
        with settings.tracker() as tracker:
            for stream in dict.fromkeys(days.stream for days in todo):
                its_days = [days for days in todo if days.stream == stream]
                asking = Asking(tracker, settings, state, its_days, on_page, on_rest, accept_empty, on_skip)
                done += yield from READERS[stream](asking)
        for one in done:
            stream = one.reading.stream
            today = settings.today(stream)
            first = first_day(settings.keitaro_start_date, today, "keitaro_start_date")
            move_cursor(state.setdefault(stream, {}), first, one, today)

    tables = (CONVERSION_EVENTS, settings.report().table, *EVIDENCE)
    return [*routed(scan, tables), *lists(settings.tracker, on_skip)]

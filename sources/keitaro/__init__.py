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
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import field, replace
from datetime import UTC, date
from typing import Any

import dlt
from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.common.typing import TSecretStrValue
from dlt.extract import DltResource

from sources.columns import now, zone
from sources.evidence import Routed, rejected_rows, routed, windows, workplace
from sources.keitaro import log, report, statuses
from sources.keitaro.lists import lists
from sources.keitaro.tracker import Tracker
from sources.reading import Reading, evidence, read, statement_hints, statements
from sources.spool import Spools
from sources.windows import Window, day, first_day, move, planned
from wire.client import Client, Limits
from wire.errors import SettingsError
from wire.secret import check_secret

CONVERSIONS = "conversions"
REPORT = "report"
# What is read by windows of days: conversions by the UTC day of their present time, the report by days in
# `keitaro_zone`.
STREAMS = (CONVERSIONS, REPORT)

# Between these a setting can be meant.
LIMITS = {
    "keitaro_lookback_days": (1, 3_650),
    "keitaro_page_size": (1, 100_000),
    "keitaro_concurrency": (1, 64),
    "http_budget": (0, 86_400),
}
_NAME = re.compile(r"[a-z][a-z0-9_]*")
OnPage = Callable[[int, int], None]


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
    keitaro_concurrency: int = 4
    http_budget: int = 600

    def on_resolved(self) -> None:
        """Refuses settings that cannot be meant, before any request."""
        for name, (least, most) in LIMITS.items():
            if not least <= self[name] <= most:
                raise SettingsError(
                    f"{name} is {self[name]}, but must be at least {least} and at most {most}."
                )
        check_secret("keitaro_api_key", str(self.keitaro_api_key))
        self.tracker().close()  # refuses an address or a key that no request can carry
        zone(self.keitaro_zone, "keitaro_zone")
        if self.keitaro_start_date is not None:
            day(self.keitaro_start_date, "keitaro_start_date")
        for name in ("keitaro_report_grouping", "keitaro_report_metrics"):
            for column in self[name]:
                if not _NAME.fullmatch(column) or column in report.RESERVED:
                    raise SettingsError(f'{name} holds "{column}", which cannot be a column of report_daily.')

    def today(self, stream: str) -> date:
        """The day it is, in the zone of the stream's days."""
        return (
            now().astimezone(UTC if stream == CONVERSIONS else zone(self.keitaro_zone, "keitaro_zone")).date()
        )

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
        return Tracker(client, str(self.keitaro_api_key))

    def report(self) -> report.Report:
        """What the report is asked for."""
        return report.asked_for(self.keitaro_report_grouping, self.keitaro_report_metrics)


def plan(
    state: Mapping[str, Any],
    settings: KeitaroSettings,
    start: date | str | None = None,
    end: date | str | None = None,
    streams: Sequence[str] = STREAMS,
) -> list[tuple[str, Window]]:
    """Which days each stream is to read: those asked for, else what is due by the cursors in `state`."""
    todo = []
    for stream in streams:
        today, progress = settings.today(stream), state.get(stream, {})
        first = first_day(settings.keitaro_start_date, today, "keitaro_start_date")
        lookback = settings.keitaro_lookback_days
        todo.append((stream, planned(progress, first, lookback, today, start, end, bounded=True)))
    return todo


@dlt.source(name="keitaro", max_table_nesting=0, spec=KeitaroSettings)
def keitaro(
    start: date | str | None = None,
    end: date | str | None = None,
    *,
    streams: Sequence[str] = STREAMS,
    settings: KeitaroSettings = None,  # type: ignore[assignment] # dlt resolves it
    on_page: OnPage = lambda _received, _announced: None,
) -> list[DltResource]:
    """One window of the log and of the report, with `rejected_rows` and `windows`, and the lists.

    `start` and `end` are days, both asked for; without them each stream reads what is due by its cursor. `on_page`
    is told the rows received and announced so far. Raises the errors of `wire.errors`; then nothing is loaded.
    """

    @dlt.resource(name="walk", selected=False)
    def walk() -> Iterator[Routed]:
        state = dlt.current.source_state()
        todo = plan(state, settings, start, end, streams)
        with settings.tracker() as tracker:
            for stream, window in todo:
                yield from _READERS[stream](tracker, settings, state, window, on_page)
        for stream, window in todo:
            today = settings.today(stream)
            first = first_day(settings.keitaro_start_date, today, "keitaro_start_date")
            move(state.setdefault(stream, {}), first, window, today)

    events = statement_hints("conversion_id", "status_history", "extra")
    tables = [routed(walk, "conversion_events", **events), routed(walk, "report_daily", **report.hints())]
    return [*tables, rejected_rows(walk), windows(walk), *lists(settings.tracker)]


def _conversions(
    tracker: Tracker,
    settings: KeitaroSettings,
    state: MutableMapping[str, Any],
    window: Window,
    on_page: OnPage,
) -> Iterator[Routed]:
    agreed = log.agree(tracker, window, settings.keitaro_columns or log.COLUMNS)
    listing = log.listing(
        tracker,
        window,
        agreed,
        limit=settings.keitaro_page_size,
        concurrency=settings.keitaro_concurrency,
        zone=zone(settings.keitaro_zone, "keitaro_zone"),
        on_page=on_page,
    )
    note = _news(
        state, "unknown_columns", agreed.unknown, "the tracker does not know the columns {}: they stay empty"
    )
    reading = Reading(CONVERSIONS, window, listing, {"columns": ", ".join(agreed.columns)}, note)
    with Spools(workplace(), key="conversion_id", latest="occurred_at") as spools:
        done = read([reading], spools)
        yield from statements(done, spools, "conversion_events")
        told = [note, statuses.told_once(state, agreed.strange)]
        noted = replace(reading, note="; ".join(filter(None, told)) or None)
        yield from evidence([replace(one, reading=noted) for one in done], spools, state, log.SHOWN)


def _report(
    tracker: Tracker,
    settings: KeitaroSettings,
    state: MutableMapping[str, Any],
    window: Window,
    on_page: OnPage,
) -> Iterator[Routed]:
    asked = settings.report()
    agreed = report.agree(tracker, window, asked, settings.keitaro_zone, state.get("report_words"))
    if agreed.proven:
        state["report_words"] = list(agreed.words)
    listing = report.listing(
        tracker,
        window,
        asked,
        agreed,
        limit=settings.keitaro_page_size,
        concurrency=settings.keitaro_concurrency,
        zone=settings.keitaro_zone,
        on_page=on_page,
    )
    note = _news(
        state, "left_out_metrics", agreed.left_out, "the report leaves out the metrics {}: they stay empty"
    )
    reading = Reading(REPORT, window, listing, {"columns": ", ".join(asked.columns)}, note)
    with Spools(workplace(), latest=report.DAY_COLUMN) as spools:
        done = read([reading], spools)
        # A group that only an earlier walk had is gone.
        for table in report.whole_days(spools.fold([done[0].walks[-1].spool]), window, asked):
            yield Routed("report_daily", table)
        yield from evidence(done, spools, state, asked.columns)


_READERS: dict[str, Callable[..., Iterator[Routed]]] = {CONVERSIONS: _conversions, REPORT: _report}


def _news(state: MutableMapping[str, Any], known: str, names: Sequence[str], text: str) -> str | None:
    """The sentence about these names, once for as long as they stay the same."""
    news = bool(names) and state.get(known) != list(names)
    state[known] = list(names)
    return text.format(", ".join(names)) if news else None

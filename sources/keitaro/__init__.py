"""Keitaro, a tracker: the conversions log, the daily report, and the lists that both refer to.

    import dlt
    from sources.keitaro import keitaro

    dlt.pipeline("tracker", destination="duckdb", dataset_name="keitaro").run(keitaro())

reads what is due, by the cursors in the pipeline's state, and needs `KEITARO_URL` and `KEITARO_API_KEY` (or
`keitaro_url` and `keitaro_api_key` in `.dlt/secrets.toml`). What is known of the Admin API, and what is not, is
listed in README.md beside this file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import dlt
from dlt.extract import DltResource

from conversync.extract.evidence import EVIDENCE
from conversync.extract.lookback import reach
from conversync.extract.read_ahead import walking
from conversync.extract.reading import OnRest, Read, move_cursor
from conversync.extract.rejected_days import Days, with_old_days
from conversync.extract.routing import Routed, routed
from conversync.extract.windows import Window, first_day, planned
from conversync.types import Restored, State

from .lists import OnSkip, lists, warn
from .reading import LOOKBACK, READERS, STREAMS, Asking, OnPage
from .settings import KeitaroSettings as KeitaroSettings
from .tables import CONVERSION_EVENTS


def plan(
    state: Restored,
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
        lookback = reach(settings, LOOKBACK, state, progress.get("through"), today)
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

    def walk(state: State) -> Iterator[Routed]:
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
    return [*routed(walking(walk), tables), *lists(settings.tracker, on_skip)]

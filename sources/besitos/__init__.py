"""Besitos, an offerwall: the conversions feed, read exactly and incrementally.

    import dlt
    from sources.besitos import besitos

    dlt.pipeline("rewards", destination="duckdb", dataset_name="besitos").run(besitos())

reads what is due, by the cursor in the pipeline's state, and needs `BESITOS_TOKEN` (or `besitos_token` in
`.dlt/secrets.toml`). Rests on the vendor's "Conversion Data API" page; what that leaves open is listed in
README.md beside this file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import dlt
from dlt.extract import DltResource

from conversync.extract.evidence import EVIDENCE
from conversync.extract.lookback import reach
from conversync.extract.read_ahead import walking
from conversync.extract.reading import OnRest
from conversync.extract.rejected_days import Days, with_old_days
from conversync.extract.routing import Routed, routed
from conversync.extract.windows import Window, first_day, planned, split_window
from conversync.types import Restored, State

from . import reading
from .catalogue import catalogue
from .reading import OnPage
from .settings import BesitosSettings as BesitosSettings
from .tables import CONVERSION_EVENTS, WITHDRAWN_EVENTS, WITHDRAWN_HISTORY
from .walks import LOOKBACKS, REVERSALS, STREAMS


def plan(
    state: Restored,
    settings: BesitosSettings,
    start: date | str | None = None,
    end: date | str | None = None,
    streams: Sequence[str] = tuple(STREAMS),
) -> list[Days]:
    """Which days each stream is to read: those asked for, else what is due by the cursors in `state`.

    After what is due come old days, on which rows were set aside that may be mended (see `mended.with_old_days`).
    """
    today = settings.today()
    first = first_day(settings.besitos_start_date, today, "besitos_start_date")
    due, again = list[Days](), list[Days]()
    for stream in streams:
        progress = state.get(stream, {})
        lookback = reach(settings, LOOKBACKS[stream], state, progress.get("through"), today)
        window = planned(progress, first, lookback, today, start, end)
        old = list[Window]()
        if not start and not end:
            window, old = with_old_days(state.get("set_aside", {}), [stream], window, today)
        due.append(Days(stream, window))
        again += [Days(stream, one, again=True) for one in old]
    return due + again


def parts(state: Restored, stream: str, window: Window, settings: BesitosSettings, days: int) -> list[Window]:
    """The pieces in which what is due is committed: `days` each, but a night's sweep for reversals whole."""
    if stream == REVERSALS:
        through = state.get(stream, {}).get("through")
        days = max(days, reach(settings, LOOKBACKS[stream], state, through, settings.today()) + 2)
    return list(split_window(window, days))


@dlt.source(name="besitos", max_table_nesting=0, spec=BesitosSettings)
def besitos(
    start: date | str | None = None,
    end: date | str | None = None,
    *,
    streams: Sequence[str] = tuple(STREAMS),
    user_id: str | None = None,
    offer_id: str | None = None,
    type: str | None = None,  # noqa: A002 - the vendor's name for it
    settings: BesitosSettings = None,  # type: ignore[assignment] # dlt resolves it
    on_page: OnPage = lambda _received, _announced: None,
    on_rest: OnRest | None = None,
    accept_empty: bool = False,
    again: Sequence[Days] = (),
) -> list[DltResource]:
    """One window of the feed as `conversion_events`, `withdrawn_events`, `rejected_rows`, `windows`, and the catalogue.

    `start` and `end` are days in `besitos_zone`, both asked for; without them each stream reads what is due by
    its cursor. A reading filtered by `user_id`, `offer_id` or `type` never moves a cursor. `on_page` is told
    the rows received and announced so far. Raises the errors of `conversync.errors`; then nothing is loaded. With
    `on_rest`, what was read whole until then is loaded, and the days that are left are told. `accept_empty`
    believes a feed that serves most of what is held no more. `again` are old days of `plan` to be read, and nothing
    else.
    """
    asked = {"user_id": user_id, "offer_id": offer_id, "type": type}
    filters = {name: value for name, value in asked.items() if value is not None}

    def walk(state: State) -> Iterator[Routed]:
        todo = list(again) or plan(state, settings, start, end, streams)
        yield from reading.read_all(state, settings, todo, filters, on_page, on_rest, accept_empty)

    tables = routed(walking(walk), (CONVERSION_EVENTS, WITHDRAWN_EVENTS, WITHDRAWN_HISTORY, *EVIDENCE))
    return [*tables, *(catalogue(settings) if settings.besitos_partner_id else [])]

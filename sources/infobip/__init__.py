"""Infobip's conversion rates: how many users went from one tag of a process to another, and how fast.

    import dlt
    from sources.infobip import infobip

    dlt.pipeline("rates", destination="duckdb", dataset_name="infobip").run(infobip())

reads what is due of every pair in `infobip_pairs`, by the cursors in the pipeline's state. Rests on the vendor's
"Conversion rate API" page; what that leaves open is listed in README.md beside this file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from conversync.extract.columns import now
from conversync.extract.decoded import note_names
from conversync.extract.evidence import EVIDENCE, Quarantine, reading_row, rejected_table, resolved_rows
from conversync.extract.lookback import reach
from conversync.extract.mistrusted import nothing_of
from conversync.extract.read_ahead import walking
from conversync.extract.rejected_days import Traces, resolved, with_old_days
from conversync.extract.routing import READ, Routed, routed
from conversync.extract.windows import DAY, Window, first_day, pass_over, planned
from conversync.types import Document, Restored, State

from . import pairs as named
from .late import note_what_grew
from .pairs import Pair
from .reading import Found, Known, Reading, Todo
from .settings import InfobipSettings as InfobipSettings
from .statistics import Frame
from .tables import CONVERSION_RATES, CONVERSION_TIMES, LOOKBACK, PROCESSES, TAGS

# The tables of days, each of which is a stream of every pair.
STREAMS = {table.name: table for table in (CONVERSION_RATES, CONVERSION_TIMES)}
# What is set aside tells its day by the window in which it was counted.
_TRACES = Traces(("from",))


class Due(NamedTuple):
    """Days to read, and the pairs that they are read of; `again`, for rows set aside on them that may be mended."""

    window: Window
    pairs: list[Pair]
    again: bool = False


def plan(
    state: Restored,
    settings: InfobipSettings,
    start: date | str | None = None,
    end: date | str | None = None,
) -> list[Due]:
    """Which days are to be read, and of which pairs: those asked for, else what is due by each pair's cursor.

    After what is due come old days, on which rows were set aside that may be mended (see `mended.with_old_days`).
    """
    today = settings.today()
    first = first_day(settings.infobip_start_date, today, "infobip_start_date")
    due: dict[Window, list[Pair]] = {}
    again: dict[Window, list[Pair]] = {}
    for pair in settings.pairs():
        progress = state.get(pair.cursor, {})
        lookback = reach(settings, LOOKBACK, state, progress.get("through"), today)
        window, old = planned(progress, first, lookback, today, start, end, bounded=True), list[Window]()
        if not start and not end:
            streams = [stream_of(name, pair) for name in STREAMS]
            window, old = with_old_days(state.get("set_aside", {}), streams, window, today)
        due.setdefault(window, []).append(pair)
        for one in old:
            again.setdefault(one, []).append(pair)
    return [Due(*one) for one in due.items()] + [Due(*one, again=True) for one in sorted(again.items())]


def stream_of(table: str, pair: Pair) -> str:
    """What the evidence calls a pair's rows of a table."""
    return f"{table} {pair}"


@dlt.source(name="infobip", max_table_nesting=0, spec=InfobipSettings)
def infobip(
    start: date | str | None = None,
    end: date | str | None = None,
    *,
    pairs: Sequence[Pair] | None = None,
    trailing: bool = True,
    settings: InfobipSettings = None,  # type: ignore[assignment] # dlt resolves it
    on_page: Callable[[int, int], None] = lambda _received, _announced: None,
    again: Sequence[Due] = (),
    known: Known | None = None,
) -> list[DltResource]:
    """`conversion_rates` and `conversion_times` of some days, `processes`, `tags`, and the evidence.

    `start` and `end` are UTC days, both read; without them each pair reads what is due by its cursor. `pairs`
    limits the reading to some of the settings' pairs. `trailing` adds the average over the 30 days up to the last one.
    `on_page` is told the answers that came and those that are asked for. Raises the errors of `conversync.errors`; then
    nothing is loaded. `again` are old days of `plan` to be read, and nothing else. `known` is what was answered in this
    run before: what the vendor fails at, while it answers that, is told, and read again by the next night.
    """

    def walk(state: State) -> Iterator[Routed]:
        todo = [
            Todo(pair, due.window, due.again)
            for due in again or plan(state, settings, start, end)
            for pair in due.pairs
            if pairs is None or pair in pairs
        ]
        yield from _read(state, settings, todo, trailing, on_page, known or Known())

    return routed(walking(walk), (CONVERSION_RATES, CONVERSION_TIMES, PROCESSES, TAGS, *EVIDENCE))


def _read(
    state: State,
    settings: InfobipSettings,
    todo: Sequence[Todo],
    trailing: bool,
    on_page: Callable[[int, int], None],
    known: Known,
) -> Iterator[Routed]:
    """Asks everything, then routes: the rows, what was set aside, the evidence. The cursors move last."""
    access, read_at = settings.access(), now()
    with access.client(settings.http_budget) as client, nothing_of("Infobip's counts of these days"):
        reading = Reading(access, client, settings.today(), known)
        replies = reading.read(todo, trailing=trailing, on_page=on_page)
    yield READ
    yield Routed(PROCESSES.name, named.processes(settings.pairs()))
    yield Routed(TAGS.name, named.tags(settings.pairs()))
    set_aside: dict[str, Document] = {}
    remembered = state.setdefault("set_aside", {})
    whole: dict[str, list[Window]] = {}
    for (one, stream), found in replies.items():
        what = stream_of(stream, one.pair)
        aside = Quarantine(remembered, what, one.window, read_at, found.note(what), _TRACES)
        # Of days that did not all come nobody knows what is gone.
        days = [] if found.error else [Window(one.window.start, one.window.end + DAY)]
        whole.setdefault(aside.stream, []).extend(days)
        yield from _routed(stream, found, aside, one.pair)
        # Two pairs may have sent the same; a key stands once in a load.
        set_aside |= aside.rows
    gone = [one for stream, days in whole.items() for one in resolved(remembered, stream, days, set_aside)]
    yield Routed("rejected_rows", rejected_table([*set_aside.values(), *resolved_rows(gone, read_at)]))
    note_what_grew(state, settings, replies)
    lacking: dict[Todo, list[Window]] = {one: [] for one in todo if not one.again}
    for (one, _), found in replies.items():
        lacking.get(one, []).extend(found.lacking)
    _move(state, settings, lacking)


def _routed(stream: str, found: Found, aside: Quarantine, pair: Pair) -> Iterator[Routed]:
    """The rows of one pair's window, and the evidence; what is to be set aside is left in `aside`."""
    unknown: Counter[str] = Counter()
    for rows in found.rows:
        for rejected in rows.rejected:
            aside.add(rejected, None)
        note_names(unknown, rows.unknown)
    good = _distinct(row for rows in found.rows for row in rows.good)
    yield Routed(stream, pa.Table.from_pylist(good, schema=STREAMS[stream].schema))
    row = reading_row(
        aside,
        {"process": pair.process_key, **pair.tags},
        pages=len(found.rows),
        announced=None,
        received=sum(rows.received for rows in found.rows),
        statements=len(good),
        superseded=sum(rows.superseded for rows in found.rows),
        unknown=unknown,
        missing=found.missing or None,
    )
    yield Routed("windows", row)


def _distinct(rows: Iterator[Document]) -> list[Document]:
    """One row for each day or windows: where a server answers other windows than asked, two may be the same."""
    key = ("day", *Frame._fields)
    found: dict[tuple[date | datetime | None, ...], Document] = {}
    for row in rows:
        found[tuple(row.get(name) for name in key)] = row
    return list(found.values())


def _move(state: State, settings: InfobipSettings, read: Mapping[Todo, Sequence[Window]]) -> None:
    """Moves the cursors of the pairs that were read, and forgets those of pairs that left the settings.

    Each has the days of which something did not come: the cursor stays before the first of them.
    """
    today = settings.today()
    first = first_day(settings.infobip_start_date, today, "infobip_start_date")
    for one, lacking in read.items():
        short = min((days.start for days in lacking), default=None)
        pass_over(state.setdefault(one.pair.cursor, {}), first, one.window, today, short)
    kept = {pair.cursor for pair in settings.pairs()}
    for cursor in [name for name in state if name.startswith("[") and name not in kept]:
        del state[cursor]

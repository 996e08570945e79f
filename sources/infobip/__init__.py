"""Infobip's conversion rates: how many users went from one tag of a process to another, and how fast.

    import dlt
    from sources.infobip import infobip

    dlt.pipeline("rates", destination="duckdb", dataset_name="infobip").run(infobip())

reads what is due of every pair in `infobip_pairs`, by the cursors in the pipeline's state. Rests on the vendor's
"Conversion rate API" page; what that leaves open is listed in README.md beside this file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import dlt
import pyarrow as pa
from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.common.typing import TSecretStrValue
from dlt.extract import DltResource
from pendulum import Date

from conversync.errors import SettingsError
from conversync.extract.columns import now
from conversync.extract.decoded import note_names
from conversync.extract.evidence import (
    Quarantine,
    Routed,
    reading_row,
    rejected_rows,
    rejected_table,
    resolved_rows,
    routed,
    windows,
)
from conversync.extract.meaning import nothing_of
from conversync.extract.mended import Traces, resolved, with_old_days
from conversync.extract.parallel import ordered_parallel_map
from conversync.extract.ranges import BUDGET, DAYS, check_ranges
from conversync.extract.windows import DAY, Window, advance_cursor, day, first_day, planned
from conversync.http.secret import check_secret

from . import pairs as named
from .asking import Access, questions
from .pairs import Pair
from .statistics import RATES, TIMES, Frame, Rows

DOCUMENTED = "https://oneapi.infobip.com"
# The document names no rate limit, and a 429; a window of a month is 33 small questions.
CONCURRENCY = 4
# The tables of days, each of which is a stream of every pair.
STREAMS = ("conversion_rates", "conversion_times")
# What is set aside tells its day by the window in which it was counted.
_TRACES = Traces(("from",))


@configspec
class InfobipSettings(BaseConfiguration):
    """The settings, in the environment or in `.dlt/`. Only these are taken from there, never an argument."""

    infobip_username: str = None  # type: ignore[assignment] # dlt's way to say that it is required
    infobip_password: TSecretStrValue = None  # type: ignore[assignment] # as above
    infobip_pairs: list[Any] = None  # type: ignore[assignment] # as above
    infobip_url: str = DOCUMENTED
    infobip_lookback_days: int = 30
    infobip_start_date: str | None = None
    http_budget: int = 600

    def on_resolved(self) -> None:
        """Refuses settings that cannot be meant, before any request."""
        check_ranges(self, {"infobip_lookback_days": DAYS, "http_budget": BUDGET})
        check_secret("infobip_username", self.infobip_username)
        check_secret("infobip_password", str(self.infobip_password))
        if ":" in self.infobip_username:
            raise SettingsError("infobip_username holds a colon, which Basic authorization cannot carry.")
        named.parse(self.infobip_pairs)
        if self.infobip_start_date is not None:
            day(self.infobip_start_date, "infobip_start_date")

    def pairs(self) -> list[Pair]:
        """The pairs to read, each once."""
        return named.parse(self.infobip_pairs)

    def today(self) -> Date:
        """The day it is in UTC, by which the vendor counts."""
        return now().date()

    def access(self) -> Access:
        """Who asks, and where."""
        return Access(self.infobip_url, self.infobip_username, str(self.infobip_password))


class Due(NamedTuple):
    """Days to read, and the pairs that they are read of; `again`, for rows set aside on them that may be mended."""

    window: Window
    pairs: list[Pair]
    again: bool = False


def plan(
    state: Mapping[str, Any],
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
        lookback = settings.infobip_lookback_days
        window, old = planned(progress, first, lookback, today, start, end, bounded=True), list[Window]()
        if not start and not end:
            streams = [_stream(name, pair) for name in STREAMS]
            window, old = with_old_days(state.get("set_aside", {}), streams, window, today)
        due.setdefault(window, []).append(pair)
        for one in old:
            again.setdefault(one, []).append(pair)
    return [Due(*one) for one in due.items()] + [Due(*one, again=True) for one in sorted(again.items())]


def _stream(table: str, pair: Pair) -> str:
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
) -> list[DltResource]:
    """`conversion_rates` and `conversion_times` of some days, `processes`, `tags`, and the evidence.

    `start` and `end` are UTC days, both read; without them each pair reads what is due by its cursor. `pairs`
    limits the reading to some of the settings' pairs. `trailing` adds the average over the 30 days up to the last one.
    `on_page` is told the answers that came and those that are asked for. Raises the errors of `conversync.errors`; then
    nothing is loaded. `again` are old days of `plan` to be read, and nothing else.
    """

    @dlt.resource(name="walk", selected=False)
    def scan() -> Iterator[Routed]:
        state = dlt.current.source_state()
        todo = [
            (pair, due.window, due.again)
            for due in again or plan(state, settings, start, end)
            for pair in due.pairs
            if pairs is None or pair in pairs
        ]
        yield from _read(state, settings, todo, trailing, on_page)

    key = list(Pair._fields)
    times_key = [*key, *Frame._fields]
    return [
        routed(scan, "conversion_rates", primary_key=[*key, "day"], **_REPLACED),
        routed(scan, "conversion_times", primary_key=times_key, **_REPLACED),
        routed(scan, "processes", primary_key="key", **_ONCE),
        routed(scan, "tags", primary_key=["process_key", "key"], **_ONCE),
        rejected_rows(scan),
        windows(scan),
    ]


_JSON = {"extra": {"data_type": "json"}}
_FROZEN = {"data_type": "freeze"}
# Counts of a past day grow as users convert: the row of a key is replaced whole.
_REPLACED: dict[str, Any] = {
    "write_disposition": {"disposition": "merge", "strategy": "delete-insert", "deduplicated": True},
    "columns": _JSON,
    "schema_contract": _FROZEN,
}
# A setting knows a key only: it never takes the place of what the vendor said when it created a process.
_ONCE: dict[str, Any] = {
    "write_disposition": {"disposition": "merge", "strategy": "insert-only"},
    "columns": _JSON,
    "schema_contract": _FROZEN,
}


def _read(
    state: MutableMapping[str, Any],
    settings: InfobipSettings,
    todo: Sequence[tuple[Pair, Window, bool]],
    trailing: bool,
    on_page: Callable[[int, int], None],
) -> Iterator[Routed]:
    """Asks everything, then routes: the rows, what was set aside, the evidence. The cursors move last."""
    todos = [
        question
        for pair, window, is_again in todo
        for question in questions(pair, window, trailing=trailing and not is_again)
    ]
    access, today, read_at = settings.access(), settings.today(), now()
    replies: dict[tuple[Pair, Window, str], list[Rows]] = {}
    with access.client(settings.http_budget) as client, nothing_of("Infobip's counts of these days"):
        asking = ordered_parallel_map(
            lambda question: access.ask(client, question, today), todos, CONCURRENCY
        )
        for number, (question, rows) in enumerate(zip(todos, asking, strict=True), start=1):
            replies.setdefault((question.pair, question.window, question.stream), []).append(rows)
            on_page(number, len(todos))
    yield Routed("processes", named.processes(settings.pairs()))
    yield Routed("tags", named.tags(settings.pairs()))
    set_aside: dict[str, dict[str, Any]] = {}
    known = state.setdefault("set_aside", {})
    whole: dict[str, list[Window]] = {}
    for (pair, window, stream), found in replies.items():
        aside = Quarantine(known, _stream(stream, pair), window, read_at, traces=_TRACES)
        whole.setdefault(aside.stream, []).append(Window(window.start, window.end + DAY))
        yield from _routed(stream, found, aside, pair)
        # Two pairs may have sent the same; a key stands once in a load.
        set_aside |= aside.rows
    gone = [one for stream, days in whole.items() for one in resolved(known, stream, days, set_aside)]
    yield Routed("rejected_rows", rejected_table([*set_aside.values(), *resolved_rows(gone, read_at)]))
    _move(state, settings, [(pair, window) for pair, window, is_again in todo if not is_again])


def _routed(stream: str, found: Sequence[Rows], aside: Quarantine, pair: Pair) -> Iterator[Routed]:
    """The rows of one pair's window, and the evidence; what is to be set aside is left in `aside`."""
    for rows in found:
        for rejected in rows.rejected:
            aside.add(rejected, None)
    unknown: Counter[str] = Counter()
    for rows in found:
        note_names(unknown, rows.unknown)
    good = _distinct(row for rows in found for row in rows.good)
    yield Routed(stream, pa.Table.from_pylist(good, schema=RATES if stream == "conversion_rates" else TIMES))
    row = reading_row(
        aside,
        {"process": pair.process_key, **pair.tags},
        pages=len(found),
        announced=None,
        received=sum(rows.received for rows in found),
        statements=len(good),
        superseded=sum(rows.superseded for rows in found),
        unknown=unknown,
    )
    yield Routed("windows", row)


def _distinct(rows: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each day or windows: where a server answers other windows than asked, two may be the same."""
    key = ("day", *Frame._fields)
    found: dict[tuple[date | datetime | None, ...], dict[str, Any]] = {}
    for row in rows:
        found[tuple(row.get(name) for name in key)] = row
    return list(found.values())


def _move(
    state: MutableMapping[str, Any], settings: InfobipSettings, todo: Sequence[tuple[Pair, Window]]
) -> None:
    """Moves the cursors of the pairs that were read, and forgets those of pairs that left the settings."""
    today = settings.today()
    first = first_day(settings.infobip_start_date, today, "infobip_start_date")
    for pair, window in todo:
        advance_cursor(state.setdefault(pair.cursor, {}), first, window, today)
    kept = {pair.cursor for pair in settings.pairs()}
    for cursor in [name for name in state if name.startswith("[") and name not in kept]:
        del state[cursor]

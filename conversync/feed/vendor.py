"""What follows of a declaration: the dlt source, the steps of a run, the views; and the vendor of it all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

import dlt
from dlt.extract import DltResource

from conversync.extract.absence import refuse_most
from conversync.extract.evidence import EVIDENCE, spooled
from conversync.extract.lookback import Lookback, reach
from conversync.extract.read_ahead import walking
from conversync.extract.reading import (
    OnRest,
    evidence,
    move_cursor,
    statements,
)
from conversync.extract.rejected_days import Days, with_old_days
from conversync.extract.routing import READ, Routed, routed
from conversync.extract.vanished import told as vanished_told
from conversync.extract.vanished import vanished
from conversync.extract.windows import (
    Window,
    asked_parts,
    planned,
    with_its_last_day,
)
from conversync.feed.check import check
from conversync.feed.settings import NEEDED, FeedSettings
from conversync.feed.stream import Stream
from conversync.monitor import views as health
from conversync.monitor.view_columns import dated_views
from conversync.types import Restored, State
from conversync.vendors import LoadRequest, OnPage, Step, Vendor, divided, old_days
from conversync.vendors import windows as with_their_rest


def feed_vendor(
    name: str,
    title: str,
    settings: type[FeedSettings],
    streams: Sequence[Stream],
    *,
    views: Callable[[Any], Mapping[str, str]] = lambda _settings: {},
    reversed_rows: str | None = None,
    **more: Any,
) -> Vendor:
    """The vendor. `views` are its own; `reversed_rows` is the query of what is taken back (see `views.lateness`).

    `more` are other fields of `Vendor`: what it takes, and how that is reconciled.
    """
    missing = [f"{name}_{one}" for one in NEEDED if not hasattr(settings, f"{name}_{one}")]
    if missing:
        raise ValueError(f"the settings of {name} lack {', '.join(missing)}")
    if settings.headers is FeedSettings.headers:
        raise ValueError(f"the settings of {name} do not say with which headers it is asked")
    settings.vendor, settings.title = name, title
    source = _source(name, settings, streams)
    return Vendor(
        name=name,
        title=title,
        settings=settings,
        source=source,
        steps=partial(_steps, source, streams),
        in_shards=True,
        check=partial(check, streams),
        views=partial(_views, views, reversed_rows),
        lookbacks=[
            Lookback(f"{name}_lookback_days", stream.name, stream.table.name, zone=f"{name}_zone")
            for stream in streams
        ],
        tables=(
            *(stream.table.table for stream in streams),
            *dated_views(f"a day in {name}_zone", lateness=bool(reversed_rows)),
        ),
        **more,
    )


def _steps(
    source: Any, streams: Sequence[Stream], state: Restored, chosen: FeedSettings, asked: LoadRequest
) -> Iterator[Step]:
    """What is due, window by window; then old days."""
    due, again = divided(_plan(streams, state, chosen, asked.start, asked.end))
    for stream, planned_, _ in due:
        window = with_its_last_day(planned_, chosen.today()) if asked.end else planned_
        for part, on_rest in with_their_rest(asked_parts(window, asked.window_days, asked.shard)):
            days = partial(source, part.start, part.end, streams=[stream], on_rest=on_rest)
            run = partial(days, accept_empty=asked.accept_empty)
            load = partial(_with_pages, run)
            yield Step(f"{stream} {part}", load, days=part, of=window, reads={stream: stream})
    if again:
        run = partial(source, again=again, accept_empty=asked.accept_empty)
        yield Step(old_days(days[:2] for days in again), partial(_with_pages, run), is_extra=True)


def _with_pages(run: Callable[..., Any], on_page: OnPage) -> Any:
    return run(on_page=on_page)


def _views(
    own: Callable[[Any], Mapping[str, str]], reversed_rows: str | None, chosen: FeedSettings
) -> dict[str, str]:
    """A vendor's own, those of days, and of lateness where something is taken back."""
    zone = chosen.of("zone")
    late = health.lateness(reversed_rows, zone) if reversed_rows else {}
    return {**own(chosen), **health.days(health.text(zone)), **late}


def _plan(
    streams: Iterable[Stream],
    state: Restored,
    chosen: FeedSettings,
    start: str | date | None = None,
    end: str | date | None = None,
) -> list[Days]:
    """Which days each stream is to read: those asked for, else what is due; then old days (see `mended`)."""
    today, first = chosen.today(), chosen.first()
    due, again = list[Days](), list[Days]()
    for stream in streams:
        progress = state.get(stream.name, {})
        lookback = reach(chosen, chosen.lookback, state, progress.get("through"), today)
        window = planned(progress, first, lookback, today, start, end)
        old = list[Window]()
        if not start and not end:
            window, old = with_old_days(state.get("set_aside", {}), [stream.name], window, today)
        due.append(Days(stream.name, window))
        again += [Days(stream.name, one, again=True) for one in old]
    return due + again


def _source(name: str, spec: type[FeedSettings], streams: Sequence[Stream]) -> Any:
    """The dlt source: `start` and `end` are days in the vendor's zone; without them it reads what is due."""
    by_name = {stream.name: stream for stream in streams}

    def feed(
        start: date | str | None = None,
        end: date | str | None = None,
        *,
        streams: Sequence[str] = tuple(by_name),
        settings: FeedSettings = None,  # type: ignore[assignment] # dlt resolves it
        on_page: OnPage = lambda _received, _announced: None,
        on_rest: OnRest | None = None,
        again: Sequence[Days] = (),
        accept_empty: bool = False,
    ) -> list[DltResource]:
        def walk(state: State) -> Iterator[Routed]:
            chosen = [by_name[stream] for stream in streams]
            for days in list(again) or _plan(chosen, state, settings, start, end):
                yield from _read_all(
                    by_name[days.stream], state, settings, days, on_page, on_rest, accept_empty
                )

        tables = {one.table.name: one.table.table for one in map(by_name.__getitem__, streams)}
        return routed(walking(walk), (*tables.values(), *EVIDENCE))

    # dlt fills in the argument that is annotated with the settings.
    feed.__annotations__["settings"] = spec
    return dlt.source(feed, name=name, section=name, max_table_nesting=0, spec=spec)


def _read_all(
    stream: Stream,
    state: State,
    settings: FeedSettings,
    days: Days,
    on_page: OnPage,
    on_rest: OnRest | None,
    accept_empty: bool,
) -> Iterator[Routed]:
    """Reads the window, then routes: the statements, what was set aside, the evidence. The cursor moves last.

    InvalidResponseError where most of what is held of its days came no more, unless `accept_empty`.
    """
    names = [one.name for one in stream.table.columns]
    with settings.client() as client, spooled() as spill_files:
        done = stream.read(client, settings, spill_files, days, state, on_page, on_rest)
        yield READ
        if not accept_empty:
            refuse_most(settings.title, done, spill_files, stream.table.name)
        own_key = stream.table.key
        passing = vanished([done], spill_files, "event_key", [own_key], own_key, "occurred_on")
        yield from statements([done], spill_files, stream.table.name, [row["event_key"] for row in passing])
        told = (done.reading.pieces.bounds.told(settings.title), vanished_told(settings.title, passing))
        found = ". ".join(sentence for sentence in told if sentence) or None
        yield from evidence([done], spill_files, state, names, found, stream.table.key)
    move_cursor(state[stream.name], settings.first(), done, settings.today())

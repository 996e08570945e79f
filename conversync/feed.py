"""A vendor by declaration: listings of numbered pages, asked for by days, whose rows state events.

A vendor of this kind is its settings, its tables, the questions it is asked and what its pages say; all else follows:
the dlt source, the steps of a run, `check`, the views of days and lateness, what `verify` compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from functools import partial
from typing import Any, ClassVar

import dlt
from dlt.common.configuration.specs import BaseConfiguration, configspec
from dlt.extract import DltResource

from conversync.dlt_internals import is_secret_hint
from conversync.extract.absence import refuse_most
from conversync.extract.bounds import Bounds
from conversync.extract.check_results import CheckResult, clock, newest_row
from conversync.extract.columns import now
from conversync.extract.columns import zone as zone_of
from conversync.extract.evidence import EVIDENCE, Routed, routed, spooled
from conversync.extract.mended import Days, Traces, with_old_days
from conversync.extract.page_decoder import PageDecoder
from conversync.extract.pagination import Page, PagedListing
from conversync.extract.pieces import Pieces
from conversync.extract.proofs import proved
from conversync.extract.ranges import BUDGET, DAYS, check_ranges
from conversync.extract.reading import (
    OnRest,
    Read,
    Reading,
    evidence,
    move_cursor,
    read,
    statements,
)
from conversync.extract.spill import SpillFiles
from conversync.extract.vanished import told as vanished_told
from conversync.extract.vanished import vanished
from conversync.extract.windows import (
    Window,
    day,
    first_day,
    planned,
    split_window,
    unread,
    with_its_last_day,
)
from conversync.http.client import Client, Limits, Response
from conversync.http.secret import check_secret
from conversync.monitor import views as health
from conversync.monitor.declared import dated_views
from conversync.table import Events
from conversync.vendors import LoadRequest, OnPage, Step, Vendor, divided, old_days
from conversync.vendors import windows as with_their_rest

# Between these a setting can be meant, by what its name ends with.
LIMITS = {"lookback_days": DAYS, "range_days": DAYS, "page_size": (1, 100_000), "concurrency": (1, 64)}
# What every vendor of this kind declares, with its defaults.
NEEDED = (*LIMITS, "url", "zone", "start_date")
# As many rows as no vendor refuses, for the first look; and the days that it looks at.
FEW, RECENT = 100, timedelta(days=3)


@configspec
class FeedSettings(BaseConfiguration):
    """The settings that every vendor of this kind has, beside its own; each begins with the vendor's name.

    `<vendor>_url`, `_zone` (its days), `_lookback_days`, `_start_date`, `_page_size`, `_range_days` (days a question),
    `_concurrency`: a vendor declares them with its defaults. What cannot be meant is a SettingsError.
    """

    vendor: ClassVar[str] = ""
    title: ClassVar[str] = ""
    http_budget: int = 600

    def of(self, name: str) -> Any:
        """`of("zone")` is the setting `<vendor>_zone`."""
        return self[f"{self.vendor}_{name}"]

    def headers(self) -> Mapping[str, str]:
        """What every request carries, the credentials among it; `feed_vendor` takes no settings without their own."""
        return {}

    def on_resolved(self) -> None:
        """Refuses settings that cannot be meant, before any request."""
        limits = {f"{self.vendor}_{name}": most for name, most in LIMITS.items()}
        check_ranges(self, {**limits, "http_budget": BUDGET})
        for name in self.secrets:
            check_secret(name, self[name])
        self.client().close()  # refuses an address or a credential that no request can carry
        zone_of(self.of("zone"), f"{self.vendor}_zone")
        if self.of("start_date") is not None:
            day(self.of("start_date"), f"{self.vendor}_start_date")

    @property
    def secrets(self) -> list[str]:
        """The names of those that nobody may see."""
        return [name for name, hint in self.get_resolvable_fields().items() if is_secret_hint(hint)]

    @property
    def zone(self) -> tzinfo:
        """The zone of the vendor's days."""
        return zone_of(self.of("zone"), f"{self.vendor}_zone")

    def today(self) -> date:
        """The day it is for the vendor."""
        return now().astimezone(self.zone).date()

    def first(self) -> date:
        """The day with which a first run begins."""
        return first_day(self.of("start_date"), self.today(), f"{self.vendor}_start_date")

    def client(self) -> Client:
        """The connection to the vendor."""
        where = " or ".join(
            f"{name} in .dlt/secrets.toml, {name.upper()} in the environment" for name in self.secrets
        )
        return Client(
            self.of("url"),
            vendor=self.title,
            headers={"Accept": "application/json", **self.headers()},
            credentials_hint=f"Check {where}.",
            limits=Limits(http_budget=self.http_budget),
        )


@dataclass(frozen=True)
class Stream:
    """One listing. `params` asks for page `number` of so many rows, of days of which both ends are meant; `page` says
    what an answer is, decoded: InvalidResponseError where it is not that page.

    `rows` is the key under which a page has its rows, `beside` are the other keys of its envelope.
    """

    name: str
    table: Events
    path: str
    params: Callable[[Window, int, int], Mapping[str, str]]
    page: Callable[[Response, PageDecoder, int], Page]
    rows: str = "data"
    beside: Sequence[str] = ()

    def listing(
        self, client: Client, settings: Any, on_page: OnPage, window: Window, size: int
    ) -> PagedListing:
        """The listing of these days."""
        decoder = self.table.decoder(self.rows, self.beside)

        def ask(number: int, retry: bool, step: int) -> Page:
            return client.request(
                "GET",
                self.path,
                params=self.params(window, number, step),
                decode=lambda answer: self.page(answer, decoder, number),
                retry=retry,
            )

        return PagedListing(
            what=f"{settings.title} {self.name} of {window}",
            ask=ask,
            derive=partial(self.table.statements, zone=settings.zone),
            size=size,
            concurrency=settings.of("concurrency"),
            on_page=on_page,
            overlaps=True,
        )

    def read(
        self,
        client: Client,
        settings: Any,
        spill_files: SpillFiles,
        days: Days,
        state: MutableMapping[str, Any] | None = None,
        on_page: OnPage = lambda _received, _announced: None,
        on_rest: OnRest | None = None,
    ) -> Read:
        """The days of a window, believed or short; what was found of the vendor is noted in the state."""
        state = {} if state is None else state
        own, today = state.setdefault(self.name, {}), settings.today()
        limits = settings.of("range_days"), settings.of("page_size")
        bounds = Bounds.remembered(own, *limits, today)
        pieces = Pieces(
            partial(self.listing, client, settings, on_page),
            spill_files,
            client,
            bounds,
            today,
            unread=unread(own),
            lookback=settings.of("lookback_days"),
            in_parts=True,
            dated=f"({self.table.reversal}) is not true" if self.table.reversal else "true",
        )
        reading = Reading(
            self.name,
            days.window,
            pieces,
            traces=Traces(*self.table.traces, settings.zone),
            is_fixed=True,
            on_rest=on_rest,
            known=state.get("set_aside", {}),
            is_again=days.again,
        )
        [done] = read([reading])
        bounds.remember(own, *limits, today)
        return done


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
        check=partial(_check, streams),
        views=partial(_views, views, reversed_rows),
        tables=(
            *(stream.table.table for stream in streams),
            *dated_views(f"a day in {name}_zone", lateness=bool(reversed_rows)),
        ),
        **more,
    )


def _steps(
    source: Any, streams: Sequence[Stream], state: Mapping[str, Any], chosen: Any, asked: LoadRequest
) -> Iterator[Step]:
    """What is due, window by window; then old days."""
    due, again = divided(_plan(streams, state, chosen, asked.start, asked.end))
    for stream, planned_, _ in due:
        window = with_its_last_day(planned_, chosen.today()) if asked.end else planned_
        for part, on_rest in with_their_rest(split_window(window, asked.window_days)):
            days = partial(source, part.start, part.end, streams=[stream], on_rest=on_rest)
            run = partial(days, accept_empty=asked.accept_empty)
            yield Step(f"{stream} {part}", lambda on_page, run=run: run(on_page=on_page))  # type: ignore[misc]
    if again:
        run = partial(source, again=again, accept_empty=asked.accept_empty)
        yield Step(old_days(days[:2] for days in again), lambda on_page: run(on_page=on_page), is_extra=True)


def _views(own: Callable[[Any], Mapping[str, str]], reversed_rows: str | None, chosen: Any) -> dict[str, str]:
    """A vendor's own, those of days, and of lateness where something is taken back."""
    zone = chosen.of("zone")
    late = health.lateness(reversed_rows, zone) if reversed_rows else {}
    return {**own(chosen), **health.days(health.text(zone)), **late}


def _plan(
    streams: Iterable[Stream], state: Mapping[str, Any], chosen: Any, start: Any = None, end: Any = None
) -> list[Days]:
    """Which days each stream is to read: those asked for, else what is due; then old days (see `mended`)."""
    today, first, lookback = chosen.today(), chosen.first(), chosen.of("lookback_days")
    due, again = list[Days](), list[Days]()
    for stream in streams:
        window = planned(state.get(stream.name, {}), first, lookback, today, start, end)
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
        @dlt.resource(name="scan", selected=False)
        def scan() -> Iterator[Routed]:
            state = dlt.current.source_state()
            chosen = [by_name[stream] for stream in streams]
            for days in list(again) or _plan(chosen, state, settings, start, end):
                yield from _read_all(
                    by_name[days.stream], state, settings, days, on_page, on_rest, accept_empty
                )

        tables = {one.table.name: one.table.table for one in map(by_name.__getitem__, streams)}
        return routed(scan, (*tables.values(), *EVIDENCE))

    # dlt fills in the argument that is annotated with the settings.
    feed.__annotations__["settings"] = spec
    return dlt.source(feed, name=name, section=name, max_table_nesting=0, spec=spec)


def _read_all(
    stream: Stream,
    state: MutableMapping[str, Any],
    settings: Any,
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
        if not accept_empty:
            refuse_most(settings.title, done, spill_files, stream.table.name)
        own_key = stream.table.key
        passing = vanished([done], spill_files, "event_key", [own_key], own_key, "occurred_on")
        yield from statements([done], spill_files, stream.table.name, [row["event_key"] for row in passing])
        told = (done.reading.pieces.bounds.told(settings.title), vanished_told(settings.title, passing))
        found = ". ".join(sentence for sentence in told if sentence) or None
        yield from evidence([done], spill_files, state, names, found, stream.table.key)
    move_cursor(state[stream.name], settings.first(), done, settings.today())


def _check(streams: Sequence[Stream], settings: Any) -> Iterator[CheckResult]:
    """One page of the last days, tomorrow included; then each stream as a night reads it. Raises as a load does."""
    today = settings.today()
    few = min(settings.of("page_size"), FEW)
    nightly = Window(today - timedelta(days=settings.of("lookback_days")), today)
    with settings.client() as client, SpillFiles() as spill_files:
        for number, stream in enumerate(streams):
            answers: list[Response] = []
            window = Window(today - RECENT, today + timedelta(days=1))
            decoder = stream.table.decoder(stream.rows, stream.beside)

            def understand(answer: Response, stream: Stream = stream, decoder: PageDecoder = decoder) -> Page:
                answers.append(answer)  # noqa: B023 - called before the loop goes on
                return stream.page(answer, decoder, 1)

            page = client.get(stream.path, stream.params(window, 1, few), understand)
            told = (
                f"{page.total:,} rows"
                if page.total is not None
                else f"{page.decoded.received:,} rows on a page"
            )
            yield CheckResult(
                True, f"reached, and let in: {stream.name}, {told} in the last {RECENT.days} days"
            )
            if not number:
                yield from clock(answers[-1])
            if page.decoded.table.num_rows:
                rows = stream.table.statements(page.decoded.table, settings.zone)
                whole = page.total is not None and page.total <= page.decoded.table.num_rows
                doubt = f"is {settings.vendor}_zone right?"
                yield from newest_row(
                    rows["occurred_at"].to_pylist(), now(), settings.of("zone"), doubt, newest=whole
                )
            yield from proved(
                stream.read(client, settings, spill_files, Days(stream.name, nightly)), stream.name
            )

"""One listing of a vendor by declaration: how it is asked for, and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from conversync.extract.complete_days import Pieces
from conversync.extract.known_limits import Bounds
from conversync.extract.lookback import in_use
from conversync.extract.page_decoder import PageDecoder
from conversync.extract.pagination import Page, PagedListing
from conversync.extract.reading import (
    OnRest,
    Read,
    Reading,
    read,
)
from conversync.extract.rejected_days import Days, Traces
from conversync.extract.spill import SpillFiles
from conversync.extract.windows import (
    Window,
    unread,
)
from conversync.feed.settings import FeedSettings
from conversync.http.client import Client, Response
from conversync.table import Events
from conversync.types import State
from conversync.vendors import OnPage


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
        self, client: Client, settings: FeedSettings, on_page: OnPage, window: Window, size: int
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
        settings: FeedSettings,
        spill_files: SpillFiles,
        days: Days,
        state: State | None = None,
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
            lookback=in_use(settings, settings.lookback, state).days,
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

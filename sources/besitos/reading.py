"""How the feed is read: both walks piece by piece, the filter proved, what is gone noticed, the cursors moved last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from conversync.errors import RequestRejectedError, VendorError
from conversync.extract.columns import zone
from conversync.extract.complete_days import Pieces
from conversync.extract.evidence import spooled
from conversync.extract.failing_requests import spoils
from conversync.extract.known_limits import Bounds
from conversync.extract.lookback import in_use
from conversync.extract.pagination import Page, PagedListing
from conversync.extract.reading import OnRest, Read, Reading, evidence, move_cursor, read, statements
from conversync.extract.rejected_days import Days, Traces
from conversync.extract.routing import READ, Routed
from conversync.extract.spill import SpillFiles
from conversync.extract.vanished import told as vanished_told
from conversync.extract.vanished import vanished
from conversync.extract.windows import Window, first_day, unread
from conversync.http.client import Client, Response
from conversync.types import Document, State

from . import feed, withdrawn
from .gone import Gone, Rows, come_in
from .reversals import Question, Reversals
from .settings import BesitosSettings
from .tables import CONVERSION_EVENTS, IN_DOCUMENT, WITHDRAWN_EVENTS, WITHDRAWN_HISTORY
from .walks import CONVERSIONS, LOOKBACKS, REVERSALS

OnPage = Callable[[int, int], None]


class Feed:
    """One run's way of reading the feed: the connection, the settings, and what earlier runs learned of the vendor."""

    def __init__(
        self,
        client: Client,
        settings: BesitosSettings,
        state: State,
        spill_files: SpillFiles,
        filters: Mapping[str, str],
        on_page: OnPage,
    ) -> None:
        self._client, self._settings, self._state = client, settings, state
        self._spools, self._filters, self._on_page = spill_files, filters, on_page
        self._totals = feed.Totals(silent=state.get("silent", False))
        self.bounds = Bounds.remembered(
            state, settings.besitos_range_days, settings.besitos_page_size, settings.today()
        )
        self._reversals = Reversals(
            state, spill_files, self.bounds.found, settings.today(), is_narrowed=bool(filters)
        )

    def read(self, days: Days, on_rest: OnRest | None) -> Read:
        """A stream's window. Reversals are asked for in the way that the vendor understands."""
        if days.stream == REVERSALS:
            read = partial(self._read, days, on_rest=on_rest)
            return self._reversals.read(Question(days.window, read, partial(self._last_days, days.window)))
        done = self._read(days, None, on_rest)
        self._reversals.note(done)
        return done

    def listing(self, stream: str, yes: str | None, window: Window, page_size: int) -> PagedListing:
        """The listing of these days; both are asked for, always."""
        asked = {"from_date": str(window.start), "to_date": str(window.end), **self._asked(yes)}
        decoder, origins = feed.decoder(self._settings.ids()), (self._settings.besitos_url, feed.DOCUMENTED)

        def ask(number: int, retry: bool, step: int) -> Any:
            params = {**asked, "per_page": str(step), "page": str(number)}

            def understand(answer: Response) -> Page:
                return self._totals.judge(feed.page(answer, number, decoder, origins))

            return self._client.request("GET", feed.PATH, params=params, decode=understand, retry=retry)

        return PagedListing(
            what=f"Besitos {stream} of {window}",
            ask=ask,
            derive=partial(feed.statements, zone=zone(self._settings.besitos_zone, "besitos_zone")),
            size=page_size,
            concurrency=self._settings.besitos_concurrency,
            on_page=self._on_page,
            overlaps=True,
        )

    def pieces(self, stream: str, yes: str | None) -> Pieces:
        """How windows of the stream are read."""
        return Pieces(
            partial(self.listing, stream, yes),
            self._spools,
            self._client,
            self.bounds,
            self._settings.today(),
            unread=unread(self._state.get(stream, {})),
            lookback=in_use(self._settings, LOOKBACKS[stream], self._state).days,
            in_parts=True,
            # A reversal may be served by its original's day; and where reversals are asked for, whatever is none.
            dated="not is_reversal" if stream == CONVERSIONS else None,
        )

    def announced(self, window: Window) -> int | None:
        """How many rows the first page of these days announces; None where it is not given, or does not say."""
        try:
            return self.listing(CONVERSIONS, None, window, self.bounds.page_size).fetch(1, True).total
        except VendorError as error:
            if isinstance(error, RequestRejectedError) or spoils(error):
                return None
            raise

    def remember(self) -> None:
        """Notes in the state what was found of the vendor."""
        settings = self._settings
        self._reversals.remember()
        if self._totals.told:
            self._state.pop("silent", None)
        elif self._totals.silent:
            self._state["silent"] = True
        limits = settings.besitos_range_days, settings.besitos_page_size
        self.bounds.remember(self._state, *limits, settings.today())

    def _asked(self, yes: str | None) -> dict[str, str]:
        return {**({} if yes is None else {"is_reverse": yes}), **self._filters}

    def _read(self, days: Days, yes: str | None, on_rest: OnRest | None) -> Read:
        reading = Reading(
            days.stream,
            days.window,
            self.pieces(days.stream, yes),
            self._asked(yes),
            traces=Traces(
                ("date_time",), ("transaction_id",), zone(self._settings.besitos_zone, "besitos_zone")
            ),
            is_fixed=True,
            on_rest=on_rest,
            known=self._state.get("set_aside", {}),
            is_again=days.again,
        )
        [done] = read([reading])
        return done

    def _last_days(self, window: Window, yes: str | None) -> PagedListing:
        """The listing of reversals of as many of the last days as are asked for at once."""
        return self.listing(REVERSALS, yes, window.last_days(self.bounds.days), self.bounds.page_size)


def read_all(
    state: State,
    settings: BesitosSettings,
    todo: Sequence[Days],
    filters: dict[str, str],
    on_page: OnPage,
    on_rest: OnRest | None,
    accept_empty: bool,
) -> Iterator[Routed]:
    """Reads every window, then routes: the statements, what is gone, what was set aside, the evidence.

    The cursors move last, not past a day that is short.
    """
    with settings.client() as client, spooled() as spill_files:
        source = Feed(client, settings, state, spill_files, filters, on_page)
        done = [source.read(days, on_rest) for days in todo]
        yield READ
        passing = _passing(done, spill_files)
        gone, left = _gone(source, [] if filters else done, spill_files, accept_empty=accept_empty)
        yield from statements(
            done, spill_files, CONVERSION_EVENTS.name, [row["event_key"] for row in passing]
        )
        counts = settings.besitos_withdrawn_counts
        changed, news = withdrawn.table(gone, left, spill_files, come_in(done), done[0].at, counts=counts)
        yield Routed(WITHDRAWN_EVENTS.name, changed)
        yield Routed(WITHDRAWN_HISTORY.name, withdrawn.history(changed))
        told = (
            source.bounds.told("Besitos"),
            vanished_told("Besitos", passing),
            news,
            _links_told(state, done),
        )
        found_out = ". ".join(filter(None, told)) or None
        yield from evidence(done, spill_files, state, IN_DOCUMENT, found_out, "transaction_id")
        source.remember()
    if not filters:
        _move_cursors(state, settings, done)


def _gone(
    source: Feed, done: Sequence[Read], spill_files: SpillFiles, *, accept_empty: bool
) -> tuple[Rows, Rows]:
    """What no reading has any more, and the originals among it that have a reversal."""
    gone, left = Rows(), Rows()
    for one in done:
        more, more_left = Gone(source, one, done, spill_files).found(accept_empty=accept_empty)
        gone += more
        left += more_left
    return gone, left


def _move_cursors(state: State, settings: BesitosSettings, done: Sequence[Read]) -> None:
    today = settings.today()
    first = first_day(settings.besitos_start_date, today, "besitos_start_date")
    for one in done:
        move_cursor(state.setdefault(one.reading.stream, {}), first, one, today)


def _links_told(state: State, done: Sequence[Read]) -> str | None:
    """The sentence about next links that cannot be right, once for as long as it is the same."""
    doubt = next((scan.doubt for one in done for scan in one.scans if scan.doubt), None)
    known = state.pop("links", None)
    if doubt is None:
        return None
    state["links"] = doubt
    if doubt == known:
        return None
    return f"Besitos' next links cannot be right: {doubt}. None is followed; pages are asked for by number, and counted"


def _passing(done: Sequence[Read], spill_files: SpillFiles) -> list[Document]:
    """Events that came and went meanwhile. An original whose reversal is there has merely left the feed."""
    columns = ["transaction_id", "is_reversal"]
    gone = vanished(done, spill_files, "event_key", columns, "transaction_id", "occurred_on")
    originals = [row for row in gone if not row["is_reversal"]]
    left = withdrawn.without_reversal(originals, spill_files, come_in(done))
    return [row for row in gone if row["is_reversal"]] + left

"""How the feed is read: both walks piece by piece, the filter proved, what is gone noticed, the cursors moved last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from conversync.errors import RequestRejectedError, VendorError
from conversync.extract.bounds import Bounds
from conversync.extract.columns import zone
from conversync.extract.cuts import LEAST_DAYS
from conversync.extract.evidence import Routed, spooled
from conversync.extract.failing import spoils
from conversync.extract.mended import Days, Traces
from conversync.extract.pagination import Page, PagedListing
from conversync.extract.piece import Piece
from conversync.extract.pieces import Pieces
from conversync.extract.reading import OnRest, Read, Reading, evidence, move_cursor, read, statements
from conversync.extract.spill import SpillFile, SpillFiles
from conversync.extract.vanished import spoilt_ids, vanished
from conversync.extract.vanished import told as vanished_told
from conversync.extract.windows import DAY, Window, first_day, unread
from conversync.http.client import Client, Response

from . import feed, withdrawn
from .reversals import Question, Reversals
from .tables import CONVERSION_EVENTS, IN_DOCUMENT, WITHDRAWN_EVENTS, WITHDRAWN_HISTORY

if TYPE_CHECKING:
    from . import BesitosSettings

CONVERSIONS = "conversions"
REVERSALS = "reversals"
# What is walked: everything, over a few days; and the reversals over many, because one may carry its original's date.
# The flag of the row decides what a row is, never the walk that brought it.
STREAMS = (CONVERSIONS, REVERSALS)
OnPage = Callable[[int, int], None]
# Events as dicts, of what `withdrawn_events` says.
Rows = list[dict[str, Any]]


class Feed:
    """One run's way of reading the feed: the connection, the settings, and what earlier runs learned of the vendor."""

    def __init__(
        self,
        client: Client,
        settings: BesitosSettings,
        state: MutableMapping[str, Any],
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
        decoder, origins = feed.decoder(), (self._settings.besitos_url, feed.DOCUMENTED)

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
            lookback=self._settings.lookback(stream),
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
    state: MutableMapping[str, Any],
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
        passing = _passing(done, spill_files)
        unfiltered = [] if filters else done
        found = [_gone(source, one, done, spill_files, accept_empty) for one in unfiltered]
        gone, left = ([row for some in found for row in some[place]] for place in (0, 1))
        yield from statements(
            done, spill_files, CONVERSION_EVENTS.name, [row["event_key"] for row in passing]
        )
        counts = settings.besitos_withdrawn_counts
        changed, news = withdrawn.table(gone, left, spill_files, _come(done), done[0].at, counts=counts)
        yield Routed(WITHDRAWN_EVENTS.name, changed)
        yield Routed(WITHDRAWN_HISTORY.name, withdrawn.history(changed))
        told = [
            source.bounds.told("Besitos"),
            vanished_told("Besitos", passing),
            news,
            _links_told(state, done),
        ]
        found_out = ". ".join(sentence for sentence in told if sentence) or None
        yield from evidence(done, spill_files, state, IN_DOCUMENT, found_out, "transaction_id")
        source.remember()
    if not filters:
        today = settings.today()
        first = first_day(settings.besitos_start_date, today, "besitos_start_date")
        for one in done:
            move_cursor(state.setdefault(one.reading.stream, {}), first, one, today)


def _links_told(state: MutableMapping[str, Any], done: Sequence[Read]) -> str | None:
    """The sentence about next links that cannot be right, once for as long as it is the same."""
    doubt = next((scan.doubt for one in done for scan in one.scans if scan.doubt), None)
    known = state.pop("links", None)
    if doubt is None:
        return None
    state["links"] = doubt
    if doubt == known:
        return None
    return f"Besitos' next links cannot be right: {doubt}. None is followed; pages are asked for by number, and counted"


def _come(done: Sequence[Read]) -> list[SpillFile]:
    """What came in readings that are believed."""
    return [scan.spill_file for one in done for scan in one.believed]


def _passing(done: Sequence[Read], spill_files: SpillFiles) -> list[dict[str, Any]]:
    """Events that came and went meanwhile. An original whose reversal is there has merely left the feed."""
    columns = ["transaction_id", "is_reversal"]
    gone = vanished(done, spill_files, "event_key", columns, "transaction_id", "occurred_on")
    originals = [row for row in gone if not row["is_reversal"]]
    left = withdrawn.without_reversal(originals, spill_files, _come(done))
    return [row for row in gone if row["is_reversal"]] + left


def _gone(
    source: Feed, done: Read, all_done: Sequence[Read], spill_files: SpillFiles, accept_empty: bool
) -> tuple[Rows, Rows]:
    """What is held of the whole days and did not come, after each such day was asked for once more, alone.

    Where a day alone has it, the vendor cuts long ranges short without a word: then the window is read again in
    shorter ones. What came counts, whichever way it came, in this walk or another. Beside it the originals that came no
    more either, and have a reversal. InvalidResponseError where most of what is held is gone.
    """
    reversals = done.reading.stream == REVERSALS
    known, spoilt = withdrawn.known(), spoilt_ids(done)
    if None in spoilt:
        return [], []  # a row that was set aside may be any of them
    bounds = done.reading.pieces.bounds

    def missed() -> tuple[Rows, Rows, Rows, int]:
        gone, left, held = withdrawn.absent(done, spill_files, _come(all_done), reversals=reversals)
        gone, left = (
            [row for row in some if str(row["transaction_id"]) not in spoilt] for some in (gone, left)
        )
        return gone, [row for row in gone if row["event_key"] not in known], left, held

    gone, news, left, held = missed()
    while news and bounds.days > LEAST_DAYS:
        is_cut_short = _is_cut_short(done, news, spill_files)
        if is_cut_short:
            bounds.days = LEAST_DAYS
            bounds.found.append("ranges of several days are cut short without a word")
            done.pieces.extend(done.reading.pieces.read(done.window))
        gone, news, left, held = missed()
        if not is_cut_short:
            break
    if not news:
        return gone, left
    unsure = _short_days(done)
    news = [row for row in news if row["occurred_on"] not in unsure]
    gone = [row for row in gone if row["event_key"] in known or row["occurred_on"] not in unsure]
    back = _come_unfiltered(source, news, spill_files) if reversals else set()
    lost = [row for row in news if row["event_key"] not in back]
    if not accept_empty:
        lost_for_good = len(lost) - withdrawn.restated(lost, spill_files, _come(all_done))
        withdrawn.refuse_most(done, lost_for_good, held)
    left = [row for row in left if row["occurred_on"] not in unsure]
    return [row for row in gone if row["event_key"] not in back], left


def _is_cut_short(done: Read, news: Sequence[dict[str, Any]], spill_files: SpillFiles) -> bool:
    """Whether any of these events comes where its day is asked for alone, and not among all of the days.

    Not even where they are asked for once more: a row that is moved while it is read may be missed once. What comes is
    read, either way.
    """
    alone = _days(done.reading.pieces, news)
    done.pieces.extend(alone)
    found = _among(alone, news, spill_files)
    if not found:
        return False
    again = list(done.reading.pieces.read(done.window))
    done.pieces.extend(again)
    return not found <= _among(again, news, spill_files)


def _short_days(done: Read) -> set[date]:
    """The days of which not all came when they were asked for last: nothing of them is gone for that."""
    pieces = [piece for piece in done.pieces if piece.missing]
    return {day for piece in pieces for day in piece.window.each_day()}


def _come_unfiltered(source: Feed, news: Sequence[dict[str, Any]], spill_files: SpillFiles) -> set[str]:
    """Of these reversals, those that come where everything of their day is asked for."""
    return _among(_days(source.pieces(CONVERSIONS, None), news), news, spill_files)


def _days(pieces: Pieces, events: Sequence[dict[str, Any]]) -> list[Piece]:
    return [piece for day in withdrawn.days_of(events) for piece in pieces.read(Window(day, day + DAY))]


def _among(pieces: Sequence[Piece], events: Sequence[dict[str, Any]], spill_files: SpillFiles) -> set[str]:
    come = [scan.spill_file for piece in pieces for scan in piece.scans]
    return spill_files.among(come, "event_key", [row["event_key"] for row in events])

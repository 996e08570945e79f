"""How the log and the report are read: the columns agreed, the days piece by piece, the rows routed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from conversync.errors import RequestRejectedError, VendorError
from conversync.extract.columns import zone
from conversync.extract.complete_days import Pieces
from conversync.extract.complete_piece import Piece
from conversync.extract.evidence import spooled
from conversync.extract.failing_requests import OF_RANGE, fails, is_of_size, may_be_of_days, spoils
from conversync.extract.known_limits import Bounds
from conversync.extract.left_out_days import LEAST_DAYS
from conversync.extract.lookback import in_use
from conversync.extract.mistrusted import nothing_of
from conversync.extract.pagination import PagedListing
from conversync.extract.reading import OnRest, Read, Reading, evidence, read, statements
from conversync.extract.rejected_days import Days, Traces
from conversync.extract.routing import READ, Routed
from conversync.extract.spill import SpillFiles
from conversync.extract.vanished import told as vanished_told
from conversync.extract.vanished import vanished
from conversync.extract.windows import Window, unread
from conversync.types import State

from . import log, report, statuses
from .lists import OnSkip, warn
from .tables import CONVERSION_EVENTS, REPORT_DAILY
from .tracker import Tracker
from .withdrawn import Absence

if TYPE_CHECKING:
    from .settings import KeitaroSettings

CONVERSIONS = "conversions"
REPORT = "report"
# What is read by windows of days: conversions by the UTC day of their present time, the report by days in
# `keitaro_zone`.
STREAMS = (CONVERSIONS, REPORT)
# The setting that says how many days before its cursor either begins.
LOOKBACK = "keitaro_lookback_days"

Agreed = TypeVar("Agreed")
OnPage = Callable[[int, int], None]
# Of both, the days are those of their questions: a log's time is in UTC unless it tells its offset.
_TRACES = {CONVERSIONS: Traces((*log.TIMES, "date_time"), log.IDS), REPORT: Traces(("day",))}
# The day on which a conversion is asked for is UTC's, whatever zone its figures are of.
_ASKED_ON = "cast(occurred_at at time zone 'UTC' as date)"


@dataclass(frozen=True)
class Asking:
    """What some windows of a stream are read with."""

    tracker: Tracker
    settings: KeitaroSettings
    state: State
    days: Sequence[Days]
    on_page: OnPage
    on_rest: OnRest | None
    accept_empty: bool = False
    on_skip: OnSkip = warn

    @property
    def window(self) -> Window:
        """The first of them, over which it is agreed how to ask."""
        return self.days[0].window

    @property
    def limits(self) -> tuple[int, int]:
        """Days a question and rows a page, as the settings have them."""
        return self.settings.keitaro_range_days, self.settings.keitaro_page_size

    def conversions(
        self, agreed: log.Agreed, spill_files: SpillFiles, days: Days, note: str | None = None
    ) -> Read:
        """The log of a window, piece by piece."""
        listing = partial(
            log.listing,
            self.tracker,
            agreed,
            concurrency=self.settings.keitaro_concurrency,
            zone=zone(self.settings.keitaro_zone, "keitaro_zone"),
            on_page=self.on_page,
        )
        return self._read(days, listing, spill_files, agreed.columns, note)

    def report(
        self,
        asked: report.Report,
        agreed: report.Agreed,
        spill_files: SpillFiles,
        days: Days,
        note: str | None = None,
    ) -> Read:
        """The report of a window, piece by piece."""
        listing = partial(
            report.listing,
            self.tracker,
            asked,
            agreed,
            concurrency=self.settings.keitaro_concurrency,
            zone=self.settings.keitaro_zone,
            on_page=self.on_page,
        )
        return self._read(days, listing, spill_files, asked.columns, note)

    def agreed(self, stream: str, agree: Callable[[Window], Agreed]) -> Agreed:
        """What the tracker agrees to, over as many of the window's last days as it answers for at once.

        Where the last days cannot be had for another reason than their number, the first ones tell, or some between.
        """
        known = Bounds.remembered(self._found(stream), *self.limits, self.settings.today(stream)).days
        days = known if known < self.settings.keitaro_range_days else self.window.days
        refusal: VendorError | None = None
        latest: VendorError | None = None
        for window in _samples(self.window, days):
            if refusal and latest and not _may_be_answered(window, self.window, refusal, latest):
                continue
            try:
                with nothing_of(f"Keitaro's {stream} of {self.window}"):
                    return agree(window)
            except VendorError as error:
                refusal, latest = refusal or error, error
                if not _may_be_of_window(error):
                    break
                self.tracker.pace.hurried = fails(error)
        raise refusal or AssertionError("a window has days")

    def _found(self, stream: str) -> State:
        found: State = self.state.setdefault("found", {}).setdefault(stream, {})
        return found

    def _read(
        self,
        days: Days,
        listing: Callable[[Window, int], PagedListing],
        spill_files: SpillFiles,
        columns: Iterable[str],
        note: str | None,
    ) -> Read:
        """A window of a stream. The report's question covers its last day, the log's may not."""
        stream = days.stream
        found, today = self._found(stream), self.settings.today(stream)
        bounds = Bounds.remembered(found, *self.limits, today)
        pieces = Pieces(
            listing,
            spill_files,
            self.tracker.pace,
            bounds,
            today,
            day="occurred_on" if stream == CONVERSIONS else report.DAY_COLUMN,
            shared=stream == CONVERSIONS,
            unread=unread(self.state.get(stream, {})),
            lookback=in_use(self.settings, LOOKBACK, self.state).days,
        )
        reading = Reading(
            stream,
            days.window,
            pieces,
            {"columns": ", ".join(columns)},
            note,
            _TRACES[stream],
            on_rest=self.on_rest,
            known=self.state.get("set_aside", {}),
            is_again=days.again,
        )
        [done] = read([reading])
        bounds.remember(found, *self.limits, today)
        return done


def _samples(window: Window, days: int) -> Iterator[Window]:
    """Where to look for what a tracker agrees to: the last days, fewer and fewer of them, the first, some between.

    Single days come last: a question may not cover its last day, and without a row nobody knows which id comes.
    """
    last = window.last_days(max(days, LEAST_DAYS))
    yield last
    while (days := last.days // 2) >= LEAST_DAYS:
        last = window.last_days(days)
        yield last
    first = Window(window.start, window.start.add(days=LEAST_DAYS - 1))
    if first.end < last.start:
        yield first
    for more in (LEAST_DAYS - 1, 0):
        between = (Window(day.start, day.end.add(days=more)) for day in window.spread())
        yield from (days for days in between if first.end < days.start and days.end < last.start)


def _may_be_answered(sample: Window, window: Window, refusal: VendorError, latest: VendorError) -> bool:
    """Whether a sample is worth a question after these errors, the first one and the latest."""
    if sample.end == window.end:
        return spoils(latest) or _is_of_range(latest)
    return not isinstance(refusal, RequestRejectedError) and (sample.start == window.start or spoils(refusal))


def _may_be_of_window(error: VendorError) -> bool:
    """Whether other days may be answered."""
    return may_be_of_days(error) and (not isinstance(error, RequestRejectedError) or _is_of_range(error))


def _is_of_range(error: VendorError) -> bool:
    """Whether fewer days may be answered: they are what was refused, or nobody knows what was."""
    return is_of_size(error) and OF_RANGE.issuperset(name.casefold() for name in error.fields)


def conversions(asking: Asking) -> Generator[Routed, None, list[Read]]:
    """The log of some windows, as statements."""
    settings, tracker = asking.settings, asking.tracker
    wanted = settings.keitaro_columns or log.COLUMNS
    agreed = asking.agreed(CONVERSIONS, lambda window: log.agree(tracker, window, wanted))
    text = "the tracker does not know the columns {}: they stay empty"
    note = _news(asking.state, "unknown_columns", agreed.unknown, text)
    with spooled(key="conversion_id", latest="occurred_at") as spill_files:
        done = [
            asking.conversions(agreed, spill_files, days, note if days is asking.days[0] else None)
            for days in asking.days
        ]
        yield READ
        absence = Absence(done, spill_files, asking.state, settings.today(CONVERSIONS))
        left = absence.told(asking.accept_empty)
        strange = statuses.told_once(asking.state, agreed.strange)
        for doubt in (absence.twice(asking.accept_empty), strange):
            if doubt is not None:
                asking.on_skip(doubt)
        passing = vanished(done, spill_files, "conversion_id", [], "conversion_id", _ASKED_ON)
        yield from statements(
            done, spill_files, CONVERSION_EVENTS.name, [row["conversion_id"] for row in passing]
        )
        found = _told(done, vanished_told("Keitaro", passing), left)
        yield from evidence(done, spill_files, asking.state, log.SHOWN, found, "conversion_id")
    return done


def daily_report(asking: Asking) -> Generator[Routed, None, list[Read]]:
    """The report of some windows, whole days."""
    settings, tracker = asking.settings, asking.tracker
    asked, known = settings.report(), asking.state.get("report_words")
    agreed = asking.agreed(
        REPORT, lambda window: report.agree(tracker, window, asked, settings.keitaro_zone, known)
    )
    if agreed.proven:
        asking.state["report_words"] = list(agreed.words)
    text = "the report leaves out the metrics {}: they stay empty"
    note = _news(asking.state, "left_out_metrics", agreed.left_out, text)
    with spooled(latest=report.DAY_COLUMN) as spill_files:
        done = [
            asking.report(asked, agreed, spill_files, days, note if days is asking.days[0] else None)
            for days in asking.days
        ]
        yield READ
        yield Routed(REPORT_DAILY.name, asked.schema.empty_table())
        for piece in (piece for one in done for piece in one.pieces):
            for table in _whole_days(piece, spill_files, asked):
                yield Routed(REPORT_DAILY.name, table)
        yield from evidence(done, spill_files, asking.state, asked.columns, _told(done), "event_key")
    return done


def _told(done: Sequence[Read], *others: str | None) -> str | None:
    """What came out of the tracker while it was read, and these sentences, each once; None where it is nothing."""
    told = (*(one.reading.pieces.bounds.told("Keitaro") for one in done), *others)
    return "; ".join(dict.fromkeys(sentence for sentence in told if sentence)) or None


def _whole_days(piece: Piece, spill_files: SpillFiles, asked: report.Report) -> Iterable[Any]:
    """The piece's days; none where it is short: days that are held whole are not replaced by a part of them.

    A group that only a pass had that was given up is gone.
    """
    if piece.missing:
        return ()
    chosen = spill_files.one_each([scan.spill_file for scan in piece.believed])
    return report.whole_days(chosen.tables() if chosen else (), piece.window, asked)


READERS: dict[str, Callable[[Asking], Generator[Routed, None, list[Read]]]] = {
    CONVERSIONS: conversions,
    REPORT: daily_report,
}


def _news(state: State, known: str, names: Sequence[str], text: str) -> str | None:
    """The sentence about these names, once for as long as they stay the same."""
    news = bool(names) and state.get(known) != list(names)
    state[known] = list(names)
    return text.format(", ".join(names)) if news else None

"""What of the feed is gone: held of whole days, and served no more (see withdrawn.py)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from conversync.extract.complete_days import Pieces
from conversync.extract.complete_piece import Piece
from conversync.extract.left_out_days import LEAST_DAYS
from conversync.extract.reading import Read
from conversync.extract.spill import SpillFile, SpillFiles
from conversync.extract.vanished import among, spoilt_ids
from conversync.extract.windows import DAY, Window
from conversync.types import Document

from . import withdrawn
from .walks import CONVERSIONS, REVERSALS

if TYPE_CHECKING:
    from .reading import Feed

# Events as dicts, of what `withdrawn_events` says.
Rows = list[Document]


class Missed(NamedTuple):
    """What is held of whole days and did not come.

    `gone` are the events, of which the `news` were not known to be; `left` the originals that came no more either, and
    have a reversal; `held` how many events are held at all.
    """

    gone: Rows
    news: Rows
    left: Rows
    held: int

    def without(self, days: Collection[date], known: Collection[str]) -> Missed:
        """Nothing of these days is gone that was not `known` to be."""
        return Missed(
            [row for row in self.gone if row["event_key"] in known or row["occurred_on"] not in days],
            [row for row in self.news if row["occurred_on"] not in days],
            [row for row in self.left if row["occurred_on"] not in days],
            self.held,
        )


class Gone:
    """What a stream's reading shows to be served no more.

    What came counts, whichever way it came, in this walk or in another of the night (`night`).
    """

    def __init__(self, source: Feed, done: Read, night: Sequence[Read], spill_files: SpillFiles) -> None:
        self._source, self._done, self._night, self._spill_files = source, done, night, spill_files
        self._are_reversals = done.reading.stream == REVERSALS
        self._known, self._spoilt = withdrawn.known(), spoilt_ids(done)

    def found(self, *, accept_empty: bool) -> tuple[Rows, Rows]:
        """What is held of the whole days and did not come, after each such day was asked for once more, alone.

        Beside it the originals that came no more either, and have a reversal. InvalidResponseError where most of what
        is held is gone, unless that is accepted.
        """
        if None in self._spoilt:
            return [], []  # a row that was set aside may be any of them
        missed = self._missed_for_good()
        if not missed.news:
            return missed.gone, missed.left
        missed = missed.without(_short_days(self._done), self._known)
        back = self._come_unfiltered(missed.news) if self._are_reversals else set[str]()
        if not accept_empty:
            lost = [row for row in missed.news if row["event_key"] not in back]
            for_good = len(lost) - withdrawn.restated(lost, self._spill_files, come_in(self._night))
            withdrawn.refuse_most(self._done, for_good, missed.held)
        return [row for row in missed.gone if row["event_key"] not in back], missed.left

    def _missed_for_good(self) -> Missed:
        """What is missed after its days were asked for alone.

        Where a day alone has it, the vendor cuts long ranges short without a word: then the window is read again in
        shorter ones.
        """
        missed, bounds = self._missed(), self._done.reading.pieces.bounds
        if not missed.news or bounds.days <= LEAST_DAYS:
            return missed
        if self._is_cut_short(missed.news):
            bounds.days = LEAST_DAYS
            bounds.found.append("ranges of several days are cut short without a word")
            self._done.pieces.extend(self._done.reading.pieces.read(self._done.window))
        return self._missed()

    def _missed(self) -> Missed:
        """By what was read until now; not of ids that were set aside."""
        come = come_in(self._night)
        gone, left, held = withdrawn.absent(
            self._done, self._spill_files, come, reversals=self._are_reversals
        )
        gone, left = (
            [row for row in some if str(row["transaction_id"]) not in self._spoilt] for some in (gone, left)
        )
        return Missed(gone, [row for row in gone if row["event_key"] not in self._known], left, held)

    def _is_cut_short(self, news: Rows) -> bool:
        """Whether any of these events comes where its day is asked for alone, and not among all of the days.

        Not even where they are asked for once more: a row that is moved while it is read may be missed once. What comes
        is read, either way.
        """
        done = self._done
        alone = _days(done.reading.pieces, news)
        done.pieces.extend(alone)
        found = self._among(alone, news)
        if not found:
            return False
        again = list(done.reading.pieces.read(done.window))
        done.pieces.extend(again)
        return not found <= self._among(again, news)

    def _come_unfiltered(self, news: Rows) -> set[str]:
        """Of these reversals, those that come where everything of their day is asked for."""
        return self._among(_days(self._source.pieces(CONVERSIONS, None), news), news)

    def _among(self, pieces: Sequence[Piece], events: Rows) -> set[str]:
        return among(pieces, self._spill_files, "event_key", events)


def come_in(night: Sequence[Read]) -> list[SpillFile]:
    """What came in readings that are believed."""
    return [scan.spill_file for one in night for scan in one.believed]


def _short_days(done: Read) -> set[date]:
    """The days of which not all came when they were asked for last: nothing of them is gone for that."""
    pieces = [piece for piece in done.pieces if piece.missing]
    return {day for piece in pieces for day in piece.window.each_day()}


def _days(pieces: Pieces, events: Rows) -> list[Piece]:
    return [piece for day in withdrawn.days_of(events) for piece in pieces.read(Window(day, day + DAY))]

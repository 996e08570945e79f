"""How reversals are asked for: alone, in the word that the vendor understands; else among all conversions.

The flag of a row decides what it is, so a reading of everything holds the reversals, too. It is the longer one, and the
last that is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import pyarrow.compute as pc

from conversync.errors import InvalidResponseError, RequestRejectedError, VendorError
from conversync.extract.failing_requests import answers, spoils
from conversync.extract.known_limits import REMEMBERED
from conversync.extract.pagination import PagedListing
from conversync.extract.reading import Read
from conversync.extract.spill import SpillFile, SpillFiles
from conversync.extract.windows import Window
from conversync.types import State

# `is_reverse`, in this order: some servers take the one for no, or refuse it. The answer shows it.
# `is_reverse=false` is never sent: a server may read the text "false" as true.
WORDS = ("true", "1")
# Not asked for alone.
AMONG_ALL = None
# After so many conversions, no reversal at all is a reason to ask in another way, too.
LIKELY = 100


@dataclass(frozen=True)
class Question:
    """The reversals of a window. `read` reads them all, and `first` is a listing of its last days, either in a way."""

    window: Window
    read: Callable[[str | None], Read]
    first: Callable[[str | None], PagedListing]


class NotUnderstoodError(InvalidResponseError):
    """An answer to the question for reversals that cannot be all of them, nor only them."""

    def __init__(self, message: str, *, is_empty: bool = False) -> None:
        super().__init__(f"{message}; nothing of it was loaded: ask the vendor how reversals are asked for.")
        self.reason = message.removeprefix("Besitos answers ")
        self.is_empty = is_empty


@dataclass
class Tried:
    """Why ways to ask came to nothing, in order."""

    errors: list[VendorError] = field(default_factory=list)

    @property
    def failure(self) -> VendorError | None:
        """Why a way was not answered at all; None where each was."""
        return next((error for error in self.errors if not isinstance(error, NotUnderstoodError)), None)

    @property
    def was_empty(self) -> bool:
        """Whether some way was answered with an empty list, and each with a list."""
        empty = (isinstance(error, NotUnderstoodError) and error.is_empty for error in self.errors)
        return self.failure is None and any(empty)

    @property
    def why(self) -> str:
        """The first of them in a few words."""
        first = self.errors[0]
        if isinstance(first, NotUnderstoodError):
            return first.reason
        return first.why if first.status is not None and first.status >= 400 else "the answer is no data"


class _Noted(NamedTuple):
    """Of a reading of everything: its rows, the last day of a reversal among them, and its days, if it was whole."""

    rows: int
    found: date | None
    again: Window | None


class Reversals:
    """What a vendor was found to understand, which the state keeps, and how reversals are asked for accordingly.

    In the state: `yes`, the word that was understood; `unfiltered`, until which day none is tried; `seen`, how many
    conversions came, up to `LIKELY`; `reversed`, the last day of a reversal that was shown among all conversions.
    `found` takes a sentence on what is new. `is_narrowed`: some of the feed is read, by user, offer or type.
    """

    def __init__(
        self,
        state: State,
        spill_files: SpillFiles,
        found: list[str],
        today: date,
        *,
        is_narrowed: bool,
    ) -> None:
        self._state, self._spill_files, self._found = state, spill_files, found
        self._today, self._is_narrowed = today, is_narrowed
        self._noted: list[_Noted] = []

    def note(self, done: Read) -> None:
        """Notes how many conversions came in a reading of everything, and the last day of a reversal among them."""
        if self._is_narrowed:
            return
        found = self._spill_files.latest(_files(done), "occurred_on", "is_reversal")
        again = None if done.short else done.window
        self._noted.append(_Noted(_rows(done), found, again))

    def remember(self) -> None:
        """Puts what was noted into the state, which may be another one by now than was read by."""
        if self._noted:
            seen, shown = self._seen(), self._shown()
            self._state["seen"] = seen
            if shown is not None:
                self._state["reversed"] = str(shown)
        self._noted.clear()

    def _seen(self) -> int:
        """How many conversions came, up to `LIKELY`."""
        return min(int(self._state.get("seen", 0)) + sum(one.rows for one in self._noted), LIKELY)

    def _shown(self) -> date | None:
        """The last day of a reversal that was shown among all conversions; None where none ever was."""
        text = self._state.get("reversed")
        shown = None if text is None else date.fromisoformat(text)
        for _, found, again in self._noted:
            known = shown or date.min
            if again is not None and again.start <= known <= again.end:
                known = date.min  # it was read again, and is the vendor's no more if it did not come
            if found is not None or shown is not None:
                shown = max(known, found or date.min)
        return shown

    def read(self, question: Question) -> Read:
        """The reading in the first way that is understood. Raises what came of the first one, where none is."""
        tried = Tried()
        for way in self._ways():
            try:
                if tried.failure is not None and spoils(tried.failure) and not answers(question.first(way)):
                    continue
                done = question.read(way)
                self._refuse_what_is_not_understood(question, way, done, tried)
            except VendorError as error:
                if not _is_of_the_question(error):
                    raise
                tried.errors.append(error)
                continue
            self._learn(way, done, tried)
            return done
        first = tried.errors[0]
        first.args = (
            f"Reversals of {question.window} are not to be had, alone (is_reverse) or among all: {first}",
        )
        raise first

    def _ways(self) -> Sequence[str | None]:
        known = self._word()
        words = sorted(WORDS, key=lambda word: word != known)
        return [AMONG_ALL, *words] if self._is_read_among_all() else [*words, AMONG_ALL]

    def _refuse_what_is_not_understood(
        self, question: Question, way: str | None, done: Read, tried: Tried
    ) -> None:
        """NotUnderstoodError where an answer cannot be all reversals; one that holds any is."""
        if self._has_reversals(done):
            return
        if way is AMONG_ALL:
            self._refuse_all_without_one(done, tried)
        elif any(spill_file.rows for spill_file in _files(done)):
            raise NotUnderstoodError(
                f"Besitos answers is_reverse={way} with conversions that are no reversals"
            )
        elif doubt := self._doubt_of_none(question, way, done, tried):
            raise NotUnderstoodError(
                f"Besitos answers is_reverse={way} with an empty list, {doubt}", is_empty=True
            )

    def _doubt_of_none(self, question: Question, word: str, done: Read, tried: Tried) -> str | None:
        """Why an empty list in answer to a word is not believed; None if it is."""
        is_of_all = not self._is_narrowed
        if is_of_all and done.window.start <= (self._shown() or date.min) <= done.window.end:
            return "though its conversions of these days hold reversals"
        if tried.failure is not None and not isinstance(tried.failure, RequestRejectedError):
            return "as a word may be that nobody knows"
        if is_of_all and not tried.errors and self._comes_in_the_other_word(question, word):
            return "though reversals come in the other word"
        return None

    def _comes_in_the_other_word(self, question: Question, word: str) -> bool:
        """Whether the first page in the other word holds reversals, where none was ever seen in this one."""
        if "yes" in self._state or self._seen() < LIKELY:
            return False
        listing = question.first(next(other for other in WORDS if other != word))
        try:
            page = listing.fetch(1, True)
        except VendorError as error:
            if _is_of_the_question(error):
                return False
            raise
        return bool(
            page.decoded.received and pc.any(listing.derive(page.decoded.table)["is_reversal"]).as_py()
        )

    def _refuse_all_without_one(self, done: Read, tried: Tried) -> None:
        """NotUnderstoodError where reversals may be left out of what is listed without the filter.

        Not where they were shown there before, or none came alone either, or so few conversions may have none.
        """
        rows = _rows(done)
        is_likely = "yes" in self._state or rows >= LIKELY
        if is_likely and self._shown() is None and not tried.was_empty:
            raise NotUnderstoodError(
                f"Besitos answers without is_reverse with {rows:,} conversions of {done.window}, of which none is a "
                "reversal"
            )

    def _learn(self, way: str | None, done: Read, tried: Tried) -> None:
        """Keeps what was understood, and tells what is new of it."""
        if way is AMONG_ALL:
            self._learn_among_all(done, tried)
            return
        self._state.pop("unfiltered", None)
        is_new = way != self._word()
        if is_new or self._has_reversals(done):
            self._state["yes"] = way
        if is_new:
            self._found.append(f"reversals are asked for with is_reverse={way}, which the vendor understands")

    def _learn_among_all(self, done: Read, tried: Tried) -> None:
        is_known, has_reversals = self._is_read_among_all(), self._has_reversals(done)
        self.note(done)
        if is_known or (tried.was_empty and not has_reversals):
            return  # nothing is new, or it is that there are none: then the word was understood
        self._state["unfiltered"] = str(self._today + REMEMBERED)
        self._found.append(
            f"reversals cannot be asked for alone ({tried.why}), so all conversions of {done.window} are read instead"
        )

    def _is_read_among_all(self) -> bool:
        """Whether no word was understood in the last days. Then they are tried anew: a vendor mends."""
        return bool(self._state.get("unfiltered", "") >= str(self._today))

    def _word(self) -> str:
        return str(self._state.get("yes", WORDS[0]))

    def _has_reversals(self, done: Read) -> bool:
        return self._spill_files.holds(_files(done), "is_reversal")


def _is_of_the_question(error: VendorError) -> bool:
    """Whether it may be for the way in which reversals were asked for that nothing came."""
    if isinstance(error, RequestRejectedError):
        return not error.fields or "is_reverse" in error.fields
    return error.status == 403 or spoils(error)


def _files(done: Read) -> list[SpillFile]:
    return [scan.spill_file for scan in done.scans]


def _rows(done: Read) -> int:
    return sum(piece.statements for piece in done.pieces)

"""What every feed does with its windows: read them piece by piece, route the rows, and leave the evidence."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from conversync.count_words import counted
from conversync.errors import CredentialsError, InvalidResponseError, VendorError
from conversync.extract.columns import now
from conversync.extract.complete_days import Pieces
from conversync.extract.complete_piece import Piece, is_gap
from conversync.extract.decoded import Rejected
from conversync.extract.evidence import Quarantine, rejected_table, resolved_rows, window_row
from conversync.extract.mistrusted import bare, nothing_of
from conversync.extract.pagination import Scan
from conversync.extract.rejected_days import NO_TRACES, Noted, Traces, resolved
from conversync.extract.routing import Routed
from conversync.extract.spill import SpillFile, SpillFiles
from conversync.extract.windows import DAY, Window, pass_over
from conversync.types import Document, State

# The rest of a window, which the next step is to read: what is whole is committed first.
OnRest = Callable[[Window], None]
# Runs of days that are named in a sentence.
MOST_NAMED = 6
# How the advice at the end of an error begins.
_ADVICE = ("try again", "check ", "ask ", "is besitos_url", "the address", "what was asked")


@dataclass(frozen=True)
class Reading:
    """One stream over one window. `filters` is what was asked besides the days, for the evidence.

    `on_rest`, if there is one, takes the days that are left where the vendor stops answering in the middle, or
    throttles us: what was read whole until then is committed first. Without it a window is read whole or not at all.
    """

    stream: str
    window: Window
    pieces: Pieces
    filters: Mapping[str, str] = field(default_factory=dict)
    note: str | None = None
    """A sentence that the summary of the run should hold."""
    traces: Traces = NO_TRACES
    is_fixed: bool = False
    """An event keeps its day: another content of it on another day is a conflict, and no event that moved."""
    on_rest: OnRest | None = None
    known: Collection[str] = ()
    """The raw hashes of rows that were set aside before: pages of these alone are no answer in another form."""
    is_again: bool = False
    """Old days, read beside what is due: they move no cursor."""

    @property
    def what(self) -> str:
        """All of it, as sentences call it."""
        return self.pieces.listing(self.window, self.pieces.bounds.page_size).what


@dataclass(frozen=True)
class Read:
    """A reading, and the pieces that came of it, oldest first."""

    reading: Reading
    pieces: list[Piece]
    at: datetime

    @property
    def scans(self) -> list[Scan]:
        """All passes, in the order in which a later one wins."""
        return [scan for piece in self.pieces for scan in piece.scans]

    @property
    def believed(self) -> list[Scan]:
        """The passes whose rows the days hold; what only another one brought was gone before the reading was over."""
        return [scan for piece in self.pieces for scan in piece.believed]

    @property
    def bad(self) -> list[Rejected]:
        """The rows that were set aside."""
        return [rejected for scan in self.scans for rejected, _ in scan.bad]

    @property
    def proven(self) -> list[Window]:
        """The days, both ends included, of which the believed have all; of the last one, all that is asked for."""
        last = self.window.end
        ends = [(days, days.end if days.end == last else days.end - DAY) for days in self.whole]
        return [Window(days.start, end) for days, end in ends if days.start <= end]

    @property
    def window(self) -> Window:
        """The days that were read, which may be fewer than were asked for (see `Reading.on_rest`)."""
        return Window(self.reading.window.start, max(piece.window.end for piece in self.pieces))

    @property
    def whole(self) -> list[Window]:
        """The pieces that are known to be whole."""
        return [self.told(piece) for piece in self.pieces if not piece.missing]

    def told(self, piece: Piece) -> Window:
        """The days of a piece, as its evidence has them."""
        return self.reading.pieces.told(piece, self.reading.window)

    @property
    def short(self) -> date | None:
        """The first day that did not add up."""
        return min((piece.window.start for piece in self.pieces if piece.missing), default=None)


def read(readings: Sequence[Reading]) -> list[Read]:
    """Reads them one after the other. InvalidResponseError where every row of one was set aside."""
    at, done = now(), list[Read]()
    for reading in readings:
        with nothing_of(reading.what):
            done.append(_read(reading, at))
    return done


def _read(reading: Reading, at: datetime) -> Read:
    pieces: list[Piece] = []
    try:
        for piece in reading.pieces.read(reading.window):
            pieces.append(piece)
            if reading.on_rest and reading.pieces.throttled and piece.window.end < reading.window.end:
                reading.on_rest(reading.pieces.after(piece, reading.window))
                break
    except VendorError:
        if not pieces or reading.on_rest is None:
            raise
        reading.on_rest(reading.pieces.after(pieces[-1], reading.window))
    done = Read(reading, pieces, at)
    _refuse_what_holds_nothing(done)
    return done


def _refuse_what_holds_nothing(done: Read) -> None:
    """A page whose every row has to be set aside is an answer in another form, not a page of bad rows.

    But for rows that are known to be bad. And where rows are announced and not one comes, nothing was answered.
    """
    if any(scan.spill_file.rows for scan in done.scans):
        return
    bad = done.bad
    if bad and all(rejected.raw_hash in done.reading.known for rejected in bad):
        return
    error = _not_understood(done) or (_all_bad(done, bad[0]) if bad else _all_missing(done))
    if error is not None:
        raise error


def _all_bad(done: Read, first: Rejected) -> InvalidResponseError:
    scan = done.scans[0]
    return InvalidResponseError(
        f"{scan.what}: every one of {len(scan.bad):,} rows would have to be set aside, the first because "
        f"{first.reason}."
    )


def _all_missing(done: Read) -> InvalidResponseError | None:
    announced = max(scan.announced or 0 for scan in done.scans)
    if not announced or not any(piece.missing for piece in done.pieces):
        return None
    return InvalidResponseError(
        f"{done.scans[0].what}: the first page is empty, yet it announces {announced:,} rows."
    )


def _not_understood(done: Read) -> VendorError | None:
    """The first refusal, where nothing shows that the vendor still speaks the language that we know.

    Days without a row do not: they are answered in any.
    """
    if done.reading.pieces.bounds.longest and any(scan.pages for scan in done.scans):
        return None
    refused = next((scan.refused for scan in done.scans if scan.refused is not None), None)
    return refused if isinstance(refused, (InvalidResponseError, CredentialsError)) else None


def move_cursor(progress: State, first: date, done: Read, today: date) -> None:
    """Moves a stream's cursor over what was read, and keeps it before a day that is short (see `windows.pass_over`).

    Not for old days that were read again: a short one among them would have every night read all days since.
    """
    if not done.reading.is_again:
        pass_over(progress, first, done.window, today, done.short)


def statements(
    done: Sequence[Read], spill_files: SpillFiles, table: str, without: Sequence[str] = ()
) -> Iterator[Routed]:
    """One statement for each event of all readings, whatever walk saw it last; an empty table where there is none.

    `without` these events, by their keys (see vanished.py).
    """
    chosen = spill_files.one_each([scan.spill_file for one in done for scan in one.scans], without)
    if chosen is not None:
        chosen.outlive()
        yield Routed(table, chosen)


def evidence(
    done: Sequence[Read],
    spill_files: SpillFiles,
    state: State,
    columns: Sequence[str],
    found_out: str | None,
    id_column: str,
) -> Iterator[Routed]:
    """What the readings set aside, each row once, then a row in `windows` for each piece.

    `columns` show a superseded row; `found_out` is a sentence about the vendor that came out while reading; `id_column`
    is where the ids stand that `Traces` reads from a row set aside.
    """
    known = state.setdefault("set_aside", {})
    found = list(_set_aside(done, spill_files, known, columns, found_out))
    # Two pieces or streams may bring the same bad row; twice in one load it would stand twice in the table.
    rows = {raw_hash: row for one in found for raw_hash, row in one.aside.rows.items()}
    yield Routed(
        "rejected_rows",
        rejected_table([*rows.values(), *_resolved(done, spill_files, known, rows.keys(), id_column)]),
    )
    for one in found:
        yield Routed("windows", window_row(one.piece, one.aside, one.lost, one.read.reading.filters))


class _Looked(NamedTuple):
    """A piece, what of it was set aside, and how many rows another one superseded."""

    read: Read
    piece: Piece
    aside: Quarantine
    lost: int


def _set_aside(
    done: Sequence[Read],
    spill_files: SpillFiles,
    known: Noted,
    columns: Sequence[str],
    found_out: str | None,
) -> Iterator[_Looked]:
    """Each piece. Its reading's notes stand at the first one, `found_out` at the first of all."""
    for one in done:
        note = ". ".join(filter(None, (one.reading.note, found_out, _short(one)))) or None
        for piece in one.pieces:
            aside = Quarantine(known, one.reading.stream, one.told(piece), one.at, note, one.reading.traces)
            lost = aside.add_all(piece.scans, spill_files, columns)
            if one.reading.is_fixed and piece is one.pieces[-1]:
                last = [other.scans[-1].spill_file for other in one.pieces]
                lost += aside.supersede(spill_files.superseded_across(last, columns))
            yield _Looked(one, piece, aside, lost)
            note = found_out = None


def _resolved(
    done: Sequence[Read],
    spill_files: SpillFiles,
    known: Noted,
    seen: Collection[str],
    id_column: str,
) -> list[Document]:
    """The rows of `rejected_rows` that are not served so any more."""
    gone: list[str] = []
    for one in done:
        spooled = [scan.spill_file for scan in one.scans]

        def loaded(ids: Sequence[str], spooled: list[SpillFile] = spooled) -> set[str]:
            return spill_files.among(spooled, f"cast({id_column} as varchar)", ids)

        gone += resolved(known, one.reading.stream, one.whole, seen, loaded, done[0].at.date())
    return resolved_rows(gone, done[0].at) if gone else []


def _short(one: Read) -> str | None:
    """What the reading lacks, as a sentence; None where it is whole."""
    short = [piece for piece in one.pieces if piece.missing]
    if not short:
        return None
    why, ask = _why(short)
    return (
        f"{one.reading.stream} {_lack(short)} on {_days(short)}: {why}. What came is loaded, and the days "
        f"are read again next time; if it stays so, ask the vendor {ask}"
    )


def _why(short: Sequence[Piece]) -> tuple[str, str]:
    """Why something is missing, and what to ask the vendor."""
    gaps = (scan for piece in short for scan in piece.scans if is_gap(scan))
    failure = next((scan.refused for scan in gaps if scan.refused), None)
    if failure is not None:
        wrong = f"{_without_advice(failure)}, while it answered for other days or pages"
        return "not all of it can be had, however it is asked for", f"what is wrong with them: {wrong}"
    if any(piece.announced is not None for piece in short):
        why = "fewer rows came than were announced, however they were asked for"
        return why, "in which order rows are listed"
    return "no number of rows is announced, nor shown otherwise", "for a total on each page"


def _lack(short: Sequence[Piece]) -> str:
    """ "is short by 8 rows"; "at least 8 rows" where a row may be missing in two of the pieces, or it may be more."""
    counts = [0, 0]  # the most that is missing of pieces that share no day: without the last one, and with it
    is_exact, last = True, None
    for piece in short:
        shares = last is not None and piece.lacking.start <= last
        missing = piece.known_missing
        counts = [max(counts), (counts[0] if shares else max(counts)) + missing]
        is_exact = is_exact and not shares and missing > 0 and not any(map(is_gap, piece.scans))
        last = piece.lacking.end
    if not (missing := max(counts)):
        return "cannot be shown to be whole"
    at_least = "" if is_exact else "at least "
    return f"is short by {at_least}{counted(missing, 'row')}"


def _days(short: Sequence[Piece]) -> str:
    """The days that lack something, those that follow each other together."""
    runs: list[Window] = []
    for days in (piece.lacking for piece in short):
        if runs and days.start <= runs[-1].end + DAY:
            runs[-1] = Window(runs[-1].start, max(runs[-1].end, days.end))
        else:
            runs.append(days)
    named = [str(run if run.start < run.end else run.start) for run in runs[:MOST_NAMED]]
    more = len(runs) - len(named)
    return ", ".join(named) + (f" and {more:,} more" if more else "")


def _without_advice(failure: VendorError) -> str:
    """What went wrong, without what that means for the tables and what to do about it, which is told beside it."""
    text = bare(failure).partition(". Check ")[0].rstrip(".?")
    reason, _, advice = text.rpartition(": ")
    return reason if reason and advice.startswith(_ADVICE) else text

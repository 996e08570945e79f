"""The days of a window, read in pieces until each piece is known to be whole.

A listing may change while it is read, sort ties one way on one page and another way on the next, take its total from
a cache, or refuse long ranges and deep pages. So what came is believed only if it proves itself:

- `count`: every page announced the same total, and distinct events plus rows set aside equal it;
- `page`: everything came on one page, where a repeat is the vendor's own;
- `passes`: several passes of one and the same total add up to it together, and one pass more brought nothing that
  they lacked (a row that left and one that came would hide a third); where nothing is announced, two that are alike.

A repeat never makes up for a missing row. What does not prove itself is read again in smaller pieces: half the days,
down to one, then in larger and smaller pages. A day that still does not add up is short, by a number that is told; and
so is a day that the vendor fails at, or answers with what is no data, while it answers for others. How much is tried
for all that is bounded (`conversync/extract/effort.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial

from conversync.errors import InvalidResponseError, RequestRejectedError, TooLongError, VendorError
from conversync.extract.belief import Belief, says_nothing
from conversync.extract.bounds import Bounds
from conversync.extract.effort import Effort
from conversync.extract.failing import DAYS, Pace, make_sure, spoils, too_large
from conversync.extract.meaning import nothing_is_loaded
from conversync.extract.pagination import Page, PagedListing, Scan
from conversync.extract.piece import PASSES, Piece
from conversync.extract.smaller import LARGEST_PAGE, Parts, sizes, smaller
from conversync.extract.spill import SpillFiles
from conversync.extract.windows import DAY, Window

# A question of fewer days than these cannot be cut short without being noticed.
LEAST_DAYS = 2

# Of the passes over a day that does not add up, so many in a row may bring nothing new before it is left at that.
MOST_IDLE = 3
# On so many days other pages are tried in vain; then the days after them are left at what one reading brings.
MOST_IN_VAIN = 3
# So often two parts of a range are asked for what they announce: totals that agree so often are counts.
MOST_CHECKS = 2
# A vendor that throttles us is asked for pieces of so many pages at most: each is committed before more is read.
MOST_PAGES_THROTTLED = 50
# So many rows would have come, at the rate of the days around, in days without any: then these are asked for alone.
EXPECTED_ROWS = 10
# A rate is told by the rows of so many days at least.
ENOUGH_DAYS = 3


@dataclass
class Pieces:
    """Reads a window. `listing` gives the listing of days with so many rows a page.

    `shared`: neighbouring pieces share a day, since the last day of a question may not be covered. `today` is the
    vendor's: what lies before it stands still in the end. `day` is the column of a row's day.
    """

    listing: Callable[[Window, int], PagedListing]
    spill_files: SpillFiles
    pace: Pace
    bounds: Bounds
    today: date
    day: str = "occurred_on"
    shared: bool = True
    unread: date = date.min
    """The first day that no earlier run has read: what lies before it was looked at then."""
    lookback: int = 0
    """So many days before today the next night reads again; older ones are kept apart from them (see `_cut`)."""
    in_parts: bool = False
    """Whether a listing that announces no number has to come in parts, too; else two passes have to be alike."""
    _last: date = date.min
    _counts: bool = True
    """Whether a total may be a count of rows: until two parts of a range announce more than the range."""
    _ahead: dict[Window, Scan] = field(default_factory=dict)
    """Passes over parts of a window, which were made before it was the parts' turn."""
    _deepest: int = 0  # the most rows that one pass brought
    _in_vain: int = 0
    """On how many days in all nothing helped."""
    _checks: int = 0
    _alone_read: dict[date, Piece] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._effort, self._parts = Effort(self.listing), Parts(self.shared)
        self._belief = Belief(self.spill_files, in_parts=self.in_parts)

    def read(self, window: Window) -> Iterator[Piece]:
        """The pieces of a window, oldest first. Raises the refusal of a question that no smaller one mends."""
        self._last, begun = window.end, replace(self.bounds, found=[*self.bounds.found])
        self._effort.begin(window)
        todo = [(part, list[Scan]()) for part in self._cut(window)]
        while todo:
            part, earlier = todo.pop(0)
            try:
                piece = self._piece(part, earlier)
            except (RequestRejectedError, TooLongError) as refusal:
                if fewer := smaller(part, refusal, self.bounds, self._parts):
                    todo[:0] = [(one, earlier) for one in fewer]
                    continue
                self.bounds.days, self.bounds.page_size = begun.days, begun.page_size
                self.bounds.found[:] = begun.found
                piece = self._refused(part, earlier, refusal)
            if isinstance(piece, Piece) and self._is_cut_short(piece):
                self.bounds.days = LEAST_DAYS
                self.bounds.found.append("ranges of several days are cut short without a word")
                rest = [*self._parts.cut(Window(part.start, window.end), LEAST_DAYS)]
                todo = [(rest[0], list(piece.scans)), *((other, list[Scan]()) for other in rest[1:])]
                continue
            if isinstance(piece, Piece):
                yield piece
                continue
            # What was seen once is not forgotten: the first half takes the passes over the whole along.
            first, *others = self._parts.halves(part)
            todo[:0] = [(first, piece), *((half, list[Scan]()) for half in others)]

    def _cut(self, window: Window) -> list[Window]:
        """The window in pieces; days that nobody reads again stand in none with days that still move.

        On several pages a row that leaves and one that comes meanwhile hide a third, and their total stays the same.
        What comes is dated today; so it is in days that the next night reads again that a row may be missed.
        """
        settled = self.today - DAY * (self.lookback + 1)
        parts = [window]
        if self.lookback and window.start < settled and window.end >= self.today:
            parts = [Window(window.start, settled), self._parts.after(Window(window.start, settled), window)]
        return [piece for part in parts for piece in self._parts.cut(part, self.bounds.days)]

    def told(self, piece: Piece, window: Window) -> Window:
        """The days of a piece as evidence has them: the last one is known of the next piece, wherever that begins."""
        if piece.window.end >= window.end:
            return piece.window
        return Window(piece.window.start, self.after(piece, window).start)

    def after(self, piece: Piece, window: Window) -> Window:
        """What of a window is left after one of its pieces."""
        return self._parts.after(piece.window, window)

    def _is_cut_short(self, piece: Piece) -> bool:
        """Whether days at an end of a piece that came without rows have some, when they are asked for alone.

        Asked is only where the days between would make rows there likely: a vendor that answers the first or the last
        days of a long range, or its first so many rows, proves itself by its own count.
        """
        window = piece.window
        if not piece.proof or self._parts.days(window) < 2 or self.bounds.days <= LEAST_DAYS:
            return False
        first, last, rows = self.spill_files.span(piece.scans[-1].spill_file, self.day)
        if first is None or last is None or (between := Window(first, last)).days < ENOUGH_DAYS:
            return False
        rate = rows / between.days
        empty = [
            Window(max(window.start, self.unread), between.start.subtract(days=1)),
            Window(max(between.end.add(days=1), self.unread), min(window.end, self.today - DAY)),
        ]
        return any(days.days and rate * days.days >= EXPECTED_ROWS and self._comes(days) for days in empty)

    def _comes(self, days: Window) -> bool:
        """Whether these days have rows when they are asked for alone; a question may bring those of its neighbours."""
        if (page := self._first(days)) is None or not page.decoded.received:
            return False
        rows = self.listing(days, self.bounds.page_size).derive(page.decoded.table)
        return any(day is not None and days.start <= day <= days.end for day in rows[self.day].to_pylist())

    def _first(self, days: Window) -> Page | None:
        """The first page of these days; None where it is not given."""
        try:
            return self._effort.listing(days, self.bounds.page_size).fetch(1, True)
        except VendorError as error:
            if isinstance(error, (RequestRejectedError, TooLongError)) or spoils(error):
                return None
            raise

    def _piece(self, window: Window, earlier: list[Scan]) -> Piece | list[Scan]:
        """The piece; or the passes over it, where it is to be read in halves."""
        scans = [self._first_pass(window)]
        if self.in_parts and says_nothing(scans[0]):
            return self._without_a_number(window, earlier, scans[0])
        proof = self._belief.proof(scans, counts=self._counts)
        if not proof and (self._may_stand_still(scans[0]) or self._contradicts_itself(window, scans[0])):
            scans.append(self._walk(window))
            proof = self._belief.proof(scans, counts=self._counts)
        if proof:
            return self._whole(window, earlier, scans, proof)
        is_all = scans[-1].is_ended and scans[-1].refused is None
        if self._parts.days(window) > 1 and not (is_all and self._effort.is_spent):
            return earlier + scans
        return self._one_day(window, earlier, scans)

    def _without_a_number(self, window: Window, earlier: list[Scan], whole: Scan) -> Piece | list[Scan]:
        """As `_piece`, where no page announced how many rows there are."""
        if self._parts.days(window) > 1:
            parts = [(part, self._first_pass(part)) for part in self._parts.halves(window)]
            if self._belief.agree_in_parts(whole, [scan for _, scan in parts]):
                return self._whole(window, earlier, [*(scan for _, scan in parts), whole], PASSES)
            self._ahead.update(parts)
            return [*earlier, whole]
        other_size = max(self.bounds.page_size // 2, 1)
        other = self._belief.agree_in_pages(whole, lambda: self._walk(window, other_size))
        if other is not None:
            return self._whole(window, earlier, [whole, other], PASSES)
        return self._short(window, earlier, [whole])

    def _first_pass(self, window: Window) -> Scan:
        """The first pass over days, which may have been made before their turn."""
        return self._ahead.pop(window) if window in self._ahead else self._walk(window)

    def _walk(self, window: Window, page_size: int | None = None) -> Scan:
        """One pass, without the pages failed at; RequestRejectedError where smaller questions may mend it."""
        size, can_halve = page_size or self.bounds.page_size, self._parts.days(window) > 1
        was_hurried = self.pace.hurried
        listing = replace(
            self._effort.listing(window, size), on_failure=partial(setattr, self.pace, "hurried", True)
        )
        try:
            scan = listing.scan(
                self.spill_files.new(), lambda *rows: self._is_too_long(*rows, can_halve=can_halve)
            )
        except VendorError as error:
            if not spoils(error):
                raise
            return self._spoilt(Scan(listing.what, self.spill_files.new()), error, window, size)
        if (hollow := self._hollow(scan)) is not None:
            return self._spoilt(Scan(scan.what, scan.spill_file, totals=scan.totals), hollow, window, size)
        if scan.refused is not None and spoils(scan.refused) and not (self.in_parts and says_nothing(scan)):
            make_sure(listing, scan.refused, self.pace, patient=was_hurried)
        is_deepest, self._deepest = scan.received >= self._deepest, max(scan.received, self._deepest)
        if scan.is_cut and is_deepest and self.bounds.depth is None:
            self.bounds.depth = scan.received
            self.bounds.found.append(f"pages beyond row {scan.received:,} are refused")
        self._belief.saw(scan)
        return scan

    def _spoilt(self, nothing: Scan, error: VendorError, window: Window, size: int) -> Scan:
        """A pass of which nothing came: these days are to blame, else RequestRejectedError for a smaller question."""
        what = too_large(error, self._effort, window, size, self.pace)
        if what != DAYS:
            raise RequestRejectedError(str(error), fields=[what], said=error.said) from None
        nothing.refused = error
        return nothing

    def _hollow(self, scan: Scan) -> InvalidResponseError | None:
        """What is wrong where rows are announced and not one comes; not where totals are known to be no counts."""
        if scan.pages != 1 or scan.received or not scan.announced:
            return None
        if self.bounds.miscounts:
            scan.is_ended, self._counts = True, False
            return None
        reason = f"{scan.what}: the first page is empty, yet it announces {scan.announced:,} rows."
        return InvalidResponseError(nothing_is_loaded(reason, scan.what))

    def _is_too_long(self, announced: int, received: int, *, can_halve: bool) -> bool:
        """Whether a piece is better read in halves: its last pages are out of reach, or long in coming.

        One that cannot be halved is read as deep as it goes, and no deeper.
        """
        too_deep = self.bounds.depth is not None and announced > self.bounds.depth
        if not can_halve:
            return too_deep and received >= (self.bounds.depth or 0)
        left = announced - received
        return too_deep or (self.pace.throttled and left > MOST_PAGES_THROTTLED * self.bounds.page_size)

    def _may_stand_still(self, scan: Scan) -> bool:
        """Whether another pass may prove what this one did not: its total moved, or there is none that counts rows."""
        return scan.is_ended and (len(scan.totals) > 1 or scan.announced is None or not self._counts)

    def _contradicts_itself(self, window: Window, scan: Scan) -> bool:
        """Whether two parts of days that are over announce more than the days together, which no count of rows does.

        Asked is where more rows are announced than come. The parts have no day in common. Rows that come meanwhile
        would do the same, so the days are asked for again.
        """
        over = Window(window.start, min(window.end, self.today - DAY))
        may_ask = over.start < over.end and self._checks < MOST_CHECKS and not self._effort.is_spent
        if not may_ask or not scan.is_ended or self._belief.together([scan]) >= (scan.total or 0):
            return False
        self._checks += 1
        parts = (*over.halves(), over)
        first, second, whole = ((page and page.total) or 0 for page in map(self._first, parts))
        whole = max(whole, (scan.announced or 0) if over == window else 0)
        if not whole or first + second <= whole:
            return False
        self._counts, self.bounds.miscounts = False, True
        self.bounds.found.append(
            f"its totals are no counts of rows ({whole} for {over}, {first} and {second} for two parts of "
            "it), so days are believed where two readings are alike"
        )
        return True

    def _one_day(self, window: Window, earlier: list[Scan], scans: list[Scan]) -> Piece:
        """One day that did not prove itself: alone, if that is possible; in other pages; else short."""
        if self._effort.is_spent:
            return self._on_one_page(window, earlier, scans) or self._short(window, earlier, scans)
        alone = self._alone(window, earlier, scans)
        if alone is not None and (scans[-1].pages or alone.lacking.start == alone.lacking.end):
            return alone
        known, idle = self._belief.together(scans), 0
        before_all = known
        for size in sizes(self.bounds.page_size, scans) if self._in_vain < MOST_IN_VAIN else ():
            try:
                scans.append(self._walk(window, size))
            except (RequestRejectedError, TooLongError):
                continue
            if proof := self._belief.proof(scans, counts=self._counts):
                return self._whole(window, earlier, scans, proof)
            before, known = known, self._belief.together(scans)
            idle = idle + 1 if known == before else 0
            if idle == MOST_IDLE or self._effort.is_spent:
                break
        self._in_vain += known == before_all
        return alone or self._short(window, earlier, scans)

    def _on_one_page(self, window: Window, earlier: list[Scan], scans: list[Scan]) -> Piece | None:
        """All of it on one page, where that is all that is still tried; None where it does not come so."""
        rows = max(scans[-1].announced or 0, scans[-1].received) + 1
        if not scans[-1].pages or not self.bounds.page_size < rows <= LARGEST_PAGE:
            return None
        try:
            scans.append(self._walk(window, rows))
        except (RequestRejectedError, TooLongError):
            return None
        proof = self._belief.proof(scans, counts=self._counts)
        return self._whole(window, earlier, scans, proof) if proof else None

    def _alone(self, window: Window, earlier: Sequence[Scan], scans: Sequence[Scan]) -> Piece | None:
        """Both days of a question asked for alone; None where there is one, or the days alone are not all of it.

        What the second one lacks is the next piece's matter, or counts here where there is none. Where no page of both
        came, nobody knows what the days alone leave out.
        """
        if window.end <= window.start or not self.shared:
            return None
        first, second = (self._day(day) for day in window)
        announced = sum(one.statements if one.announced is None else one.announced for one in (first, second))
        if announced < max(scan.announced or self.spill_files.events(scan.spill_file) for scan in scans):
            return None
        is_last, is_blind = window.end == self._last, not any(scan.pages for scan in scans)
        missing = first.missing + (second.missing if is_last else 0)
        counted = (first, second) if is_last or is_blind else (first,)
        lacking = [one.window for one in counted if one.missing]
        is_told = first.announced is not None or second.announced is not None
        if is_blind:
            missing = max(missing, 1)
        is_proven = not missing and first.proof and second.proof
        return Piece(
            window,
            [*earlier, *scans, *first.scans, *second.scans],
            None if missing else first.proof,
            missing,
            first.statements + second.statements,
            announced if is_told else None,
            first.received + second.received,
            [*first.believed, *second.believed] if is_proven else (),
            Window(lacking[0].start, lacking[-1].end) if lacking else None,
        )

    def _day(self, day: date) -> Piece:
        """One day asked for alone; two neighbouring pieces share it."""
        if day not in self._alone_read:
            piece = self._piece(Window(day, day), [])
            if not isinstance(piece, Piece):
                raise TypeError("one day is not read in halves")
            self._alone_read = {day: piece}
        return self._alone_read[day]

    def _whole(self, window: Window, earlier: Sequence[Scan], scans: Sequence[Scan], proof: str) -> Piece:
        self._effort.was_of_use(*scans)
        last = scans[-1]
        together = proof == PASSES and not self._belief.repeats(scans, counts=self._counts)
        statements, proving = self.spill_files.events(last.spill_file), scans if together else [last]
        return Piece(window, [*earlier, *scans], proof, 0, statements, last.announced, last.received, proving)

    def _short(self, window: Window, earlier: Sequence[Scan], scans: Sequence[Scan]) -> Piece:
        """As far as it came. A day that is not over may move for ever: nothing of it is missing for that alone."""
        together = self._belief.together(scans)
        announced = max((scan.announced or 0 for scan in scans), default=0)
        missing = max(announced - together, 0)
        if window.start < self.today or any(spoils(scan.refused) or not scan.pages for scan in scans):
            missing = max(missing, 1)
        last = scans[-1]
        self._effort.was_of_use(last)
        statements = self.spill_files.events(*(scan.spill_file for scan in scans))
        return Piece(
            window, [*earlier, *scans], None, missing, statements, last.announced and announced, last.received
        )

    def _refused(self, window: Window, earlier: Sequence[Scan], refusal: VendorError) -> Piece:
        """A day that is not to be had in any size, where others are: short. Raises the refusal where none is."""
        day_before, day_after = window.start.subtract(days=1), window.end.add(days=1)
        before = self._first(Window(day_before, day_before))
        after = before or self._first(Window(day_after, day_after))
        if after is None:
            raise refusal
        nothing = Scan(
            self.listing(window, self.bounds.page_size).what, self.spill_files.new(), refused=refusal
        )
        return self._short(window, earlier, [nothing])

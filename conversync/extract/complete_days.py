"""The days of a window, read in pieces until each piece is known to be whole.

A listing may change while it is read, sort ties one way on one page and another way on the next, take its total from
a cache, or refuse long ranges and deep pages. So what came is believed only if it proves itself:

- `count`: every page announced the same total, and distinct events plus rows set aside equal it; where pages can
  overlap (`page_overlap.py`), each has rows of the one before;
- `page`: everything came on one page, where a repeat is the vendor's own;
- `passes`: several passes of one and the same total add up to it together, and one pass more brought nothing that
  they lacked (a row that left and one that came would hide a third); where nothing is announced, two that are alike.

A repeat never makes up for a missing row. What does not prove itself is read again in smaller pieces: half the days,
down to one, then in larger and smaller pages. A day that still does not add up is short, by a number that is told; and
so is a day of which nothing comes, whatever the vendor answers, while it answers for others (`passes.py`). What is
learned of the vendor on the way stands in `learned_limits.py`; how much is tried for all that is bounded (`effort.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from conversync.errors import TooLongError, VendorError
from conversync.extract.complete_piece import PASSES, Alone, Piece, is_gap, told
from conversync.extract.completeness import Belief, says_nothing
from conversync.extract.failing_requests import Pace, ends_pages, is_failure
from conversync.extract.known_limits import Bounds
from conversync.extract.left_out_days import LEAST_DAYS, Cuts
from conversync.extract.pagination import PagedListing, Scan
from conversync.extract.passes import Passes
from conversync.extract.smaller_requests import LARGEST_PAGE, Parts, sizes
from conversync.extract.spill import SpillFiles
from conversync.extract.windows import DAY, Window

# Of so few days that were not given, each is asked for next: halves would cost as many questions, or more.
FEW_DAYS = 4

# Of the passes over a day that does not add up, so many in a row may bring nothing new before it is left at that.
MOST_IDLE = 3
# On so many days other pages are tried in vain; then the days after them are left at what one reading brings.
MOST_IN_VAIN = 3
# So often two parts of a range are asked for what they announce: totals that agree so often are counts.
MOST_CHECKS = 2


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
    dated: str | None = "true"
    """SQL of the rows whose day is one of those asked for; None where that may be any."""
    shared: bool = True
    unread: date = date.min
    """The first day that no earlier run has read: what lies before it was looked at then."""
    lookback: int = 0
    """So many days before today the next night reads again; older ones are kept apart from them (see `_cut`)."""
    in_parts: bool = False
    """Whether a listing that announces no number has to come in parts, too; else two passes have to be alike."""
    _last: date = date.min
    _ahead: dict[Window, Scan] = field(default_factory=dict)
    """Passes over parts of a window, which were made before it was the parts' turn."""
    _in_vain: int = 0
    """On how many days in all nothing helped."""
    _checks: int = 0
    _alone_read: dict[date, Piece] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._settled = self.today - DAY * (self.lookback + 1)
        self._passes = Passes(
            self.listing,
            self.spill_files,
            self.pace,
            self.bounds,
            day=self.day,
            dated=self.dated,
            in_parts=self.in_parts,
            settled=self._settled,
        )
        self._effort, self._suspects = self._passes.effort, self._passes.suspects
        self._parts = Parts(self.shared)
        self._belief = Belief(self.spill_files, in_parts=self.in_parts)
        self._cuts = Cuts(self._passes, self.spill_files, self.bounds, self.day, self.today, self.unread)

    @property
    def throttled(self) -> bool:
        """Whether the vendor holds us up, whatever it is asked for."""
        return self._passes.throttled

    def read(self, window: Window) -> Iterator[Piece]:
        """The pieces of a window, oldest first. Raises the error of a vendor that answers for no other days either.

        One without a row waits for the next, whose rows may be of a day that both of them have.
        """
        before = empty = None
        pieces = self._read(window)
        while True:
            try:
                piece = next(pieces, None)
            except VendorError:
                if empty is not None:
                    yield self._cuts.between(before, empty, None)
                raise
            if empty is not None:
                yield (before := self._cuts.between(before, empty, piece))
            if piece is None:
                return
            empty = piece if piece.is_empty and self.shared else None
            if empty is None:
                yield (before := piece)

    def _read(self, window: Window) -> Iterator[Piece]:
        """As `read`, each piece by itself."""
        self._last = window.end
        self._effort.begin(window)
        todo = [(part, list[Scan]()) for part in self._cut(window)]
        while todo:
            part, earlier = todo.pop(0)
            if max(self.bounds.days, LEAST_DAYS if self.shared else 1) < part.days:
                todo[:0] = self._in_turn(self._parts.cut(part, self.bounds.days), earlier)
                part, earlier = todo.pop(0)
            piece = self._piece(part, earlier)
            if not isinstance(piece, Piece):
                todo[:0] = self._in_turn(
                    self._smaller(part, piece[-1]), [scan for scan in piece if scan.pages]
                )
            elif self._cuts.in_piece(piece):
                self._cuts.found()
                rest = self._parts.cut(Window(part.start, window.end), LEAST_DAYS)
                todo = self._in_turn(rest, list(piece.scans))
            else:
                self._note(piece)
                yield piece

    def _in_turn(self, parts: Iterable[Window], seen: list[Scan]) -> list[tuple[Window, list[Scan]]]:
        """The parts in place of the whole. What was seen of it is not forgotten: the first part takes it along."""
        first, *others = parts
        return [(first, seen), *((part, list[Scan]()) for part in others)]

    def _smaller(self, window: Window, scan: Scan) -> Iterable[Window]:
        """What to ask for in place of days that did not prove themselves; nothing may have come of them."""
        if scan.pages:
            return self._parts.halves(window)
        if isinstance(scan.refused, TooLongError):
            self.bounds.found.append(f"{window.days} days are more than fit into one answer")
        elif scan.refused is None or not ends_pages(scan.refused):
            self._suspects.refused(window)
        few = self._parts.days(window) <= FEW_DAYS
        return (
            self._parts.cut(window, LEAST_DAYS if self.shared else 1) if few else self._parts.halves(window)
        )

    def _note(self, piece: Piece) -> None:
        """What a piece tells of longer ranges that were not given."""
        if piece.missing:
            self._suspects.short(piece.lacking)
        else:
            self._suspects.whole(piece.asked_alone or piece.window)

    def _cut(self, window: Window) -> list[Window]:
        """The window in pieces; days that nobody reads again stand in none with days that still move.

        On several pages a row that leaves and one that comes meanwhile hide a third, and their total stays the same.
        What comes is dated today; so it is in days that the next night reads again that a row may be missed.
        """
        parts = [window]
        if self.lookback and window.start < self._settled and window.end >= self.today:
            old = Window(window.start, self._settled)
            parts = [old, self._parts.after(old, window)]
        return [piece for part in parts for piece in self._parts.cut(part, self.bounds.days)]

    def told(self, piece: Piece, window: Window) -> Window:
        """The days of a piece as evidence has them: the last one is known of the next piece, wherever that begins."""
        if piece.window.end >= window.end:
            return piece.window
        return Window(piece.window.start, self.after(piece, window).start)

    def after(self, piece: Piece, window: Window) -> Window:
        """What of a window is left after one of its pieces."""
        return self._parts.after(piece.window, window)

    def _piece(self, window: Window, earlier: list[Scan]) -> Piece | list[Scan]:
        """The piece; or the passes over it, where it is to be read in halves."""
        scans = [self._first_pass(window)]
        if self.in_parts and says_nothing(scans[0]):
            return self._without_a_number(window, earlier, scans[0])
        proof = self._belief.proof(scans, counts=self._passes.counts)
        if not proof and (self._may_stand_still(scans[0]) or self._contradicts_itself(window, scans[0])):
            scans.append(self._walk(window))
            proof = self._belief.proof(scans, counts=self._passes.counts)
        if proof:
            return self._whole(window, earlier, scans, proof)
        return (
            earlier + scans if self._may_halve(window, scans[-1]) else self._one_day(window, earlier, scans)
        )

    def _may_halve(self, window: Window, scan: Scan) -> bool:
        """Whether halves are asked for, after this pass proved nothing; not of a whole one, once effort is spent."""
        is_all = scan.is_ended and scan.refused is None
        return self._parts.days(window) > 1 and not (is_all and self._effort.is_spent)

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
        """One pass; of one without a page, these days are to blame, or their number."""
        scan = self._passes.over(window, page_size, can_halve=self._parts.days(window) > 1)
        if scan.pages:
            self._belief.saw(scan)
        return scan

    def _may_stand_still(self, scan: Scan) -> bool:
        """Whether another pass may prove what this one did not: its total moved, or there is none that counts rows."""
        is_moving = len(scan.totals) > 1 or scan.announced is None or not self._passes.counts
        return scan.is_ended and (is_moving or scan.has_slid or self._belief.moved([scan]))

    def _contradicts_itself(self, window: Window, scan: Scan) -> bool:
        """Whether two parts of days that are over announce more than the days together, which no count of rows does.

        The parts have no day in common. Rows that come meanwhile would do the same, so the days are asked for again.
        """
        over = Window(window.start, min(window.end, self.today - DAY))
        if over.start >= over.end or not self._may_miscount(scan):
            return False
        self._checks += 1
        first, second, whole = map(self._announced, (*over.halves(), over))
        if over == window:
            whole = max(whole, scan.announced or 0)
        if not 0 < whole < first + second:
            return False
        self._passes.counts, self.bounds.miscounts = False, True
        self.bounds.found.append(
            f"its totals are no counts of rows ({whole} for {over}, {first} and {second} for two parts of "
            "it), so days are believed where two readings are alike"
        )
        return True

    def _may_miscount(self, scan: Scan) -> bool:
        """Whether fewer rows came than were announced, and it is still asked what that means."""
        is_asked = self._checks < MOST_CHECKS and not self._effort.is_spent
        return is_asked and scan.is_ended and self._belief.together([scan]) < (scan.total or 0)

    def _announced(self, window: Window) -> int:
        """What the first page of these days announces; 0 where it does not come, or says nothing."""
        page = self._passes.first_page(window)
        return (page and page.total) or 0

    def _one_day(self, window: Window, earlier: list[Scan], scans: list[Scan]) -> Piece:
        """One day that did not prove itself: alone, if that is possible; in other pages; else short."""
        if self._effort.is_spent:
            return self._on_one_page(window, earlier, scans) or self._short(window, earlier, scans)
        alone = self._alone(window, earlier, scans)
        if alone is not None and (scans[-1].pages or alone.lacking.start == alone.lacking.end):
            return alone
        whole = None if _is_of_us(scans[-1]) else self._in_other_pages(window, earlier, scans)
        return whole or alone or self._short(window, earlier, scans)

    def _in_other_pages(self, window: Window, earlier: list[Scan], scans: list[Scan]) -> Piece | None:
        """A day in larger and smaller pages, whose passes join the `scans`; None where they do not prove it either."""
        known, idle = self._belief.together(scans), 0
        before_all = known
        for size in sizes(self.bounds.page_size, scans) if self._in_vain < MOST_IN_VAIN else ():
            other = self._walk(window, size)
            if other.pages:
                scans.append(other)
                if proof := self._belief.proof(scans, counts=self._passes.counts):
                    return self._whole(window, earlier, scans, proof)
            elif not is_failure(other.refused):
                continue
            before, known = known, self._belief.together(scans)
            idle = idle + 1 if known == before else 0
            if idle == MOST_IDLE or self._effort.is_spent:
                break
        self._in_vain += known == before_all
        return None

    def _on_one_page(self, window: Window, earlier: list[Scan], scans: list[Scan]) -> Piece | None:
        """All of it on one page, where that is all that is still tried; None where it does not come so."""
        rows = max(scans[-1].announced or 0, scans[-1].received) + 1
        if not scans[-1].pages or not self.bounds.page_size < rows <= LARGEST_PAGE:
            return None
        if not (other := self._walk(window, rows)).pages:
            return None
        scans.append(other)
        proof = self._belief.proof(scans, counts=self._passes.counts)
        return self._whole(window, earlier, scans, proof) if proof else None

    def _alone(self, window: Window, earlier: Sequence[Scan], scans: Sequence[Scan]) -> Piece | None:
        """Both days of a question asked for alone; None where there is one, or the days alone are not all of it."""
        if window.end <= window.start or not self.shared:
            return None
        alone = self._each(window, is_blind=not any(scan.pages or scan.announced for scan in scans))
        return alone.joined(window, [*earlier, *scans]) if told(alone.days) >= self._most(scans) else None

    def _each(self, window: Window, *, is_blind: bool) -> Alone:
        """The first day, and the second one where it can tell anything (see `Alone`)."""
        first, is_last = self._day(window.start), window.end == self._last
        is_covered = is_blind and self._covers_its_last(first)
        is_enough = not is_last and is_blind and (first.missing or is_covered)
        days = [first] if is_enough else [first, self._day(window.end)]
        return Alone(days, is_last, is_blind, is_covered)

    def _most(self, scans: Sequence[Scan]) -> int:
        """The most rows that one of these passes announced, or brought where it announced none that count."""
        counts = self._passes.counts
        return max((counts and scan.announced) or self.spill_files.events(scan.spill_file) for scan in scans)

    def _covers_its_last(self, day: Piece) -> bool:
        """Whether rows of two instants came of a day alone: a question covers its last day, not a second of it."""
        if day.missing:
            return False
        own = f"{self.day} = '{day.window.start}'"
        return self.spill_files.instants(day.scans[-1].spill_file, own) > 1

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
        together = proof == PASSES and not self._belief.repeats(scans, counts=self._passes.counts)
        statements, proving = self.spill_files.events(last.spill_file), scans if together else [last]
        return Piece(window, [*earlier, *scans], proof, 0, statements, last.announced, last.received, proving)

    def _short(self, window: Window, earlier: Sequence[Scan], scans: Sequence[Scan]) -> Piece:
        """As far as it came. A day that is not over may move for ever: nothing of it is missing for that alone."""
        together = self._belief.together(scans)
        announced = max((scan.announced or 0 for scan in scans if self._passes.counts), default=0)
        missing = max(announced - together, 0)
        if window.start < self.today or any(is_gap(scan) for scan in scans):
            missing = max(missing, 1)
        last = scans[-1]
        self._effort.was_of_use(last)
        statements = self.spill_files.events(*(scan.spill_file for scan in scans))
        counted = announced if last.announced is not None and self._passes.counts else None
        return Piece(window, [*earlier, *scans], None, missing, statements, counted, last.received)


def _is_of_us(scan: Scan) -> bool:
    """Whether nothing came, for what no size of pages mends."""
    return not scan.pages and scan.refused is not None and ends_pages(scan.refused)

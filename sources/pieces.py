"""The days of a window, read in pieces until each piece is known to be whole.

A listing may change while it is read, sort ties one way on one page and another way on the next, take its total from
a cache, or refuse long ranges and deep pages. So what came is believed only if it proves itself:

- `count`: every page announced the same total, and distinct events plus rows set aside equal it;
- `page`: everything came on one page, where a repeat is the vendor's own;
- `passes`: several passes of one and the same total add up to it together, and one pass more brought nothing that
  they lacked. A row that left and one that came would otherwise hide a third.

A repeat never makes up for a missing row. What does not prove itself is read again in smaller pieces: half the days,
down to one, then in larger and smaller pages. A day that still does not add up is short, by a number that is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from sources.bounds import Bounds
from sources.failing import DAYS, OF_PAGE_SIZE, Pace, fails, is_of_size, make_sure, too_large
from sources.piece import COUNT, DAY, PAGE, PASSES, Piece
from sources.spool import Spools
from sources.walk import Listing, Page, Walk
from sources.windows import Window, apart, cut
from wire.errors import RefusedError, TooLongError, VendorError

# A question of fewer days than these cannot be cut short without being noticed.
LEAST_DAYS = 2

# Passes over a single day that does not add up; and how many in a row may bring nothing new before it is left at that.
MOST_WALKS, MOST_IDLE = 8, 3
# On so many days other pages are tried in vain; then the days after them are left at what one reading brings.
MOST_IN_VAIN = 3
# So often two parts of a range are asked for what they announce: totals that agree so often are counts.
MOST_CHECKS = 3
# A vendor that throttles us is asked for pieces of so many pages at most: each is committed before more is read.
MOST_PAGES_THROTTLED = 50
# How often a larger page is tried, where all that came filled one.
LARGER_PAGES = 4
# As many rows may be asked for on one page to have a whole day on it.
LARGEST_PAGE = 50_000
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

    listing: Callable[[Window, int], Listing]
    spools: Spools
    pace: Pace
    bounds: Bounds
    today: date
    day: str = "occurred_on"
    shared: bool = True
    unread: date = date.min
    """The first day that no earlier run has read: what lies before it was looked at then."""
    _last: date = date.min
    _counts: bool = True
    """Whether a total may be a count of rows: until two parts of a range announce more than the range."""
    _in_vain: int = 0
    """On how many days in all nothing helped."""
    _checks: int = 0
    _alone_read: dict[date, Piece] = field(default_factory=dict)

    def read(self, window: Window) -> Iterator[Piece]:
        """The pieces of a window, oldest first. Raises the refusal of a question that no smaller one mends."""
        self._last, begun = window.end, replace(self.bounds, found=[*self.bounds.found])
        todo = [(part, list[Walk]()) for part in self._cut(window)]
        while todo:
            part, earlier = todo.pop(0)
            try:
                piece = self._piece(part, earlier)
            except (RefusedError, TooLongError) as refusal:
                if smaller := self._smaller(part, refusal):
                    todo[:0] = [(one, earlier) for one in smaller]
                    continue
                self.bounds.days, self.bounds.page_size = begun.days, begun.page_size
                self.bounds.found[:] = begun.found
                piece = self._refused(part, earlier, refusal)
            if isinstance(piece, Piece) and self._is_cut_short(piece):
                self.bounds.days = LEAST_DAYS
                self.bounds.found.append("ranges of several days are cut short without a word")
                rest = self._cut(Window(part.start, window.end))
                todo = [(rest[0], list(piece.walks)), *((other, list[Walk]()) for other in rest[1:])]
                continue
            if isinstance(piece, Piece):
                yield piece
                continue
            # What was seen once is not forgotten: the first half takes the passes over the whole along.
            first, *others = self._halves(part)
            todo[:0] = [(first, piece), *((half, list[Walk]()) for half in others)]

    def told(self, piece: Piece, window: Window) -> Window:
        """The days of a piece as evidence has them: the last one is known of the next piece, wherever that begins."""
        if piece.window.end >= window.end:
            return piece.window
        return Window(piece.window.start, self.after(piece, window).start)

    def after(self, piece: Piece, window: Window) -> Window:
        """What of a window is left after one of its pieces."""
        return Window(piece.window.end + timedelta(days=0 if self.shared else 1), window.end)

    def _is_cut_short(self, piece: Piece) -> bool:
        """Whether days at an end of a piece that came without rows have some, when they are asked for alone.

        Asked is only where the days between would make rows there likely: a vendor that answers the first or the last
        days of a long range, or its first so many rows, proves itself by its own count.
        """
        window = piece.window
        if not piece.proof or self._days(window) < 2 or self.bounds.days <= LEAST_DAYS:
            return False
        first, last, rows = self.spools.span(piece.walks[-1].spool, self.day)
        if first is None or last is None or (last - first).days + 1 < ENOUGH_DAYS:
            return False
        rate = rows / ((last - first).days + 1)
        end = min(window.end, self.today - DAY)
        empty = [
            Window(max(window.start, self.unread), first - DAY),
            Window(max(last + DAY, self.unread), end),
        ]
        return any(
            days.start <= days.end
            and rate * ((days.end - days.start).days + 1) >= EXPECTED_ROWS
            and self._comes(days)
            for days in empty
        )

    def _comes(self, days: Window) -> bool:
        """Whether these days have rows when they are asked for alone; a question may bring those of its neighbours."""
        if (page := self._first(days)) is None or not page.decoded.received:
            return False
        rows = self.listing(days, self.bounds.page_size).derive(page.decoded.table)
        return any(day is not None and days.start <= day <= days.end for day in rows[self.day].to_pylist())

    def _first(self, days: Window) -> Page | None:
        """The first page of these days; None where it is not given."""
        try:
            return self.listing(days, self.bounds.page_size).fetch(1, True)
        except VendorError as error:
            if isinstance(error, RefusedError) or fails(error):
                return None
            raise

    def _cut(self, window: Window) -> list[Window]:
        return list((cut if self.shared else apart)(window, self.bounds.days))

    def _days(self, window: Window) -> int:
        """How many days a piece answers for; one is the least."""
        return max((window.end - window.start).days + (0 if self.shared else 1), 1)

    def _halves(self, window: Window) -> list[Window]:
        middle = window.start + timedelta(days=self._days(window) // 2)
        before = middle if self.shared else middle - timedelta(days=1)
        return [Window(window.start, before), Window(middle, window.end)]

    def _piece(self, window: Window, earlier: list[Walk]) -> Piece | list[Walk]:
        """The piece; or the passes over it, where it is to be read in halves."""
        walks = [self._walk(window)]
        proof = self._proof(walks)
        if not proof and (self._may_stand_still(walks[0]) or self._contradicts_itself(window, walks[0])):
            walks.append(self._walk(window))
            proof = self._proof(walks)
        if proof:
            return self._whole(window, earlier, walks, proof)
        if self._days(window) > 1:
            return earlier + walks
        return self._one_day(window, earlier, walks)

    def _walk(self, window: Window, page_size: int | None = None) -> Walk:
        """One pass, without the pages that the vendor fails at; RefusedError where smaller questions may mend it."""
        size, can_halve = page_size or self.bounds.page_size, self._days(window) > 1
        was_hurried = self.pace.hurried
        listing = replace(self.listing(window, size), on_failure=self._hurry)
        try:
            walk = listing.walk(self.spools.new(), lambda *rows: can_halve and self._is_too_long(*rows))
        except VendorError as error:
            if not fails(error):
                raise
            what = too_large(error, self.listing, window, size, self.pace)
            if what != DAYS:
                raise RefusedError(str(error), fields=[what], said=error.said) from None
            return Walk(listing.what, self.spools.new(), refused=error)
        if walk.refused is not None and fails(walk.refused):
            make_sure(listing, walk.refused, self.pace, patient=was_hurried)
        if walk.is_cut and self.bounds.depth is None:
            self.bounds.depth = walk.received
            self.bounds.found.append(f"pages beyond row {walk.received:,} are refused")
        return walk

    def _hurry(self) -> None:
        self.pace.hurried = True

    def _is_too_long(self, announced: int, received: int) -> bool:
        """Whether a piece is better read in halves: its last pages are out of reach, or long in coming."""
        too_deep = self.bounds.depth is not None and announced > self.bounds.depth
        left = announced - received
        return too_deep or (self.pace.throttled and left > MOST_PAGES_THROTTLED * self.bounds.page_size)

    def _proof(self, walks: Sequence[Walk]) -> str | None:
        """Why the last pass, or all of them together, is believed; None if it is not."""
        last = walks[-1]
        if not last.is_ended:
            return None
        if last.pages <= 1 and last.received >= (last.announced or 0):
            return PAGE
        if last.total is not None and self.spools.events(last.spool) + len(last.bad_hashes) == last.total:
            return COUNT
        return PASSES if self._agree(walks) else None

    def _may_stand_still(self, walk: Walk) -> bool:
        """Whether another pass may prove what this one did not: its total moved, or there is none that counts rows."""
        return walk.is_ended and (len(walk.totals) > 1 or walk.announced is None or not self._counts)

    def _contradicts_itself(self, window: Window, walk: Walk) -> bool:
        """Whether two parts of days that are over announce more than the days together, which no count of rows does.

        Asked is where more rows are announced than come. The parts have no day in common. Rows that come meanwhile
        would do the same, so the days are asked for again.
        """
        is_over = window.start < window.end < self.today and self._checks < MOST_CHECKS
        if not is_over or not walk.is_ended or self._together([walk]) >= (walk.total or 0):
            return False
        self._checks += 1
        middle = window.start + (window.end - window.start) // 2
        parts = (Window(window.start, middle), Window(middle + DAY, window.end), window)
        first, second, again = ((page and page.total) or 0 for page in map(self._first, parts))
        if first + second <= max(walk.announced or 0, again):
            return False
        self._counts = False
        self.bounds.found.append(
            f"its totals are no counts of rows ({walk.total} for {window}, {first} and {second} for two parts of "
            "it), so days are believed where two readings are alike"
        )
        return True

    def _agree(self, walks: Sequence[Walk]) -> bool:
        """Whether passes that alone prove nothing do so together."""
        ended = [walk for walk in walks if walk.is_ended and len(walk.totals) == 1]
        if len(walks) < 2 or len(ended) < len(walks) or len({walk.total for walk in walks}) > 1:
            return False
        if self._repeats(walks):
            return True
        total = walks[-1].total if self._counts else None
        return (
            total is not None
            and len(walks) > 2
            and self._together(walks[:-1]) == self._together(walks) == total
        )

    def _repeats(self, walks: Sequence[Walk]) -> bool:
        """Whether the last two passes are alike, and each of them is all there is."""
        before, last = walks[-2:]
        if not self.spools.same(before.spool, last.spool) or before.bad_hashes != last.bad_hashes:
            return False
        if last.total is None or not self._counts:
            # Nothing is announced that counts: two passes without a repeat that are the same.
            return self.spools.events(last.spool) + len(last.bad_hashes) == last.received
        # Two contents of one event, both of which are there again: the vendor lists them both.
        return self.spools.contents(last.spool) + len(last.bad_hashes) == last.total

    def _together(self, walks: Sequence[Walk]) -> int:
        """Distinct events and rows set aside of several passes."""
        bad = set[str]().union(*(walk.bad_hashes for walk in walks))
        return self.spools.events(*(walk.spool for walk in walks)) + len(bad)

    def _one_day(self, window: Window, earlier: list[Walk], walks: list[Walk]) -> Piece:
        """One day that did not prove itself: alone, if that is possible; in other pages; else short."""
        is_blind = not walks[-1].pages
        if not is_blind and (piece := self._alone(window, earlier, walks)):
            return piece
        known, idle = self._together(walks), 0
        before_all = known
        for size in self._sizes(walks) if self._in_vain < MOST_IN_VAIN else ():
            try:
                walks.append(self._walk(window, size))
            except (RefusedError, TooLongError):
                continue
            if proof := self._proof(walks):
                return self._whole(window, earlier, walks, proof)
            before, known = known, self._together(walks)
            idle = idle + 1 if known == before else 0
            if idle == MOST_IDLE:
                break
        self._in_vain += known == before_all
        piece = self._alone(window, earlier, walks) if is_blind else None
        return piece or self._short(window, earlier, walks)

    def _alone(self, window: Window, earlier: Sequence[Walk], walks: Sequence[Walk]) -> Piece | None:
        """Both days of a question asked for alone; None where there is one, or the days alone are not all of it.

        What the second one lacks is the next piece's matter, or counts here where there is none. Where no page of both
        came, nobody knows what the days alone leave out.
        """
        if window.end <= window.start or not self.shared:
            return None
        first, second = (self._day(day) for day in window)
        announced = sum(one.statements if one.announced is None else one.announced for one in (first, second))
        if announced < max(walk.announced or self.spools.events(walk.spool) for walk in walks):
            return None
        missing = first.missing + (second.missing if window.end == self._last else 0)
        if not any(walk.pages for walk in walks):
            missing = max(missing, 1)
        is_proven = not missing and first.proof and second.proof
        return Piece(
            window,
            [*earlier, *walks, *first.walks, *second.walks],
            None if missing else first.proof,
            missing,
            first.statements + second.statements,
            announced,
            first.received + second.received,
            [*first.believed, *second.believed] if is_proven else (),
        )

    def _day(self, day: date) -> Piece:
        """One day asked for alone; two neighbouring pieces share it."""
        if day not in self._alone_read:
            piece = self._piece(Window(day, day), [])
            if not isinstance(piece, Piece):
                raise TypeError("one day is not read in halves")
            self._alone_read = {day: piece}
        return self._alone_read[day]

    def _sizes(self, walks: Sequence[Walk]) -> Iterator[int]:
        """Sizes of pages to try: one that holds the day, and larger while it is full; smaller ones; then as it was."""
        size = self.bounds.page_size
        rows = max(max(walk.announced or 0, walk.received) for walk in walks) + 1
        for _ in range(LARGER_PAGES):
            if size < rows <= LARGEST_PAGE:
                yield rows
                rows = rows * 4 if walks[-1].pages == 1 else LARGEST_PAGE + 1
        smaller = [part for part in (size // 2, size // 3, size // 5) if part >= 1]
        yield from [*smaller, *[size] * MOST_WALKS][: max(MOST_WALKS - len(walks), 0)]

    def _whole(self, window: Window, earlier: Sequence[Walk], walks: Sequence[Walk], proof: str) -> Piece:
        last, together = walks[-1], proof == PASSES and not self._repeats(walks)
        statements, proving = self.spools.events(last.spool), walks if together else [last]
        return Piece(window, [*earlier, *walks], proof, 0, statements, last.announced, last.received, proving)

    def _short(self, window: Window, earlier: Sequence[Walk], walks: Sequence[Walk]) -> Piece:
        """As far as it came. A day that is not over may move for ever: nothing of it is missing for that alone."""
        together = self._together(walks)
        announced = max((walk.announced or 0 for walk in walks), default=0)
        missing = max(announced - together, 0)
        if window.start < self.today or any(fails(walk.refused) or not walk.pages for walk in walks):
            missing = max(missing, 1)
        last = walks[-1]
        statements = self.spools.events(*(walk.spool for walk in walks))
        return Piece(
            window, [*earlier, *walks], None, missing, statements, last.announced and announced, last.received
        )

    def _refused(self, window: Window, earlier: Sequence[Walk], refusal: VendorError) -> Piece:
        """A day that is not to be had in any size, where others are: short. Raises the refusal where none is."""
        before = self._first(Window(window.start - DAY, window.start - DAY))
        after = before or self._first(Window(window.end + DAY, window.end + DAY))
        if after is None:
            raise refusal
        nothing = Walk(self.listing(window, self.bounds.page_size).what, self.spools.new(), refused=refusal)
        return self._short(window, earlier, [nothing])

    def _smaller(self, window: Window, refusal: RefusedError | TooLongError) -> list[Window]:
        """What to ask for where a question was refused, or its answer too long: fewer days, or smaller pages.

        Empty where nothing is smaller; the refusal is raised where it is not one of size.
        """
        if isinstance(refusal, TooLongError):
            return self._shorter(window)
        if not is_of_size(refusal):
            raise refusal
        is_of_page = bool({name.casefold() for name in refusal.fields} & OF_PAGE_SIZE)
        if self._days(window) > 1 and not is_of_page:
            halves = self._halves(window)
            self.bounds.days = max((half.end - half.start).days + 1 for half in halves)
            self.bounds.found.append(f"ranges of {(window.end - window.start).days + 1} days are refused")
            return halves
        if self.bounds.page_size < 2:
            return []
        self.bounds.found.append(f"pages of {self.bounds.page_size:,} rows are refused")
        self.bounds.page_size //= 2
        return [window]

    def _shorter(self, window: Window) -> list[Window]:
        """Fewer days where an answer is too long: whether its length follows the page's size is not known."""
        if self._days(window) <= 1:
            return []
        self.bounds.found.append(
            f"{(window.end - window.start).days + 1} days are more than fit into one answer"
        )
        return self._halves(window)

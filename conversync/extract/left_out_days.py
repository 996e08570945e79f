"""Days that a vendor leaves out of an answer without a word: what it shows of them elsewhere gives that away.

A vendor may answer the first or the last days of a long range, or its first so many rows, or nothing where a range is
too long for it; and prove itself each time by its own count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from conversync.extract.complete_piece import Piece
from conversync.extract.known_limits import Bounds
from conversync.extract.passes import Passes
from conversync.extract.spill import SpillFiles
from conversync.extract.windows import DAY, Window

# A question of fewer days than these cannot be cut short without being noticed.
LEAST_DAYS = 2
# So many rows would have come, at the rate of the days around, in days without any: then these are asked for alone.
EXPECTED_ROWS = 10
# A rate is told by the rows of so many days at least.
ENOUGH_DAYS = 3


@dataclass
class Cuts:
    """Looks at pieces that are believed. `unread` is the first day that no earlier run has read."""

    passes: Passes
    spill_files: SpillFiles
    bounds: Bounds
    day: str
    today: date
    unread: date

    def in_piece(self, piece: Piece) -> bool:
        """Whether days of a piece that came without rows have some, when they are asked for alone.

        Asked is only where rows are likely there: at its ends, at the rate of the days between; or in the newest days
        of a piece without a row, where no question of so many days ever brought one.
        """
        window = piece.window
        if piece.received:
            self.bounds.longest = max(self.bounds.longest, window.days)
        if not piece.proof or window.days <= LEAST_DAYS:
            return False
        if piece.is_empty:
            return any(map(self.passes.comes, self._newest(window)))
        return self.bounds.days > LEAST_DAYS and any(map(self.passes.comes, self._ends(piece)))

    def found(self) -> None:
        """Long questions are not answered with all that is there: none is asked any more."""
        self.bounds.days = LEAST_DAYS
        self.bounds.found.append("ranges of several days are cut short without a word")

    def _ends(self, piece: Piece) -> Iterator[Window]:
        """The days without rows at its ends, where so many are to be expected, at the rate of the days between."""
        first, last, rows = self.spill_files.span(piece.scans[-1].spill_file, self.day)
        if first is None or last is None or (between := Window(first, last)).days < ENOUGH_DAYS:
            return
        window, rate = piece.window, rows / between.days
        empty = [
            Window(max(window.start, self.unread), between.start.subtract(days=1)),
            Window(max(between.end.add(days=1), self.unread), min(window.end, self.today - DAY)),
        ]
        yield from (days for days in empty if days.days and rate * days.days >= EXPECTED_ROWS)

    def _newest(self, window: Window) -> Iterator[Window]:
        """The newest half of days that nobody read, the newest quarter, and so on, if that is to be doubted."""
        fresh = Window(max(window.start, self.unread), min(window.end, self.today))
        days = fresh.days if window.days > self.bounds.longest else 0
        while (days := days // 2) >= LEAST_DAYS:
            yield Window(fresh.end - DAY * (days - 1), fresh.end)

    def between(self, before: Piece | None, piece: Piece, after: Piece | None) -> Piece:
        """A piece without a row; short, if a neighbour has rows of the day they share, which come alone, too.

        That day itself came then, and of the others of the piece nobody knows. What its last day lacks is the next
        piece's matter, where there is one.
        """
        is_doubted = before is not None and before.short_on == Window(piece.window.start, piece.window.start)
        start, end = self._unshown(before, piece.window, after, is_doubted=is_doubted)
        if Window(start, end) == piece.window and not is_doubted:
            return piece
        if piece.window.days > LEAST_DAYS:
            self.found()
        if start == piece.window.end and after is not None:
            return replace(piece, short_on=Window(start, start))
        return replace(piece, proof=None, missing=1, proving=(), short_on=Window(start, max(start, end)))

    def _unshown(
        self, before: Piece | None, window: Window, after: Piece | None, *, is_doubted: bool
    ) -> Window:
        """The days without those at its ends that a neighbour shows; not the first one, if that is in doubt itself."""
        start, end = window
        if not is_doubted and self._shows(before, start):
            start += DAY
        if end > start and self._shows(after, end):
            end -= DAY
        return Window(start, end)

    def _shows(self, neighbour: Piece | None, day: date) -> bool:
        """Whether a neighbour has rows of a day, and the vendor gives them as well when it is asked for that day."""
        if neighbour is None or not neighbour.window.start <= day <= neighbour.window.end:
            return False
        files = [scan.spill_file for scan in neighbour.believed]
        return self.spill_files.holds(files, f"{self.day} = '{day}'") and self.passes.comes(Window(day, day))

"""Pages that overlap by a row or more, so that a row which slides from one onto another is seen.

A row that leaves a listing while it is read moves all that stand behind it: the first row of the next page slides onto
one that was read. Where another one comes meanwhile, no total shows it. So the pages after the first are asked for in
such a way that each begins with rows that the one before ended with: if they have none in common, something slid.

What is read by number has no offset: there page 2 is asked for with one row less than page 1, page 3 with one less
than that, and so on, so page `n` begins `n - 1` rows before the end of the one before. That is done as far as it takes
no page more than pages of one size do; what a vendor that behaves is asked costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa

from conversync.extract.decoded import Decoded


@dataclass(frozen=True)
class Cut:
    """How the rows of a listing lie on its pages. `size` is the first page's; `pages` overlap, none if it is 0.

    `by_offset`: a page begins at any row that is asked for; else it is told by its number, and how long pages are.
    """

    size: int
    pages: int = 0
    by_offset: bool = False

    @staticmethod
    def overlapping(size: int, total: int, *, by_offset: bool) -> Cut | None:
        """For so many rows, on as many pages as without an overlap; None where they would take another one."""
        cut = Cut(size, -(-total // size) if size else 0, by_offset)
        if cut.pages < 2 or cut._reach <= total:
            return None
        return cut

    @property
    def _reach(self) -> int:
        """How many rows the pages cover."""
        return (self.pages - 1) * self.step(self.pages) + self.rows(self.pages)

    def step(self, number: int) -> int:
        """Page `number` begins after so many rows for each page before it."""
        if not self.pages or number == 1:
            return self.size
        return self.size - (1 if self.by_offset else min(number, self.pages) - 1)

    def rows(self, number: int) -> int:
        """How many rows a page has that is full."""
        return self.size if self.by_offset else self.step(number)

    def overlap(self, number: int) -> int:
        """How many rows at the beginning of a page are the last ones of the page before, if none slid."""
        if not self.pages or number == 1:
            return 0
        return 1 if self.by_offset else (number - 1 if number <= self.pages else 0)


def joined(before: Decoded, page: Decoded, overlap: int) -> tuple[Decoded, bool]:
    """A page without the rows, up to `overlap`, that the page before it had; and whether there is one at least."""
    lead, end = page.table.slice(0, overlap), before.table.num_rows - overlap
    if not before.rejected and not page.rejected and end >= 0 and before.table.slice(end).equals(lead):
        return replace(page, table=page.table.slice(overlap)), True
    known = {*_rows(before.table), *(bad.raw_hash for bad in before.rejected)}
    rows = [*_rows(page.table), *(bad.raw_hash for bad in page.rejected)]
    repeated = set([number for number, row in enumerate(rows) if row in known][:overlap])
    good = page.table.num_rows
    kept = pa.array([number for number in range(good) if number not in repeated], pa.int64())
    rejected = [bad for number, bad in enumerate(page.rejected, good) if number not in repeated]
    return replace(page, table=page.table.take(kept), rejected=rejected), bool(repeated)


def _rows(table: pa.Table) -> list[tuple[object, ...]]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

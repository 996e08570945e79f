"""Pages that overlap by a row or more, so that a row which slides from one onto another is seen.

A row that leaves a listing while it is read moves all that stand behind it: the first row of the next page slides onto
one that was read. Where another one comes meanwhile, no total shows it. So each page after the first is asked for in
such a way that it begins with rows that the one before ended with: if they have none in common, something slid.

By offset that is one row. What is read by number has no offset, but a page may have any length: page `n` of so many
rows begins after `n - 1` times as many, so page 2 is asked for with one row less than page 1, page 3 with one less than
that, and so on; where pages have become short, a longer one is found that begins at nearly the same row. Up to some
twenty pages of a thousand rows that takes none more than pages of one length do, mostly; then one in twenty-five. Only
of days that no later night reads again it may take more.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pyarrow as pa

from conversync.extract.decoded import Decoded

# Pages that overlap may be so many more than without: some in any case, and one for so many.
MOST_MORE, ONE_FOR = 2, 8
# More pages than these are not laid out. Lengths are tried for each of them, so many.
MOST_PAGES, TRIES = 5_000, 64


@dataclass(frozen=True)
class Slice:
    """One page as it is asked for: `number` of pages of `step` rows; full, it has `rows`.

    The first `overlap` of them are the last ones of the page before, if none slid.
    """

    number: int
    step: int
    rows: int
    overlap: int = 0

    @property
    def end(self) -> int:
        """The row of the listing with which it ends."""
        return (self.number - 1) * self.step + self.rows


@dataclass
class Cut:
    """How the rows of a listing lie on its pages, of which the first has `size` rows.

    `by_offset`: a page may begin with any row; else by its number, and how long pages are.
    """

    size: int
    by_offset: bool = False
    is_sewn: bool = False
    """Whether the pages overlap."""
    _slices: list[Slice] = field(default_factory=list)

    @staticmethod
    def overlapping(size: int, total: int, *, by_offset: bool, may_be_more: bool) -> Cut | None:
        """For so many rows; None where it takes one page, or more than without, or many more if it `may_be_more`."""
        plain = -(-total // max(size, 1))
        if size < 2 or not 1 < plain <= MOST_PAGES:
            return None
        cut = Cut(size, by_offset, is_sewn=True)
        more = MOST_MORE + plain // ONE_FOR if may_be_more else 0
        return cut if cut.pages(total, plain + more) else None

    def pages(self, total: int, most: int) -> int:
        """How many pages have all of so many rows, the last one not full; 0 where it would be more than `most`."""
        for count in range(1, most + 1):
            if self.slice(count).end > total:
                return count
        return 0

    def slice(self, place: int) -> Slice:
        """The page that is asked for at this place, counted from 1."""
        if not self.is_sewn:
            return Slice(place, self.size, self.size)
        if not self._slices:
            self._slices.append(Slice(1, self.size, self.size))
        while len(self._slices) < place:
            self._slices.append(self._after(self._slices[-1]))
        return self._slices[place - 1]

    def _after(self, before: Slice) -> Slice:
        if self.by_offset:
            return Slice(before.number + 1, self.size - 1, self.size, 1)
        last = before.end - 1
        fewest = -(-last // self.size)
        found = [(last // many, many) for many in range(fewest, fewest + TRIES) if many <= last]
        rows, many = max(found, key=lambda one: (one[1] + 1) * one[0])
        return Slice(many + 1, rows, rows, before.end - many * rows)


def joined(before: Decoded, page: Decoded, overlap: int) -> tuple[Decoded, bool]:
    """A page without the rows, up to `overlap`, that the page before it had; and whether there is one at least."""
    if _is_seamless(before, page, overlap):
        return replace(page, table=page.table.slice(overlap)), True
    known = {*_rows(before.table), *(bad.raw_hash for bad in before.rejected)}
    rows = [*_rows(page.table), *(bad.raw_hash for bad in page.rejected)]
    repeated = set([number for number, row in enumerate(rows) if row in known][:overlap])
    good = page.table.num_rows
    kept = pa.array([number for number in range(good) if number not in repeated], pa.int64())
    rejected = [bad for number, bad in enumerate(page.rejected, good) if number not in repeated]
    return replace(page, table=page.table.take(kept), rejected=rejected), bool(repeated)


def adds_nothing(before: Decoded, page: Decoded) -> bool:
    """Whether all rows of a page are those of the page before: it is the same one, or a part of it."""
    if not page.received or page.received > before.received:
        return False
    known_bad = {bad.raw_hash for bad in before.rejected}
    if any(bad.raw_hash not in known_bad for bad in page.rejected):
        return False
    return set(_rows(page.table)) <= set(_rows(before.table))


def _is_seamless(before: Decoded, page: Decoded, overlap: int) -> bool:
    """Whether a page begins with just the rows that the one before ends with, and nothing was set aside on either."""
    lead, end = page.table.slice(0, overlap), before.table.num_rows - overlap
    if before.rejected or page.rejected or end < 0:
        return False
    return bool(before.table.slice(end).equals(lead))


def _rows(table: pa.Table) -> list[tuple[object, ...]]:
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

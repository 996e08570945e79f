"""One pass over the numbered pages of a listing: side by side, spilled as they come, to the listing's own end.

A pass is believed for nothing yet: `pieces` decides whether what came is all there is, and reads again what is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import pyarrow as pa

from conversync.errors import InvalidResponseError, RequestRejectedError, TooLongError, VendorError
from conversync.extract.declared import PAGE
from conversync.extract.decoded import Decoded, Rejected, note_names, size_of
from conversync.extract.failing_requests import BeyondBoundsError, ends_pages, may_be_of_days
from conversync.extract.mistrusted import nothing_of
from conversync.extract.page_overlap import MOST_MORE, Cut, adds_nothing, joined
from conversync.extract.parallel import ordered_parallel_map
from conversync.extract.spill import SpillFile
from conversync.http import clock

# Pages asked for beyond those that the total needs. A total may be a cache's or a search engine's, and far too small.
MOST_EXTRA_PAGES = 1_000
# Empty pages in a row after which nothing more is expected.
MOST_EMPTY_PAGES = 20
# Rows derived and written together: larger batches cost less CPU, smaller ones less memory.
BATCH_ROWS = 20_000
BATCH_BYTES = 8 * 1024 * 1024
# A count beyond this is none.
MOST_ROWS = 10**12
# Pages that came and wait for their turn may take so much memory together, as the first one is; a later one that takes
# so many times what the first did (or may at least, where that is little) is no page of the same listing.
AHEAD_BYTES, MOST_TIMES, LEAST_BYTES = 16 * 1024 * 1024, 4, 4 * 1024 * 1024
# What may be set aside in one pass, in bytes.
ASIDE_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Page:
    """One page as its source understood it: what the page itself says of the listing.

    `total`: the rows that it announces, None where the vendor tells none that counts. `more`: it names a next page.
    `size`: how many rows a full page has, where that is told. `doubt`: what is wrong with the page, and costs no row.
    """

    decoded: Decoded
    total: int | None
    more: bool
    size: int | None = None
    doubt: str | None = None


@dataclass
class Scan:
    """One pass over all pages: the statements on disk, the rows set aside with their page, and the counts."""

    what: str
    spill_file: SpillFile
    bad: list[tuple[Rejected, int]] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    totals: set[int | None] = field(default_factory=set)
    doubt: str | None = None
    pages: int = 0
    is_past_end: bool = False
    """Whether a page came after the last one, and was empty."""
    is_ended: bool = False
    """Whether the listing came to its own end: a page that was not full and named no other, or none any more."""
    refused: VendorError | None = None
    """Why a page that the total tells of was not given, such as one beyond the deepest offset."""
    is_cut: bool = False
    """Whether that goes for all pages after it, as far as is known."""

    is_uneven: bool = False
    """Whether the vendor gives pages of one size only: then nothing is known but that."""
    has_slid: bool = False
    """Whether two pages that overlap have no row in common: one may have slid from the one onto the other."""
    is_sewn: bool = False
    """Whether the pages overlap."""

    since: datetime | None = None
    """When the first page was there, by the vendor's clock."""
    bad_bytes: int = 0

    def set_aside(self, rejected: Sequence[Rejected], page: int) -> None:
        """Keeps rows that cannot be read; BeyondBoundsError where they are too many for that."""
        self.bad += [(one, page) for one in rejected]
        self.bad_bytes += sum(one.size for one in rejected)
        if self.bad_bytes > ASIDE_BYTES:
            raise BeyondBoundsError(
                f"{self.what}: {len(self.bad):,} rows cannot be read ({self.bad[-1][0].reason}), more than are set "
                "aside; nothing was loaded: ask the vendor what changed."
            )

    @property
    def announced(self) -> int | None:
        """The rows that the pages spoke of; the largest figure where they disagree, None where there is none."""
        return max((total for total in self.totals if total is not None), default=None)

    @property
    def total(self) -> int | None:
        """The rows that every page announced; None where they disagree, or announce nothing."""
        return next(iter(self.totals)) if len(self.totals) == 1 else None

    @property
    def received(self) -> int:
        """The rows that came, good or bad, repeats included."""
        return self.spill_file.rows + len(self.bad)

    @property
    def bad_hashes(self) -> set[str]:
        """The rows set aside, each distinct text once."""
        return {rejected.raw_hash for rejected, _ in self.bad}


@dataclass(frozen=True)
class PagedListing:
    """How one listing is read.

    `ask(n, retry, step)` asks for page n, counted from 1, which begins after `n - 1` times `step` rows; without `retry`
    only once, for one that may not be there. `by_offset`: every page has `size` rows, or as many as the vendor gives;
    else it has `step`. `derive` turns decoded rows into statements, with a key and a `statement_hash`. `what` names the
    listing in an error. `on_page` is told rows received and announced.
    """

    what: str
    ask: Callable[[int, bool, int], Page]
    derive: Callable[[pa.Table], pa.Table]
    size: int
    concurrency: int
    on_page: Callable[[int, int], None] = lambda _received, _announced: None
    on_failure: Callable[[], None] = lambda: None
    """Is told of a page that was left out, before others are asked for."""
    counts: bool = True
    """Whether a total may be a count of the rows: then so many pages are asked for side by side."""

    by_offset: bool = False
    overlaps: bool = False
    """Whether pages may overlap, so that rows which slide are seen (see `seams`)."""
    may_take_more: bool = False
    """Whether they may be more for that than without."""

    def fetch(self, number: int, retry: bool, step: int | None = None) -> Page:
        """Page `number` (see `ask`). What cannot be trusted of it says what that means for the tables."""
        with nothing_of(self.what):
            return self.ask(number, retry, step or self.size)

    def _fetch_at(self, place: int, cut: Cut, *, retry: bool) -> Page:
        """The page at a place of the listing, as it was cut."""
        asked = cut.slice(place)
        return self.fetch(asked.number, retry, asked.step)

    def _cut(self, first: Page) -> Cut:
        """How the rows lie on the pages, by the first one: where it can be, they overlap."""
        size = first.decoded.received
        takes_any = self.by_offset or (first.size == size == self.size)
        cut = (
            Cut.overlapping(size, first.total or 0, by_offset=self.by_offset, may_be_more=self.may_take_more)
            if self.overlaps and self.counts and takes_any
            else None
        )
        return cut or Cut(size if self.by_offset else self.size, by_offset=self.by_offset)

    def scan(
        self, spill_file: SpillFile, is_too_long: Callable[[int, int], bool] = lambda _a, _r: False
    ) -> Scan:
        """One pass. What is refused after the first page ends it, short; a refusal of the first page is raised.

        A page that the vendor fails at for good, or that cannot be trusted, is left out, the second one in a row ends
        the pass.
        `is_too_long(announced, received)` is asked after each page; where it says so, the pass ends there.
        """
        scan = Scan(self.what, spill_file)
        batch: list[tuple[int, pa.Table]] = []
        held = 0
        for number, page in self._pages(scan, is_too_long):
            scan.set_aside(page.decoded.rejected, number)
            note_names(scan.unknown, page.decoded.unknown)
            scan.doubt = scan.doubt or page.doubt
            batch.append((number, page.decoded.table))
            held += size_of(page.decoded.table)
            if sum(table.num_rows for _, table in batch) >= BATCH_ROWS or held >= BATCH_BYTES:
                spill_file.write(self._derived(batch))
                batch.clear()
                held = 0
            seen = spill_file.rows + sum(table.num_rows for _, table in batch)
            self.on_page(seen, scan.announced or seen)
        if batch:
            spill_file.write(self._derived(batch))
        spill_file.close()
        return scan

    def _derived(self, batch: Sequence[tuple[int, pa.Table]]) -> pa.Table:
        """The rows of these pages, each with the number of its page where statements are derived of them."""
        derived = self.derive(pa.concat_tables([rows for _, rows in batch]).combine_chunks())
        place = derived.schema.get_field_index(PAGE.name)
        if place < 0:
            return derived
        numbers = [pa.repeat(pa.scalar(number, PAGE.type), rows.num_rows) for number, rows in batch]
        return derived.set_column(place, PAGE.field, pa.concat_arrays(numbers))

    def _pages(self, scan: Scan, is_too_long: Callable[[int, int], bool]) -> Iterator[tuple[int, Page]]:
        """Every page with the number that it was asked for by, as many as the first one's rows make of its total.

        Then while there may be more: a page as full as the first one may have a successor, whatever the total says.
        """
        first = self.fetch(1, True)
        scan.since = clock.theirs()
        way = _Way(first, self._cut(first), self.size, scan, counts=self.counts)
        if way.is_without_rows(first):
            yield 1, way.take(first, 1)
            return
        for number, page in self._chain(first, way, scan):
            if way.is_over(number, page):
                return
            yield way.cut.slice(number).number, way.take(page, number)
            if way.is_at_end(number, page) or is_too_long(scan.announced or 0, way.received):
                return
        if scan.pages >= way.planned + MOST_EXTRA_PAGES:
            with nothing_of(self.what):
                raise BeyondBoundsError(f"{self.what}: after {scan.pages} pages there is no end of it.")

    def _chain(self, first: Page, way: _Way, scan: Scan) -> Iterator[tuple[int, Page]]:
        """The pages in their order, until one is refused, or two in a row are failed at, or are no such page.

        What lies beyond the pages that the total tells of is asked for once, and may be answered in any way.
        """
        yield 1, first
        concurrency = max(1, min(self.concurrency, AHEAD_BYTES // max(first.decoded.size, 1)))
        fetch = partial(self._fetch, max(MOST_TIMES * first.decoded.size, LEAST_BYTES), way.cut)
        begin = max(way.planned, 1) + 1
        beyond = range(begin, begin + MOST_EXTRA_PAGES)
        yield from self._unfailing(ordered_parallel_map(fetch, range(2, way.planned + 1), concurrency), scan)
        if scan.refused is not None:
            return
        if scan.announced is None:
            yield from self._unfailing(map(fetch, beyond), scan)
            return
        with suppress(VendorError):
            yield from ((number, self._fetch_at(number, way.cut, retry=False)) for number in beyond)

    def _unfailing(
        self, replies: Iterator[tuple[int, Page | VendorError]], scan: Scan
    ) -> Iterator[tuple[int, Page]]:
        """The pages among these replies; what was not given is noted in the walk."""
        is_after_gap = False
        for number, page in replies:
            if isinstance(page, Page):
                is_after_gap = False
                yield number, page
                continue
            is_rejected = isinstance(page, RequestRejectedError)
            if is_rejected and self._is_second_sewn(number, scan):
                scan.is_uneven = True
                return
            scan.refused = page
            scan.is_cut = is_after_gap or is_rejected
            if scan.is_cut or scan.announced is None or ends_pages(page):
                return
            is_after_gap = True
            self.on_failure()

    def _is_second_sewn(self, number: int, scan: Scan) -> bool:
        """Whether a page is the first one that was asked for by a size of its own, so that it overlaps."""
        return number == 2 and scan.is_sewn and not self.by_offset

    def _fetch(self, most: int, cut: Cut, number: int) -> tuple[int, Page | VendorError]:
        """A page; or why it was not given, where that may be the page's own matter."""
        try:
            return number, self._alike(most, cut, number)
        except VendorError as error:
            if isinstance(error, TooLongError) or not may_be_of_days(error):
                raise
            return number, error

    def _alike(self, most: int, cut: Cut, number: int) -> Page:
        """A page that is like the others: of `most` bytes; InvalidResponseError for another."""
        page = self._fetch_at(number, cut, retry=True)
        if page.decoded.size > most:
            raise InvalidResponseError(
                f"{self.what}: page {number} is many times as long as the first one; nothing was loaded: ask the "
                "vendor what changed."
            )
        return page


class _Way:
    """How far a pass came, by the rows of its first page; it notes in the scan where the listing ended."""

    def __init__(self, first: Page, cut: Cut, asked: int, scan: Scan, *, counts: bool) -> None:
        self.cut = cut
        self.size = first.decoded.received
        self.planned = -(-(first.total or 0) // self.size) if self.size and counts else 1
        if cut.is_sewn:
            self.planned = cut.pages(first.total or 0, self.planned * 2 + MOST_MORE)
        self._counts = counts
        self.received = 0
        self._scan, self._previous = scan, first
        self._full, self._is_full = first.size or asked, False
        self._empty = self._number = 0
        scan.is_sewn = cut.is_sewn

    def take(self, page: Page, number: int) -> Page:
        """The page is one of the listing's; what of it is new, where it overlaps with the one before."""
        fresh, overlap = page, self.cut.slice(number).overlap
        if overlap and number == self._number + 1:
            decoded, is_joined = joined(self._previous.decoded, page.decoded, overlap)
            fresh = replace(page, decoded=decoded)
            self._scan.has_slid |= not is_joined
        self._scan.pages += 1
        self._scan.totals.add(page.total)
        self.received += fresh.decoded.received
        self._previous, self._number = page, number
        return fresh

    def is_without_rows(self, first: Page) -> bool:
        """Whether nothing comes, though the first page speaks of rows, or of more pages."""
        return not self.size and bool(first.total or first.more)

    def is_over(self, number: int, page: Page) -> bool:
        """Whether this page is none of the listing's any more."""
        return self.is_uneven(number, page) or self.is_behind(number, page) or self.is_empty(page)

    def is_uneven(self, number: int, page: Page) -> bool:
        """Whether a page is longer than it was asked for, by what it says itself or by its rows; or the first again."""
        if number == 1 or not self.cut.is_sewn or self.cut.by_offset:
            return False
        rows, received = self.cut.slice(number).rows, page.decoded.received
        is_first = number == 2 and received == rows and adds_nothing(self._previous.decoded, page.decoded)
        self._scan.is_uneven = is_first or page.size != rows or received > rows
        return self._scan.is_uneven

    def is_behind(self, number: int, page: Page) -> bool:
        """Whether a page beyond the planned ones shows that the one before it was the last."""
        rows = page.decoded.received
        if number <= max(self.planned, 1) or (rows and not self._is_previous(page)):
            return False
        # The same full page again is no end: it may be the last one's, or that of a server deaf to `page`.
        self._scan.is_past_end = not rows
        self._scan.is_ended = not rows or not self._is_full
        return True

    def _is_previous(self, page: Page) -> bool:
        """Whether it is the page before once more; of pages that overlap, a part of that, too."""
        before, now = self._previous.decoded, page.decoded
        if self.cut.is_sewn:
            return adds_nothing(before, now)
        return bool(now.table.equals(before.table)) and [bad.raw for bad in now.rejected] == [
            bad.raw for bad in before.rejected
        ]

    def is_empty(self, page: Page) -> bool:
        """Whether it is one empty page too many in a row."""
        self._empty = 0 if page.decoded.received else self._empty + 1
        return self._empty > MOST_EMPTY_PAGES

    def is_at_end(self, number: int, page: Page) -> bool:
        """Whether nothing follows a page that was taken: all are met, none is named, and it is not full."""
        rows = page.decoded.received
        full = self.cut.slice(number).rows if self.cut.is_sewn else self.size
        self._is_full = rows >= (self._full if number == 1 else full)
        is_met = not self._counts or self.received >= (self._scan.announced or 0)
        if number < self.planned or not is_met or page.more or (rows and self._is_full):
            return False
        self._scan.is_ended, self._scan.is_past_end = True, not rows
        return True


def count(value: object) -> int | None:
    """A number of rows or pages, as an integer or as its digits; None for anything else, and for what no list has."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:19])
    return (
        value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_ROWS else None
    )

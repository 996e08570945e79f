"""Reads a numbered listing whole: pages side by side, and the question whether what came can be trusted.

A listing may change while it is read, so one walk over its pages is not believed for having ended. A walk
**stands** at once if every page announced the same total and distinct events plus bad rows equal it. Else the
listing is walked again from nothing, and stands once two walks in a row gave the same rows and received no
fewer than announced (a feed with harmless repeats). After `WALKS` walks it is an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from sources.records import Decoded, Rejected
from sources.side_by_side import side_by_side
from sources.spool import Spool, Spools
from wire.errors import UntrustedAnswerError

WALKS = 3
# Pages asked for beyond those that the total needs: more than a listing grows by while it is read.
MOST_EXTRA_PAGES = 1_000
# Empty pages in a row after which a total that is still not met is not believed.
MOST_EMPTY_PAGES = 20
# Rows derived and written together: larger batches cost less CPU, smaller ones less memory.
BATCH_ROWS = 20_000


@dataclass(frozen=True)
class Page:
    """One page as its source understood it; `total` and `more` are what the page itself says."""

    decoded: Decoded
    total: int
    more: bool


@dataclass
class Walk:
    """One pass over all pages: the statements on disk, the rows set aside with their page, and the counts."""

    spool: Spool
    bad: list[tuple[Rejected, int]] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    totals: set[int] = field(default_factory=set)
    pages: int = 0

    @property
    def announced(self) -> int:
        """The rows that the pages spoke of; the largest figure where they disagree."""
        return max(self.totals)

    @property
    def received(self) -> int:
        """The rows that came, good or bad, repeats included."""
        return self.spool.rows + len(self.bad)


@dataclass(frozen=True)
class Listing:
    """How one listing is read.

    `fetch(n)` asks for page n, counted from 1. `derive` turns decoded rows into statements, with an `event_key`
    and a `statement_hash`. `what` names the listing in an error. `on_page` is told rows received and announced.
    `unique`: the vendor lists an event once, so rows that repeat make up for none that are missing.
    """

    what: str
    fetch: Callable[[int], Page]
    derive: Callable[[pa.Table], pa.Table]
    concurrency: int
    on_page: Callable[[int, int], None] = lambda _received, _announced: None
    unique: bool = False

    def read(self, spools: Spools) -> list[Walk]:
        """The walks it took, the last of which stands; raises UntrustedAnswerError if none does."""
        walks: list[Walk] = []
        while len(walks) < WALKS:
            walks.append(self._walk(spools.new()))
            if _stands_alone(walks[-1], spools) or self._stands_repeated(walks, spools):
                return walks
        last = walks[-1]
        raise UntrustedAnswerError(
            f"{self.what} could not be read whole: {WALKS} walks over its pages received {last.received} rows "
            f"where {last.announced} were announced, or other rows each time. Nothing of it was loaded; "
            "try again later, and ask the vendor if it stays so."
        )

    def _stands_repeated(self, walks: list[Walk], spools: Spools) -> bool:
        if len(walks) < 2:
            return False
        before, last = walks[-2:]
        received = spools.events(last.spool) + len(last.bad) if self.unique else last.received
        if received < last.announced:
            return False
        return _bad(before) == _bad(last) and spools.same(before.spool, last.spool)

    def _walk(self, spool: Spool) -> Walk:
        walk = Walk(spool)
        batch: list[pa.Table] = []
        for number, page in enumerate(self._pages(walk), start=1):
            walk.bad += [(rejected, number) for rejected in page.decoded.rejected]
            walk.unknown += page.decoded.unknown
            batch.append(page.decoded.table)
            if sum(table.num_rows for table in batch) >= BATCH_ROWS:
                spool.write(self.derive(pa.concat_tables(batch).combine_chunks()))
                batch.clear()
            self.on_page(spool.rows + sum(table.num_rows for table in batch), walk.announced)
        if batch:
            spool.write(self.derive(pa.concat_tables(batch).combine_chunks()))
        spool.close()
        return walk

    def _pages(self, walk: Walk) -> Iterator[Page]:
        """Every page: as many as the first one's rows make of its total, then on while there may be more."""
        first = previous = self.fetch(1)
        size = first.decoded.received
        if not size and (first.total or first.more):
            raise UntrustedAnswerError(
                f"{self.what}: the first page is empty, yet it announces {first.total} rows or further pages."
            )
        planned = -(-first.total // size) if size else 1
        received = empty = 0
        for number, page in enumerate(self._chain(first, planned), start=1):
            rows = page.decoded.received
            empty = 0 if rows else empty + 1
            repeated = number > 1 and page.decoded.table.equals(previous.decoded.table)
            if self.unique and repeated and page.decoded.table.num_rows:
                raise UntrustedAnswerError(
                    f"{self.what}: page {number} repeats the one before it, so there is no telling what is missing. "
                    "Nothing of it was loaded; ask for larger pages, or try again later."
                )
            if (number > planned and (not rows or repeated)) or empty > MOST_EMPTY_PAGES:
                return
            walk.pages, received, previous = number, received + rows, page
            walk.totals.add(page.total)
            yield page
            if number >= planned and received >= walk.announced and not page.more:
                return
        raise UntrustedAnswerError(
            f"{self.what}: after {walk.pages} pages there is no end of it; nothing was loaded."
        )

    def _chain(self, first: Page, planned: int) -> Iterator[Page]:
        yield first
        yield from side_by_side(self.fetch, range(2, planned + 1), self.concurrency)
        yield from map(self.fetch, range(planned + 1, planned + 1 + MOST_EXTRA_PAGES))


def _stands_alone(walk: Walk, spools: Spools) -> bool:
    if len(walk.totals) > 1 or walk.received < walk.announced:
        return False
    return spools.events(walk.spool) + len(walk.bad) == walk.announced


def _bad(walk: Walk) -> set[str]:
    return {rejected.raw_hash for rejected, _ in walk.bad}


def count(value: Any) -> int | None:
    """A number of rows or pages, as an integer or as its digits; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:19])
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

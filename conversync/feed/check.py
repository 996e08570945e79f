"""A look at a vendor by declaration: whether it is reached, lets us in, and answers as a night reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from conversync.extract.check_results import CheckResult, clock, newest_row
from conversync.extract.columns import now
from conversync.extract.guarantees import proved
from conversync.extract.lookback import in_use
from conversync.extract.page_decoder import PageDecoder
from conversync.extract.pagination import Page
from conversync.extract.rejected_days import Days
from conversync.extract.spill import SpillFiles
from conversync.extract.windows import (
    Window,
)
from conversync.feed.settings import FeedSettings
from conversync.feed.stream import Stream
from conversync.http.client import Response

# As many rows as no vendor refuses, for the first look; and the days that it looks at.
FEW, RECENT = 100, timedelta(days=3)


def check(streams: Sequence[Stream], settings: FeedSettings) -> Iterator[CheckResult]:
    """One page of the last days, tomorrow included; then each stream as a night reads it. Raises as a load does."""
    today = settings.today()
    few = min(settings.of("page_size"), FEW)
    nightly = Window(today - timedelta(days=in_use(settings, settings.lookback, {}).days), today)
    with settings.client() as client, SpillFiles() as spill_files:
        for number, stream in enumerate(streams):
            answers: list[Response] = []
            window = Window(today - RECENT, today + timedelta(days=1))
            decoder = stream.table.decoder(stream.rows, stream.beside)

            def understand(answer: Response, stream: Stream = stream, decoder: PageDecoder = decoder) -> Page:
                answers.append(answer)  # noqa: B023 - called before the loop goes on
                return stream.page(answer, decoder, 1)

            page = client.get(stream.path, stream.params(window, 1, few), understand)
            told = (
                f"{page.total:,} rows"
                if page.total is not None
                else f"{page.decoded.received:,} rows on a page"
            )
            yield CheckResult(
                True, f"reached, and let in: {stream.name}, {told} in the last {RECENT.days} days"
            )
            if not number:
                yield from clock(answers[-1])
            if page.decoded.table.num_rows:
                rows = stream.table.statements(page.decoded.table, settings.zone)
                whole = page.total is not None and page.total <= page.decoded.table.num_rows
                doubt = f"is {settings.vendor}_zone right?"
                yield from newest_row(
                    rows["occurred_at"].to_pylist(), now(), settings.of("zone"), doubt, newest=whole
                )
            yield from proved(
                stream.read(client, settings, spill_files, Days(stream.name, nightly)), stream.name
            )

"""A look at a vendor by declaration: whether it is reached, lets us in, and answers as a night reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from conversync.extract.check_results import CheckResult, clock, newest_page, newest_row
from conversync.extract.columns import now
from conversync.extract.guarantees import proved
from conversync.extract.lookback import in_use
from conversync.extract.pagination import Page
from conversync.extract.rejected_days import Days
from conversync.extract.spill import SpillFiles
from conversync.extract.windows import (
    Window,
)
from conversync.feed.settings import FeedSettings
from conversync.feed.stream import Stream
from conversync.http.client import Client, Response

# As many rows as no vendor refuses, for the first look; and the days that it looks at.
FEW, RECENT = 100, timedelta(days=3)


def check(streams: Sequence[Stream], settings: FeedSettings) -> Iterator[CheckResult]:
    """The first and the last page of the last days, tomorrow included; then each stream as a night does.

    Raises as a load does.
    """
    today = settings.today()
    few = min(settings.of("page_size"), FEW)
    nightly = Window(today - timedelta(days=in_use(settings, settings.lookback, {}).days), today)
    window = Window(today - RECENT, today + timedelta(days=1))
    with settings.client() as client, SpillFiles() as spill_files:
        for number, stream in enumerate(streams):
            answers: list[Response] = []
            ask = partial(_page, client, stream, window, few, answers)
            page = ask(1)
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
            times, is_newest = newest_page(page, ask, partial(_times, stream, settings))
            doubt = f"is {settings.vendor}_zone right?"
            yield from newest_row(times, now(), settings.of("zone"), doubt, newest=is_newest)
            yield from proved(
                stream.read(client, settings, spill_files, Days(stream.name, nightly)), stream.name
            )


def _page(
    client: Client, stream: Stream, window: Window, size: int, answers: list[Response], number: int
) -> Page:
    """A page of these days; its answer comes to `answers`, as it came."""
    decoder = stream.table.decoder(stream.rows, stream.beside)

    def understand(answer: Response) -> Page:
        answers.append(answer)
        return stream.page(answer, decoder, number)

    return client.get(stream.path, stream.params(window, number, size), understand)


def _times(stream: Stream, settings: FeedSettings, page: Page) -> Sequence[datetime | None]:
    return list(stream.table.statements(page.decoded.table, settings.zone)["occurred_at"].to_pylist())

"""Whether the feed can be reached, lets us in, understands what a night asks, and whether its zone is what we think."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from conversync.extract.check_results import CheckResult, clock, newest_page, newest_row
from conversync.extract.columns import now, zone
from conversync.extract.guarantees import proved
from conversync.extract.lookback import in_use
from conversync.extract.rejected_days import Days
from conversync.extract.spill import SpillFiles
from conversync.extract.windows import Window

from . import feed
from .reading import Feed
from .walks import CONVERSIONS, LOOKBACKS, REVERSALS

if TYPE_CHECKING:
    from conversync.extract.pagination import Page
    from conversync.http.client import Client, Response

    from .settings import BesitosSettings

DAYS = 3
# As many rows as no vendor refuses, for the first look.
FEW = 100


def check(settings: BesitosSettings) -> Iterator[CheckResult]:
    """Asks for the first and the last page of the last days, tomorrow included; then both walks as a night does.

    Raises the errors of `conversync.errors`.
    """
    today = settings.today()
    asked = {
        "from_date": str(today.subtract(days=DAYS)),
        "to_date": str(today.add(days=1)),
        "per_page": str(min(settings.besitos_page_size, FEW)),
    }
    with settings.client() as client:
        origins = (settings.besitos_url, feed.DOCUMENTED)

        def ask(number: int) -> tuple[Response, Page]:
            return client.get(
                feed.PATH,
                {**asked, "page": str(number)},
                lambda answer: (answer, feed.page(answer, number, feed.decoder(), origins)),
            )

        answer, page = ask(1)
        if page.total is None:
            yield CheckResult(True, "reached, and let in: how many conversions there are is told nowhere")
        else:
            yield CheckResult(
                True, f"reached, and let in: {page.total:,} conversions in the last {DAYS} days"
            )
        yield from clock(answer)
        times, is_newest = newest_page(page, lambda number: ask(number)[1], partial(_times, settings))
        yield from newest_row(times, now(), settings.besitos_zone, "is besitos_zone right?", newest=is_newest)
        yield from _as_a_night(client, settings)


def _times(settings: BesitosSettings, page: Page) -> Sequence[datetime | None]:
    rows = feed.statements(page.decoded.table, zone(settings.besitos_zone, "besitos_zone"))
    return list(rows["occurred_at"].to_pylist())


def _as_a_night(client: Client, settings: BesitosSettings) -> Iterator[CheckResult]:
    """Both walks over what a night asks for, whole, and what is guaranteed of them."""
    today = settings.today()
    widest = Window(today.subtract(days=settings.besitos_range_days - 1), today)
    nightly = Window(today.subtract(days=in_use(settings, LOOKBACKS[CONVERSIONS], {}).days), today)
    with SpillFiles() as spill_files:
        source = Feed(client, settings, {}, spill_files, {}, lambda _received, _announced: None)
        done = source.read(Days(CONVERSIONS, nightly), None)
        yield from proved(done, CONVERSIONS)
        yield from _whole_range(source, widest, spill_files.events(*(scan.spill_file for scan in done.scans)))
        yield from proved(source.read(Days(REVERSALS, widest), None), REVERSALS)


def _whole_range(source: Feed, widest: Window, least: int) -> Iterator[CheckResult]:
    """Whether a long range is cut short without a word: then a part of it has more rows than the whole.

    `least` rows are known of some of its days.
    """
    days = widest.days
    totals = [source.announced(window) for window in (widest, *widest.halves())]
    if None in totals:
        return
    whole, *parts = (total or 0 for total in totals)
    if whole >= max(least, sum(parts)):
        yield CheckResult(True, f"a range of {days} days is answered whole")
        return
    source.bounds.days = 2
    yield CheckResult(
        False,
        f"a range of {days} days is cut short without a word ({whole:,} rows of {max(least, sum(parts)):,}): set "
        "besitos_range_days to what the vendor answers whole",
    )

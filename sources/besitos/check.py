"""Whether the feed can be reached, whether it lets us in, and whether its clock and zone are what we think."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from sources.besitos import feed
from sources.columns import now, zone
from sources.findings import Finding, clock, newest_row

if TYPE_CHECKING:
    from sources.besitos import BesitosSettings

DAYS = 3


def check(settings: BesitosSettings) -> Iterator[Finding]:
    """Asks for one page of the last days, tomorrow included. Raises the errors of `wire.errors`."""
    today = settings.today()
    asked = {
        "from_date": str(today - timedelta(days=DAYS)),
        "to_date": str(today + timedelta(days=1)),
        "per_page": str(settings.besitos_page_size),
        "page": "1",
    }
    with settings.client() as client:
        answer = client.get(feed.PATH, asked, lambda answer: answer)
    page = feed.page(answer, 1, feed.decoder(), (settings.besitos_url, feed.DOCUMENTED))
    yield Finding(True, f"reached, and let in: {page.total:,} conversions in the last {DAYS} days")
    yield from clock(answer)
    if page.decoded.rejected:
        yield Finding(
            False, f"{len(page.decoded.rejected)} rows would be set aside: {page.decoded.rejected[0].reason}"
        )
    if page.decoded.table.num_rows:
        rows = feed.statements(page.decoded.table, zone(settings.besitos_zone, "besitos_zone"))
        whole = page.total <= page.decoded.table.num_rows
        times, name = rows["occurred_at"].to_pylist(), settings.besitos_zone
        yield from newest_row(times, now(), name, "is besitos_zone right?", newest=whole)

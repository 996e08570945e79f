"""`conversync report`: one HTML file for people who look rather than query.

It holds all that it shows: no script, and nothing is fetched. It is made of the marts that `conversync build` makes,
and of the windows, the rows set aside and the ledgers beside them. The warehouse is opened read only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from string import Template

from conversync.errors import ConversyncError
from conversync.monitor.limits import limits
from conversync.report import numbers
from conversync.report.markup import Html, join, tag
from conversync.report.parts import vendor_name
from conversync.report.picture import altair
from conversync.report.reading import Reader, opened
from conversync.report.sections.aside import rejected, sends
from conversync.report.sections.completeness import LISTS, completeness
from conversync.report.sections.funnel import funnel
from conversync.report.sections.goals import goals
from conversync.report.sections.head import head
from conversync.report.sections.offers import offers
from conversync.report.sections.reconciliation import reconciliation
from conversync.report.sections.revenue import revenue
from conversync.report.sections.reversals import reversals
from conversync.warehouse import files, publish

HERE = Path(__file__).parent

Section = Callable[[Reader], Html | None]
# In the order of the page, with the words of the navigation.
SECTIONS: Mapping[str, tuple[str, Section]] = {
    "revenue": ("Net revenue", revenue),
    "reversals": ("Reversals", reversals),
    "offers": ("Offers", offers),
    "sms": ("SMS", funnel),
    "reconciliation": ("Reconciliation", reconciliation),
    "goals": ("Goals", goals),
    "completeness": ("What was read", completeness),
    "rejected": ("Rows set aside", rejected),
    "sends": ("What was sent", sends),
}


@dataclass(frozen=True)
class ReportSummary:
    """What was written: where, how large, of which days, and how long it took."""

    path: Path
    size: int
    first_day: date
    last_day: date
    pictures: int
    seconds: float


def write_report(
    warehouse: Path,
    output: Path,
    *,
    zones: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> ReportSummary:
    """Writes the report on `warehouse` to `output`, whole or not at all; an older one there is replaced.

    `zones` are the vendors' zones of days, as `besitos: EST`; by default the settings'. `now` is when it is made: but
    for it, and for which days are over and which listings are late by the clock, two reports on the same warehouse are
    equal. Raises SettingsError without the extra `report`,
    without a warehouse, or without marts in it; LockedError while another run writes it; ConversyncError where the page
    cannot be written.
    """
    started = time.monotonic()
    altair()
    with opened(warehouse, zones if zones is not None else _zones(), limits().stale_hours) as reader:
        page = _page(reader, now or datetime.now(UTC))
        period = reader.period
    _replace(output, page)
    return ReportSummary(
        output,
        len(page.encode()),
        period.first,
        period.last,
        page.count('class="chart for-desk"') + page.count('class="chart for-all"'),
        time.monotonic() - started,
    )


def _zones() -> dict[str, str]:
    """The settings' zones: `besitos_zone` is that of `besitos`."""
    from conversync.build import zones

    return {name.removesuffix("_zone"): zone for name, zone in zones().items()}


def _page(reader: Reader, now: datetime) -> str:
    shown = {key: (words, section(reader)) for key, (words, section) in SECTIONS.items()}
    there = {key: (words, html) for key, (words, html) in shown.items() if html is not None}
    links = (tag("li", tag("a", words, href=f"#{key}")) for key, (words, _) in there.items())
    template = Template((HERE / "page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=f"Conversions, {numbers.days(reader.period.first, reader.period.last)}",
        style=(HERE / "page.css").read_text(encoding="utf-8").rstrip(),
        head=head(reader),
        nav=tag("ul", *links),
        main=join((html for _, html in there.values()), "\n"),
        foot=_foot(reader, now),
    )


def _foot(reader: Reader, now: datetime) -> Html:
    """When it was made and of what, in which zones days are, and the rules of the figures."""
    try:
        release = f" {version('conversync')}"
    except PackageNotFoundError:
        release = ""
    vendors = [row["vendor"] for row in reader.ask("sources").rows]
    zones = [
        join(
            (tag("dt", vendor_name(vendor)), tag("dd", f"days in the zone {reader.zones.get(vendor, 'UTC')}"))
        )
        for vendor in vendors
        if vendor not in LISTS
    ]
    made = now.astimezone(UTC)
    return join(
        (
            tag("h2", "How to read it"),
            tag(
                "p",
                "Gross less reversed is net, on every row and in every sum. A reversal counts on the day on which its "
                "conversion was earned. Currencies are never added, nor are vendors. Times are UTC; a day is the "
                "vendor's:",
            ),
            tag("dl", *zones) if zones else None,
            tag(
                "p",
                "Every table has its query, which runs as it stands in a DuckDB shell on the warehouse or its "
                "published copy.",
            ),
            tag(
                "p",
                f"Made by conversync{release} on ",
                tag("time", numbers.moment(made), datetime=made.isoformat(timespec="seconds"), id="made"),
                f" UTC; the warehouse is as of {numbers.moment(reader.period.newest_reading)} UTC.",
            ),
        )
    )


def _replace(output: Path, page: str) -> None:
    """The page in a file beside the output, which then takes its place."""
    try:
        who = publish.readers()
        publish.opened_for(who, output.parent)
        files.clear_unfinished(output)
        files.write(output, page, mode=who.mode, group=who.group)
    except OSError as error:
        raise ConversyncError(
            f"The report cannot be written to {output} ({error.strerror}): name another place."
        ) from None

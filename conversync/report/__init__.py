"""`conversync report`: one HTML file for people who look rather than query.

It holds all that it shows: no script, and nothing is fetched. It is made of the marts that `conversync build` makes,
and of the windows, the rows set aside and the ledgers beside them. The warehouse is only read, be it a DuckDB file or
a PostgreSQL: the page is the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import pendulum

from conversync.errors import ConversyncError
from conversync.monitor.limits import limits
from conversync.report import numbers
from conversync.report.opening import opened
from conversync.report.parts import TEMPLATES, Content, Section, clean
from conversync.report.picture import altair
from conversync.report.reading import Reader
from conversync.report.sections.completeness import completeness
from conversync.report.sections.offers import offers
from conversync.report.sections.quarantine import rejected, sends
from conversync.report.sections.reconciliation import reconciliation
from conversync.report.sections.revenue import revenue
from conversync.report.sections.reversals import reversals
from conversync.vendors import in_report, is_list, known, title
from conversync.warehouse import files, publish
from conversync.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

# In the order of the page.
SECTIONS = (
    Section("revenue", "Net revenue", "Net revenue", revenue),
    Section("reversals", "Reversals", "Reversals", reversals),
    Section("offers", "Offers", "Top offers", offers),
    Section("reconciliation", "Reconciliation", "Offerwall against tracker", reconciliation),
    Section("completeness", "What was read", "What was read", completeness),
    Section("rejected", "Rows set aside", "Rows set aside", rejected),
    Section("sends", "What was sent", "What was sent", sends),
)


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
    warehouse: Warehouse | Path,
    output: Path,
    *,
    zones: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> ReportSummary:
    """Writes the report on `warehouse` to `output`, whole or not at all; an older one there is replaced.

    A path is that of a DuckDB file.

    `zones` are the vendors' zones of days, as `besitos: EST`; by default the settings'. `now` is when it is made: but
    for it, and for which days are over and which listings are late by the clock, two reports on the same warehouse are
    equal. Raises SettingsError without the extra `report`,
    without a warehouse, or without marts in it; LockedError while another run writes it; ConversyncError where the page
    cannot be written, or a query takes too long; UnreachedError for a server that cannot be reached.
    """
    started = time.monotonic()
    altair()
    place = warehouse if isinstance(warehouse, Warehouse) else Warehouse(warehouse)
    with opened(place, zones if zones is not None else _zones(), limits().stale_hours) as reader:
        page = _page(reader, now or pendulum.now("UTC"))
        period = reader.period
    put(output, page)
    return ReportSummary(
        output,
        len(page.encode()),
        period.first,
        period.last,
        page.count('class="chart for-desk"') + page.count('class="chart for-all"'),
        time.monotonic() - started,
    )


def _zones() -> dict[str, str]:
    """The settings' zones, by dataset."""
    from conversync.build import zones

    return zones()


def _page(reader: Reader, now: datetime) -> str:
    sections = sections_of_page()
    pages = templates(section.folder for section in sections)
    shown = [
        (section, content, _body(pages, section, content))
        for section in sections
        if (content := section.content(reader))
    ]
    sources = [row["account"] for row in reader.ask("sources").rows]
    try:
        release = f" {version('conversync')}"
    except PackageNotFoundError:
        release = ""
    page = pages.get_template("page.html").render(
        when=numbers.days(reader.period.first, reader.period.last),
        sources=sources,
        newest_reading=reader.period.newest_reading,
        is_behind=reader.is_behind(),
        figures=[figure for _, content, _ in shown for figure in content.figures],
        totals=reader.ask("totals"),
        sections=shown,
        zones=[(name, reader.zones.get(name, "UTC")) for name in sources if not is_list(name)],
        release=release,
        shell=reader.shell,
        made=numbers.utc(now),
    )
    return clean(page)


def _body(pages: Environment, section: Section, content: Content) -> Markup:
    """What a section shows below its title, where there is something to show."""
    from markupsafe import Markup

    if content.missing:
        return Markup()
    return Markup(pages.get_template(f"{section.key}.html").render(content.values))  # noqa: S704 - rendered with escapes


def sections_of_page() -> list[Section]:
    """All in the order of the page: the vendors' own behind those that they name."""
    found = list(SECTIONS)
    for section in reversed([one for vendor in known().values() for one in vendor.in_report.sections()]):
        keys = [one.key for one in found]
        found.insert(keys.index(section.after) + 1 if section.after in keys else len(found), section)
    return found


def templates(folders: Iterable[Path]) -> Environment:
    """The templates of the page. What they are given is escaped; a name that they were not given is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(list(dict.fromkeys([TEMPLATES, *folders]))),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = (numbers.amount, numbers.count, numbers.hours, numbers.listed, numbers.many, numbers.moment)
    environment.filters.update({filter_.__name__: filter_ for filter_ in (*shown, numbers.share)})
    environment.filters.update(vendor_name=title, colour=lambda vendor: in_report(vendor).colour)
    return environment


def put(output: Path, page: str) -> None:
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

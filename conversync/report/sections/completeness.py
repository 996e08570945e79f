"""Freshness and completeness: which days were read, and whether all rows came."""

from __future__ import annotations

from conversync.report import charts, numbers
from conversync.report.markup import Html, strong, tag
from conversync.report.parts import (
    Column,
    finding,
    key,
    missing,
    more,
    queries,
    section,
    subheading,
    table,
    vendor_name,
)
from conversync.report.picture import picture
from conversync.report.reading import Reader, Row
from conversync.vendors import vendors

# Sources whose listings have no days: every reading is the whole list as it is then.
LISTS = ("conductrics",)


def completeness(reader: Reader) -> Html:
    """A calendar of each source's days, and a table of its streams."""
    days, streams, sources, lacking = (
        reader.ask(name) for name in ("calendar", "streams", "sources", "missing")
    )
    read = [row["vendor"] for row in sources.rows]
    never = [vendor_name(name) for name in vendors() if name not in read]
    if not read:
        return section(
            "completeness", "What was read", missing("No source was ever read into this warehouse.")
        )
    used = {row["state"] for row in days.rows}
    keys = [
        key(f"{state} c-{look[3]}", look[4], "state")
        for state, look in charts.STATES.items()
        if state in used
    ]
    said = tag(
        "p",
        f"{numbers.listed(never)} {'is' if len(never) == 1 else 'are'} not loaded into this warehouse.",
        class_="missing",
    )
    columns = (
        Column("stream", "Listing", str, lambda row: vendor_name(row["vendor"])),
        Column("whole", "Whole", numbers.count),
        Column("open", "Not over", numbers.count),
        Column("short", "Short", numbers.count),
        Column("never", "Never", numbers.count),
        Column("first_day", "Read from", numbers.day),
        Column("last_read", "Last read (UTC)", numbers.moment, _lateness),
    )
    fresh = (
        Column("vendor", "Source", vendor_name),
        Column("last_read", "Last read (UTC)", numbers.moment),
        Column("last_day", "Through", numbers.day),
        Column("readings", "Readings", numbers.count),
        Column("short_readings", "Short", numbers.count),
    )
    return section(
        "completeness",
        "What was read",
        _said(reader, read),
        said if never else None,
        tag("p", *keys, class_="keys"),
        tag("div", *(_calendar(reader, vendor) for vendor in read), class_="calendars"),
        table(sources, fresh, "When each source was last read"),
        _withdrawn(reader),
        more("Every listing", table(streams, columns, "Days since the first reading by listing", tall=True)),
        queries(sources, days, streams, lacking),
    )


def _said(reader: Reader, read: list[str]) -> Html:
    """What `status` and the alert say, too: days never read, days short by so many rows, listings that are late."""
    lacking = [row for row in reader.ask("missing").rows if row["never"] or row["short"]]
    never, short, rows = (sum(row[name] for row in lacking) for name in ("never", "short", "missing_rows"))
    late = [_late(row) for row in reader.ask("streams").rows if row["is_stale"] and row["is_current"]]
    behind = f" {' '.join(late)}" if late else None
    if not lacking:
        return finding(
            strong("No day is missing"),
            " since each source was first read. A day counts as read whole when all the rows that were announced came, "
            "after the day was over.",
            behind,
        )
    parts = [f"{numbers.many(never, 'day')} of a source never read"] if never else []
    if short:
        parts.append(f"{numbers.many(short, 'day')} read short by {numbers.many(rows, 'row')}")
    where = numbers.listed([vendor_name(name) for name in read if name in {row["vendor"] for row in lacking}])
    return finding(
        strong(numbers.sentence_case(numbers.listed(parts))),
        f" ({where}). To read days again is free: conversync load --from DAY --to DAY.",
        behind,
    )


def _late(row: Row) -> str:
    since = f"for {row['days_since']:.0f} days" if row["days_since"] >= 2 else "since yesterday"
    return f"{vendor_name(row['vendor'])}, {row['stream']}: not read {since}."


def _lateness(row: Row) -> str | None:
    if not row["is_current"]:
        return "no longer in the settings"
    return f"{row['days_since']:.0f} days ago" if row["is_stale"] else None


def _withdrawn(reader: Reader) -> Html | None:
    """What a vendor serves no more; None where no view tells of it, or nothing is gone."""
    if not reader.has_withdrawn or not (gone := reader.ask("withdrawn").rows):
        return None
    told = numbers.listed(
        [f"{numbers.many(row['conversions'], 'conversion')} of {vendor_name(row['source'])}" for row in gone]
    )
    return tag(
        "p",
        f"{told}, read earlier, are served no more: see the column withdrawn_at.",
        class_="missing",
    )


def _calendar(reader: Reader, vendor: str) -> Html:
    days = reader.ask("calendar").of(vendor=vendor)
    counts = {state: sum(row["state"] == state for row in days.rows) for state in charts.STATES}
    told = [
        f"{numbers.many(counts[state], 'day')} {look[4]}"
        for state, look in charts.STATES.items()
        if counts[state]
    ]
    name = vendor_name(vendor)
    words = f"{name}, {numbers.days(reader.period.first, reader.period.last)}: {numbers.listed(told)}."
    if vendor in LISTS:
        words = (
            f"{name} has lists without days: each reading is whole. "
            f"Read on {numbers.many(counts['whole'], 'day')} of ninety."
        )
    return tag(
        "figure",
        subheading(name, vendor=vendor),
        picture(charts.calendar(days.rows), words, f"days-{vendor}", is_small=True),
        tag("figcaption", words.partition(": ")[2] if vendor not in LISTS else words),
        class_="calendar",
    )

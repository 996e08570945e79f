"""Freshness and completeness: which days were read, and whether all rows came."""

from __future__ import annotations

from pipelines.html import charts, numbers
from pipelines.html.markup import Html, strong, tag
from pipelines.html.parts import (
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
from pipelines.html.picture import picture
from pipelines.html.reading import Reader
from pipelines.vendors import NAMES

# Sources whose listings have no days: every reading is the whole list as it is then.
LISTS = ("conductrics",)


def completeness(reader: Reader) -> Html:
    """A calendar of each source's days, and a table of its streams."""
    days, streams, sources = (reader.ask(name) for name in ("calendar", "streams", "sources"))
    read = [row["vendor"] for row in sources.rows]
    never = [vendor_name(name) for name in NAMES if name not in read]
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
        Column("before", "Before first", numbers.count),
        Column("first_day", "Read from", numbers.day),
        Column("last_read", "Last read (UTC)", numbers.moment),
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
        more("Every listing", table(streams, columns, "Days of the last ninety by listing", tall=True)),
        queries(sources, days, streams),
    )


def _said(reader: Reader, read: list[str]) -> Html:
    lacking = [row for row in reader.ask("calendar").rows if row["state"] in {"short", "never"}]
    if not lacking:
        return finding(
            strong("No day is missing"),
            " since each source was first read. A day counts as read whole when all the rows that were announced came, "
            "after the day was over.",
        )
    short = sum(row["state"] == "short" for row in lacking)
    parts = [
        words
        for number, words in (
            (len(lacking) - short, f"{numbers.many(len(lacking) - short, 'day')} of a source never read"),
            (short, f"{numbers.many(short, 'day')} read short"),
        )
        if number
    ]
    where = numbers.listed(
        [vendor_name(name) for name in read if any(row["vendor"] == name for row in lacking)]
    )
    return finding(
        strong(numbers.sentence_case(numbers.listed(parts))),
        f" ({where}). To read days again is free: conversync load --from DAY --to DAY.",
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

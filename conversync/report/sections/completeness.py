"""Freshness and completeness: which days were read, and whether all rows came."""

from __future__ import annotations

from conversync.report import charts, numbers
from conversync.report.parts import Column, Content, Figure
from conversync.report.picture import picture
from conversync.report.reading import Reader, Row
from conversync.types import Document
from conversync.vendors import in_report, is_list, title, vendors


def completeness(reader: Reader) -> Content:
    """A calendar of each source's days, and a table of its streams."""
    days, streams, sources, missing = (
        reader.ask(name) for name in ("calendar", "streams", "sources", "missing")
    )
    read = [row["account"] for row in sources.rows]
    figures = [_figure(missing.rows)] if missing.rows else []
    if not read:
        return Content(missing="No source was ever read into this warehouse.", figures=figures)
    lacking, withdrawn = list(filter(_days_missing, missing.rows)), _withdrawn(reader)
    return Content(
        {
            "lacking": _lacking(lacking),
            "where": numbers.listed([title(row["account"]) for row in lacking]),
            "late": list(filter(_is_late, streams.rows)),
            "never": [
                title(name) for name in vendors() if name not in {row["vendor"] for row in sources.rows}
            ],
            "keys": _keys(days.rows),
            "calendars": [_calendar(reader, vendor) for vendor in read],
            "sources": sources,
            "by_source": _BY_SOURCE,
            "withdrawn": withdrawn,
            "streams": streams,
            "by_stream": _BY_STREAM,
        },
        queries=(sources, days, streams, missing),
        figures=figures,
    )


def _days_missing(row: Row) -> int:
    """Of a source: never read, or read short."""
    return int(row["short"] + row["never"])


def _is_late(row: Row) -> bool:
    return bool(row["is_stale"] and row["is_current"])


def _keys(days: tuple[Row, ...]) -> list[tuple[str, str, str]]:
    """The legend of the states that these days have."""
    used = {row["state"] for row in days}
    return [(look[3], look[4], f"state c-{state}") for state, look in charts.STATES.items() if state in used]


def _withdrawn(reader: Reader) -> list[str]:
    """What a vendor serves no more; where no view tells of it, nothing is known of it."""
    gone = reader.ask("withdrawn").rows if reader.has("withdrawn") else ()
    return [f"{numbers.many(row['conversions'], 'conversion')} of {title(row['source'])}" for row in gone]


def _lacking(rows: list[Row]) -> str:
    """What `status` and the alert say, too: days never read, days short by so many rows; empty where none is."""
    never, short, missing = (sum(row[name] for row in rows) for name in ("never", "short", "missing_rows"))
    parts = [f"{numbers.many(never, 'day')} of a source never read"] if never else []
    if short:
        how = f"read short by {numbers.many(missing, 'row')}" if missing else "not shown to be whole"
        parts.append(f"{numbers.many(short, 'day')} {how}")
    return numbers.sentence_case(numbers.listed(parts))


def _figure(rows: tuple[Row, ...]) -> Figure:
    return Figure(
        "Days missing",
        numbers.count(sum(map(_days_missing, rows))),
        f"never read, or read short, of {numbers.many(len(rows), 'source')} since the first reading of each",
    )


def _lateness(row: Row) -> str | None:
    if not row["is_current"]:
        return "no longer in the settings"
    if row["last_read"] is None:
        return "never read"
    return f"{row['days_since']:.0f} days ago" if row["is_stale"] else None


def _calendar(reader: Reader, vendor: str) -> Document:
    """The values of one source's ninety days."""
    days = reader.ask("calendar").of(account=vendor)
    counts = {state: sum(row["state"] == state for row in days.rows) for state in charts.STATES}
    name = title(vendor)
    if is_list(vendor):
        told = says = (
            f"{name} has lists without days: each reading is whole. "
            f"Read on {numbers.many(counts['whole'], 'day')} of ninety."
        )
    else:
        parts = [
            f"{numbers.many(counts[state], 'day')} {look[4]}"
            for state, look in charts.STATES.items()
            if counts[state]
        ]
        says = f"{numbers.listed(parts)}."
        told = f"{name}, {numbers.days(reader.period.first, reader.period.last)}: {says}"
    drawn = picture(charts.calendar(days.rows), told, f"days-{vendor}", is_small=True)
    return {"name": name, "colour": in_report(vendor).colour, "picture": drawn, "says": says}


_BY_STREAM = (
    Column("stream", "Listing", str, lambda row: title(row["account"])),
    Column("whole", "Whole", numbers.count),
    Column("open", "Not over", numbers.count),
    Column("short", "Short", numbers.count),
    Column("never", "Never", numbers.count),
    Column("first_day", "Read from", numbers.day),
    Column("last_read", "Last read (UTC)", numbers.moment, _lateness),
)
_BY_SOURCE = (
    Column("account", "Source", title),
    Column("last_read", "Last read (UTC)", numbers.moment),
    Column("last_day", "Through", numbers.day),
    Column("readings", "Readings", numbers.count),
    Column("short_readings", "Short", numbers.count),
)

"""The SMS funnel: how many convert, and how long they take."""

from __future__ import annotations

from conversync.report import charts, numbers
from conversync.report.markup import Html, strong
from conversync.report.parts import Column, figure, finding, missing, queries, section, table
from conversync.report.picture import picture
from conversync.report.reading import Reader, Row

# More than these in one picture would not be looked at; the table has them all.
MOST_PAIRS = 5
KEY = ("process_key", "start_tag", "end_tag")


def funnel(reader: Reader) -> Html:
    """Every pair of tags: started, converted, the rate and the mean time."""
    pairs, weekly = reader.ask("sms_pairs"), reader.ask("sms_weekly")
    if not pairs.rows:
        return section(
            "sms",
            "SMS funnel",
            missing("Infobip has told of no SMS funnel in these days; infobip_pairs says which are read."),
        )
    first = pairs.rows[0]
    says = (
        f"{first['way']}: of {numbers.count(first['start_count'])} who began, "
        f"{numbers.share(first['conversion_rate'])} converted, in {numbers.hours(first['average_hours'])} on average."
    )
    drawn = [
        (_name(row, reader), weekly.of(**{key: row[key] for key in KEY}).rows)
        for row in pairs.rows[:MOST_PAIRS]
    ]
    columns = (
        Column("way", "From → to", str, lambda row: _process(row)),
        Column("start_count", "Started", numbers.count),
        Column("end_count", "Converted", numbers.count),
        Column("conversion_rate", "Rate", numbers.share),
        Column("average_hours", "Mean time", numbers.hours),
    )
    return section(
        "sms",
        "SMS funnel",
        finding(
            strong(numbers.share(first["conversion_rate"])),
            f" of those who began {first['way']} ({_process(first)}) converted, after ",
            strong(numbers.hours(first["average_hours"])),
            " on average. Days are UTC, those of the first tag; the youngest weeks go on converting.",
        ),
        figure(
            picture(charts.funnels(drawn), says, "sms"),
            table(pairs, columns, "SMS funnels: how many convert, and how long they take"),
            "By week of the first tag, on one scale: the share that converted, and the mean time of those who did "
            "within thirty days.",
        ),
        queries(pairs, weekly),
    )


def _process(row: Row) -> str:
    """A process by its name, or the beginning of its key."""
    if row["process_name"]:
        return str(row["process_name"])
    key = str(row["process_key"])
    return f"process {key[:8]}…" if len(key) > 9 else f"process {key}"


def _name(row: Row, reader: Reader) -> str:
    """A pair in a picture, with its process where there are several."""
    several = len({one["process_key"] for one in reader.ask("sms_pairs").rows}) > 1
    return (
        f"{row['way']} ({str(row['process_name'] or row['process_key'])[:4]})" if several else str(row["way"])
    )

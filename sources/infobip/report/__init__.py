"""The SMS funnel on the report's page: how many convert, and how long they take."""

from __future__ import annotations

from pathlib import Path

from conversync.report import charts, numbers
from conversync.report.parts import Column, Content, Figure, Section
from conversync.report.picture import picture
from conversync.report.reading import Reader, Row

HERE = Path(__file__).parent
COLOUR = "teal"
# More than these in one picture would not be looked at; the table has them all.
MOST_PAIRS = 5
KEY = ("process_key", "start_tag", "end_tag")


def funnel(reader: Reader) -> Content:
    """Every pair of tags: started, converted, the rate and the mean time."""
    nothing = "Infobip has told of no SMS funnel in these days; infobip_pairs says which are read."
    if "sms_funnel" not in reader.marts or not (pairs := reader.ask(HERE / "sms_pairs")).rows:
        return Content(missing=nothing)
    weekly = reader.ask(HERE / "sms_weekly")
    first = pairs.rows[0]
    rate, hours = numbers.share(first["conversion_rate"]), numbers.hours(first["average_hours"])
    began = numbers.count(first["start_count"])
    says = f"{first['way']}: of {began} who began, {rate} converted, in {hours} on average."
    several = len(pairs.pairs("process_key")) > 1
    drawn = [
        (_name(row, several), weekly.of(**{key: row[key] for key in KEY}).rows)
        for row in pairs.rows[:MOST_PAIRS]
    ]
    return Content(
        {
            "first": first,
            "process": _process(first),
            "picture": picture(charts.funnels(drawn, COLOUR), says, "sms"),
            "pairs": pairs,
            "columns": _COLUMNS,
        },
        queries=(pairs, weekly),
        figures=[
            Figure(f"SMS, {first['way']}", rate, f"of {began} converted, in {hours} on average", COLOUR)
        ],
    )


def _process(row: Row) -> str:
    """A process by its name, or the beginning of its key."""
    if row["process_name"]:
        return str(row["process_name"])
    key = str(row["process_key"])
    return f"process {key[:8]}…" if len(key) > 9 else f"process {key}"


def _name(row: Row, several: bool) -> str:
    """A pair in a picture, with its process where there are several."""
    return (
        f"{row['way']} ({str(row['process_name'] or row['process_key'])[:4]})" if several else str(row["way"])
    )


_COLUMNS = (
    Column("way", "From → to", str, _process),
    Column("start_count", "Started", numbers.count),
    Column("end_count", "Converted", numbers.count),
    Column("conversion_rate", "Rate", numbers.share),
    Column("average_hours", "Mean time", numbers.hours),
)
SECTIONS = (Section("sms", "SMS", "SMS funnel", funnel, HERE, after="offers"),)

"""What is kept of closed periods, in the dataset `books`: the periods, and what was reported of each."""

from __future__ import annotations

from collections.abc import Iterator

from conversync.extract.declared import BIGINT, DATE, INSTANT, MONEY, STRING, Column, Table

DATASET = "books"
_WHOSE = (
    Column("period", STRING, "The month, such as 2026-10, in the vendor's zone.", required=True),
    Column("vendor", STRING, "Whose conversions they are.", required=True),
    Column("account", STRING, "The dataset that they lie in.", required=True),
    Column("closing", BIGINT, "Counts the closings of the period, from 1.", required=True),
)
PERIODS = Table(
    "periods",
    "A row for each closing of a month: when, by whom, and what was reported. One that was opened again keeps its row.",
    (
        *_WHOSE,
        Column("first_day", DATE, "The first day of the period.", required=True),
        Column("last_day", DATE, "The last day of the period.", required=True),
        Column("closed_at", INSTANT, "When it was closed.", required=True),
        Column("closed_by", STRING, "The user of the system that closed it.", required=True),
        Column("why", STRING, "What was said of it; with --force, why it was closed all the same."),
        Column("against", STRING, "What stood against it, where it was closed all the same; null else."),
        Column(
            "known_until",
            INSTANT,
            "The latest change that the report knows: what became known later is a correction.",
            required=True,
        ),
        Column("totals", STRING, "The sums by currency, as JSON text, amounts as text.", required=True),
        Column("sha256", STRING, "The fingerprint of the lines in `reported`, hexadecimal.", required=True),
        Column(
            "counted_by",
            STRING,
            "The settings that said what counts, as JSON text: with others, the past says something else.",
            required=True,
        ),
        Column("reopened_at", INSTANT, "When it was opened again; null while it is closed."),
        Column("reopened_by", STRING, "The user of the system that opened it again."),
        Column("reopened_why", STRING, "Why it was opened again."),
    ),
)
REPORTED = Table(
    "reported",
    "What was reported of a closed period: a line for each currency, day and offer. Never sum across currencies.",
    (
        *_WHOSE,
        Column("currency", STRING, "What the amounts are in.", required=True),
        Column("occurred_on", DATE, "The day on which it was earned, in the vendor's zone.", required=True),
        Column("offer_id", STRING, "The offer; null where there is none."),
        Column("gross_revenue", MONEY, "What was earned before reversals.", required=True),
        Column(
            "reversed_revenue", MONEY, "What was taken back of that, as it was known then.", required=True
        ),
        Column("net_revenue", MONEY, "What was left of it.", required=True),
    ),
)
TABLES = (PERIODS, REPORTED)


def sentences(table: Table, name: str) -> Iterator[tuple[str, str]]:
    """What SQL comments on, of the table that is called `name`, and what it says of that."""
    yield f"table {name}", table.says
    for one in table.columns:
        yield f"column {name}.{one.name}", one.says

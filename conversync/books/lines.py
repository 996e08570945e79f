"""Lines of the books, as the warehouse has them: of a closed period, of now, of any moment; and what they come to."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import pendulum

from conversync.books.tables import DATASET
from conversync.errors import ConversyncError, SettingsError
from conversync.types import SqlClient
from conversync.vendors import Vendor, label_of

FOLDER = Path(__file__).parent / "sql"
_PERIOD = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
# Later than anything that is known.
EVER = datetime(9999, 1, 1, tzinfo=pendulum.UTC)
CENTS = Decimal("0.000001")
# The day after its last one is still a day.
LAST_YEAR = 9999


@dataclass(frozen=True)
class Period:
    """A month, both ends included; its days are those of each vendor's zone."""

    name: str
    first: date
    last: date


def period_of(text: str) -> Period:
    """Of `2026-10`; SettingsError for anything else."""
    if not (found := _PERIOD.fullmatch(text)) or not 0 < int(found[1]) < LAST_YEAR:
        raise SettingsError(f'"{text}" is no period: write a month as 2026-10.')
    first = pendulum.date(int(found[1]), int(found[2]), 1)
    return Period(text, first, first.end_of("month"))


class Line(NamedTuple):
    """What a day earned in one currency and of one offer; amounts with six places."""

    currency: str
    occurred_on: date
    offer_id: str | None
    gross_revenue: Decimal
    reversed_revenue: Decimal
    net_revenue: Decimal


class Correction(NamedTuple):
    """A change of one conversion that became known later."""

    currency: str
    transaction_id: str
    occurred_on: date
    offer_id: str | None
    known_on: date
    known_at: datetime
    reason: str
    gross_change: Decimal
    reversed_change: Decimal
    net_change: Decimal


class Amounts(NamedTuple):
    """Sums in one currency."""

    gross: Decimal = Decimal(0)
    reversed: Decimal = Decimal(0)
    net: Decimal = Decimal(0)


def in_the_books(names: Sequence[str] = ()) -> list[Vendor]:
    """The sources of these names, or all, whose revenue is kept as books; SettingsError for another name."""
    from conversync.settings.accounts import chosen

    return chosen(names, lambda source: source.books)


def place(client: SqlClient, *parts: str) -> str:
    """A qualified name: the session may stand in another dataset."""
    return ".".join(client.escape_column_name(part) for part in parts)


def ask(client: SqlClient, query: str, dataset: str, *values: Any) -> list[Any]:
    """The rows of a query of ours over a vendor's dataset; ConversyncError where it lacks what the books read."""
    from conversync.dlt_internals import DatabaseUndefinedRelation

    text = Template((FOLDER / f"{query}.sql").read_text(encoding="utf-8"))
    try:
        return list(client.execute_sql(text.substitute(vendor=place(client, dataset)), *values) or [])
    except DatabaseUndefinedRelation:
        raise lacking(dataset) from None


def lacking(dataset: str) -> ConversyncError:
    """For a dataset without the functions and views that the books are made of."""
    return ConversyncError(
        f"{dataset}.revenue_as_of or {dataset}.revenue_changes is missing, of which the books are made: run conversync "
        f"load {label_of(dataset)}, which makes them."
    )


def has(client: SqlClient, dataset: str, table: str, column: str = "1") -> bool:
    """Whether there is such a table or view, with this column."""
    from conversync.dlt_internals import DatabaseException

    try:
        client.execute_sql(f"select {column} from {place(client, dataset, table)} where 1 = 0")  # noqa: S608 - our own names
    except DatabaseException:
        return False
    return True


def lines(client: SqlClient, dataset: str, period: Period, moment: datetime = EVER) -> list[Line]:
    """Of a period as it was known at a moment, in the order in which they are reported."""
    found = [Line(*row) for row in ask(client, "lines", dataset, moment, period.first, period.last)]
    return ordered(found)


def corrections(
    client: SqlClient, dataset: str, period: Period, since: datetime, until: datetime = EVER
) -> list[Correction]:
    """What became known of a period after one moment, up to another."""
    rows = ask(client, "corrections", dataset, since, until, period.first, period.last)
    return [Correction(*row) for row in rows]


def ordered(found: Iterable[Line]) -> list[Line]:
    """By currency, day and offer, those without an offer first."""
    return sorted(
        (line._replace(**{n: getattr(line, n).quantize(CENTS) for n in Line._fields[3:]}) for line in found),
        key=lambda line: (line.currency, line.occurred_on, line.offer_id is not None, line.offer_id or ""),
    )


def fingerprint(period: str, vendor: str, account: str, found: Iterable[Line]) -> str:
    """SHA-256 over the canonical lines: JSON arrays in their order, amounts as text with six places, a line each."""
    texts = (
        json.dumps([period, vendor, account, *map(_plain, line)], ensure_ascii=False, separators=(",", ":"))
        for line in ordered(found)
    )
    return hashlib.sha256("".join(f"{text}\n" for text in texts).encode()).hexdigest()


def _plain(value: Any) -> str | None:
    return None if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


def totals(found: Iterable[Line]) -> dict[str, Amounts]:
    """The sums by currency."""
    sums: dict[str, Amounts] = {}
    for line in found:
        before = sums.get(line.currency, Amounts())
        sums[line.currency] = Amounts(*(a + b for a, b in zip(before, line[3:], strict=True)))
    return sums


def totals_text(found: Iterable[Line]) -> str:
    """The same as JSON text."""
    told = {
        currency: {name: f"{value:f}" for name, value in amounts._asdict().items()}
        for currency, amounts in sorted(totals(found).items())
    }
    return json.dumps(told, sort_keys=True)


def reported_place(client: SqlClient, table: str) -> str:
    """A table of the books."""
    return place(client, DATASET, table)

"""The dataset `books`: what is closed is read and written there, each change in one transaction."""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any

from conversync.books.lines import Line, Period, fingerprint, ordered, reported_place, totals_text
from conversync.books.tables import DATASET, PERIODS, REPORTED, TABLES, sentences
from conversync.errors import SettingsError
from conversync.load import pipeline_for
from conversync.monitor.views import text
from conversync.settings import lookup
from conversync.types import SqlClient, Values
from conversync.vendors import Vendor, label_of
from conversync.warehouse import comments, privileges
from conversync.warehouse.warehouse import Warehouse

# Rows that are written with one statement.
AT_ONCE = 500
SERVERS = ("duckdb", "postgres")


@dataclass(frozen=True)
class Closing:
    """A row of `books.periods`."""

    period: str
    vendor: str
    account: str
    closing: int
    first_day: date
    last_day: date
    closed_at: datetime
    closed_by: str
    why: str | None
    against: str | None
    known_until: datetime
    totals: str
    sha256: str
    counted_by: str
    reopened_at: datetime | None = None
    reopened_by: str | None = None
    reopened_why: str | None = None

    def is_of(self, sources: Container[tuple[str, str]] | None) -> bool:
        """Whether it is one of these, each a vendor and its dataset; None: of any."""
        return sources is None or (self.vendor, self.account) in sources

    @property
    def is_closed(self) -> bool:
        """Whether it was not opened again since."""
        return self.reopened_at is None

    @property
    def label(self) -> str:
        """How commands call the source."""
        return label_of(self.account)

    @property
    def days(self) -> Period:
        """Its days."""
        return Period(self.period, self.first_day, self.last_day)


@contextmanager
def writing(warehouse: Warehouse, vendors: Sequence[Vendor], what: str, wait: float) -> Iterator[Any]:
    """A session that may write the books while nobody writes what they are made of."""
    names = [DATASET, *(vendor.dataset for vendor in vendors)]
    with warehouse.locked(wait, what, names) as folder:
        destination = warehouse.dlt_destination(names)
        with warehouse.held(wait, folder) as connection:
            with pipeline_for(DATASET, destination, folder).sql_client() as client:
                refuse_others(client)
                privileges.check(client, [DATASET])
                yield client
            if connection is not None:
                comments.refresh(connection)


@contextmanager
def reading(warehouse: Warehouse, folder: Path) -> Iterator[Any]:
    """A session that only reads; dlt works in `folder`."""
    destination = warehouse.dlt_destination([DATASET], read_only=True)
    with pipeline_for(DATASET, destination, folder).sql_client() as client:
        refuse_others(client)
        yield client


def refuse_others(client: SqlClient) -> None:
    """SettingsError on a destination without the functions that the books are made of."""
    if client.capabilities.sqlglot_dialect not in SERVERS:
        raise SettingsError(
            "Books are kept on DuckDB and on PostgreSQL: this destination has no functions of ours."
        )


def closings(client: SqlClient, vendors: Sequence[Vendor] | None, period: str | None = None) -> list[Closing]:
    """All closings of these sources (None: of all, also those that no settings name), or of one period; in order."""
    from conversync.dlt_internals import DatabaseUndefinedRelation

    names = ", ".join(one.name for one in fields(Closing))
    query = f"select {names} from {reported_place(client, PERIODS.name)} order by period, vendor, account, closing"  # noqa: S608
    try:
        rows = [Closing(*row) for row in client.execute_sql(query) or ()]
    except DatabaseUndefinedRelation:
        return []
    wanted = None if vendors is None else {(vendor.name, vendor.dataset) for vendor in vendors}
    return [one for one in rows if period in (None, one.period) and one.is_of(wanted)]


def reported(client: SqlClient, closing: Closing) -> list[Line]:
    """The lines of one closing, in the order in which they were reported."""
    query = (
        f"select {', '.join(Line._fields)} from {reported_place(client, REPORTED.name)} "  # noqa: S608 - our own names
        "where period = %s and vendor = %s and account = %s and closing = %s"
    )
    rows = client.execute_sql(query, closing.period, closing.vendor, closing.account, closing.closing)
    return ordered(Line(*row) for row in rows or ())


def is_as_sealed(closing: Closing, found: Sequence[Line]) -> bool:
    """Whether these lines, and the totals beside them, are what was reported when the period was closed."""
    digest = fingerprint(closing.period, closing.vendor, closing.account, found)
    return (digest, totals_text(found)) == (closing.sha256, closing.totals)


def counted_by(vendor: Vendor) -> str:
    """What the settings say now of what counts, as JSON text."""
    settings = lookup.resolve_partly(vendor.settings, vendor.label)
    return json.dumps({name: settings[name] for name in vendor.counting}, sort_keys=True)


def counted_otherwise(closing: Closing, now: str) -> list[str]:
    """What `counted_by` said otherwise when the period was closed than it says `now`, setting by setting."""
    then, known = json.loads(closing.counted_by), json.loads(now)
    return [f"{name} was {json.dumps(was)}" for name, was in then.items() if known.get(name) != was]


def write(client: SqlClient, closed: Sequence[tuple[Closing, Sequence[Line]]]) -> None:
    """Seals periods, with their lines, all or nothing."""
    with client.begin_transaction():
        client.execute_sql(f"create schema if not exists {client.escape_column_name(DATASET)}")
        for table in TABLES:
            name = reported_place(client, table.name)
            client.execute_sql(f"create table if not exists {name} ({table.definition})")
            for what, says in sentences(table, name):
                client.execute_sql(f"comment on {what} is {text(says)}")
        for closing, found in closed:
            whose = (closing.period, closing.vendor, closing.account, closing.closing)
            _insert(client, PERIODS.name, [one.name for one in fields(Closing)], [astuple(closing)])
            columns = ["period", "vendor", "account", "closing", *Line._fields]
            _insert(client, REPORTED.name, columns, [(*whose, *line) for line in found])


def reopen(client: SqlClient, open_: Sequence[Closing], at: datetime, by: str, why: str) -> None:
    """Notes of these closings that they hold no more, all or nothing."""
    query = (
        f"update {reported_place(client, PERIODS.name)} set reopened_at = %s, reopened_by = %s, reopened_why = %s "  # noqa: S608
        "where period = %s and vendor = %s and account = %s and closing = %s"
    )
    with client.begin_transaction():
        for one in open_:
            client.execute_sql(query, at, by, why, one.period, one.vendor, one.account, one.closing)


def _insert(client: SqlClient, table: str, columns: Sequence[str], rows: Sequence[Values]) -> None:
    one = f"({', '.join(['%s'] * len(columns))})"
    for start in range(0, len(rows), AT_ONCE):
        part = rows[start : start + AT_ONCE]
        client.execute_sql(
            f"insert into {reported_place(client, table)} ({', '.join(columns)}) values {', '.join([one] * len(part))}",  # noqa: S608
            *(value for row in part for value in row),
        )

"""Why a figure moved: the transactions whose changes add up to the difference, exactly; and one transaction's life."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

import pendulum

from conversync.books import store
from conversync.books.histories import CHANGES
from conversync.books.lines import (
    EVER,
    Correction,
    Period,
    corrections,
    has,
    lacking,
    lines,
    place,
)
from conversync.errors import ConversyncError, SettingsError
from conversync.extract.declared import PAGE, Table
from conversync.send import ledger
from conversync.settings import lookup
from conversync.types import Document, SqlClient
from conversync.vendors import Vendor, is_of_another

# What every log of statements has beside its own columns.
_TIMES = ("statement_hash", "valid_from", "valid_to", "_dlt_load_id")


@dataclass(frozen=True)
class Moved:
    """What one transaction did to a figure."""

    transaction_id: str
    change: Decimal
    reason: str


@dataclass(frozen=True)
class Difference:
    """By how much one vendor's figure in one currency moved: `transactions` add up to it, in so many `changes`."""

    vendor: str
    currency: str
    difference: Decimal
    changes: int
    transactions: Sequence[Moved]


def differences(
    client: SqlClient,
    vendors: Sequence[Vendor],
    days: Period,
    since: str | None,
    offer: str | None = None,
) -> list[Difference]:
    """Of the net revenue of some days, as known now less as known `since` (a day, or an instant with its offset).

    A day means its beginning in the vendor's zone; None the moment at which the period was closed. `offer` keeps one
    offer. SettingsError where a moment cannot be meant; ConversyncError where it does not add up, a bug of ours.
    """
    found = []
    for vendor in vendors:
        moment = _moment(client, vendor, days, since)
        before, now = (_nets(client, vendor, days, at, offer) for at in (moment, EVER))
        changes = corrections(client, vendor.dataset, days, moment)
        for currency in sorted(before.keys() | now.keys()):
            difference = now[currency] - before[currency]
            own = [one for one in changes if one.currency == currency and offer in (None, one.offer_id)]
            moved = list(_moved(own))
            if sum((one.change for one in moved), Decimal(0)) != difference:
                raise ConversyncError(
                    f"The changes of {vendor.label} in {currency} do not add up to {difference}: please report it."
                )
            if moved:
                found.append(Difference(vendor.label, currency, difference, len(own), moved))
    return found


def counted_otherwise(
    client: SqlClient, vendors: Sequence[Vendor], days: Period, since: str | None
) -> list[str]:
    """The settings that said something else of what counts when the period was closed, with what they said.

    None where it is asked what moved `since` another moment.
    """
    return [
        changed
        for vendor in ([] if since else vendors)
        for one in store.closings(client, [vendor], days.name)
        if one.is_closed
        for changed in store.counted_otherwise(one, store.counted_by(vendor))
    ]


def _moment(client: SqlClient, vendor: Vendor, days: Period, since: str | None) -> datetime:
    if since is None:
        closed = [one for one in store.closings(client, [vendor], days.name) if one.is_closed]
        if not closed:
            raise SettingsError(
                f"{days.name} is not closed by {vendor.label}: say since when, with --since 2026-11-03."
            )
        return closed[0].known_until
    zone = str(lookup.resolve_partly(vendor.settings, vendor.label)[f"{vendor.name}_zone"])
    try:
        found = pendulum.parse(since, tz=zone)
    except ValueError:
        found = None
    if not isinstance(found, pendulum.DateTime):
        raise SettingsError(
            f'--since "{since}" is no moment: write a day as 2026-11-03, or 2026-11-03T06:00:00Z.'
        )
    if found > pendulum.now("UTC"):
        raise SettingsError(f'--since "{since}" is still to come: nothing is known since then.')
    return found


def _nets(
    client: SqlClient, vendor: Vendor, days: Period, moment: datetime, offer: str | None
) -> defaultdict[str, Decimal]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for line in lines(client, vendor.dataset, days, moment):
        if offer in (None, line.offer_id):
            sums[line.currency] += line.net_revenue
    return sums


def _moved(changes: Sequence[Correction]) -> Iterator[Moved]:
    """A transaction each, the greatest first, and last those whose changes undo each other: they moved it by 0."""
    by_id: dict[str, list[Correction]] = {}
    for one in changes:
        by_id.setdefault(one.transaction_id, []).append(one)
    found = (
        Moved(
            name,
            sum((one.net_change for one in own), Decimal(0)),
            ", ".join(dict.fromkeys(one.reason for one in own)),
        )
        for name, own in by_id.items()
    )
    yield from sorted(found, key=lambda one: (-abs(one.change), one.transaction_id))


@dataclass(frozen=True)
class Life:
    """What one vendor told of a transaction: its statements, what followed for the books, where it stands in them."""

    vendor: str
    conversion_id: str
    statements: Sequence[Document]
    changes: Sequence[Document]
    periods: Sequence[str] = field(default=())


def lives(client: SqlClient, vendors: Sequence[Vendor], transaction: str) -> list[Life]:
    """Of every vendor that knows the transaction: under its own id, or as the mart `conversions` says."""
    return [
        _life(client, vendor, name)
        for vendor in vendors
        if has(client, vendor.dataset, "conversions")
        for name in _names(client, vendor, transaction)
    ]


def _names(client: SqlClient, vendor: Vendor, transaction: str) -> list[str]:
    """The conversions of a vendor that are this transaction, also those that the view counts no more."""
    key = key_of(vendor)
    names = []
    for table in logs(vendor):
        own = place(client, vendor.dataset, table.name)
        query = f"select 1 from {own} where cast({key} as varchar) = %s limit 1"  # noqa: S608 - our own names
        names += [transaction] if client.execute_sql(query, transaction) else []
    if has(client, "marts", "conversions"):
        # A version before accounts built no such column.
        whose = "account" if has(client, "marts", "conversions", "account") else "vendor"
        query = f"select conversion_id from marts.conversions where {whose} = %s and transaction_id = %s"  # noqa: S608
        names += [str(name) for (name,) in client.execute_sql(query, vendor.dataset, transaction) or ()]
    return sorted(set(names))


def key_of(vendor: Vendor) -> str:
    [table] = [one for one in vendor.tables if one.name == "conversions"]
    return table.staged.unique if table.staged and table.staged.unique else table.columns[0].name


def _life(client: SqlClient, vendor: Vendor, name: str) -> Life:
    said = [one for table in logs(vendor) for one in _statements(client, vendor, table, name)]
    changes = list(_changes(client, vendor, name))
    days = {one["occurred_on"] for one in changes}
    return Life(vendor.label, name, said, changes, list(_closed(client, vendor, days)))


def logs(vendor: Vendor) -> list[Table]:
    """The logs of statements about conversions."""
    return [table for table in vendor.tables if table.keeps_statements and table.day]


def _closed(client: SqlClient, vendor: Vendor, days: Iterable[date]) -> Iterator[str]:
    """The closed periods that have one of these days."""
    for one in store.closings(client, [vendor]):
        if one.is_closed and any(one.first_day <= day <= one.last_day for day in days):
            yield one.period


def _statements(client: SqlClient, vendor: Vendor, table: Table, name: str) -> Iterator[Document]:
    """Each in the order in which it was learned, with the windows that its load read of its day.

    `page` is the page on which it was read first, of the listing of `window`; null where no load noted it.
    """
    columns = [
        *table.key,
        str(table.day),
        *table.sums,
        *([table.currency] if table.currency else []),
        *_TIMES,
    ]
    # An earlier version's table has no pages yet.
    page = PAGE.name if has(client, vendor.dataset, table.name, PAGE.name) else "null"
    query = (
        f"select {', '.join(columns)}, {page}, coalesce({table.reversal or 'false'}, false) "  # noqa: S608 - our own names
        f"from {place(client, vendor.dataset, table.name)} "
        f"where cast({key_of(vendor)} as varchar) = %s order by valid_from, {table.key[0]}"
    )
    for *row, page, is_reversal in client.execute_sql(query, name) or ():
        statement = dict(zip(columns, row, strict=True))
        read = _windows(client, vendor, statement["_dlt_load_id"], statement[str(table.day)])
        yield {**statement, **_served(page, read, is_reversal=is_reversal)}


def _served(page: int | None, read: Sequence[tuple[str, bool]], *, is_reversal: bool) -> Document:
    """A page, and the one of these windows of which it is.

    A reading that was narrowed brings reversals; of several that bring a row, the last one's is kept.
    """
    windows = [window for window, _ in read]
    likely = [window for window, is_narrowed in read if is_reversal or not is_narrowed] or windows
    return {
        "page": page,
        "window": likely[-1] if likely and page is not None else None,
        "windows": windows,
    }


def _windows(client: SqlClient, vendor: Vendor, load_id: str, day: date) -> list[tuple[str, bool]]:
    """Those of the listings of conversions that a load read of a day, in its order; whether each was narrowed."""
    query = (
        "select stream, window_start, window_end, coalesce(cast(filters as varchar), '{}') <> '{}' "  # noqa: S608 - our own names
        f"from {place(client, vendor.dataset, 'windows')} "
        "where _dlt_load_id = %s and %s between window_start and window_end"
    )
    found = [row for row in client.execute_sql(query, load_id, day) or () if row[0] in vendor.books]
    found.sort(key=lambda row: (vendor.books.index(row[0]), row[1], row[2]))
    return [(f"{stream} {start} .. {end}", is_narrowed) for stream, start, end, is_narrowed in found]


def _changes(client: SqlClient, vendor: Vendor, name: str) -> Iterator[Document]:
    if not has(client, vendor.dataset, CHANGES):
        raise lacking(vendor.dataset)
    columns = ("known_at", "known_on", "occurred_on", "currency", "reason", "is_backfilled", "net_change")
    query = (
        f"select {', '.join(columns)} from {place(client, vendor.dataset, 'revenue_changes')} "  # noqa: S608 - our own names
        "where conversion_id = %s order by known_at, known_on, occurred_on"
    )
    for row in client.execute_sql(query, name) or ():
        yield dict(zip(columns, row, strict=True))


def sent(client: SqlClient, names: Sequence[str], sources: Sequence[Vendor]) -> list[Document]:
    """What was sent of these ids, by the ledgers of every account: target, status, code of the answer, when.

    Not what was sent of an account that is none of these `sources`, of which another conversion may have the id.
    """
    found = []
    for table in ledger.all_of(client):
        for name in names:
            rows = client.execute_sql(
                f"select send_key, status, reason, response_code, sent_at from {place(client, 'sent', table)} "  # noqa: S608
                "where send_key = %s or right(send_key, %s) in (%s, %s) order by send_key",
                name,
                len(name) + 1,
                f"-{name}",
                f":{name}",
            )
            columns = ("send_key", "status", "reason", "response_code", "sent_at")
            found += [
                {"ledger": f"sent.{table}", **dict(zip(columns, row, strict=True))}
                for row in rows or ()
                if not all(is_of_another(row[0], one) for one in sources)
            ]
    return found


def day_of(text: str) -> Period:
    """One day as a period; SettingsError where it is none."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f'--day "{text}" is no day: write it as 2026-10-03.') from None
    return Period(text, day, day)

"""The books: close, reopen, books, explain."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from conversync.cli import options
from conversync.cli.common import at, begin
from conversync.cli.terminal import emit, say
from conversync.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from conversync.books.closing import Candidate
    from conversync.books.explained import Difference
    from conversync.books.lines import Amounts
    from conversync.types import Document, SqlClient
    from conversync.vendors import Vendor
    from conversync.warehouse.warehouse import Warehouse

Month = Annotated[str, typer.Argument(metavar="PERIOD", help="A month, such as 2026-10.")]
OfVendor = Annotated[
    list[str] | None,
    typer.Option(
        "--vendor",
        metavar="VENDOR",
        help="Only this one: besitos, besitos:eu. [default: all that were loaded]",
    ),
]
Transaction = Annotated[
    str | None, typer.Argument(metavar="TRANSACTION_ID", help="One transaction's whole life.")
]
OfDay = Annotated[str | None, typer.Option("--day", metavar="DATE", help="Why this day's figure moved.")]
OfPeriod = Annotated[
    str | None,
    typer.Option(
        "--period", metavar="PERIOD", help="Why this month's did; a closed one since it was closed."
    ),
]
Since = Annotated[
    str | None,
    typer.Option(metavar="DATE", help="Since the beginning of that day, or since a time with its offset."),
]
Why = Annotated[str | None, typer.Option(metavar="TEXT", help="What is to be kept of why.")]


def close(
    period: Month,
    vendor: OfVendor = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be closed, and write nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Close although days stand against it; with --why.")
    ] = False,
    why: Why = None,
    destination: options.Destination = "duckdb",
    warehouse: options.WarehousePath = None,
    wait: options.Wait = "0s",
    project: options.Project = None,
) -> None:
    """Close a month: what is known of it now is what was reported, whatever comes later.

    Refused, with every reason, while a day was not read whole or is younger than the lookback. Writes `books.periods`
    and `books.reported`, all vendors or none. What becomes known later is a correction: see `conversync books`.

    Exit codes: 0 closed · 1 refused · 2 settings, or nothing to close · 4 locked or away.

    Examples: `conversync close 2026-10 --dry-run` · `conversync close 2026-10 --vendor besitos`
    """
    begin(project, debug=False)
    from conversync.books import closing, lines
    from conversync.settings import lookup
    from conversync.warehouse.publish import check_published, published_after

    chosen, days = lines.in_the_books(vendor or ()), lines.period_of(period)
    place, seconds = at(warehouse, destination), lookup.duration(wait, "--wait")
    if dry_run:
        _would_close(place, chosen, period, why, force=force)
        return
    check_published(place)
    _tell("closed", closing.close(place, chosen, days, why=why, force=force, wait=seconds))
    published_after(place, seconds)


def _would_close(
    place: Warehouse, chosen: Sequence[Vendor], period: str, why: str | None, *, force: bool
) -> None:
    import pendulum

    from conversync.books import closing, lines

    with _reading(place) as client:
        found = closing.candidates(client, chosen, lines.period_of(period), why, pendulum.now("UTC"))
    _tell("would close", found)
    if not force:
        closing.refuse(found)


def _tell(what: str, found: Sequence[Candidate]) -> None:
    from conversync.books.shown import money

    for one in found:
        say(
            f"{what} {one.closing.period} of {one.closing.label}: {len(one.lines):,} lines, {one.closing.sha256}"
        )
        for currency, sums in _sums(one).items():
            say(
                f"  {currency}: gross {money(sums.gross)}, reversed {money(sums.reversed)}, net {money(sums.net)}"
            )
        for reason in one.against:
            say(f"  although {reason}")


def _sums(one: Candidate) -> dict[str, Amounts]:
    from conversync.books.lines import totals

    return dict(sorted(totals(one.lines).items()))


def reopen(
    period: Month,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why; it is kept.")],
    vendor: OfVendor = None,
    destination: options.Destination = "duckdb",
    warehouse: options.WarehousePath = None,
    wait: options.Wait = "0s",
    project: options.Project = None,
) -> None:
    """Open a closed month again. What was reported stays, as history; closing it again is another closing.

    Exit codes: 0 done · 2 settings, or it is not closed · 4 locked or away.

    Example: `conversync reopen 2026-10 --why "the tracker's currency was wrong"`
    """
    begin(project, debug=False)
    from conversync.books import closing, lines
    from conversync.settings import lookup
    from conversync.warehouse.publish import check_published, published_after

    chosen, days = lines.in_the_books(vendor or ()), lines.period_of(period)
    place, seconds = at(warehouse, destination), lookup.duration(wait, "--wait")
    check_published(place)
    for one in closing.reopen(place, chosen, days, why, seconds):
        say(f"{one.period} of {one.label} is open again.")
    published_after(place, seconds)


def books(
    period: Annotated[
        str | None, typer.Option(metavar="PERIOD", help="Only this month. [default: all closed ones]")
    ] = None,
    vendor: OfVendor = None,
    as_json: options.AsJson = False,
    destination: options.Destination = "duckdb",
    warehouse: options.WarehousePath = None,
    project: options.Project = None,
) -> None:
    """Show of every closed month and currency: as reported, corrections since, and that they come to what is known now.

    Takes no lock. The lines of a period are held against their fingerprint, too.

    Exit codes: 0 all equal · 1 something does not add up, or somebody altered what was reported · 2 settings · 4 a run
    holds the warehouse, and there is no copy.

    Example: `conversync books --period 2026-10`
    """
    begin(project, debug=False)
    import tempfile
    from pathlib import Path

    from conversync.books import lines, shown
    from conversync.books.balance import balances

    chosen = lines.in_the_books(vendor) if vendor else None
    name = lines.period_of(period).name if period else None
    with tempfile.TemporaryDirectory() as folder:
        found = balances(at(warehouse, destination), chosen, Path(folder), name)
    if as_json:
        emit([shown.fields_of(one) for one in found], indent=2)
    else:
        for text in shown.balances(found, name):
            say(text)
    raise typer.Exit(0 if all(one.is_right for one in found) else 1)


def explain(
    transaction: Transaction = None,
    day: OfDay = None,
    period: OfPeriod = None,
    since: Since = None,
    offer: Annotated[str | None, typer.Option(metavar="OFFER", help="Only what this offer earned.")] = None,
    currency: Annotated[str | None, typer.Option(metavar="CODE", help="Only this currency.")] = None,
    vendor: OfVendor = None,
    as_json: options.AsJson = False,
    destination: options.Destination = "duckdb",
    warehouse: options.WarehousePath = None,
    project: options.Project = None,
) -> None:
    """Say why a figure moved, as the transactions whose changes add up to it; or tell one transaction's life.

    A life is every statement of it, when it was learned, by which load, window and page, what followed for the books,
    what was sent of it, and in which closed period it stands. Takes no lock.

    Exit codes: 0 done · 1 failed · 2 settings, or nobody knows the transaction · 4 a run holds the warehouse, and there
    is no copy.

    Examples: `conversync explain 2601266` · `conversync explain --day 2026-10-03 --since 2026-10-05 --json`
    """
    begin(project, debug=False)
    from conversync.books import lines

    if sum(one is not None for one in (transaction, day, period)) != 1:
        raise SettingsError("Say one of a transaction's id, --day and --period.")
    if day and since is None:
        raise SettingsError("Say since when the day's figure moved, with --since 2026-10-05.")
    chosen, place = lines.in_the_books(vendor or ()), at(warehouse, destination)
    with _reading(place) as client:
        if transaction is not None:
            _tell_life(client, chosen, transaction, as_json=as_json)
            return
        _tell_moved(client, chosen, day, period, since, offer, currency, as_json=as_json)


@contextmanager
def _reading(place: Warehouse) -> Iterator[SqlClient]:
    """An open sql_client of the warehouse, or of its copy, that may only read."""
    import tempfile
    from pathlib import Path

    from conversync.books import store
    from conversync.dlt_errors import translate_errors
    from conversync.monitor.overview import opened

    with (
        tempfile.TemporaryDirectory() as folder,
        translate_errors(),
        opened(place) as (readable, _),
        store.reading(readable, Path(folder)) as client,
    ):
        yield client


def _tell_life(client: SqlClient, chosen: Sequence[Vendor], transaction: str, *, as_json: bool) -> None:
    from conversync.books import explained, shown

    found = explained.lives(client, chosen, transaction)
    sent = explained.sent(client, sorted({transaction, *(one.conversion_id for one in found)}), chosen)
    told = list(shown.lives(found, sent))
    if not told:
        raise SettingsError(f"Nobody knows the transaction {transaction}.")
    document = {
        "transaction_id": transaction,
        "vendors": [shown.life_fields(one) for one in found],
        "sent": [shown.plain_fields(one) for one in sent],
    }
    _show(told, document if as_json else None)


def _tell_moved(
    client: SqlClient,
    chosen: Sequence[Vendor],
    day: str | None,
    period: str | None,
    since: str | None,
    offer: str | None,
    currency: str | None,
    *,
    as_json: bool,
) -> None:
    from conversync.books import explained, lines, shown

    days = explained.day_of(day) if day else lines.period_of(period or "")
    there = [one for one in chosen if lines.has(client, one.dataset, "conversions")]
    if not there:
        raise SettingsError("There is nothing to explain: no conversions were loaded.")
    found = explained.differences(client, there, days, since, offer)
    moved = [one for one in found if currency is None or currency.upper() == one.currency]
    told = shown.differences(moved, explained.counted_otherwise(client, there, days, since))
    _show(told, _one(moved) if as_json else None)


def _show(told: Iterable[str], document: Document | None) -> None:
    """The document as JSON, where there is one; else the lines."""
    if document is not None:
        emit(document, indent=2)
        return
    for text in told:
        say(text)


def _one(moved: Sequence[Difference]) -> Document:
    """The one figure that moved: one of several would be a sum across currencies."""
    from conversync.books import shown

    figures = [one for one in moved if any(own.change for own in one.transactions)] or moved
    if len(figures) > 1:
        several = ", ".join(f"{one.vendor} {one.currency}" for one in figures)
        raise SettingsError(f"Several figures moved ({several}): choose one with --vendor and --currency.")
    nothing = {"difference": "0.00", "changes": 0, "transactions": []}
    return shown.difference_fields(figures[0]) if figures else nothing

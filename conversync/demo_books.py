"""The demo's books: its month is closed, a week brings late reversals, and the correction is explained."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import pendulum

from conversync.books import closing, explained, lines, shown, store
from conversync.books.balance import balances
from conversync.vendors import vendors
from conversync.warehouse.warehouse import Warehouse

VENDOR = "besitos"
# Of a correction so many transactions are shown.
MOST_SHOWN = 3
# A person waits until the month is as old as the lookback; a demo does not.
WHY = "the demo does not wait for the lookback"


def last_month(night: date) -> lines.Period:
    """The month that was over on a night."""
    return lines.period_of(f"{pendulum.instance(night).start_of('month').subtract(days=1):%Y-%m}")


def close(console: Any, warehouse: Warehouse, month: lines.Period) -> None:
    """Closes the month as it is known, and prints what is reported."""
    [sealed] = closing.close(warehouse, [vendors()[VENDOR]], month, force=True, why=WHY)
    console.print(f"[bold]The books[/bold]: {month.name} is closed")
    for currency, sums in sorted(lines.totals(sealed.lines).items()):
        console.print(f"  reported {shown.money(sums.net)} {currency}", markup=False)
    console.print("")


def correct(console: Any, warehouse: Warehouse, month: lines.Period) -> bool:
    """Prints what became known of the closed month since, and why; whether it adds up."""
    chosen = [vendors()[VENDOR]]
    console.print("[bold]The books[/bold], a week later")
    with tempfile.TemporaryDirectory() as folder:
        found = balances(warehouse, chosen, Path(folder), month.name)
        with store.reading(warehouse, Path(folder)) as client:
            moved = explained.differences(client, chosen, month, None)
    for text in shown.balances(found):
        console.print(f"  {text}", markup=False)
    for one in moved:
        for own in one.transactions[:MOST_SHOWN]:
            told = (
                f"{shown.money(own.change, signed=True)} {one.currency} by transaction {own.transaction_id}"
            )
            console.print(f"    {told}: {own.reason}", markup=False)
        if (more := len(one.transactions) - MOST_SHOWN) > 0:
            console.print(f"    and {more:,} more: conversync explain --period {month.name}", markup=False)
    console.print("")
    return bool(found) and all(one.is_right for one in found)

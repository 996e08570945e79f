"""As reported + corrections = as known now: of every closed period and currency, each from a table of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from conversync.books import store
from conversync.books.lines import Amounts, corrections, lines, totals
from conversync.books.store import Closing
from conversync.dlt_errors import translate_errors
from conversync.monitor.overview import opened
from conversync.types import SqlClient
from conversync.vendors import Vendor, of_dataset
from conversync.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Balance:
    """One currency of one closed period; `is_as_sealed`: its lines are still those that were reported."""

    closing: Closing
    currency: str
    reported: Decimal
    corrections: Decimal
    changes: int
    known: Decimal
    is_as_sealed: bool
    counted_otherwise: Sequence[str] = ()
    """The settings that said something else of what counts when the period was closed, each with what it said."""

    @property
    def difference(self) -> Decimal:
        """What is known now less what was reported and corrected: 0 where the books are right."""
        return self.known - self.reported - self.corrections

    @property
    def is_right(self) -> bool:
        """Whether it adds up, and nobody altered it."""
        return self.is_as_sealed and not self.difference


def balances(
    warehouse: Warehouse, vendors: Sequence[Vendor] | None, folder: Path, period: str | None = None
) -> list[Balance]:
    """Of all closed periods, or of one, of these sources; dlt works in `folder`. None: of whoever closed any.

    While a run holds the file, of the published copy.
    """
    with translate_errors(), opened(warehouse) as (readable, _), store.reading(readable, folder) as client:
        closed = [one for one in store.closings(client, vendors, period) if one.is_closed]
        return [balance for one in closed for balance in _of(client, one)]


def _of(client: SqlClient, closing: Closing) -> Iterator[Balance]:
    """A row a currency, of all that were reported, corrected or are known; one without any where there is nothing."""
    found = store.reported(client, closing)
    is_as_sealed = store.is_as_sealed(closing, found)
    later = corrections(client, closing.account, closing.days, closing.known_until)
    before, now = totals(found), totals(lines(client, closing.account, closing.days))
    vendor = of_dataset(closing.account)
    otherwise = store.counted_otherwise(closing, store.counted_by(vendor)) if vendor else []
    currencies = sorted(before.keys() | now.keys() | {one.currency for one in later})
    for currency in currencies or [""]:
        own = [one for one in later if one.currency == currency]
        yield Balance(
            closing,
            currency,
            before.get(currency, Amounts()).net,
            sum((one.net_change for one in own), Decimal(0)),
            len(own),
            now.get(currency, Amounts()).net,
            is_as_sealed,
            otherwise,
        )

"""`conversync report --period`: a closed month as it was reported, the same byte for byte whenever it is made again.

It is made of `books.periods` and `books.reported` alone: neither what is known now nor the clock is in it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from conversync.books import store
from conversync.books.lines import Line, Period, in_the_books
from conversync.books.shown import money
from conversync.books.store import Closing
from conversync.dlt_errors import translate_errors
from conversync.errors import ConversyncError, SettingsError
from conversync.monitor.overview import opened
from conversync.report import put, templates
from conversync.report.parts import clean
from conversync.types import SqlClient
from conversync.warehouse.warehouse import Warehouse

Row = tuple[str, ...]


@dataclass(frozen=True)
class Sums:
    """A table: what was reported by currency and something else, in order."""

    title: str
    by: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Part:
    """What one vendor's closing says."""

    closing: Closing
    tables: Sequence[Sums]


def write_period(warehouse: Warehouse, output: Path, period: Period) -> int:
    """Writes the page of a closed period to `output`, whole or not at all; its size in bytes.

    SettingsError where nobody closed it, or without the extra `report`; LockedError where a run holds the warehouse
    and there is no copy; ConversyncError where what was reported was altered, or the page cannot be written.
    """
    try:
        pages = templates(())
    except ImportError:
        raise SettingsError(
            'The report needs what is not installed: pip install "conversync[report]".'
        ) from None
    with (
        tempfile.TemporaryDirectory() as folder,
        translate_errors(),
        opened(warehouse) as (readable, _),
        store.reading(readable, Path(folder)) as client,
    ):
        closed = [one for one in store.closings(client, in_the_books(), period.name) if one.is_closed]
        parts = [Part(one, list(_tables(_sealed(client, one)))) for one in closed]
    if not parts:
        raise SettingsError(f"{period.name} is not closed: run conversync close {period.name} first.")
    page = clean(pages.get_template("period.html").render(period=period.name, parts=parts))
    put(output, page)
    return len(page.encode())


def _sealed(client: SqlClient, closing: Closing) -> list[Line]:
    """The lines as they were reported; ConversyncError where somebody altered them, or the totals."""
    found = store.reported(client, closing)
    if not store.is_as_sealed(closing, found):
        raise ConversyncError(
            f"What was reported of {closing.period} by {closing.label} was altered since (its fingerprint is another "
            "one), so there is no page of it: restore books.reported and books.periods from a copy."
        )
    return found


def _tables(found: Sequence[Line]) -> Iterator[Sums]:
    yield Sums("In all", "", _summed(found, lambda _: ""))
    yield Sums("By day", "day", _summed(found, lambda line: str(line.occurred_on)))
    yield Sums("By offer", "offer", _summed(found, lambda line: line.offer_id or "without an offer"))


def _summed(found: Sequence[Line], by: Callable[[Line], str]) -> list[Row]:
    sums: dict[tuple[str, str], list[Decimal]] = {}
    for line in found:
        own = sums.setdefault((line.currency, by(line)), [Decimal(0)] * 3)
        own[:] = [one + more for one, more in zip(own, line[3:], strict=True)]
    return [(*key, *map(money, own)) for key, own in sorted(sums.items())]

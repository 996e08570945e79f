"""The books as lines to read, and as JSON: amounts are text in both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from conversync.books.balance import Balance
from conversync.books.explained import Difference, Life
from conversync.count_words import counted
from conversync.types import Document


def money(amount: Decimal, *, signed: bool = False) -> str:
    """With two places, or as many more as it has."""
    plain = f"{amount:f}"
    whole, _, places = plain.partition(".")
    text = f"{whole}.{places.rstrip('0').ljust(2, '0')}"
    return f"+{text}" if signed and amount > 0 else text


def balances(found: Sequence[Balance], period: str | None = None) -> Iterator[str]:
    """A line for each currency of each closed period, or of the one that is named."""
    if not found:
        yield f"{period} is not closed." if period else "No period is closed."
    for one in found:
        told = f"{one.closing.period} {one.closing.label} {one.currency}".rstrip()
        changes = counted(one.changes, "change")
        says = (
            f"{told}: reported {money(one.reported)}, corrections {money(one.corrections, signed=True)} ({changes}), "
            f"known now {money(one.known)}"
        )
        yield says if one.is_right else f"{says}: {_wrong(one)}"


def _wrong(one: Balance) -> str:
    if not one.is_as_sealed:
        return "WRONG, what was reported was altered since (its fingerprint is another one)"
    told = f"WRONG by {money(one.difference, signed=True)}"
    if not one.counted_otherwise:
        return told
    return (
        f"{told}, since {' and '.join(one.counted_otherwise)} when it was closed and is not now: reopen and close it, "
        "or set that as it was and load"
    )


def fields_of(one: Balance) -> Document:
    """For JSON."""
    return {
        "period": one.closing.period,
        "vendor": one.closing.vendor,
        "account": one.closing.account,
        "currency": one.currency,
        "reported": money(one.reported),
        "corrections": money(one.corrections),
        "changes": one.changes,
        "known_now": money(one.known),
        "difference": money(one.difference),
        "is_as_sealed": one.is_as_sealed,
    }


def differences(found: Sequence[Difference], otherwise: Sequence[str] = ()) -> Iterator[str]:
    """A line for each figure that moved, and one for each transaction that moved it.

    `otherwise` are the settings that said something else of what counts when a period was closed.
    """
    for name in otherwise:
        yield f"What counts is set otherwise: {name} when it was closed, which moves the past itself."
    if not found and not otherwise:
        yield "Nothing changed."
    for one in found:
        changes = counted(one.changes, "change")
        yield f"{one.vendor} {one.currency}: {money(one.difference, signed=True)} ({changes})"
        for moved in one.transactions:
            yield f"  {money(moved.change, signed=True)}  {moved.transaction_id}  {moved.reason}"


def difference_fields(one: Difference) -> Document:
    """For JSON."""
    return {
        "vendor": one.vendor,
        "currency": one.currency,
        "difference": money(one.difference),
        "changes": one.changes,
        "transactions": [
            {"transaction_id": own.transaction_id, "change": money(own.change), "reason": own.reason}
            for own in one.transactions
        ],
    }


def lives(found: Sequence[Life], sent: Sequence[Document]) -> Iterator[str]:
    """A transaction's life, a line for each thing that was learned of it."""
    for life in found:
        where = f"in closed {', '.join(life.periods)}" if life.periods else "in no closed period"
        yield f"{life.vendor} {life.conversion_id}, {where}"
        for one in life.statements:
            yield from _learned(one)
        yield from map(_changed, life.changes)
    for one in sent:
        code = "" if one["response_code"] is None else f", answered {one['response_code']}"
        yield f"{one['ledger']} {one['send_key']}: {one['status']} {_plain(one['sent_at'])}{code}"


def _learned(one: Document) -> Iterator[str]:
    own = {name: value for name, value in one.items() if name not in _HOW and value is not None}
    told = ", ".join(f"{name} {_plain(value)}" for name, value in own.items())
    yield f"  learned {_plain(one['valid_from'])}: {told}"
    until = one["valid_to"]
    where = f", page {one['page']} of {one['window']}" if one["window"] else f" of {_windows(one)}"
    yield (
        f"    by load {one['_dlt_load_id']}{where}, hash "
        f"{one['statement_hash']}, {f'until {_plain(until)}' if until else 'holds'}"
    )


def _windows(one: Document) -> str:
    return "; ".join(one["windows"]) or "no window"


def _changed(one: Document) -> str:
    since = f"known on {one['known_on']}{' by the vendor' if one['is_backfilled'] else ''}"
    what = f"{money(one['net_change'], signed=True)} {one['currency']} of {one['occurred_on']}"
    return f"  {what}, {since}: {one['reason']}"


# What is told in words of its own.
_HOW = ("statement_hash", "valid_from", "valid_to", "_dlt_load_id", "page", "window", "windows")


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return money(value)
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, datetime) else str(value)


def life_fields(life: Life) -> Document:
    """For JSON."""
    return {
        "vendor": life.vendor,
        "conversion_id": life.conversion_id,
        "periods": list(life.periods),
        "statements": [plain_fields(one) for one in life.statements],
        "changes": [plain_fields(one) for one in life.changes],
    }


def plain_fields(row: Document) -> Document:
    """Amounts, days and times as text."""
    return {
        name: value if isinstance(value, bool | int | list | None) else _plain(value)
        for name, value in row.items()
    }

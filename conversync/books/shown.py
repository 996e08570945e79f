"""The books as lines to read, and as JSON: amounts are text in both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from conversync.books.balance import Balance


def money(amount: Decimal, *, signed: bool = False) -> str:
    """With two places, or as many more as it has."""
    plain = f"{amount:f}"
    whole, _, places = plain.partition(".")
    text = f"{whole}.{places.rstrip('0').ljust(2, '0')}"
    return f"+{text}" if signed and amount > 0 else text


def balances(found: Sequence[Balance]) -> Iterator[str]:
    """A line for each currency of each closed period."""
    if not found:
        yield "No period is closed."
    for one in found:
        told = f"{one.closing.period} {one.closing.vendor} {one.currency}".rstrip()
        changes = "1 change" if one.changes == 1 else f"{one.changes:,} changes"
        says = (
            f"{told}: reported {money(one.reported)}, corrections {money(one.corrections, signed=True)} ({changes}), "
            f"known now {money(one.known)}"
        )
        yield says if one.is_right else f"{says}: {_wrong(one)}"


def _wrong(one: Balance) -> str:
    if not one.is_as_sealed:
        return "WRONG, what was reported was altered since (its fingerprint is another one)"
    return f"WRONG by {money(one.difference, signed=True)}"


def fields_of(one: Balance) -> dict[str, Any]:
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

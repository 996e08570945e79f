"""How values read: amounts with their cents, counts with commas, shares as percent, days as people write them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal

import pendulum
from pendulum import DateTime

from conversync.count_words import noun

NOTHING = "\u2013"
_CENT = Decimal("0.01")
_MINUS = "\u2212"
_THIN = "\u202f"


def money(value: Decimal | None) -> str:
    """An amount to the cent, half to even; its currency stands in the head of the column."""
    if value is None:
        return NOTHING
    return f"{value.quantize(_CENT, ROUND_HALF_EVEN):,}".replace("-", _MINUS)


def amount(value: Decimal | None, currency: str) -> str:
    """An amount in a sentence."""
    return NOTHING if value is None else f"{currency}\u00a0{money(value)}"


def count(value: int | None) -> str:
    """A whole number."""
    return NOTHING if value is None else f"{value:,}".replace("-", _MINUS)


def share(value: float | None) -> str:
    """A part of one as percent, with one decimal; what is not quite all is never called all."""
    if value is None:
        return NOTHING
    if 0.9995 <= value < 1:
        return "99.9%"
    return f"{value * 100:.1f}%" if 0 < value < 1 else f"{value * 100:.0f}%"


def hours(value: float | None) -> str:
    """A time in hours, with its unit."""
    if value is None:
        return NOTHING
    if value < 1:
        return f"{value * 60:.0f}{_THIN}min"
    return f"{value:.1f}{_THIN}h" if value < 48 else f"{value / 24:.1f}{_THIN}days"


def day(value: date | None) -> str:
    """A day."""
    return NOTHING if value is None else pendulum.instance(value).format("D MMM YYYY")


def days(first: date, last: date) -> str:
    """From a day to a day, as short as it goes."""
    if first == last:
        return day(last)
    start = pendulum.instance(first).format("D MMM") if first.year == last.year else day(first)
    return f"{start} \u2013 {day(last)}"


def month(value: date | None) -> str:
    """A month."""
    return NOTHING if value is None else pendulum.instance(value).format("MMM YYYY")


def moment(value: datetime | None) -> str:
    """A time in UTC, to the minute."""
    return NOTHING if value is None else utc(value).format("D MMM YYYY, HH:mm")


def utc(value: datetime) -> DateTime:
    """An instant; what has no zone is in UTC."""
    return pendulum.instance(value).in_timezone("UTC")


def many(number: int, one: str, more: str | None = None) -> str:
    """So many of something: `1 day`, `2 days`."""
    return f"{count(number)} {noun(number, one, more)}"


def listed(words: Sequence[str]) -> str:
    """Words in a sentence: `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1] if words else ""]))


def sentence_case(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]

"""What one JSON value states, in whichever of its forms it came: 5, "5", " 5 " and, for a whole number, 5.0.

A value that may mean two things ("1,234", 1e3 as an id) is refused: ValueError, with the words that follow the field's
name. A text of nothing but blanks states no number, and no time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

_SCALE = Decimal("0.000001")
_MONEY_LIMIT = Decimal(10) ** 12
# PHP writes 0.40 as ".40" too.
_NUMBER = re.compile(r"-?([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_WHOLE = re.compile(r"-?[0-9]{1,19}(\.0{1,20})?")
# Up to here a double holds every whole number. One that is written with a fraction has been a double.
_MOST_AS_DOUBLE = 2**53
_BLANKS = " \t\r\n"
# Not storable everywhere (NUL on Postgres, halves of surrogate pairs and bytes that are no UTF-8 nowhere), or kept for
# the statement hash as separators.
_UNFIT = re.compile("[\x00\x1e\x1f\ud800-\udfff]")
# A number with so many digits whose rest is so small beside it is what a double made of a shorter one.
_DIGITS_OF_A_DOUBLE, _REST_OF_A_DOUBLE = 15, Decimal(2) ** -43
# What a double may take for nothing.
_NOTHING = Decimal("1e-300")


class AlteredError(ValueError):
    """A value that can be taken, yet not as it came: `taken` is what is taken, the message why it differs.

    Whoever catches it keeps the value as it came in `extra` and tells of it; for anybody else it is a ValueError.
    """

    def __init__(self, taken: Any, why: str) -> None:
        super().__init__(why)
        self.taken = taken


class Reads(Protocol):
    """How one JSON value is read (every `records.FieldType` is one)."""

    def strict(self, value: Any) -> Any:
        """The value, None for none; raises ValueError with the words that follow the field's name."""


def taken_of(kind: Reads, value: Any) -> Any:
    """What a field says; None for null, and for an empty list or object that `kind` cannot read."""
    try:
        return None if value is None else kind.strict(value)
    except ValueError:
        if is_nothing(value):
            return None
        raise


def as_it_is(read: Callable[[Any], T], value: Any) -> T:
    """What `read` makes of a value; ValueError also where it would alter it."""
    try:
        return read(value)
    except AlteredError as reason:
        raise ValueError(str(reason)) from None


def is_nothing(value: Any) -> bool:
    """Whether the value is an empty list or object, as PHP writes what has nothing in it."""
    return isinstance(value, list | dict) and not value


def is_blank(value: Any) -> bool:
    """Whether the value is a text without anything in it."""
    return isinstance(value, str) and not value.strip(_BLANKS)


def trimmed(value: Any) -> Any:
    """A text without the blanks around it; anything else as it is."""
    return value.strip(_BLANKS) if isinstance(value, str) else value


def number(value: Any) -> Decimal:
    """A number exactly as written, of any size."""
    value = trimmed(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = Decimal(value)
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        raise ValueError("is not a number")
    return Decimal(value)


def whole(value: Any) -> int:
    """A whole number of 64 bits. With a fraction of noughts (24.0) it must be one that a double holds."""
    value = trimmed(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = Decimal(value) if "." in value else int(value)
    if isinstance(value, Decimal) and _is_whole(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("is not a whole number")
    if not -(2**63) <= value < 2**63:
        raise ValueError("does not fit into 64 bits")
    return value


def _is_whole(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent > 0 or value.copy_abs() > _MOST_AS_DOUBLE:
        return False
    return value == value.to_integral_value()


def exact(amount: Decimal) -> Decimal:
    """The amount in millionths, half to even; ValueError where it is larger than any amount.

    AlteredError where it is finer than that. What a double made of an amount (11.049999999999999) is that amount.
    """
    rounded = millionths(amount)
    rest = (amount - rounded).copy_abs() if amount.copy_abs() > _NOTHING else 0
    is_of_a_double = len(amount.as_tuple().digits) >= _DIGITS_OF_A_DOUBLE
    if rest and not (is_of_a_double and rest <= rounded.copy_abs() * _REST_OF_A_DOUBLE):
        raise AlteredError(rounded, "is finer than a millionth")
    return rounded


def millionths(number: Decimal) -> Decimal:
    """Any number in millionths, half to even; ValueError where it is larger than any amount."""
    # copy_abs and a comparison are exact for any exponent, where abs would overflow.
    if number.copy_abs() < _MONEY_LIMIT:
        rounded = number.quantize(_SCALE, ROUND_HALF_EVEN)
        if rounded.copy_abs() < _MONEY_LIMIT:
            return rounded
    raise ValueError("is larger than any amount (12 digits before the point)")


def text(value: Any) -> str:
    """A text; of a bare number its digits, so that 24 and 24.0 are one id.

    AlteredError, with U+FFFD for each character, where it holds some that no database stores safely.
    """
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(int(value) if isinstance(value, Decimal) and _is_whole(value) else value)
    if not isinstance(value, str):
        raise ValueError("is not text")
    if _UNFIT.search(value):
        raise AlteredError(
            _UNFIT.sub("\N{REPLACEMENT CHARACTER}", value), "holds a character that cannot be stored"
        )
    return value

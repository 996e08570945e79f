"""What one JSON value states, in whichever of its forms it came: 5, "5", " 5 " and, for a whole number, 5.0.

A value that may mean two things ("1,234", 1e3 as an id) is refused: ValueError, with the words that follow the field's
name. A text of nothing but blanks states no number, and no time.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Protocol

_SCALE = Decimal("0.000001")
_MONEY_LIMIT = Decimal(10) ** 12
# PHP writes 0.40 as ".40" too.
_NUMBER = re.compile(r"-?([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_WHOLE = re.compile(r"-?[0-9]{1,19}(\.0{1,20})?")
# Up to here a double holds every whole number. One that is written with a fraction has been a double.
_MOST_AS_DOUBLE = 2**53
_BLANKS = " \t\r\n"


class Reads(Protocol):
    """How one JSON value is read (every `records.Kind` is one)."""

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
    """The amount in millionths, half to even; ValueError where it is larger than any amount."""
    # copy_abs and a comparison are exact for any exponent, where abs would overflow.
    if amount.copy_abs() < _MONEY_LIMIT:
        rounded = amount.quantize(_SCALE, ROUND_HALF_EVEN)
        if rounded.copy_abs() < _MONEY_LIMIT:
            return rounded
    raise ValueError("is larger than any amount (12 digits before the point)")


def text(value: Any) -> str:
    """A text; of a bare number its digits, so that 24 and 24.0 are one id."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(int(value) if isinstance(value, Decimal) and _is_whole(value) else value)
    if not isinstance(value, str):
        raise ValueError("is not text")
    return value

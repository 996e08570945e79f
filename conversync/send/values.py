"""A cell of an outbox as what a vendor takes. What cannot be meant is a RowRefusedError that names the column."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from conversync.send.target import Row, RowRefusedError

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
# Of a floating-point number: with more it is the rest of a calculation, not an amount that somebody wrote.
_MOST_DECIMALS = 6
_FLAGS = {"true": True, "false": False, "1": True, "0": False}
# What a program writes where it had no id ...
_NOTHING = frozenset(
    {
        "null",
        "(null)",
        "undefined",
        "(undefined)",
        "nan",
        "none",
        "(none)",
        "nil",
        "n/a",
        "na",
        "#n/a",
        "[object object]",
    }
    | {
        "-",
        "--",
        "\\n",
        "inf",
        "-inf",
        "infinity",
        "-infinity",
        "<na>",
        "<null>",
        "nat",
        "#null!",
        "#ref!",
        "#value!",
    }
)
# ... and a placeholder that nobody filled in: {clickid} ${x} {{x}} [SUB1] %%x%% <x> anywhere, and as a whole %x% __X__
# #x# $x @x@ :x {?x} {{x|f}} [[x]] <%= x %>.
# A UUID in braces is none.
_MACRO = re.compile(
    r"\{\{?\s*\$?[A-Za-z_][\w.: ]*\}?\}|\[[A-Za-z_]\w*\]|%%\w+%%|<[A-Za-z_]\w*>"
    r"|^(%[A-Za-z_]\w*%|__\w+__|#[A-Za-z_]\w*#|\$[A-Za-z_]\w*\$?|@@?[A-Za-z_]\w*@@?|:[A-Za-z_]\w*|\{[^\w{}]+\w+\}"
    r"|\{\{[^{}]*\}\}|\[\[[^\[\]]*\]\]|<%.*%>|\{%.*%\})$"
)
# Three letters that are no currency: words for nothing, and the codes of the standard for none and for tests.
_NO_CURRENCY = frozenset({"nan", "nul", "nil", "non", "xxx", "xts"})
_CURRENCY = re.compile(r"[A-Za-z]{3}", re.ASCII)


def text(row: Row, name: str) -> str | None:
    """A text as it stands, or a whole number, decimal or UUID as text. Null, absent and blank are None."""
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, bool) or not isinstance(value, str | int | UUID):
        raise RowRefusedError(f"{name} is {_kind(value)}: cast it to text.")
    return str(value) if str(value).strip() else None


def need(row: Row, name: str) -> str:
    """`text`, which must be there."""
    return _there(text(row, name), name)


def _there(value: str | None, name: str) -> str:
    if value is None:
        raise RowRefusedError(f"{name} is missing.")
    return value


def identifier(row: Row, name: str) -> str | None:
    """`text` that names something at the vendor, the same rule for every target; null and absent are None.

    Refused: a placeholder that was never filled in, a word for nothing, blank, blanks around it, control characters.
    """
    given = row.get(name)
    value = text(row, name)
    if value is None:
        if given is None:
            return None
        raise RowRefusedError(f"{name} is blank: leave it null where there is none.")
    if value != value.strip() or not value.isprintable():
        raise RowRefusedError(
            f"{name} is {value!r:.60}: blanks around it, or characters that cannot be printed, are no part of an id."
        )
    if value.casefold() in _NOTHING or _MACRO.search(value) or _MACRO.search(unquote(value)):
        raise RowRefusedError(
            f"{name} is {value!r:.60}: a placeholder or an empty value that somebody's program wrote, and no id."
        )
    return value


def need_identifier(row: Row, name: str) -> str:
    """`identifier`, which must be there."""
    return _there(identifier(row, name), name)


def currency(row: Row, name: str) -> str | None:
    """Three letters, as ISO 4217 has them; null, absent and blank are None."""
    value = text(row, name)
    if value is not None and (not _CURRENCY.fullmatch(value) or value.casefold() in _NO_CURRENCY):
        raise RowRefusedError(f"{name} is {value!r:.60}, but must be three letters, such as USD.")
    return value


def _exact(value: float, name: str) -> Decimal:
    exact = Decimal(repr(value))
    exponent = exact.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_MOST_DECIMALS:
        raise RowRefusedError(f"{name} is an inexact number ({value!r}): cast it to decimal(18,6).")
    return exact


def amount(row: Row, name: str) -> Decimal | None:
    """An exact number: a decimal, a whole number, or a text with digits and at most a point.

    A floating-point number is taken where its shortest form has six decimals at most.
    """
    value = row.get(name)
    match value:
        case None:
            return None
        case float():
            return _exact(value, name)
        case str():
            return _written(value.strip(), name)
        case Decimal() if value.is_finite():
            return value
        case int() if not isinstance(value, bool):
            return Decimal(value)
    raise _no_number(name)


def _written(text: str, name: str) -> Decimal | None:
    """The number of a text; None of a blank one."""
    if text and not _NUMBER.fullmatch(text):
        raise _no_number(name)
    return Decimal(text) if text else None


def _no_number(name: str) -> RowRefusedError:
    return RowRefusedError(f"{name} is no number: it takes digits and at most one point.")


def plain(number: Decimal) -> str:
    """Digits and at most a point, no exponent, no zeros at its end: the same whatever the number's scale."""
    written = f"{number:f}"
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return "0" if written in ("-0", "") else written


def number(row: Row, name: str) -> Decimal | None:
    """`amount` for a JSON body, where it goes out as the number that `plain` writes."""
    value = amount(row, name)
    return None if value is None else Decimal(plain(value))


def whole(row: Row, name: str) -> int | None:
    """A whole number."""
    value = amount(row, name)
    if value is None:
        return None
    if value != value.to_integral_value() or abs(value) >= 2**63:
        raise RowRefusedError(f"{name} is no whole number.")
    return int(value)


def flag(row: Row, name: str) -> bool:
    """True or false; null is false. Anything else could be meant either way."""
    value = row.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str | int) and str(value).strip().lower() in _FLAGS:
        return _FLAGS[str(value).strip().lower()]
    raise RowRefusedError(f"{name} is neither true nor false.")


def texts(row: Row, name: str) -> list[str] | None:
    """A list of texts: a list, or a JSON array as text; null is None."""
    value = row.get(name)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    found = _json(value, name) if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not all(isinstance(one, str) and one.strip() for one in found):
        raise RowRefusedError(f'{name} is no list of texts: write it as JSON, ["a", "b"].')
    return list(found)


def thing(row: Row, name: str) -> dict[str, Any] | None:
    """An object: a struct, or a JSON object as text; null is None."""
    value = row.get(name)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    found = _json(value, name) if isinstance(value, str) else value
    if not isinstance(found, dict):
        raise RowRefusedError(f"{name} is no JSON object.")
    return found


def _json(value: str, name: str) -> Any:
    try:
        return json.loads(value, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise RowRefusedError(f"{name} is not JSON.") from None


def _kind(value: object) -> str:
    kinds: dict[type, str] = {bool: "true or false", float: "a floating-point number"}
    return kinds.get(type(value), f"a {type(value).__name__}")

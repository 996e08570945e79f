"""How a tracker writes values: ids as numbers or text, numbers as text, nothing as null, "" or a zero date."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import UnsetType

from conversync.errors import InvalidResponseError
from conversync.extract import times
from conversync.extract.field_kinds import INTEGER, KEY, SHORT, STAMP, TEXT, FastPathMiss, Money, Stamp
from conversync.extract.page_decoder import dumps
from conversync.extract.values import exact, is_blank, millionths, number
from conversync.http.strictjson import loads

_DIGITS = re.compile(r"-?[0-9]{1,18}")
_PLAIN_NUMBER = re.compile(rb"-?[0-9]+(\.[0-9]+)?")
_ZERO_DATE = "0000-00-00"


class Word:
    """Text, or a whole number as its digits: statuses, names, what a link was given."""

    arrow = pa.string()
    json = str | int | None | UnsetType
    null = None
    short: int | None = SHORT

    def fast(self, values: Sequence[object]) -> tuple[pa.Array, int]:
        column = pa.array([value if value is None else _word(value) for value in values], self.arrow)
        return column, sum(isinstance(value, str) for value in values)

    def strict(self, value: object) -> str:
        return TEXT.strict(value)


class Identity(Word):
    """A word that tells one thing from another: refused where it cannot be stored as it is."""

    short = None

    def strict(self, value: object) -> str:
        return KEY.strict(value)


class Reference:
    """A 64-bit id of a list's entry, or a count: a number, or its digits, also written 12.00; "" is none."""

    arrow = pa.int64()
    json = str | int | None | UnsetType
    null = None

    def fast(self, values: Sequence[object]) -> tuple[pa.Array, int]:
        column = pa.array(
            [_whole(value) if isinstance(value, str) else value for value in values], self.arrow
        )
        return column, sum(isinstance(value, str) for value in values)

    def strict(self, value: object) -> int | None:
        return INTEGER.strict(value)


class Figure(Money):
    """Exact money; pages of numeric strings, and of "" for nothing, are no slower than pages of numbers."""

    json = msgspec.Raw | UnsetType
    null = b"null"

    def fast(self, values: Sequence[Any]) -> tuple[pa.Array, int]:
        literals = list(map(bytes, values))
        texts = sum(literal[:1] == b'"' for literal in literals)
        encoded = pa.array([_unquoted(literal) for literal in literals], pa.binary()).dictionary_encode()
        distinct = [_literal(text) for text in encoded.dictionary.to_pylist()]
        return pa.array(distinct, self.arrow).take(encoded.indices), texts


class Measure(Figure):
    """A number that is no amount, such as a rate: in millionths, and however fine it was."""

    def strict(self, value: object) -> Decimal | None:
        return None if is_blank(value) else millionths(number(value))


class Moment(Stamp):
    """A time, kept as its text; "" and a zero date are none."""

    json = str | None | UnsetType

    def fast(self, values: Sequence[Any]) -> tuple[pa.Array, int]:
        given = [None if value == "" else value for value in values]
        super().fast([value for value in given if value is not None])
        return pa.array(given, self.arrow), sum(isinstance(value, str) for value in values)

    def strict(self, value: object) -> str | None:
        return (
            None if isinstance(value, str) and value.strip().startswith(_ZERO_DATE) else STAMP.strict(value)
        )


class Day:
    """A day, 2026-01-31; a time after it is left off, but for one with an offset: that may be of another day here."""

    arrow = pa.date32()
    json = str
    null = None

    def fast(self, values: Sequence[object]) -> tuple[pa.Array, int]:
        return pa.array([_day(value) for value in values], self.arrow), len(values)

    def strict(self, value: object) -> date:
        if not isinstance(value, str):
            raise ValueError("is not a day like 2026-01-31")
        return _day(value)


class Nested:
    """Any JSON, as its text with sorted keys: a row that is too long has nothing there."""

    arrow = pa.string()
    json = msgspec.Raw | UnsetType
    null = b"null"
    short = 0
    is_json = True

    def fast(self, values: Sequence[Any]) -> tuple[pa.Array, int]:
        encoded = pa.array([bytes(value) for value in values], pa.binary()).dictionary_encode()
        distinct: list[str | None] = []
        quotes = []
        for literal in encoded.dictionary.to_pylist():
            distinct.append(_nested(literal))
            quotes.append(literal.count(b'"'))
        counted = sum(pa.array(quotes, pa.int64()).take(encoded.indices).to_pylist())
        return pa.array(distinct, self.arrow).take(encoded.indices), counted // 2

    def strict(self, value: object) -> str:
        return dumps(value)


WORD, IDENTITY, REFERENCE, FIGURE, MEASURE = Word(), Identity(), Reference(), Figure(), Measure()
MOMENT, DAY, NESTED = Moment(), Day(), Nested()


def _word(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    raise TypeError


def _whole(value: str) -> int | None:
    if value and not _DIGITS.fullmatch(value):
        raise FastPathMiss
    return int(value) if value else None


@lru_cache(maxsize=65_536)
def _literal(text: bytes) -> Decimal | None:
    """The exact amount that a JSON number literal states."""
    if text == b"null":
        return None
    if text[:1] not in b"-0123456789":
        raise FastPathMiss
    return exact(Decimal(text.decode()))


def _unquoted(literal: bytes) -> bytes:
    if literal[:1] != b'"':
        return literal
    if literal == b'""':
        return b"null"
    if not _PLAIN_NUMBER.fullmatch(literal, 1, len(literal) - 1):
        raise FastPathMiss
    return literal[1:-1]


@lru_cache(maxsize=4096)
def _day(value: str) -> date:
    try:
        at = times.read(value)
    except ValueError:
        at = None
    if at is not None and at.tzinfo is not None and at.time() != time():
        raise ValueError("is a time with an offset, and may be of another day here")
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        raise ValueError("is not a day like 2026-01-31") from None


@lru_cache(maxsize=4096)
def _nested(literal: bytes) -> str | None:
    try:
        value = loads(literal, as_served=True)
    except InvalidResponseError:
        raise FastPathMiss from None
    return None if value is None else dumps(value)

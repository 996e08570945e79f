"""Strict JSON: numbers exactly as written, and one bad row costs that row, not the page.

Whole numbers become int, every other number a Decimal from its literal text. A Decimal may have any exponent
(1e999): compare it with a bound before making an int of it. Refused: NaN and Infinity, a key that stands
twice in an object, and nesting beyond `MAX_DEPTH`. Halves of surrogate pairs and bytes that are no UTF-8 cost no more
than themselves: in a row they stay for whoever takes its fields (see `jsontext.HALF`), elsewhere they are U+FFFD.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from conversync.errors import InvalidResponseError
from conversync.http.jsontext import (
    MAX_DEPTH,
    MAX_NAMES,
    Reader,
    SyntaxFaultError,
    as_bytes,
    has_raw_control,
    in_characters,
    leaves,
    twice,
    whole,
)
from conversync.types import Document

__all__ = ["MAX_DEPTH", "Row", "dumps", "each_row", "is_number_key", "load_rows", "loads"]

MAX_ROW = 4 * 1024 * 1024
"""Bytes of one row, or of one document that is a row. Vendors' rows have a thousand."""

_EMPTY = re.compile(rb"[ \t\n\r]*+\Z")
_KINDS = {"[": "a list", '"': "a text", "t": "true", "f": "false", "n": "null"}


class Row(NamedTuple):
    """One element of a page: `raw` is its text as it stood, and exactly one of `value` and `fault` is set.

    Texts of the value hold what came, also what no database stores: `values.text` judges them.
    """

    raw: str
    value: Document | None
    fault: str | None

    def sound(self) -> Document:
        """The value; ValueError, with its fault, where it has one."""
        if self.value is None:
            raise ValueError(self.fault)
        return self.value


def loads(body: bytes, *, who: str = "The vendor", as_served: bool = False) -> Any:
    """The whole document. InvalidResponseError for anything wrong in it; `who` begins its sentence.

    `as_served`: its texts are a row's (see above), for a document that is a list of rows, or a part of one.
    """
    text = ""
    try:
        text = _text(body)
        reader = Reader(text)
        value = reader.value()
        reader.end()
        fault = reader.fault_in(text) or (None if as_served else _control_in(text))
    except SyntaxFaultError as error:
        fault = _place(error, text)
    if fault is None:
        return value if as_served else whole(value, text)
    raise _refusal(who, fault)


def load_rows(body: bytes, key: str | None, *, who: str = "The vendor") -> tuple[Document, list[Row]]:
    """`each_row`, with the rows in a list."""
    rows: list[Row] = []
    return each_row(body, key, rows.append, who=who), rows


def each_row(
    body: bytes, key: str | None, take: Callable[[Row], None], *, who: str = "The vendor"
) -> Document:
    """The document without its rows; `take` is given each element of the array under `key` (None: the document is it).

    What it was given counts for nothing where this raises: what follows the rows may be wrong.

    An object whose keys are numbers is an array, too: so PHP writes one that has lost some of its elements. Whatever
    is wrong inside one element is that row's fault, syntax aside. InvalidResponseError for syntax errors anywhere (with
    line and column), for anything wrong outside the rows, and where no array stands.
    """
    text = ""
    try:
        text = _text(body)
        page = _Page(text, key, take)
        envelope = page.read()
        fault = page.fault
    except SyntaxFaultError as error:
        fault = _place(error, text)
    if fault is None:
        return envelope
    raise _refusal(who, fault)


def is_number_key(key: str) -> bool:
    """Whether a key of an object may be a place in an array."""
    return key.isascii() and key.isdigit()


def dumps(value: object) -> bytes:
    """Compact UTF-8 JSON with Decimals as plain numbers, digit for digit. ValueError for NaN and Infinity."""
    for leaf in leaves(value):
        if isinstance(leaf, (float, Decimal)) and not math.isfinite(leaf):
            raise ValueError("NaN and Infinity cannot be sent as JSON")
    return _ENCODER.encode(value)


_ENCODER = msgspec.json.Encoder(decimal_format="number")


def _control_in(raw: str) -> str | None:
    return "a text holds a raw control character" if has_raw_control(raw) else None


def _refusal(who: str, fault: str) -> InvalidResponseError:
    return InvalidResponseError(f"{who} sent an answer that cannot be used: {fault}.")


def _text(body: bytes) -> str:
    """The body byte by byte, for a `Reader`: bytes that are no UTF-8 cost the row that they stand in."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SyntaxFaultError("it is UTF-16, not UTF-8", -1)
    body = body.removeprefix(b"\xef\xbb\xbf")
    if _EMPTY.match(body):
        raise SyntaxFaultError("it is empty", -1)
    return as_bytes(body)


def _place(error: SyntaxFaultError, text: str) -> str:
    if error.position < 0:
        return error.reason
    line = text.count("\n", 0, error.position) + 1
    before = text[text.rfind("\n", 0, error.position) + 1 : error.position]
    column = len(in_characters(before)) + 1
    return f"it is not JSON at line {line}, column {column} ({error.reason})"


class _Page:
    """Reads a document whose rows stand in an array under `key`, or which is that array."""

    def __init__(self, text: str, key: str | None, take: Callable[[Row], None]) -> None:
        self._reader = Reader(text)
        self._key = key
        self._take = take
        self._has_rows = False
        self.fault: str | None = None

    def read(self) -> Document:
        """The envelope, after all rows; if `fault` is set afterwards, the page is refused."""
        envelope: Document = {}
        if self._key is None and self._reader.peek() == "[":
            self._has_rows = self._listed()
        elif self._key is not None and self._reader.peek() == "{":
            envelope = self._members(self._key)
        else:
            self._reader.value()
        self._reader.end()
        if not self._has_rows:
            self._note("it holds no list of rows" + (f" under {self._key!r}" if self._key else ""))
        return envelope

    def _note(self, fault: str | None) -> None:
        self.fault = self.fault or fault

    def _outside(self) -> Any:
        """A value outside the rows: whatever is wrong with it refuses the page."""
        start = self._reader.space()
        value = self._reader.value()
        raw = self._reader.text[start : self._reader.position]
        fault = self._reader.fault_in(raw) or _control_in(raw)
        self._note(fault)
        return value if fault else whole(value, raw)

    def _members(self, rows_key: str) -> Document:
        reader = self._reader
        pairs: list[tuple[str, Any]] = []
        reader.take("{")
        more = not reader.skip("}")
        while more:
            if reader.peek() != '"':
                raise SyntaxFaultError("expected a key in double quotes", reader.position)
            key = self._outside()
            reader.take(":")
            is_rows = key == rows_key and not self._has_rows and self._listed()
            self._has_rows = self._has_rows or is_rows
            pairs.append((key, None if is_rows else self._outside()))
            if len(pairs) > MAX_NAMES:
                raise SyntaxFaultError(f"it has more than {MAX_NAMES:,} fields beside its rows", -1)
            more = reader.take(",}") == ","
        envelope = dict(pairs)
        if len(envelope) != len(pairs):
            self._note(twice(pairs))
        if self._has_rows:
            envelope.pop(rows_key, None)
        return envelope

    def _listed(self) -> bool:
        """Hands on the elements of the array, or of the object that stands for it; false, nothing read, if none."""
        reader, start = self._reader, self._reader.space()
        if reader.peek() == "[":
            self._elements()
            return True
        rows = self._numbered() if reader.peek() == "{" else None
        if rows is None:
            reader.position = start
            return False
        for row in rows:
            self._take(row)
        return True

    def _numbered(self) -> list[Row] | None:
        """The values of an object whose keys are numbers, each once; None where it is none, or empty."""
        reader = self._reader
        reader.take("{")
        found: dict[str, Row] = {}
        while reader.peek() == '"':
            key = reader.value()
            reader.take(":")
            if not is_number_key(key) or key in found:
                return None
            found[key] = self._row()
            if reader.take(",}") == "}":
                return list(found.values())
        return None

    def _elements(self) -> None:
        reader = self._reader
        reader.take("[")
        more = not reader.skip("]")
        while more:
            self._take(self._row())
            more = reader.take(",]") == ","

    def _row(self) -> Row:
        reader = self._reader
        start = reader.space()
        value = reader.value(most=MAX_ROW)
        text = reader.text[start : reader.position]
        fault = reader.fault_in(text)
        if fault is None and not isinstance(value, dict):
            fault = f"the row is {_KINDS.get(text[0], 'a number')}, not an object"
        text = in_characters(text, "backslashreplace")
        return Row(text, None, fault) if fault else Row(text, value, None)

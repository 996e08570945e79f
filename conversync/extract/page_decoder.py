"""A page of JSON objects becomes one typed Arrow table, plus the rows that had to be set aside.

A source declares its `Field`s once. A page is decoded on a fast path that accepts only what is plainly
right; whatever it doubts is parsed again the strict slow way, row by row, so that one bad row costs that
row and never its page. Both paths end in the same columns, and accept the same rows with the same values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Protocol

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import UNSET, UnsetType
from msgspec.structs import astuple

from conversync.errors import InvalidResponseError
from conversync.extract import times
from conversync.extract.decoded import MOST_OF_NAME, Decoded, Rejected, not_as_it_came, note_names
from conversync.extract.stored import dumps as dumps
from conversync.extract.values import (
    AlteredError,
    as_it_is,
    exact,
    is_blank,
    is_nothing,
    number,
    taken_of,
    text,
    trimmed,
    whole,
)
from conversync.http.body_status import refuse_error, refuse_error_in
from conversync.http.redact import quoted
from conversync.http.strictjson import Row, each_row, is_number_key, loads

MONEY = pa.decimal128(18, 6)
_DOUBT, _REST = 2.0**-51, 2.0**-50
# The seconds of 1970-01-01 and 9999-01-01.
_EARLIEST, _LATEST = 0, 253_370_764_800
# How what `values.text` replaces may look in JSON that msgspec takes: a page with it is parsed the strict way.
_CONTROL_ESCAPES = (b"\\u0000", b"\\u001")


# Rows of a page that are parsed the strict way and become Arrow together: as Python's values they take ten times more.
STRICT_ROWS = 5_000


class FastPathMiss(Exception):  # noqa: N818 - not an error: the strict path decides
    """The fast path met something that is not plainly right."""


class FieldType(Protocol):
    """How one JSON value becomes one value of an Arrow column."""

    @property
    def arrow(self) -> pa.DataType:
        """The column's Arrow type."""

    @property
    def json(self) -> Any:
        """What msgspec is to decode the value as."""

    @property
    def null(self) -> Any:
        """The decoded form of a JSON null, in which `fast` takes a missing key."""

    def fast(self, values: Sequence[Any]) -> tuple[pa.Array, int]:
        """The column, and how many of the values were JSON strings; raises where in doubt."""

    def strict(self, value: Any) -> Any:
        """The value for the column, None for none; raises ValueError with the words that follow the field's name."""


class Integer:
    """A 64-bit id: a whole number, or a string that holds nothing but one; a blank text is none."""

    arrow = pa.int64()
    json = int
    null = None

    def fast(self, values: Sequence[int]) -> tuple[pa.Array, int]:
        return pa.array(values, self.arrow), 0

    def strict(self, value: Any) -> int | None:
        return None if is_blank(value) else whole(value)


class Text:
    """Text of any length; a bare number becomes its digits. What cannot be stored of it is replaced (`values.text`)."""

    arrow = pa.string()
    json = str | None | UnsetType
    null = None

    def fast(self, values: Sequence[str | None]) -> tuple[pa.Array, int]:
        column = pa.array(values, self.arrow)
        return column, len(values) - column.null_count

    def strict(self, value: Any) -> str:
        return text(value)


class Key(Text):
    """Text that tells one thing from another: where it cannot be stored, it is refused. Two must not become one."""

    def strict(self, value: Any) -> str:
        return as_it_is(super().strict, value)


class Money:
    """An exact decimal(18,6), from the literal text of a number or of a numeric string, half to even; "" is none.

    The fast path counts millionths and never trusts a float for an amount: a double and its product with 10**6 are
    each within 2**-53 of what they stand for. So `_DOUBT` of the product bounds how far it is from the literal's own
    millionths, and where a whole number is nearer than the rest of a half, it is the literal's. All else is doubted,
    and so is what is finer than a millionth by more than `_REST` of it (see `values.exact`).
    """

    arrow = MONEY
    json: Any = float | None | UnsetType
    null: Any = None

    def fast(self, values: Sequence[Any]) -> tuple[pa.Array, int]:
        column = pa.array(values, pa.float64())
        with np.errstate(over="ignore", invalid="ignore"):
            millionths = column.fill_null(0).to_numpy(zero_copy_only=False) * 1e6
            count = np.rint(millionths)
            size = np.abs(millionths)
            if not np.all(
                (np.abs(millionths - count) <= size * _REST) & (size * _DOUBT < 0.5 - size * _REST)
            ):
                raise FastPathMiss
        words = np.empty((len(count), 2), np.int64)
        words[:, 0] = count
        words[:, 1] = words[:, 0] >> 63
        validity = column.is_valid().buffers()[1] if column.null_count else None
        return pa.Array.from_buffers(MONEY, len(column), [validity, pa.py_buffer(words)]), 0

    def strict(self, value: Any) -> Decimal | None:
        return None if is_blank(value) else exact(number(value))


class Flag:
    """True for 1, "1", true, "true"; false for 0, "0", false, "false", null and where it is absent; in any letters."""

    arrow = pa.bool_()
    json = int | bool | str | None | UnsetType
    null = None
    meaning: Mapping[Any, bool] = {
        1: True,
        "1": True,
        "true": True,
        0: False,
        "0": False,
        "false": False,
        None: False,
    }
    _fast: Mapping[Any, bool] = {**meaning, UNSET: False}

    def fast(self, values: Sequence[Any]) -> tuple[pa.Array, int]:
        column = pa.array([self._fast[value] for value in values], self.arrow)
        return column, sum(isinstance(value, str) for value in values) if str in set(map(type, values)) else 0

    def strict(self, value: Any) -> bool:
        try:
            return self.meaning[value.strip().casefold() if isinstance(value, str) else value]
        except (KeyError, TypeError):
            raise ValueError("is neither yes (1, true) nor no (0, false, absent)") from None


class Stamp:
    """A time between 1970 and 9998, kept as its text; with an offset or without one (see `times`)."""

    arrow = pa.string()
    json = str
    null = None

    def fast(self, values: Sequence[str]) -> tuple[pa.Array, int]:
        column = pa.array(values, self.arrow)
        lengths = pc.min_max(pc.binary_length(column))
        if (lengths["min"].as_py(), lengths["max"].as_py()) == (19, 19):
            clocks = column.cast(pa.timestamp("s"))
        else:
            clocks = times.clocks(column)[0].cast(pa.timestamp("s"), safe=False)
        seconds = pc.min_max(clocks.cast(pa.int64()))
        if values and (seconds["min"].as_py() < _EARLIEST or seconds["max"].as_py() >= _LATEST):
            raise FastPathMiss
        return column, len(values)

    def strict(self, value: Any) -> str | None:
        if not isinstance(value, str):
            raise ValueError("is not a time like 2024-12-04 06:25:36")
        taken = str(trimmed(value))
        if taken and not 1970 <= times.read(taken).year <= 9998:
            raise ValueError("lies outside the years 1970 to 9998")
        return taken or None


INTEGER, TEXT, KEY, AMOUNT, FLAG, STAMP = Integer(), Text(), Key(), Money(), Flag(), Stamp()


@dataclass(frozen=True)
class Field:
    """One documented field: its name in the vendor's JSON (and in the table), its kind, whether a row needs it."""

    name: str
    kind: FieldType
    required: bool = False


class PageDecoder:
    """Decodes pages whose rows stand under one key of an object.

    `beside` names the other keys of the envelope that a page of the document has; a page with others is
    right too, only slower. `check` sees the values of a strictly parsed row and may refuse it with a
    ValueError; `check_table` is the same rule for a whole table, true where every row keeps it.
    """

    def __init__(
        self,
        fields: Sequence[Field],
        *,
        rows: str,
        beside: Sequence[str],
        check: Callable[[Mapping[str, Any]], None],
        check_table: Callable[[pa.Table], bool],
    ) -> None:
        self.fields = fields
        self.rows = rows
        self.beside = beside
        self.check = check
        self.check_table = check_table
        self.schema = pa.schema([*((f.name, f.kind.arrow) for f in fields), ("extra", pa.string())])
        row = msgspec.defstruct(
            "Row",
            [(f.name, f.kind.json) if f.required else (f.name, f.kind.json, UNSET) for f in fields],
            kw_only=True,
            forbid_unknown_fields=True,
            gc=False,
        )
        page = msgspec.defstruct(
            "Page",
            [(rows, list[row] | dict[str, row]), *((name, msgspec.Raw) for name in beside)],  # type: ignore[valid-type]
            forbid_unknown_fields=True,
            gc=False,
        )
        self._page = msgspec.json.Decoder(page)

    def decode(self, body: bytes) -> Decoded:
        """One page; InvalidResponseError where something is wrong outside its rows, or the page speaks of an error."""
        try:
            decoded = self._fast(body)
        except (
            FastPathMiss,
            ValueError,
            TypeError,
            ArithmeticError,
            KeyError,
            msgspec.DecodeError,
            pa.ArrowException,
        ):
            decoded = self._strict(body)
        refuse_error(decoded.envelope)
        return decoded

    def _fast(self, body: bytes) -> Decoded:
        text = np.frombuffer(body, np.uint8)
        if np.any(text == ord("\\")) and any(escape in body for escape in _CONTROL_ESCAPES):
            raise FastPathMiss
        page = self._page.decode(body)
        rows, numbers = _listed(getattr(page, self.rows))
        # By column; a page without rows has no tuple to turn.
        values = list(zip(*map(astuple, rows), strict=True)) or [()] * len(self.fields)
        keys, strings, columns = len(rows) * len(self.fields) + numbers, 0, []
        for declared, column_values in zip(self.fields, values, strict=True):
            column, absent, texts = _column(declared, column_values)
            keys, strings = keys - absent, strings + texts
            columns.append(column)
        envelope = [bytes(getattr(page, name)) for name in self.beside]
        # Every key and every string costs two quotes; an escaped quote only adds. So where the count is met,
        # no key stands twice, in any row or beside them.
        quotes = 2 * (keys + strings + 1 + len(envelope)) + sum(part.count(b'"') for part in envelope)
        if np.count_nonzero(text == ord('"')) != quotes:
            raise FastPathMiss
        table = pa.table([*columns, pa.nulls(len(rows), pa.string())], schema=self.schema)
        if not self.check_table(table):
            raise FastPathMiss
        return Decoded({n: loads(part) for n, part in zip(self.beside, envelope, strict=True)}, table)

    def _strict(self, body: bytes) -> Decoded:
        tables: list[pa.Table] = []
        good: list[dict[str, Any]] = []
        rejected: list[Rejected] = []
        unknown: Counter[str] = Counter()

        def take(row: Row) -> None:
            try:
                values = self._row(row)
            except ValueError as reason:
                rejected.append(Rejected(row.raw, str(reason)))
                return
            note_names(unknown, values.pop("unknown"))
            good.append(values)
            if len(good) == STRICT_ROWS:
                tables.append(self._table(good))
                good.clear()

        envelope = self._envelope(body, take)
        table = pa.concat_tables([*tables, self._table(good)]).combine_chunks()
        return Decoded(envelope, table, rejected, unknown)

    def _table(self, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
        columns = [[values[name] for values in rows] for name in self.schema.names]
        arrays = [pa.array(c, t) for c, t in zip(columns, self.schema.types, strict=True)]
        return pa.table(arrays, schema=self.schema)

    def _envelope(self, body: bytes, take: Callable[[Row], None]) -> dict[str, Any]:
        """The page without its rows; where it has none, what it tells of an error comes before that."""
        try:
            return each_row(body, self.rows, take)
        except InvalidResponseError:
            refuse_error_in(body)
            raise

    def _row(self, row: Row) -> dict[str, Any]:
        if row.value is None:
            raise ValueError(row.fault)
        served = row.value
        folded = Counter(name.casefold() for name in served)
        for name in served:
            if folded[name.casefold()] > 1:
                key = quoted(name.casefold(), MOST_OF_NAME)
                raise ValueError(f"the key {key} stands twice, in different letters")
        altered: list[str] = []
        values = {f.name: self._value(f, served.get(f.name), altered) for f in self.fields}
        self.check(values)
        unknown = [name for name in served if name not in values]
        # An empty list or object that stood for nothing is no news, yet it is kept.
        emptied = [name for name in values if values[name] is None and is_nothing(served.get(name))]
        extra = {name: served[name] for name in (*unknown, *emptied, *altered)}
        told = [*unknown, *map(not_as_it_came, altered)]
        return {**values, "extra": dumps(extra) if extra else None, "unknown": told}

    def _value(self, declared: Field, value: Any, altered: list[str]) -> Any:
        # A flag decides what a row is: an empty list is no answer to it.
        read = declared.kind.strict if isinstance(declared.kind, Flag) else partial(taken_of, declared.kind)
        try:
            taken = read(value)
        except AlteredError as reason:
            taken = reason.taken
            altered.append(declared.name)
        except ValueError as reason:
            raise ValueError(f"{declared.name} {reason}") from None
        if taken is None and declared.required:
            raise ValueError(f"{declared.name} is missing")
        return taken


def _listed(rows: Any) -> tuple[list[Any], int]:
    """The rows of a page, and how many keys they stand under: none, or, in an object, a number each."""
    if isinstance(rows, list):
        return rows, 0
    if not rows or not all(map(is_number_key, rows)):
        raise FastPathMiss
    return list(rows.values()), len(rows)


def _column(declared: Field, values: Sequence[Any]) -> tuple[pa.Array, int, int]:
    """The column, how many rows lack the key, how many values were JSON strings."""
    # A field that a vendor has not is lacking in every row.
    if values[:1] == (UNSET,) and values.count(UNSET) == len(values) and not isinstance(declared.kind, Flag):
        return pa.nulls(len(values), declared.kind.arrow), len(values), 0
    try:
        column, strings = declared.kind.fast(values)
        absent = values.count(UNSET) if isinstance(declared.kind, Flag) else 0
    except (TypeError, pa.ArrowException):
        # Nothing but a missing key is mended here: it costs a second look at the column, and few have one.
        given = [declared.kind.null if value is UNSET else value for value in values]
        column, strings = declared.kind.fast(given)
        absent = values.count(UNSET)
    if declared.required and column.null_count:
        raise FastPathMiss
    return column, absent, strings

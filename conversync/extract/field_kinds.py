"""The kinds of fields: how one JSON value becomes one value of an Arrow column, fast for a page, strict for a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import UNSET, UnsetType

from conversync.extract import times
from conversync.extract.values import as_it_is, exact, is_blank, number, text, trimmed, whole

MONEY = pa.decimal128(18, 6)
_DOUBT, _REST = 2.0**-51, 2.0**-50
# The seconds of 1970-01-01 and 9999-01-01.
_EARLIEST, _LATEST = 0, 253_370_764_800
# So many characters stay of a text in a row that is too long (see `page_decoder.MOST_OF_ROW`).
SHORT = 200


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

    def fast(self, values: Sequence[object]) -> tuple[pa.Array, int]:
        """The column, and how many of the values were JSON strings; raises where in doubt."""

    def strict(self, value: object) -> Any:
        """The value for the column, None for none; raises ValueError with the words that follow the field's name."""


class Integer:
    """A 64-bit id: a whole number, or a string that holds nothing but one; a blank text is none."""

    arrow = pa.int64()
    json = int
    null = None

    def fast(self, values: Sequence[int]) -> tuple[pa.Array, int]:
        return pa.array(values, self.arrow), 0

    def strict(self, value: object) -> int | None:
        return None if is_blank(value) else whole(value)


class Text:
    """Text; a bare number becomes its digits. What cannot be stored of it is replaced (`values.text`)."""

    arrow = pa.string()
    json = str | None | UnsetType
    null = None
    short: int | None = SHORT
    """So many characters stay of it in a row that is too long; without this, such a row is refused."""

    def fast(self, values: Sequence[str | None]) -> tuple[pa.Array, int]:
        column = pa.array(values, self.arrow)
        return column, len(values) - column.null_count

    def strict(self, value: object) -> str:
        return text(value)


class Key(Text):
    """Text that tells one thing from another: where it cannot be stored, it is refused. Two must not become one."""

    short = None

    def strict(self, value: object) -> str:
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

    def fast(self, values: Sequence[object]) -> tuple[pa.Array, int]:
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

    def strict(self, value: object) -> Decimal | None:
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

    def fast(self, values: Sequence[object]) -> tuple[pa.Array, int]:
        column = pa.array([self._fast[value] for value in values], self.arrow)
        return column, sum(isinstance(value, str) for value in values) if str in set(map(type, values)) else 0

    def strict(self, value: object) -> bool:
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

    def strict(self, value: object) -> str | None:
        if not isinstance(value, str):
            raise ValueError("is not a time like 2024-12-04 06:25:36")
        taken = str(trimmed(value))
        if taken and not 1970 <= times.read(taken).year <= 9998:
            raise ValueError("lies outside the years 1970 to 9998")
        return taken or None


INTEGER, TEXT, KEY, AMOUNT, FLAG, STAMP = Integer(), Text(), Key(), Money(), Flag(), Stamp()

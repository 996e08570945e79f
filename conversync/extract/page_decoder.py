"""A page of JSON objects becomes one typed Arrow table, plus the rows that had to be set aside.

A source declares its `Field`s once. A page is decoded on a fast path that accepts only what is plainly
right; whatever it doubts is parsed again the strict slow way, row by row, so that one bad row costs that
row and never its page. Both paths end in the same columns, and accept the same rows with the same values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import UNSET
from msgspec.structs import astuple

from conversync.errors import InvalidResponseError
from conversync.extract import persons
from conversync.extract.decoded import MOST_OF_NAME, Decoded, Rejected, not_as_it_came, not_whole, note_names
from conversync.extract.field_kinds import SHORT, FastPathMiss, FieldType, Flag
from conversync.extract.stored_json import dumps as dumps
from conversync.extract.values import AlteredError, is_nothing, taken_of
from conversync.http.body_status import refuse_error, refuse_error_in
from conversync.http.redact import quoted
from conversync.http.strictjson import Row, each_row, is_number_key, loads

if TYPE_CHECKING:
    import numpy.typing as npt

    from conversync.extract.declared import Column

# How what `values.text` replaces may look in JSON that msgspec takes: a page with it is parsed the strict way.
_CONTROL_ESCAPES = (b"\\u0000", b"\\u001")
# Rows of a page that are parsed the strict way and become Arrow together, and the characters that they came in: as
# Python's values they take ten times more.
STRICT_ROWS, STRICT_CHARACTERS = 5_000, 1024 * 1024
# Bytes of all texts of one row: a database takes two thousand rows at a time, several times over. In a longer row,
# what no document knows is left out, and texts are cut (see `kinds.SHORT`).
MOST_OF_ROW = 8_192
# A body from this size on is looked at for that before any row of it is built.
FAT = 2 * 1024 * 1024
# Bytes that are compared at a time: room that is taken anew for each page costs more than what is done in it.
COMPARED = 64 * 1024


@dataclass(frozen=True)
class Field:
    """One documented field: its name in the vendor's JSON (and in the table), its kind, whether a row needs it."""

    name: str
    kind: FieldType
    required: bool = False
    person: persons.Role = ""


def fields_of(columns: Iterable[Column]) -> list[Field]:
    """How these columns of a table, which are the vendor's fields, are decoded."""
    return [
        Field(one.json or one.name, cast("FieldType", one.kind), one.required, one.person) for one in columns
    ]


class PageDecoder:
    """Decodes pages whose rows stand under one key of an object.

    `beside` names the other keys of the envelope that a page of the document has; a page with others is
    right too, only slower. `check` sees the values of a strictly parsed row and may refuse it with a
    ValueError; `check_table` is the same rule for a whole table, true where every row keeps it. `ids` is what is kept
    of users' ids. Who was forgotten is known to it as the thread that makes it knows (`persons.heeded`).
    """

    def __init__(
        self,
        fields: Sequence[Field],
        *,
        rows: str,
        beside: Sequence[str],
        check: Callable[[Mapping[str, Any]], None],
        check_table: Callable[[pa.Table], bool],
        ids: persons.Ids = persons.RAW,
    ) -> None:
        self._guard = persons.Guard(fields, ids)
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
            RecursionError,
            msgspec.DecodeError,
            pa.ArrowException,
        ):
            decoded = self._strict(body)
        refuse_error(decoded.envelope)
        return self._guard.applied(decoded)

    def _fast(self, body: bytes) -> Decoded:
        text = _plain(body)
        page = self._page.decode(body)
        rows, numbers = _listed(getattr(page, self.rows))
        values = list(chain.from_iterable(map(astuple, rows)))
        keys, strings, columns = len(rows) * len(self.fields) + numbers, 0, []
        for number, declared in enumerate(self.fields):
            column, absent, texts = _column(declared, values[number :: len(self.fields)])
            keys, strings = keys - absent, strings + texts
            columns.append(column)
        envelope = [bytes(getattr(page, name)) for name in self.beside]
        # Every key and every string costs two quotes; an escaped quote only adds. So where the count is met,
        # no key stands twice, in any row or beside them.
        quotes = 2 * (keys + strings + 1 + len(envelope)) + sum(part.count(b'"') for part in envelope)
        if _count(text, '"') != quotes:
            raise FastPathMiss
        table = pa.table([*columns, pa.nulls(len(rows), pa.string())], schema=self.schema)
        if _longest_row(table) > MOST_OF_ROW or not self.check_table(table):
            raise FastPathMiss
        return Decoded({n: loads(part) for n, part in zip(self.beside, envelope, strict=True)}, table)

    def _strict(self, body: bytes) -> Decoded:
        tables: list[pa.Table] = []
        good: list[dict[str, Any]] = []
        rejected: list[Rejected] = []
        unknown: Counter[str] = Counter()
        held = 0

        def take(row: Row) -> None:
            nonlocal held
            try:
                values = self._row(row)
            except ValueError as reason:
                rejected.append(Rejected(row.raw, str(reason)))
                return
            note_names(unknown, values.pop("unknown"))
            good.append(values)
            held += len(row.raw)
            if len(good) == STRICT_ROWS or held > STRICT_CHARACTERS:
                tables.append(self._table(good))
                good.clear()
                held = 0

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
        _refuse_double_keys(served)
        altered: list[str] = []
        values = {f.name: self._value(f, served.get(f.name), altered) for f in self.fields}
        self.check(values)
        unknown = [name for name in served if name not in values]
        # An empty list or object that stood for nothing is no news, yet it is kept.
        emptied = [name for name in values if values[name] is None and is_nothing(served.get(name))]
        extra = {name: served[name] for name in (*unknown, *emptied, *altered)}
        return self._held(row.raw, values, extra, unknown, altered)

    def _held(
        self,
        raw: str,
        values: Mapping[str, Any],
        extra: Mapping[str, Any],
        unknown: Sequence[str],
        altered: Sequence[str],
    ) -> dict[str, Any]:
        """The row as the table has it: with what stands in no column, or, where it is too long, cut and without."""
        texts = sum(map(_bytes, values.values()))
        if texts <= MOST_OF_ROW and not (extra and _bytes(raw) > MOST_OF_ROW):
            kept = dumps(extra) if extra else None
            if texts + _bytes(kept) <= 2 * MOST_OF_ROW:
                return {**values, "extra": kept, "unknown": [*unknown, *map(not_as_it_came, altered)]}
        cut = self._cut(values) if texts > MOST_OF_ROW else {}
        told = [not_whole(name) for name in dict.fromkeys([*unknown, *altered, *cut])]
        return {**values, **cut, "extra": None, "unknown": told}

    def _cut(self, values: Mapping[str, Any]) -> dict[str, str | None]:
        """The texts of a long row that are cut, as they are then; ValueError where one tells one thing from another."""
        cut: dict[str, str | None] = {}
        for field in self.fields:
            value, most = values[field.name], getattr(field.kind, "short", None)
            if not isinstance(value, str) or len(value) <= SHORT:
                continue
            if most is None:
                raise ValueError(
                    f"{field.name} has {len(value):,} characters, in a row of more than {MOST_OF_ROW:,}"
                )
            cut[field.name] = value[:most] or None
        return cut

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


def _plain(body: bytes) -> npt.NDArray[np.uint8]:
    """The bytes of a page; FastPathMiss where its rows are too long on the whole, or may hold what is replaced."""
    if len(body) > FAT and body.count(b"{") * MOST_OF_ROW < len(body):
        # All of them would be in memory together.
        raise FastPathMiss
    text = np.frombuffer(body, np.uint8)
    if b"\\" in body and any(escape in body for escape in _CONTROL_ESCAPES):
        raise FastPathMiss
    return text


def _count(text: npt.NDArray[np.uint8], sign: str) -> int:
    """How often an ASCII sign stands in a page: part by part, for what is compared takes as much room as the page."""
    parts = range(0, len(text), COMPARED)
    return sum(int(np.count_nonzero(text[at : at + COMPARED] == ord(sign))) for at in parts)


def _refuse_double_keys(served: Mapping[str, Any]) -> None:
    """ValueError where two keys differ in the case of their letters alone."""
    folded = Counter(name.casefold() for name in served)
    if len(folded) < len(served):
        [(name, _)] = folded.most_common(1)
        raise ValueError(f"the key {quoted(name, MOST_OF_NAME)} stands twice, in different letters")


def _longest_row(table: pa.Table) -> int:
    """No row's texts have more bytes together."""
    texts = [column for column in table.columns if pa.types.is_string(column.type)]
    return sum(pc.max(pc.binary_length(column)).as_py() or 0 for column in texts)


def _bytes(value: Any) -> int:
    """Of a text; none of anything else."""
    if not isinstance(value, str):
        return 0
    return len(value) if value.isascii() else len(value.encode())


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
    if values[:1] == [UNSET] and values.count(UNSET) == len(values) and not isinstance(declared.kind, Flag):
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

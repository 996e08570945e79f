"""Who was forgotten, and what is kept of users' ids: applied to each page as soon as it is decoded.

A person who was forgotten (`conversync forget`) is known by tombstones alone: fingerprints of ids under a secret key.
So a row that the vendor serves again is cleared before it is compared with the one that is held, which was cleared in
the same way: nothing differs. The money of a row is never touched.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from conversync.extract.decoded import Decoded, Rejected
from conversync.extract.stored_json import dumps

if TYPE_CHECKING:
    from conversync.types import Document, Row

# What a column is to a person: it names one; or it is text, in which an id may stand.
Role = Literal["", "id", "text"]
ID: Role = "id"
TEXT: Role = "text"
# What becomes of an id on its way into the tables: it stays; a keyed fingerprint stands for it; nothing does.
Mode = Literal["raw", "hmac", "drop"]
MODES: tuple[Mode, ...] = ("raw", "hmac", "drop")
# Shorter ids are looked for as whole values alone: within a text they would be found in everybody's.
SHORTEST_WITHIN = 4
# And shorter ones than this as words alone.
SHORTEST_GLUED = 8
# Hexadecimal digits of a fingerprint.
DIGITS = 32
# What stays of a row that was set aside: its ids and times, by which it is known again; and of fields that no document
# knows, what says in which currency its amounts are.
_KEPT = re.compile(r"(^|_)(id|date|time|datetime|day)$")
_CURRENCY, LONGEST_CURRENCY = "currency", 8
_STARTS = re.compile(r"(?<!\w)\w|[^\w\s]")


def folded(person: str) -> str:
    """An id in the form in which it is compared: ids ignore case."""
    return person.strip().casefold()


def fingerprint(key: bytes, what: str, text: str) -> str:
    """32 hexadecimal digits (HMAC-SHA256) that only who has the key can work out; `what` keeps uses apart."""
    return hmac.digest(key, f"conversync {what}\0{text}".encode("utf-8", "backslashreplace"), "sha256").hex()[
        :DIGITS
    ]


@dataclass(frozen=True)
class Persons:
    """Those who were forgotten: by their tombstones, with the lengths of the ids, in characters once folded."""

    key: bytes = b""
    tombstones: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, key: bytes, ids: Iterable[str]) -> Persons:
        """Those of these ids."""
        names = map(folded, ids)
        return cls(key, {fingerprint(key, "tombstone", name): len(name) for name in names if name})

    def __bool__(self) -> bool:
        return bool(self.tombstones)

    @cached_property
    def _lengths(self) -> frozenset[int]:
        return frozenset(self.tombstones.values())

    @cached_property
    def _within(self) -> frozenset[int]:
        return frozenset(length for length in self._lengths if length >= SHORTEST_WITHIN)

    def is_one(self, value: object) -> bool:
        """Whether a value is the id of one of them."""
        name = folded(str(value))
        return len(name) in self._lengths and self._has(name)

    def holds(self, text: object) -> bool:
        """Whether a value is the id of one of them, or holds it between signs that are part of no word."""
        whole = str(text).casefold()
        if self.is_one(whole):
            return True
        if len(whole) <= min(self._within, default=len(whole)) or whole.isalnum():
            return False
        starts = [match.start() for match in _STARTS.finditer(whole)]
        return any(
            self._has(whole[start : start + length])
            for start in starts
            for length in self._within
            if _ends(whole, start + length)
        )

    def in_json(self, text: str) -> bool:
        """Whether a JSON text holds one of them, however it is written there."""
        return self.holds(text) or any(self.holds(one) for one in _texts(_parsed(text)))

    def anywhere(self, text: str) -> bool:
        """The same, also within a longer word, where the id is no short one: for rows that make no sense anyway."""
        whole = text.casefold()
        return self.in_json(text) or any(
            self._has(whole[start : start + length])
            for length in self._within
            if length >= SHORTEST_GLUED
            for start in range(len(whole) - length + 1)
        )

    def _has(self, name: str) -> bool:
        return fingerprint(self.key, "tombstone", name) in self.tombstones


def _ends(text: str, end: int) -> bool:
    """Whether a word, or what is part of none, ends there."""
    if end >= len(text):
        return end == len(text)
    return not (_is_word(text[end - 1]) and _is_word(text[end]))


def _is_word(sign: str) -> bool:
    return sign.isalnum() or sign == "_"


@dataclass(frozen=True)
class Ids:
    """What is kept of users' ids."""

    mode: Mode = "raw"
    key: bytes = field(default=b"", repr=False)

    def shown(self, person: object) -> str | None:
        """What stands for an id."""
        if self.mode == "raw":
            return str(person)
        return fingerprint(self.key, "user", folded(str(person))) if self.mode == "hmac" else None


RAW = Ids()
_known: ContextVar[Persons | None] = ContextVar("persons", default=None)


def current() -> Persons:
    """Those who were forgotten in the warehouse that is loaded by this thread."""
    return _known.get() or Persons()


@contextmanager
def heeded(persons: Persons) -> Iterator[None]:
    """What this thread reads meanwhile brings none of them back."""
    token = _known.set(persons)
    try:
        yield
    finally:
        _known.reset(token)


class Declared(Protocol):
    """A documented field, as far as it matters here (see `page_decoder.Field`)."""

    @property
    def name(self) -> str: ...

    @property
    def person(self) -> Role: ...


class Guard:
    """What a decoder does with its pages: for those who were forgotten when it was made, and with users' ids."""

    def __init__(self, fields: Collection[Declared], ids: Ids) -> None:
        self._persons, self._ids = current(), ids
        self._names = {one.name for one in fields}
        self._own = [one.name for one in fields if one.person == ID]
        self._texts = [*(one.name for one in fields if one.person == TEXT)]

    def applied(self, decoded: Decoded) -> Decoded:
        """The page, with as many rows as it came with."""
        if not self._persons and self._ids.mode == "raw":
            return decoded
        table, rejected = decoded.table, decoded.rejected
        if self._persons:
            table = self._cleared(table)
            rejected = [self._without(one) for one in rejected]
        if self._ids.mode != "raw":
            table = self._named(table)
            rejected = [
                Rejected(self._renamed(one.raw), one.reason) if not one.of else one for one in rejected
            ]
        return replace(decoded, table=table, rejected=rejected)

    def _cleared(self, table: pa.Table) -> pa.Table:
        """A row that names one of them is cleared of all that is personal; a text that holds one, alone."""
        theirs = [self._is_in(table[name], self._persons.holds) for name in self._own]
        row = theirs[0] if theirs else None
        for more in theirs[1:]:
            row = pc.or_(row, more)
        for name in (*self._own, *self._texts, "extra"):
            cells = row if name in self._own else self._is_in(table[name], self._persons.in_json)
            cells = cells if row is None or name in self._own else pc.or_(cells, row)
            if cells is not None and pc.any(cells).as_py():
                table = _with(table, name, self._emptied(table[name], cells, name))
        return table

    def _is_in(self, column: pa.ChunkedArray, holds: Any) -> pa.ChunkedArray:
        """Where a column's values are so; each distinct one is looked at once."""
        found = [value for value in pc.unique(column).to_pylist() if value is not None and holds(value)]
        return pc.is_in(column, value_set=pa.array(found, column.type))

    def _emptied(self, column: pa.ChunkedArray, cells: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
        if name != "extra":
            return pc.if_else(cells, pa.scalar(None, column.type), column)
        values = zip(column.to_pylist(), cells.to_pylist(), strict=True)
        return pa.chunked_array(
            [[rest(value) if is_theirs else value for value, is_theirs in values]], column.type
        )

    def _without(self, rejected: Rejected) -> Rejected:
        if not self._persons.anywhere(rejected.raw):
            return rejected
        names = self._names - {*self._own, *self._texts}
        return Rejected(remainder(rejected.raw, names, self._persons), rejected.reason, of=rejected.raw_hash)

    def _named(self, table: pa.Table) -> pa.Table:
        """With what stands for the ids; what did not come as it is stored goes from `extra`."""
        for name in self._own:
            column = table[name]
            distinct = pc.unique(column)
            shown = [None if one is None else self._ids.shown(one) for one in distinct.to_pylist()]
            places = pc.index_in(column, value_set=distinct)
            table = _with(table, name, pa.array(shown, column.type).take(places.combine_chunks()))
        extra = table["extra"].to_pylist() if table["extra"].null_count < table.num_rows else []
        if any(extra):
            table = _with(
                table, "extra", pa.array([one and self._unnamed(one) for one in extra], pa.string())
            )
        return table

    def _unnamed(self, extra: str) -> str | None:
        served = _parsed(extra)
        left = {name: value for name, value in served.items() if name.casefold() not in self._own}
        if len(left) == len(served):
            return extra
        return dumps(left) if left else None

    def _renamed(self, raw: str) -> str:
        """A row as it came, with what stands for its id wherever that stood."""
        served = _parsed(raw)
        if not isinstance(served, dict):
            names = "|".join(map(re.escape, self._own))
            value = r'("(?:[^"\\]|\\.)*(?:"|$)|[^,}\]\s]+)'
            return re.sub(rf'("(?:{names})"\s*:\s*){value}', r"\1null", raw, flags=re.IGNORECASE)
        own = {name: value for name, value in served.items() if name.casefold() in self._own}
        left = _masked({name: value for name, value in served.items() if name not in own}, own.values())
        return _dumped({**left, **{name: self._stands_for(value) for name, value in own.items()}})

    def _stands_for(self, value: object) -> str | None:
        return None if value in (None, "") else self._ids.shown(value)


def _masked(fields: Document, ids: Iterable[object]) -> Document:
    """The fields without these ids, whatever text they stand in."""
    text = _dumped(fields)
    for one in sorted(map(str, ids), key=len, reverse=True):
        if len(one) >= SHORTEST_WITHIN:
            escaped = re.escape(json.dumps(one, ensure_ascii=False)[1:-1])
            text = re.sub(escaped, "***", text, flags=re.IGNORECASE)
    found = _parsed(text)
    return found if isinstance(found, dict) else {}


def rest(extra: str | None) -> str | None:
    """Of fields that no document knows, what says in which currency the amounts are; None for nothing.

    Without it, money would be added up across currencies.
    """
    fields = _parsed(extra) if extra else None
    if not isinstance(fields, dict):
        return None
    left = {
        name: value
        for name, value in fields.items()
        if _CURRENCY in name.casefold() and isinstance(value, str) and len(value) <= LONGEST_CURRENCY
    }
    return dumps(left) if left else None


def remainder(raw: str, names: Collection[str], persons: Persons) -> str:
    """Of a row as it came, what it is known again by, as JSON: ids and times among `names`, which name no person."""
    served = _parsed(raw)
    fields: Row = served if isinstance(served, dict) else {}
    return _dumped(
        {
            name: value
            for name, value in fields.items()
            if name in names
            and _KEPT.search(name)
            and isinstance(value, str | int)
            and not persons.anywhere(str(value))
        }
    )


def _with(table: pa.Table, name: str, column: Any) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(place), column)


def _parsed(text: str) -> Any:
    """What a JSON text says; None where it is none."""
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


def _dumped(value: Document) -> str:
    try:
        return dumps(value)
    except ValueError:  # a number beyond 64 bits
        return "{}"


def _texts(value: object) -> Iterator[str]:
    """All texts within a value, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield name
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)

"""What stands of a person in the tables is found and cleared, row by row; money, keys and times stay as they are.

A statement's hash is worked out anew of what is left, as the next reading will do of the row that comes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from conversync.extract.persons import Persons, folded, remainder, rest
from conversync.extract.stored_json import dumps
from conversync.forget.places import Place
from conversync.types import Document, Row, SqlClient
from conversync.vendors import Vendor
from conversync.warehouse.query import rows

REMOVED = "removed"
# How a destination names a row, whatever its key is: as a column, and as what such a value is compared with.
_ROW = {"duckdb": ("rowid", "rowid = %s"), "postgres": ("cast(ctid as text)", "ctid = cast(%s as tid)")}


@dataclass(frozen=True)
class Sought:
    """The person: `persons` decides what is theirs; `words` are what the ids may look like in a text."""

    persons: Persons
    words: tuple[str, ...]

    @classmethod
    def of(cls, key: bytes, ids: Iterable[str]) -> Sought:
        """Of these ids, which are the person's."""
        named = list(ids)
        words = {word for one in named for word in _looks(one.strip())}
        return cls(Persons.of(key, named), tuple(sorted(words)))


def _looks(person: str) -> Iterator[str]:
    """In small letters, as a database makes them, and as JSON may escape them."""
    for one in (person.lower(), folded(person), person.upper().lower()):
        yield one
        yield json.dumps(one)[1:-1].lower()


def dialect_of(client: SqlClient) -> str:
    """`duckdb` or `postgres`."""
    return client.capabilities.sqlglot_dialect or "duckdb"


def found(
    client: SqlClient, place: Place, sought: Sought, names: Iterable[str]
) -> Iterator[tuple[object, Document]]:
    """The rows that may hold something, with what names each and the values of these columns."""
    row, _ = _ROW[dialect_of(client)]
    escaped = {name: client.escape_column_name(name) for name in [*names, *place.columns]}
    held = [f"position(%s in lower(cast({escaped[name]} as varchar))) > 0" for name in place.columns]
    conditions = " or ".join(one for one in held for _ in sought.words)
    values = [word for _ in held for word in sought.words]
    query = f"select {row}, {', '.join(escaped.values())} from {place.within(client)} where {conditions}"  # noqa: S608
    for which, *cells in rows(client, query, *values):
        yield which, dict(zip(escaped, cells, strict=True))


def changes(client: SqlClient, place: Place, sought: Sought) -> dict[object, Document]:
    """By row, the columns that change, with what stands there then."""
    vendor = place.vendor
    is_hashed = vendor is not None and not place.schema.endswith("_staging") and place.table in vendor.hashes
    names = _schema(vendor, place).names if vendor is not None and is_hashed else ()
    before, changed = dict[object, Document](), dict[object, Document]()
    for which, values in found(client, place, sought, names):
        if new := _cleared(values, place, sought.persons):
            before[which], changed[which] = values, new
    if vendor is not None and is_hashed and changed:
        _hash_anew(vendor, place, before, changed)
    return changed


def write(client: SqlClient, place: Place, changed: Mapping[object, Row]) -> None:
    """In a transaction of the caller's."""
    _, is_row = _ROW[dialect_of(client)]
    for which, values in changed.items():
        listed = ", ".join(f"{client.escape_column_name(name)} = %s" for name in values)
        client.execute_sql(
            f"update {place.within(client)} set {listed} where {is_row}",  # noqa: S608 - our own names
            *values.values(),
            which,
        )


def _cleared(values: Row, place: Place, persons: Persons) -> Document:
    """What of a row changes; nothing where it is somebody else's."""
    texts = {name: _text(values[name]) for name in place.columns if values[name] is not None}
    is_theirs = any(place.columns[name] == "id" and persons.holds(text) for name, text in texts.items())
    left = {
        name: _left(name, text, place, persons)
        for name, text in texts.items()
        if _goes(place.columns[name], text, persons, is_theirs=is_theirs)
    }
    return {name: value for name, value in left.items() if value != texts[name]}


def _goes(how: str, text: str, persons: Persons, *, is_theirs: bool) -> bool:
    """Whether a cell is cleared: of a row that is theirs, all but what is no vendor's; of another, what holds an id."""
    if is_theirs and how != "cell":
        return True
    return how != "id" and (persons.anywhere if how == "raw" else persons.in_json)(text)


def _left(name: str, text: str, place: Place, persons: Persons) -> str | None:
    """What stands there afterwards."""
    how = place.columns[name]
    if how == "extra":
        return rest(text)
    if how == "raw":
        return remainder(text, _served(place.vendor), persons)
    if how == "filters":
        return dumps({key: REMOVED if persons.holds(one) else one for key, one in json.loads(text).items()})
    return f"{REMOVED} {uuid.uuid4()}" if how == "cell" and name not in place.nullable else None


def _served(vendor: Vendor | None) -> set[str]:
    """The documented fields that name nobody."""
    tables = vendor.tables if vendor is not None else ()
    return {one.json or one.name for table in tables for one in table.columns if not one.person}


def _hash_anew(
    vendor: Vendor, place: Place, before: Mapping[object, Document], changed: Mapping[object, Document]
) -> None:
    """Where the hash is what it would be of the row that was held, it becomes that of the row that is left."""
    schema, hashes = _schema(vendor, place), vendor.hashes[place.table]

    def worked_out(held: Iterable[Row]) -> list[str]:
        listed = [
            {name: _plain(row.get(name), schema.field(name).type) for name in schema.names} for row in held
        ]
        return list(hashes(pa.Table.from_pylist(listed, schema=schema)).to_pylist())

    then = worked_out(before.values())
    now = worked_out({**before[which], **new} for which, new in changed.items())
    for (which, new), old, anew in zip(changed.items(), then, now, strict=True):
        if before[which]["statement_hash"] == old:
            new["statement_hash"] = anew


def _schema(vendor: Vendor, place: Place) -> pa.Schema:
    """The columns as the vendor declares them; none of them may be null any more than it says."""
    [table] = [one for one in vendor.tables if one.name == place.table and one.kept is not None]
    return pa.schema([pa.field(one.name, one.type) for one in table.schema])


def _plain(value: object, kind: pa.DataType) -> object:
    return _text(value) if pa.types.is_string(kind) and value is not None else value


def _text(value: object) -> str:
    """JSON as text, whichever of the two a destination gives back."""
    return dumps(value) if isinstance(value, dict | list) else str(value)

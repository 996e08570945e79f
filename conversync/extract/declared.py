"""A table declared once: columns, key, how it is kept, what is compared; what Arrow and dlt are told follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import pyarrow as pa

from conversync.extract import persons
from conversync.extract.columns import UTC_MICROSECONDS
from conversync.extract.field_kinds import MONEY as MONEY
from conversync.extract.fields import JSON as JSON

STRING, BIGINT, DOUBLE, BOOLEAN = pa.string(), pa.int64(), pa.float64(), pa.bool_()
DATE, INSTANT = pa.date32(), UTC_MICROSECONDS


_IN_SQL = {
    STRING: "varchar",
    BIGINT: "bigint",
    DATE: "date",
    INSTANT: "timestamp with time zone",
    MONEY: "numeric(18, 6)",
}


class Typed(Protocol):
    """A kind of field (see kinds.py), or whatever else becomes a column of one type."""

    @property
    def arrow(self) -> pa.DataType:
        """The column's Arrow type."""


# What dlt is told of a column or a table.
Hints = dict[str, Any]
# ... and what it hands on to who makes the table.
VARIES = "x-varies"


@dataclass(frozen=True)
class Column:
    """One column: its name, how its value is taken from the vendor's JSON or else its type, its sentence.

    `json` is the field's name, where it is another one. `required`: a row without it is set aside, or none of ours.
    """

    name: str
    kind: Typed | pa.DataType
    """A kind of field, or of a column that is worked out its Arrow type."""
    says: str = ""
    required: bool = False
    json: str | None = None
    nullable: bool | None = None
    """Whether the table may hold null there; None: where it is not required."""
    clears: bool = False
    """Set on a row that deletes what is held of its key, and is not stored."""
    varies: bool = False
    """Whether its texts hardly ever repeat: then DuckDB is told how to keep them, and need not look for what repeats.
    It goes without saying for a log's keys and hashes."""
    person: persons.Role = ""
    """`id`: its value names a person; `text`: an id may stand in it. See `conversync forget`."""

    @property
    def type(self) -> pa.DataType:
        """Its Arrow type."""
        return self.kind if isinstance(self.kind, pa.DataType) else self.kind.arrow

    @property
    def is_json(self) -> bool:
        """Whether its text is JSON, and the destination keeps it as such."""
        return bool(getattr(self.kind, "is_json", False))

    @property
    def hint(self) -> Hints:
        """What dlt is told of it besides its type."""
        if self.clears:
            return {"hard_delete": True}
        hint: Hints = {"data_type": "json"} if self.is_json else {}
        return {**hint, VARIES: True} if self.varies else hint

    @property
    def field(self) -> pa.Field:
        """As Arrow's."""
        return pa.field(
            self.name, self.type, nullable=not self.required if self.nullable is None else self.nullable
        )


# What a column may be to a person (`Column.person`).
ID, NOTE = persons.ID, persons.TEXT
# What a vendor's document does not know, and what dlt writes into every row.
EXTRA = Column("extra", JSON, "Fields that we do not know, as JSON text.", person=NOTE)
# Evidence, and no part of a statement: a reading that finds it elsewhere states nothing else.
PAGE = Column(
    "_page",
    BIGINT,
    "The page of the vendor's listing on which the statement was first read; null where an earlier version read it.",
)
LOAD_ID = Column(
    "_dlt_load_id",
    STRING,
    "The load that wrote the row; _dlt_loads says when, and whether it was whole.",
    required=True,
)


@dataclass(frozen=True)
class Kept:
    """How rows that come meet those that are held, as dlt has it; `by` names the hint that the key is for it."""

    disposition: Any
    by: str = ""
    is_frozen: bool = True
    """Whether a column of another type than the table's is refused."""


def _merge(strategy: str, **more: object) -> Hints:
    return {"disposition": "merge", "strategy": strategy, **more}


_SCD2 = _merge(
    "scd2", row_version_column_name="statement_hash", validity_column_names=["valid_from", "valid_to"]
)
# A log of statements about the events of the key: another one closes the one before. dlt fills in valid_from and
# valid_to; they are declared, and come empty, so that it need not write every file a second time.
STATEMENTS = Kept(_SCD2, "merge_key")
# The same of what we found out ourselves: no statement of the vendor's, and no load is judged by it.
FINDINGS = Kept(_SCD2, "merge_key", is_frozen=False)
# The same of a list that comes whole: one that is absent is closed, too.
VERSIONS = Kept(_SCD2)
# A list that comes whole: what left the vendor's leaves the table, in one transaction with what came.
WHOLE_LIST = Kept(_merge("cdc"), "primary_key")
# The row of a key is replaced whole.
REPLACED = Kept(_merge("delete-insert", deduplicated=True), "primary_key")
# The days that come are replaced whole.
WHOLE_DAYS = Kept(_merge("delete-insert"), "merge_key")
# The first row of a key stays.
INSERTED = Kept(_merge("insert-only"), "primary_key")
# What is known of a key may gain columns, and kinds of them: replaced, updated, added.
MERGED = Kept(_merge("delete-insert"), "primary_key", is_frozen=False)
UPSERTED = Kept(_merge("upsert"), "primary_key", is_frozen=False)
APPENDED = Kept("append", is_frozen=False)


@dataclass(frozen=True)
class Staged:
    """How dbt's staging shows a table: its sentence there, where it is another one; what is unique and never null."""

    says: str = ""
    unique: str = ""
    whole_loads: bool = False
    """Whether rows count only if their load was committed whole."""


@dataclass(frozen=True)
class Table:
    """A table, or a view if nothing says how it is kept."""

    name: str
    says: str
    columns: Sequence[Column]
    kept: Kept | None = None
    key: tuple[str, ...] = ()
    day: str | None = None
    """The column that dates a row, where the table is read by day."""
    reversal: str | None = None
    """The SQL condition that tells a reversal among statements; None: there are none."""
    lasting: tuple[str, ...] = ()
    """The columns of which no restatement changes all: else two events have one key, and that is told."""
    currency: str | None = None
    """The column of the amounts' currency; one that is empty counts as `untold`."""
    untold: str = ""
    is_compared: bool = False
    """Whether `verify` compares it, by its key: statements as they stand, without the columns that may be written
    otherwise and state the same; any other table by all its columns. `where` leaves rows out, on both sides."""
    compared_on: str | None = None
    """The column that dates a row for that, where it is not `day`."""
    where: str = "true"
    sums: tuple[str, ...] = ()
    """The amounts that it adds up, by the columns of `by` and the currency, as far as the table has them."""
    by: tuple[str, ...] = ()
    is_news: bool = True
    """Whether its rows count as new: not those that were not read, nor those that another table has, too."""
    staged: Staged | None = Staged()

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns as Arrow's, in the order in which they stand in the table."""
        return pa.schema([column.field for column in self.columns])

    @property
    def served(self) -> tuple[Column, ...]:
        """The columns that are the vendor's fields."""
        return tuple(
            one for one in self.columns if not isinstance(one.kind, pa.DataType) and one.name != EXTRA.name
        )

    def named(self, *names: str) -> tuple[Column, ...]:
        """These of the columns, in this order."""
        columns = {column.name: column for column in self.columns}
        return tuple(columns[name] for name in names)

    @property
    def said(self) -> Mapping[str, str]:
        """Each column's sentence."""
        return {column.name: column.says for column in self.columns if column.says}

    @property
    def definition(self) -> str:
        """The columns as SQL declares them, on DuckDB and PostgreSQL: for a table that we make, and dlt does not."""
        return ", ".join(
            f"{one.name} {_IN_SQL[one.type]}{' not null' if one.required else ''}" for one in self.columns
        )

    @property
    def keeps_statements(self) -> bool:
        """Whether earlier statements stay, closed."""
        return self.kept in (STATEMENTS, VERSIONS)

    @property
    def dated(self) -> str | None:
        """The column by whose days it is compared."""
        return self.compared_on or self.day

    @property
    def groups(self) -> tuple[str, ...]:
        """The columns by which amounts are added up."""
        return (*self.by, self.currency) if self.currency else self.by

    @property
    def hints(self) -> Hints:
        """What dlt is told of it."""
        if self.kept is None:
            raise ValueError(f"{self.name} is a view, which nothing is loaded into")
        hints: Hints = {"write_disposition": self.kept.disposition}
        if self.kept.by:
            key = [self.day] if self.kept is WHOLE_DAYS else list(self.key)
            hints[self.kept.by] = key[0] if len(key) == 1 else key
        if columns := {column.name: column.hint for column in self.columns if column.hint}:
            hints["columns"] = columns
        if self.kept.is_frozen:
            hints["schema_contract"] = {"data_type": "freeze"}
        return hints

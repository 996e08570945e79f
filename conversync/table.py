"""A table declared once: what the vendor's rows are decoded as, what stands in it, and what makes a new statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import cached_property
from typing import Any

import pyarrow as pa

from conversync.extract.columns import UTC_MICROSECONDS, digest
from conversync.extract.kinds import FieldType
from conversync.extract.page_decoder import Field, PageDecoder
from conversync.extract.times import moments

# What every table of statements has beside its own columns. dlt fills the last two in; they are declared, and empty,
# so that it need not write every file a second time.
_BEFORE = (pa.field("event_key", pa.string(), nullable=False),)
_AFTER = (
    pa.field("occurred_at", UTC_MICROSECONDS, nullable=False),
    pa.field("occurred_on", pa.date32(), nullable=False),
    pa.field("extra", pa.string()),
    pa.field("statement_hash", pa.string(), nullable=False),
    pa.field("valid_from", UTC_MICROSECONDS),
    pa.field("valid_to", UTC_MICROSECONDS),
)
_SAID = {
    "event_key": "Names the event.",
    "occurred_at": "When it happened, UTC.",
    "occurred_on": "The day on which it happened, in the vendor's zone.",
    "extra": "Fields that the vendor's document does not know, as JSON; null where there are none.",
    "statement_hash": "The fingerprint of what is stated.",
    "valid_from": "Since when this is what the vendor states, UTC: when we first read it.",
    "valid_to": "Until when it was; null while it stands.",
}


@dataclass(frozen=True)
class Column:
    """One field: its name in the table, how its value is taken, its sentence, and its name in the vendor's JSON."""

    name: str
    kind: FieldType
    says: str = ""
    required: bool = False
    json: str | None = None


@dataclass(frozen=True)
class Compared:
    """A table that `verify` compares: by its key, on the days of a column. `where` leaves rows out, on both sides.

    A table with a statement_hash is compared on what stands now, without the columns that may be written otherwise and
    state the same; any other by all its columns. Sums are of groups `by` these columns, as far as the table has them;
    one that is empty counts as `untold`.
    """

    table: str
    key: tuple[str, ...]
    day: str | None = None
    where: str = "true"
    sums: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    untold: str = ""


@dataclass(frozen=True)
class Events:
    """A log of statements about events: a statement is kept with the time at which it was first and last made.

    `key` names the column that names an event, `at` the one (of kind STAMP) that says when it happened. `reversal` is
    the SQL condition that tells a reversal (None: there are none), `sums` are the amounts, in `currency`. A row may be
    refused by `check`, with a ValueError; its message says why.
    """

    name: str
    columns: Sequence[Column]
    key: str
    at: str
    reversal: str | None = None
    sums: tuple[str, ...] = ()
    currency: str | None = None
    says: str = "What the vendor stated of each event, every statement with the time in which it stood."
    check: Callable[[Mapping[str, Any]], None] | None = None

    def __post_init__(self) -> None:
        """ValueError, for the vendor's author, where a name is none of the columns."""
        own = {one.name for one in self.columns}
        for what, names in (
            ("key", [self.key]),
            ("at", [self.at]),
            ("sums", self.sums),
            ("currency", [self.currency]),
        ):
            if unknown := {name for name in names if name is not None} - own:
                raise ValueError(
                    f"the table {self.name} has no column {', '.join(sorted(unknown))}, which is its {what}"
                )

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns as Arrow's, in the order in which they stand in the table."""
        own = [pa.field(one.name, one.kind.arrow, nullable=not one.required) for one in self.columns]
        return pa.schema([*_BEFORE, *own, *_AFTER])

    @property
    def stated(self) -> list[str]:
        """What a statement says: its own columns, with the instant for the text that tells it."""
        return [*(one.name for one in self.columns if one.name != self.at), "occurred_at"]

    @property
    def said(self) -> dict[str, str]:
        """Each column's sentence."""
        return {**_SAID, **{one.name: one.says for one in self.columns if one.says}}

    @property
    def compared(self) -> Compared:
        """What `verify` compares of it."""
        by = (self.currency,) if self.currency else ()
        return Compared(self.name, ("event_key",), "occurred_on", sums=self.sums, by=by)

    def decoder(self, rows: str, beside: Sequence[str]) -> PageDecoder:
        """Decodes pages whose rows stand under `rows`, beside the other keys of the envelope."""
        return PageDecoder(
            [Field(one.json or one.name, one.kind, one.required) for one in self.columns],
            rows=rows,
            beside=beside,
            check=self._refuse,
            check_table=lambda table: self.check is None or all(map(self._takes, table.to_pylist())),
        )

    def _refuse(self, values: Mapping[str, Any]) -> None:
        """ValueError for a decoded row that cannot be meant."""
        if self.check is not None:
            self.check({one.name: values[one.json or one.name] for one in self.columns})

    def _takes(self, values: Mapping[str, Any]) -> bool:
        try:
            self._refuse(values)
        except ValueError:
            return False
        return True

    def statements(self, rows: pa.Table, zone: tzinfo) -> pa.Table:
        """Decoded rows as `schema`; times without an offset are of `zone`."""
        rows = rows.rename_columns([*(one.name for one in self.columns), "extra"])
        occurred_at, local = moments(rows[self.at], zone)
        columns = {name: rows[name] for name in rows.column_names}
        columns |= {
            "event_key": rows[self.key].cast(pa.string()),
            "occurred_at": occurred_at,
            "occurred_on": local.cast(pa.date32()),
        }
        columns["valid_from"] = columns["valid_to"] = pa.nulls(rows.num_rows, UTC_MICROSECONDS)
        columns["statement_hash"] = digest(
            pa.table({name: columns[name] for name in self.stated}), self.stated
        )
        return pa.table([columns[name] for name in self.schema.names], schema=self.schema)

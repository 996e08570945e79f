"""A log of statements about events, declared once; and what every other table is declared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import cached_property

import pyarrow as pa

from conversync.extract.columns import UTC_MICROSECONDS, digest
from conversync.extract.declared import DATE, INSTANT, JSON, PAGE, STATEMENTS, STRING
from conversync.extract.declared import Column as Column
from conversync.extract.declared import Table as Table
from conversync.extract.page_decoder import PageDecoder, fields_of
from conversync.extract.times import moments
from conversync.types import Row

# What every table of statements has beside its own columns. dlt fills in in which time it stood; that is declared, and
# empty, so that it need not write every file a second time. The page is filled in where pages are read.
_BEFORE = (Column("event_key", STRING, "Names the event.", required=True),)
_AFTER = (
    Column("occurred_at", INSTANT, "When it happened, UTC.", required=True),
    Column("occurred_on", DATE, "The day on which it happened, in the vendor's zone.", required=True),
    Column(
        "extra", JSON, "Fields that the vendor's document does not know, as JSON; null where there are none."
    ),
    Column("statement_hash", STRING, "The fingerprint of what is stated.", required=True),
    Column("valid_from", INSTANT, "Since when this is what the vendor states, UTC: when we first read it."),
    Column("valid_to", INSTANT, "Until when it was; null while it stands."),
    PAGE,
)


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
    check: Callable[[Row], None] | None = None

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
    def table(self) -> Table:
        """All that is declared of it."""
        return Table(
            self.name,
            self.says,
            (*_BEFORE, *self.columns, *_AFTER),
            STATEMENTS,
            ("event_key",),
            day="occurred_on",
            reversal=self.reversal,
            currency=self.currency,
            is_compared=True,
            sums=self.sums,
        )

    @property
    def stated(self) -> list[str]:
        """What a statement says: its own columns, with the instant for the text that tells it."""
        return [*(one.name for one in self.columns if one.name != self.at), "occurred_at"]

    @property
    def traces(self) -> tuple[tuple[str], tuple[str]]:
        """Where a row of the vendor's tells its instant, and its id: as `Traces` takes them."""
        names = {one.name: one.json or one.name for one in self.columns}
        return (names[self.at],), (names[self.key],)

    def decoder(self, rows: str, beside: Sequence[str]) -> PageDecoder:
        """Decodes pages whose rows stand under `rows`, beside the other keys of the envelope."""
        return PageDecoder(
            fields_of(self.columns),
            rows=rows,
            beside=beside,
            check=self._refuse,
            check_table=lambda table: self.check is None or all(map(self._takes, table.to_pylist())),
        )

    def _refuse(self, values: Row) -> None:
        """ValueError for a decoded row that cannot be meant."""
        if self.check is not None:
            self.check({one.name: values[one.json or one.name] for one in self.columns})

    def _takes(self, values: Row) -> bool:
        try:
            self._refuse(values)
        except ValueError:
            return False
        return True

    def statements(self, rows: pa.Table, zone: tzinfo) -> pa.Table:
        """Decoded rows as the table has them; times without an offset are of `zone`."""
        rows = rows.rename_columns([*(one.name for one in self.columns), "extra"])
        occurred_at, local = moments(rows[self.at], zone)
        columns = {name: rows[name] for name in rows.column_names}
        columns |= {
            "event_key": rows[self.key].cast(pa.string()),
            "occurred_at": occurred_at,
            "occurred_on": local.cast(pa.date32()),
        }
        columns["valid_from"] = columns["valid_to"] = pa.nulls(rows.num_rows, UTC_MICROSECONDS)
        columns[PAGE.name] = pa.nulls(rows.num_rows, PAGE.type)
        columns["statement_hash"] = digest(
            pa.table({name: columns[name] for name in self.stated}), self.stated
        )
        schema = self.table.schema
        return pa.table([columns[name] for name in schema.names], schema=schema)

"""What a vendor's view said at any moment, and every change of it: made of the view's own SQL, the one rule.

The view is plain SQL over logs of statements. As of a moment it reads, in their place, what they held then. For the
changes it reads every transaction once for each moment at which anything of it changed, under a number of its own, so
that it works all of these states out at once, as if they were so many transactions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from conversync.extract.declared import BOOLEAN, DATE, INSTANT, MONEY, PAGE, STRING, Column, Staged, Table
from conversync.warehouse.views import with_tables

FOLDER = Path(__file__).parent / "sql"
AS_OF, REVENUE, CHANGES = "conversions_as_of", "revenue_as_of", "revenue_changes"


@dataclass(frozen=True)
class Log:
    """A table that the view reads, as a log: of each key the versions, and in which time each of them stood.

    `query` has its columns, and valid_from and valid_to. `events` is the column that names an event, `keys` are those
    that name a conversion. `is_view_a_log`: what the view reads holds earlier versions, too, or only what stands.
    `is_all` is SQL on a row: whether an open version tells all of its conversion as long as no log holds another row of
    it that does not, or that ended. There is at most one such open version of a conversion.
    """

    table: str
    query: str
    columns: Sequence[str]
    events: str
    keys: Sequence[str]
    is_view_a_log: bool = True
    is_all: str = "false"

    def as_of(self, moment: str) -> str:
        """What the table held at a moment, as a SELECT."""
        if not self.is_view_a_log:
            listed = ", ".join(self.columns)
            return f"select {listed} from ({self.query}) as versions where {_stood('versions', moment)}"  # noqa: S608 - our own words
        listed = ", ".join(_ended(name, "versions", moment) for name in self.columns)
        return f"select {listed} from ({self.query}) as versions where versions.valid_from <= {moment}"  # noqa: S608

    def at_all_moments(self, key: str, is_number: bool) -> str:
        """The same for every moment of each conversion, whose number stands for its key, as a SELECT."""
        values, joins = [], []
        for name in self.columns:
            if name in self.keys:
                place = "moments" if name == key else f"of_{name}"
                number = f"{place}.number" if is_number else f"cast({place}.number as varchar)"
                values.append(f"{number} as {name}")
                if name != key:
                    joins.append(
                        f" left join books_moments as {place} on {place}.conversion = versions.{name} "
                        f"and {place}.known_at = moments.known_at"
                    )
            elif name == self.events:
                values.append(f"versions.{name} || '@' || cast(moments.number as varchar) as {name}")
            else:
                values.append(
                    _ended(name, "versions", "moments.known_at") if self.is_view_a_log else f"versions.{name}"
                )
        stood = (
            "versions.valid_from <= moments.known_at"
            if self.is_view_a_log
            else _stood("versions", "moments.known_at")
        )
        return (
            f"select {', '.join(values)} from ({self.query}) as versions "  # noqa: S608 - our own words
            f"inner join books_moments as moments on moments.conversion = versions.{key} and {stood}{''.join(joins)}"
        )

    def moments(self, key: str) -> str:
        """When anything of a conversion of books_several changed: conversion, known_at."""
        return " union ".join(
            f"select several.conversion, versions.{name} as known_at from ({self.query}) as versions "  # noqa: S608
            f"inner join books_several as several on versions.{key} = several.conversion "
            f"where versions.{name} is not null"
            for name in ("valid_from", "valid_to")
        )

    def several(self, key: str) -> str:
        """The conversions of which this log holds more than the one version that tells all, some of them repeatedly."""
        return (
            f"select {key} as conversion from ({self.query}) as {self.table}_several "  # noqa: S608 - our own words
            f"where valid_to is not null or not coalesce({self.is_all}, false)"
        )

    def instants(self) -> str:
        """The moments of all changes, each of them for every row."""
        return " union all ".join(
            f"select {name} as known_at from ({self.query}) as {self.table}_{name} where {name} is not null"  # noqa: S608
            for name in ("valid_from", "valid_to")
        )

    def days(self) -> str:
        """The days on which any version says that a conversion was earned, if the log tells them."""
        return f"select occurred_on from ({self.query}) as {self.table}_days"  # noqa: S608 - our own words


def _ended(name: str, table: str, moment: str) -> str:
    """A column as it was then: what had not ended yet had no end."""
    if name != "valid_to":
        return f"{table}.{name}"
    return f"case when {table}.valid_to <= {moment} then {table}.valid_to end as valid_to"


def _stood(table: str, moment: str) -> str:
    return f"{table}.valid_from <= {moment} and ({table}.valid_to is null or {table}.valid_to > {moment})"


@dataclass(frozen=True)
class Books:
    """How a vendor's view `conversions` is read as books. Everything is SQL on a row of the view, in DuckDB's dialect.

    `key` names a conversion in the view and in the logs. `reversed_on` is the day by which the vendor dates what it
    took back, null where it does not; `zone` is that of its days. `links` is a SELECT of pairs (conversion, other) of
    conversions of which one stands for the other, if there are such. In the view, first_seen_at of a conversion that
    never changed is the valid_from of all that is held of it.
    """

    logs: Sequence[Log]
    key: str
    zone: str
    currency: str
    gross: str
    reversed: str
    reversed_on: str = "null"
    is_number: bool = False
    links: str | None = None

    def functions(self, view: str) -> dict[str, str]:
        """By name, the SELECTs over a `moment` that the vendor's dataset has beside its view."""
        then = with_tables(view, {log.table: log.as_of("cast(moment as timestamptz)") for log in self.logs})
        return {AS_OF: then, REVENUE: self._revenue(then)}

    def views(self, view: str) -> dict[str, str]:
        """The view of every change."""
        tables = {log.table: log.at_all_moments(self.key, self.is_number) for log in self.logs}
        dated = [log for log in self.logs if "occurred_on" in log.columns]
        return {
            CHANGES: _filled(
                CHANGES,
                states=self._revenue(with_tables(view, tables)),
                present=self._revenue(view, id=self.key, also="first_seen_at,"),
                moments=" union ".join(log.moments(self.key) for log in self.logs),
                several=" union all ".join(log.several(self.key) for log in self.logs),
                instants=" union all ".join(log.instants() for log in self.logs),
                days=" union ".join(log.days() for log in dated),
                links=self.links or self._no_links(),
                zone=_text(self.zone),
            )
        }

    def _no_links(self) -> str:
        none = f"cast(null as {'bigint' if self.is_number else 'varchar'})"
        return f"select {none} as conversion, {none} as other where 1 = 0"

    def _revenue(self, rows: str, **places: str) -> str:
        """A row a conversion in the shape of the books, of rows as the view has them."""
        told = {"id": f"cast({self.key} as varchar)", "also": ""} | places
        return _filled(
            "revenue",
            rows=rows,
            currency=self.currency,
            gross=self.gross,
            reversed=self.reversed,
            reversed_on=self.reversed_on,
            **told,
        )


def log_of(table: Table, key: str, is_all: str) -> Log:
    """Of a table of statements that the view reads as it is, but for the page. `is_all` is the Log's."""
    names = [name for name in table.schema.names if name != PAGE.name]
    [event] = table.key
    query = f"select {', '.join(names)} from {table.name}"  # noqa: S608 - our own names
    return Log(table.name, query, names, event, (key,), is_all=is_all)


def _filled(name: str, **places: str) -> str:
    return Template((FOLDER / f"{name}.sql").read_text(encoding="utf-8")).substitute(places)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


CHANGES_TABLE = Table(
    CHANGES,
    "Every change of what a conversion earned: the moment at which we learned of it, and by how much. Of each line of "
    "the books they add up to what is known now. Never sum across currencies.",
    (
        Column("conversion_id", STRING, "The conversion."),
        Column("known_at", INSTANT, "When we learned of the change: the load that brought it."),
        Column("occurred_on", DATE, "The day on which the conversion was earned, in the vendor's zone."),
        Column("currency", STRING, "What the amounts are in."),
        Column("offer_id", STRING, "The offer; null where there is none."),
        Column(
            "known_on",
            DATE,
            "The day of known_at in the vendor's zone. What was there already when its day was first read, more than "
            "two days late, is dated by the vendor: what was earned by occurred_on, what was taken back by the day of "
            "that, where the vendor tells it, else by occurred_on.",
        ),
        Column(
            "is_backfilled", BOOLEAN, "Whether known_on is the vendor's, since nobody knows when it came."
        ),
        Column("read_on", DATE, "The day of known_at in the vendor's zone, whoever dates it."),
        Column(
            "reason",
            STRING,
            "history: the conversion was there before its day was first read (is_backfilled); late arrival: it is new "
            "to us; reversal: another amount of it is taken back; withdrawn: it counts no more; restatement: anything "
            "else that the vendor says otherwise.",
        ),
        Column("gross_change", MONEY, "By how much what was earned changed."),
        Column("reversed_change", MONEY, "By how much what was taken back changed."),
        Column("net_change", MONEY, "By how much what is left changed: gross_change less reversed_change."),
    ),
    staged=Staged("Every change of what a conversion earned."),
)

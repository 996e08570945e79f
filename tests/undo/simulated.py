"""Nights of an offerwall as the books live through them: loads killed and taken back, months closed and opened again.

What the books should say is worked out beside them, from what the view said each night, and from nothing of ours.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any

import duckdb

from conversync.books import closing, lines
from conversync.books.balance import balances
from conversync.errors import ConversyncError
from conversync.report.period import write_period
from conversync.vendors import vendors
from tests.books.conftest import Rows, Told
from tests.books.test_as_of import equals_every_night
from tests.process.support import ProcessPool
from tests.undo.past import Past

BESITOS = [vendors()["besitos"]]
MONTHS = ("2024-11", "2024-12")
# So many points a load has, more or less, at which it can be killed.
POINTS = 700
# What a conversion comes to: its day, currency, offer, what was earned and what was taken back.
Conversion = tuple[date, str, str | None, Decimal, Decimal]


@dataclass
class Booked(Past, Told):
    """A warehouse whose loads are taken back, and what its tables said."""

    connection: duckdb.DuckDBPyConnection | None = None

    @contextmanager
    def opened(self) -> Iterator[None]:
        """One connection for all questions of the block, in which nobody else may open the file."""
        with duckdb.connect(str(self.path), read_only=True) as self.connection:
            self.connection.execute("set timezone = 'UTC'")
            yield
        self.connection = None

    def query(self, sql: str) -> Rows:
        """The rows of a question."""
        return super().query(sql) if self.connection is None else self.connection.execute(sql).fetchall()


@dataclass(frozen=True)
class Night:
    """What stood when a load had ended: its newest commit, the moment, the view, and what that comes to."""

    newest: str
    moment: datetime
    said: Rows
    known: dict[int, Conversion]

    def of(self, period: lines.Period) -> set[tuple[int, Conversion]]:
        """The conversions of a period that come to anything."""
        return {(name, one) for name, one in self.known.items() if period.first <= one[0] <= period.last}

    def nets(self, period: lines.Period) -> dict[str, Decimal]:
        """What is left of it by currency."""
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        for _, (_, currency, _, gross, reversed_) in self.of(period):
            sums[currency] += gross - reversed_
        return sums


@dataclass(frozen=True)
class Sealed:
    """A month as it was closed: after which night, what it came to then, and its page."""

    place: int
    nets: dict[str, Decimal]
    page: bytes


@dataclass
class Books:
    """One warehouse night after night; `counts` what was done and compared."""

    past: Booked
    random: Random
    nursery: ProcessPool | None
    nights: list[Night] = field(default_factory=list)
    gone: list[tuple[datetime, Rows]] = field(default_factory=list)
    """Moments of nights that were taken back, and what holds of them since."""
    sealed: dict[str, Sealed] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    columns: Sequence[str] = ()

    def live(self, rows: list[dict[str, Any]]) -> None:
        """One night, its load killed before; then a month is closed or opened, the load taken back; all adds up."""
        self.load(rows, is_killed=self.random.random() < 0.15)
        for month in MONTHS:
            self.close_or_open(month)
        if self.random.random() < 0.25:
            self.take_back(rows)
        self.adds_up()
        self.counts["nights"] += 1

    def load(self, rows: list[dict[str, Any]], *, is_killed: bool = False) -> None:
        """A load of these; before it one that is killed at any point."""
        if self.nursery is not None and is_killed:
            self.past.killed(self.nursery, rows, self.random.randrange(1, POINTS))
            self.counts["kills"] += 1
        self.past.night(rows)
        with self.past.opened():
            self.nights.append(self.looked_at())
        self.counts["loads"] += 1

    def looked_at(self) -> Night:
        """What stands now."""
        said = self.past.conversions()
        if not self.columns:
            self.columns = [
                name for [name] in self.past.query("select column_name from (describe besitos.conversions)")
            ]
        known = {}
        for values in said:
            one: dict[str, Any] = dict(zip(self.columns, values, strict=True))
            if not one["is_orphan"]:
                amounts = (one["payout"], one["reversed_payout"] or Decimal(0))
                known[one["transaction_id"]] = (
                    one["occurred_on"],
                    one["currency"],
                    one["offer_id"],
                    *amounts,
                )
        known = {name: one for name, one in known.items() if one[3] or one[4]}
        return Night(self.past.newest(), datetime.now(UTC), said, known)

    def take_back(self, rows: list[dict[str, Any]]) -> None:
        """The last night, or two; what a month reported stays until it is open; often all is loaded again."""
        for _ in range(self.random.choice((1, 1, 2))):
            if len(self.nights) > 1 and not self._undo():
                for month in [month for month in MONTHS if self.reports(month)]:
                    self.open(month)
                assert self._undo()
        if self.random.random() < 0.6:
            self.load(rows)

    def reports(self, month: str) -> bool:
        """Whether the month as it was closed holds anything that the last night brought or changed."""
        period = lines.period_of(month)
        before, last = self.nights[-2:]
        is_later = month in self.sealed and self.sealed[month].place == len(self.nights)
        return is_later and before.of(period) != last.of(period)

    def _undo(self) -> bool:
        """All loads of the last night, whatever was killed in it; whether they went. What may not go stays."""
        before, last = self.nights[-2:]
        is_reported = any(map(self.reports, MONTHS))
        refused = self._taken_back_to(before)
        assert is_reported == (refused is not None), refused or "what is reported went"
        if refused is not None:
            assert "conversync reopen 2024-" in refused
            if self.past.newest() == last.newest:
                assert self.past.conversions() == last.said
            self.counts["refusals"] += 1
            return False
        assert self.past.conversions() == before.said
        self._forget_the_last()
        return True

    def _taken_back_to(self, night: Night) -> str | None:
        """What stood against it; None where all of it went."""
        try:
            while self.past.newest() != night.newest:
                self.past.undo()
                self.counts["undos"] += 1
        except ConversyncError as error:
            return str(error)
        return None

    def _forget_the_last(self) -> None:
        """It never was: its moment, and those of nights that were taken back after it, are the night's before."""
        last, before = self.nights.pop(), self.nights[-1].said
        earlier = [(moment, said) for moment, said in self.gone if moment < last.moment]
        moments = [last.moment, *(moment for moment, _ in self.gone[len(earlier) :])]
        self.gone = earlier + [(moment, before) for moment in moments]
        # So is what was closed after it.
        self.sealed = {
            month: replace(one, place=min(one.place, len(self.nights))) for month, one in self.sealed.items()
        }

    def close_or_open(self, month: str) -> None:
        """Closed as a rule; seldom opened again, with what was reported kept as history."""
        if month in self.sealed and self.random.random() < 0.03:
            self.open(month)
        elif month not in self.sealed and self.random.random() < 0.2:
            with self.past.settled():
                closing.close(self.past.place, BESITOS, lines.period_of(month), force=True, why="a test")
            self.sealed[month] = Sealed(
                len(self.nights), self.nights[-1].nets(lines.period_of(month)), self.page(month)
            )
            self.counts["closings"] += 1

    def open(self, month: str) -> None:
        """Opens a closed month again."""
        with self.past.settled():
            closing.reopen(self.past.place, BESITOS, lines.period_of(month), "a test")
        del self.sealed[month]
        self.counts["reopenings"] += 1

    def page(self, month: str) -> bytes:
        """The report of a closed month."""
        path = self.past.folder / "period.html"
        with self.past.settled():
            write_period(self.past.place, path, lines.period_of(month))
        return path.read_bytes()

    def adds_up(self) -> None:
        """As reported + corrections = as known now, both as the view said; the page is as it was; some nights, too."""
        with self.past.settled():
            found = balances(self.past.place, BESITOS, self.past.folder / "dlt")
        assert {one.closing.period for one in found} == set(self.sealed)
        for one in found:
            period, sealed = lines.period_of(one.closing.period), self.sealed[one.closing.period]
            assert one.is_right
            assert one.reported == sealed.nets.get(one.currency, 0)
            assert one.known == self.nights[-1].nets(period).get(one.currency, 0)
            self.counts["balances"] += 1
            self.counts["corrected"] += bool(one.corrections)
        for month, sealed in self.sealed.items():
            if self.random.random() < 0.3:
                self.is_page_of(month, sealed)
        earlier = [(one.moment, one.said) for one in self.nights] + self.gone
        self.said_then(self.random.sample(earlier, min(2, len(earlier))))

    def is_page_of(self, month: str, sealed: Sealed) -> None:
        """Byte for byte."""
        assert self.page(month) == sealed.page
        self.counts["pages"] += 1

    def said_then(self, nights: Sequence[tuple[datetime, Rows]]) -> None:
        """As of each of these moments, the function says what the view said."""
        with self.past.opened():
            for moment, said in nights:
                assert self.past.conversions(f"conversions_as_of(timestamptz '{moment.isoformat()}')") == said
                self.counts["as of"] += 1

    def ended(self) -> None:
        """At the end every night can be asked again, those that were taken back, too, and every page is as it was."""
        for month, sealed in self.sealed.items():
            self.is_page_of(month, sealed)
        self.past.said = [(one.moment, one.said) for one in self.nights] + self.gone
        with self.past.opened():
            equals_every_night(self.past)
        self.counts["as of"] += len(self.past.said)

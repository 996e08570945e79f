"""What a reader of the tracker must hold, straight from its books: no page, no JSON in between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from conversync.sandbox.keitaro.asking import Span
from conversync.sandbox.keitaro.events import Event
from conversync.sandbox.keitaro.lists import NAMES
from conversync.sandbox.keitaro.report import build
from conversync.sandbox.keitaro.teller import Teller


@dataclass(frozen=True)
class Read:
    """One range of the log that was asked for without filters, in UTC, and the world's clock at that moment."""

    clock: datetime
    start: datetime | None
    end: datetime | None


class Oracle:
    """The independent answer to "is what we hold right?", for one tracker; of the world and what was posted."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller

    def events(self, now: datetime | None = None) -> dict[str, Event]:
        """By conversion id, every conversion as it stands at `now` (the world's clock)."""
        return {event.conversion_id: event for event in self._teller.at(now)}

    def held(self, reads: Iterable[Read]) -> dict[str, list[Event]]:
        """By conversion id, every state these reads saw it in, in order; the last one stands.

        A state that a later read repeats is no new one. A conversion whose `datetime` has moved out of a
        read's range keeps its last state.
        """
        held: dict[str, list[Event]] = {}
        for read in reads:
            span = Span(read.start, read.end, UTC)
            for event in self._teller.at(read.clock):
                history = held.setdefault(event.conversion_id, [])
                if span.holds(event.at) and (not history or history[-1] != event):
                    history.append(event)
        return {key: history for key, history in held.items() if history}

    def standing(self, reads: Sequence[Read]) -> dict[str, Event]:
        """By conversion id, the last state of each conversion that these reads saw."""
        return {key: history[-1] for key, history in self.held(reads).items()}

    def revenue_by_tid(self, now: datetime | None = None) -> dict[str, Decimal]:
        """By tid, `revenue` whatever the status: with `partial="gross"` the wall's payout."""
        return {event.tid: event.revenue for event in self._teller.at(now)}

    def report(
        self,
        grouping: Sequence[str],
        metrics: Sequence[str],
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        now: datetime | None = None,
    ) -> list[dict[str, Any]]:
        """The report of clicks in `[start, end)` with days in UTC, as it stands at `now`; money as Decimal."""
        span = Span(start, end, UTC)
        return build(self._teller.clicks(now), self._teller.at(now), span, grouping, metrics)

    def lists(self, now: datetime | None = None) -> dict[str, dict[int, str]]:
        """By list, id and name of what is current at `now`."""
        books = self._teller.books
        now = books.world.now if now is None else now
        return {
            name: {thing.id: thing.name for thing in books.lists.things(name) if thing.is_current(now)}
            for name in NAMES
        }

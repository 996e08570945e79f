"""The world all vendors tell of: a story that never changes, and a clock deciding how much is known."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

from conversync.sandbox.story import Conversion, Offer, Player, Reversal, Story
from conversync.sandbox.writer import write_story


class World:
    """`World(seed, start, days)`: conversions on the UTC days `[start, start + days)`; what follows, later.

    The same arguments make the same story; another `start` shifts it whole. The clock begins at the end of
    the last day. Example: `world = World(7, date(2026, 1, 1), 60)`, `world.now = world.day(30)`,
    `world.advance(hours=24)`.
    """

    def __init__(
        self,
        seed: int = 7,
        start: date = date(2026, 1, 1),
        days: int = 90,
        *,
        players: int = 400,
        conversions_a_day: int = 34,
    ) -> None:
        self.seed = seed
        self.start = start
        self.days = days
        self._size = (players, conversions_a_day)
        self._lock = threading.Lock()
        self._now = self.day(days)

    @cached_property
    def story(self) -> Story:
        """Written when it is first asked for: a sandbox of scripted rows never does."""
        return write_story(self.seed, self.day(0), self.days, *self._size)

    @property
    def players(self) -> tuple[Player, ...]:
        """All players there are."""
        return self.story.players

    @property
    def offers(self) -> tuple[Offer, ...]:
        """All offers there ever are, ended ones included."""
        return self.story.offers

    @property
    def conversions(self) -> tuple[Conversion, ...]:
        """All conversions there will ever be, by transaction_id."""
        return self.story.conversions

    def day(self, number: int) -> datetime:
        """Midnight UTC at which the story's day `number` begins, counted from 0."""
        return datetime.combine(self.start, datetime.min.time(), UTC) + timedelta(days=number)

    @property
    def now(self) -> datetime:
        """The clock: what is told later than this cannot be seen."""
        return self._now

    @now.setter
    def now(self, instant: datetime) -> None:
        if instant.tzinfo is None:
            raise ValueError("the clock takes an instant with a zone")
        with self._lock:
            self._now = instant.astimezone(UTC)

    def advance(self, **span: float) -> datetime:
        """Moves the clock on by a `timedelta`'s arguments (`hours=24`) and returns where it stands."""
        with self._lock:
            self._now += timedelta(**span)
            return self._now

    def last_change(self) -> datetime:
        """The instant after which nothing more is told: with the clock here, the whole story is visible."""
        return max(telling.at for event in self.events() for telling in event.tellings)

    def events(self) -> list[Conversion | Reversal]:
        """Every conversion and every reversal there will ever be."""
        reversals = [c.reversal for c in self.conversions if c.reversal is not None]
        return [*self.conversions, *reversals]

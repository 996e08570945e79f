"""The tracker's books at any instant: the world's conversions and clicks, and what postbacks added."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from conversync.sandbox.keitaro.clicks import Click, clicks_of
from conversync.sandbox.keitaro.events import Event, Posting, postings_of, stands, uuid7
from conversync.sandbox.keitaro.lists import Lists
from conversync.sandbox.keitaro.variants import Variants
from conversync.sandbox.story import Conversion
from conversync.sandbox.world import World

Key = tuple[str, str]
"""(sub_id, tid): what a repeated posting is recognized by."""

FIRST_ID = 1001
FIRST_RECEIVED_ID = 900001


class Books:
    """What does not depend on variants: lists, clicks, and the postings that were received."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.lock = threading.RLock()
        self.received: dict[Key, list[Posting]] = {}
        self.changes = 0

    @cached_property
    def lists(self) -> Lists:
        """Of the world."""
        return Lists(self.world)

    @cached_property
    def clicks(self) -> list[Click]:
        """All there will ever be."""
        return clicks_of(self.world, self.lists)

    @cached_property
    def click_of(self) -> dict[str, Click]:
        """By sub_id."""
        return {click.sub_id: click for click in self.clicks}

    @cached_property
    def number_of(self) -> dict[Key, int]:
        """The world's conversions counted from 1, by their key."""
        conversions = enumerate(self.world.conversions, 1)
        return {(one.click_id, str(one.transaction_id)): number for number, one in conversions}

    def receive(self, key: Key, posting: Posting) -> None:
        """Adds a posting to its conversion, or begins one."""
        with self.lock:
            self.received.setdefault(key, []).append(posting)
            self.changes += 1


@dataclass
class Teller:
    """Tells a world's conversions under one kind of tracker. `tells_world` false leaves what was received."""

    books: Books
    variants: Variants
    tells_world: bool = True
    _postings: dict[int, list[Posting]] = field(default_factory=dict, init=False)
    _made: dict[tuple[int, int], Event | None] = field(default_factory=dict, init=False)

    def at(self, now: datetime | None = None) -> list[Event]:
        """All conversions the tracker holds at `now` (the world's clock by default), in the order of ids."""
        now = self.books.world.now if now is None else now
        with self.books.lock:
            received = {key: list(postings) for key, postings in self.books.received.items()}
        events = [self._event(number, one, now, received) for number, one in self._conversions(now)]
        late = [
            self._received(number, key, postings, now)
            for number, (key, postings) in enumerate(received.items())
        ]
        return [event for event in (*events, *late) if event is not None]

    def clicks(self, now: datetime | None = None) -> list[Click]:
        """The clicks the tracker holds at `now`."""
        now = self.books.world.now if now is None else now
        return [click for click in self.books.clicks if click.is_known(now)] if self.tells_world else []

    def _conversions(self, now: datetime) -> list[tuple[int, Conversion]]:
        if not self.tells_world:
            return []
        every, of_players = self.variants.misses, self.variants.misses_players
        unknown = {one.id for one in self.books.world.players[::of_players]} if of_players else set()
        return [
            (number, one)
            for number, one in enumerate(self.books.world.conversions, 1)
            if one.tellings[0].at <= now
            and not (every and number % every == 0)
            and one.player.id not in unknown
        ]

    def _event(
        self, number: int, conversion: Conversion, now: datetime, received: dict[Key, list[Posting]]
    ) -> Event | None:
        """The world's postings, and what was received for the same click and tid since."""
        if number not in self._postings:
            self._postings[number] = postings_of(conversion, self.variants)
        key = (conversion.click_id, str(conversion.transaction_id))
        own = [one for one in self._postings[number] if one.at <= now]
        if key in received:
            postings = sorted([*own, *received.pop(key)], key=lambda one: one.at)
            return self._stands(FIRST_ID + number, key, postings)
        if (number, len(own)) not in self._made:
            self._made[number, len(own)] = self._stands(FIRST_ID + number, key, own)
        return self._made[number, len(own)]

    def _received(self, number: int, key: Key, postings: list[Posting], now: datetime) -> Event | None:
        heard = [one for one in postings if one.at <= now]
        if not heard:
            return None
        known = self.books.number_of.get(key) if self.tells_world else None
        return self._stands(FIRST_RECEIVED_ID + number if known is None else FIRST_ID + known, key, heard)

    def _stands(self, number: int, key: Key, postings: list[Posting]) -> Event | None:
        new = self.variants.generation == "new"
        conversion_id = uuid7(postings[0].at, "/".join(key)) if new else str(number)
        click = self.books.click_of.get(key[0]) if self.tells_world else None
        return stands(conversion_id, *key, postings, click)


def by_sub_id(events: list[Event]) -> dict[str, list[Event]]:
    """The conversions of each click."""
    found: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        found[event.sub_id].append(event)
    return found

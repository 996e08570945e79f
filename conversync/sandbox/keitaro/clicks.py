"""The clicks behind the wall's conversions, and those that came to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from conversync.sandbox.keitaro.lists import Lists, Thing
from conversync.sandbox.story import Conversion, Player
from conversync.sandbox.world import World

IDLE = 2  # clicks without a conversion, for each with one
SLOW = 0.1  # of the converting clicks: two to twenty days before their conversion
PURGED = 0.02  # of the idle clicks: found to be a bot's days later, and removed
SUB_IDS = 15


@dataclass(frozen=True, slots=True)
class Click:
    """One click. `sub_id` is its id everywhere; a click of a bot is known until `gone_at`."""

    sub_id: str
    at: datetime
    campaign: Thing
    offer: Thing
    affiliate_network: Thing
    traffic_source: Thing
    landing_page: Thing
    country: str
    os: str
    cost: Decimal
    sub_ids: tuple[str, ...]
    """`sub_id_1` (the player) to `sub_id_15`; "" where nothing was passed."""
    gone_at: datetime | None

    def is_known(self, now: datetime) -> bool:
        """Does the tracker hold it at `now`?"""
        return self.at <= now and (self.gone_at is None or now < self.gone_at)


def clicks_of(world: World, lists: Lists) -> list[Click]:
    """All there will ever be, the one of each conversion included; the same for the same world."""
    random = Random(f"conversync keitaro {world.seed}")
    return [click for conversion in world.conversions for click in _around(random, conversion, world, lists)]


def _around(random: Random, conversion: Conversion, world: World, lists: Lists) -> Iterator[Click]:
    """The conversion's own click, minutes to days before it, and some idle ones of that time."""
    hours = random.uniform(48, 480) if random.random() < SLOW else random.expovariate(1 / 11)
    before = timedelta(seconds=int(hours * 3600) + 20)
    own = conversion.occurred_at.replace(microsecond=0) - before
    yield _click(
        random, conversion.click_id, own, conversion.player, lists.offer_of[conversion.offer.id], lists
    )
    for _ in range(IDLE):
        at = own + timedelta(seconds=random.randint(-7200, 7200))
        gone = at + timedelta(hours=random.uniform(20, 120)) if random.random() < PURGED else None
        offer = random.choice(_current(lists.offers, at))
        sub_id = f"{random.getrandbits(96):024x}"[:20]
        yield _click(random, sub_id, at, random.choice(world.players), offer, lists, gone)


def _click(
    random: Random,
    sub_id: str,
    at: datetime,
    player: Player,
    offer: Thing,
    lists: Lists,
    gone_at: datetime | None = None,
) -> Click:
    source = random.choice(_current(lists.traffic_sources, at))
    return Click(
        sub_id=sub_id,
        at=at,
        campaign=random.choice(_current(lists.campaigns, at)),
        offer=offer,
        affiliate_network=lists.affiliate_networks[0],
        traffic_source=source,
        landing_page=random.choice(_current(lists.landing_pages, at)),
        country=player.country,
        os=player.device_os,
        cost=Decimal(random.randint(0, 12)) / 100,
        sub_ids=(player.id, f"creative-{random.randint(1, 9)}", source.name, *[""] * (SUB_IDS - 3)),
        gone_at=gone_at,
    )


def _current(things: tuple[Thing, ...], at: datetime) -> list[Thing]:
    return [thing for thing in things if thing.is_current(at)]

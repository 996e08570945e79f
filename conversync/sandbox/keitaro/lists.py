"""What clicks are told apart by: campaigns, offers, networks, sources, landing pages, domains."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from conversync.sandbox.world import World

NAMES = ("campaigns", "offers", "affiliate_networks", "traffic_sources", "landing_pages", "domains")
"""The lists, as their paths call them."""

BESITOS = "Besitos"

# name, and the share of the story after which it ends (0: never)
CAMPAIGNS = (
    ("Rewarded push US", 0.0),
    ("Rewarded push EU", 0.0),
    ("Newsletter spring", 0.6),
    ("Café in-app", 0.0),
)
NETWORKS = ((BESITOS, 0.0), ("House offers", 0.4))
SOURCES = (("Push house", 0.0), ("Mail", 0.0), ("In-app banner", 0.7))
LANDINGS = (("Wheel", 0.0), ('Quiz "1-2-3"', 0.0), ("Plain", 0.5))
DOMAINS = (("go.example.com", 0.0), ("t.example.net", 0.0), ("old.example.org", 0.3))


@dataclass(frozen=True, slots=True)
class Thing:
    """An entry of a list. It leaves the list at `ends_at`; clicks and conversions keep its name."""

    id: int
    name: str
    ends_at: datetime | None

    def is_current(self, now: datetime) -> bool:
        """Does the list still hold it at `now`?"""
        return self.ends_at is None or now < self.ends_at


class Lists:
    """All lists of one world."""

    def __init__(self, world: World) -> None:
        self.campaigns = _things(world, CAMPAIGNS, 1)
        self.affiliate_networks = _things(world, NETWORKS, 1)
        self.traffic_sources = _things(world, SOURCES, 1)
        self.landing_pages = _things(world, LANDINGS, 11)
        self.domains = _things(world, DOMAINS, 1)
        self.offers = tuple(
            Thing(101 + number, offer.name, offer.ends_at) for number, offer in enumerate(world.offers)
        )
        self.offer_of = {offer.id: thing for offer, thing in zip(world.offers, self.offers, strict=True)}
        """By the wall's offer id."""

    def things(self, name: str) -> tuple[Thing, ...]:
        """One list by the name its path has, ended ones included."""
        things: tuple[Thing, ...] = getattr(self, name)
        return things

    def shown(self, name: str, now: datetime) -> list[dict[str, Any]]:
        """The bare array a tracker answers with at `now`."""
        return [_entry(name, thing) for thing in self.things(name) if thing.is_current(now)]


def _things(world: World, named: tuple[tuple[str, float], ...], first: int) -> tuple[Thing, ...]:
    return tuple(
        Thing(first + number, name, world.day(0) + timedelta(days=world.days * share) if share else None)
        for number, (name, share) in enumerate(named)
    )


def _entry(name: str, thing: Thing) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": thing.id, "name": thing.name, "state": "active"}
    if name == "campaigns":
        entry |= {"alias": f"c{thing.id:05}", "type": "position", "cost_type": "CPC"}
    if name == "offers":
        entry |= {"affiliate_network_id": 1, "payout_type": "CPA", "country": []}
    return entry

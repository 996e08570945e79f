"""What can be done today: games and deals that have not ended by the world's clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from conversync.sandbox.world import World

CLOSING = timedelta(days=2)
"""So long before its end an offer's budget is paused."""


def games(world: World) -> list[dict[str, Any]]:
    """`cpi` is what an install pays."""
    now = world.now
    return [
        {
            "id": offer.id,
            "name": offer.name,
            "budget_status": "paused" if not offer.is_current(now + CLOSING) else "active",
            "cpi": offer.goals[0].payout,
            "goals": [
                {"id": goal.id, "name": goal.name, "payout": goal.payout, "reward": goal.reward}
                for goal in offer.goals
            ],
        }
        for offer in world.offers
        if offer.kind == "offer" and offer.is_current(now)
    ]


def deals(world: World, offer_id: str | None = None) -> list[dict[str, Any]]:
    """All deals, or the one asked for."""
    return [
        {"offer_id": offer.id, "name": offer.name, "cpa": offer.goals[0].payout}
        for offer in world.offers
        if offer.kind == "deal" and offer.is_current(world.now) and offer_id in (None, "", offer.id)
    ]

"""Goals and agents of the world: created, renamed, re-associated and deleted as the clock moves."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from conversync.sandbox.story import Offer
from conversync.sandbox.world import World

LATER = 0.3  # of the goals: created within the story, not before it
RENAMED = 0.3
REASSOCIATED = 0.4
DELETED = 0.15  # besides those whose offer ends
RESTORED = 0.4  # of the deleted: created again under their code
NAME_LIMIT = 50
AGENTS = ("Home page", "Checkout flow", "Welcome mail", "Paywall, summer", "Onboarding “B”", "Push timing")


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal type as it stands. No `value_*`: it takes no numeric values."""

    code: str
    name: str
    agents: tuple[str, ...]
    count_max: int = 1
    value_min: Decimal | None = None
    value_max: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` on this is the goal; None: it is gone."""

    at: datetime
    goal: Goal | None


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent, listed from `created_at` to `removed_at`; active until `stopped_at`."""

    code: str
    name: str
    created_at: datetime
    stopped_at: datetime | None
    removed_at: datetime | None

    def shown(self, now: datetime) -> dict[str, Any] | None:
        """As the vendor lists it at `now`; None if it does not."""
        if self.created_at > now or (self.removed_at is not None and self.removed_at <= now):
            return None
        stopped = self.stopped_at is not None and self.stopped_at <= now
        updated = self.stopped_at if stopped and self.stopped_at else self.created_at
        return {
            "code": self.code,
            "name": self.name,
            "desc": "",
            "status": "stopped" if stopped else "active",
            "num_days": (now - self.created_at).days,
            "choices": [
                {"code": "A", "name": "As it is", "weight": 50},
                {"code": "B", "name": "Variation 1", "weight": 50},
            ],
            "tags": ["wall"],
            "workflow_tags": {},
            "members": [],
            "rec": {"u_ts": int(updated.timestamp()), "c_ts": int(self.created_at.timestamp())},
        }


@dataclass(frozen=True)
class Told:
    """Everything of one world: by code what becomes of a goal, in order; and the agents."""

    goals: Mapping[str, tuple[Change, ...]]
    agents: tuple[Agent, ...]


def told_by(world: World) -> Told:
    """Two goals for each game, one for each deal and survey; depends on the world alone."""
    random = Random(f"conversync conductrics {world.seed}")
    agents = tuple(_agent(random, world, number, name) for number, name in enumerate(AGENTS))
    codes = [one.code for one in agents]
    goals: dict[str, tuple[Change, ...]] = {}
    for offer in world.offers:
        for goal in _first_forms(random, offer, codes):
            goals[goal.code] = _changes(random, world, offer, goal, codes)
    return Told(goals, agents)


def _code(random: Random, prefix: str) -> str:
    return prefix + "".join(random.choices(string.ascii_letters + string.digits, k=10))


def _agent(random: Random, world: World, number: int, name: str) -> Agent:
    """The last is created in the story; one stops; one is removed."""
    created = world.day(world.days // 3 if number == len(AGENTS) - 1 else -30 - number)
    stopped = world.day(world.days // 2) if number == 2 else None
    removed = world.day(world.days * 2 // 3) if number == 3 else None
    return Agent(_code(random, "a-"), name, created, stopped, removed)


def _first_forms(random: Random, offer: Offer, agents: list[str]) -> list[Goal]:
    def some() -> tuple[str, ...]:
        return tuple(random.sample(agents, random.randint(0, 3)))

    if offer.kind == "offer":
        level = offer.goals[-1]
        return [
            Goal(_code(random, "g-"), f"{offer.name}: install"[:NAME_LIMIT], some()),
            Goal(f"games/{level.id}", f"{offer.name}: {level.name}"[:NAME_LIMIT], some()),
        ]
    if offer.kind == "deal":
        least, most = Decimal("0.5"), offer.goals[0].payout + 100
        return [Goal(f"deals/{offer.id}/done", f"{offer.name}: done"[:NAME_LIMIT], some(), 1, least, most)]
    return [Goal(_code(random, "survey_"), f"{offer.name}: answered"[:NAME_LIMIT], some(), 10)]


def _changes(random: Random, world: World, offer: Offer, goal: Goal, agents: list[str]) -> tuple[Change, ...]:
    def moment(after: datetime) -> datetime:
        last = world.day(world.days + 14)
        return after + timedelta(seconds=int((last - after).total_seconds() * random.random()))

    created = moment(world.day(0)) if random.random() < LATER else world.day(-20)
    changes = [Change(created, goal)]
    if random.random() < RENAMED:
        goal = replace(goal, name=f"{goal.name[: NAME_LIMIT - 6]} (new)")
        changes.append(Change(moment(created), goal))
    if random.random() < REASSOCIATED:
        others = tuple(random.sample(agents, random.randint(1, 4)))
        at = moment(changes[-1].at)
        changes.append(Change(at, replace(goal, agents=others)))
        goal = changes[-1].goal or goal
    ends = offer.ends_at if offer.ends_at and offer.ends_at > changes[-1].at else None
    if ends or random.random() < DELETED:
        changes.append(Change(ends or moment(changes[-1].at), None))
        if random.random() < RESTORED:
            changes.append(Change(moment(changes[-1].at), goal))
    return tuple(changes)

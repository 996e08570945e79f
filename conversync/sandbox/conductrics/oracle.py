"""What a reader of the goals must hold, straight from what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conversync.sandbox.conductrics.goals import Goal
from conversync.sandbox.conductrics.variants import Variants


@dataclass(frozen=True)
class Spell:
    """A form of a goal from the read that first saw it to the first read that no longer did."""

    goal: Goal
    since: datetime
    until: datetime | None


class Oracle:
    """The independent answer to "is what we hold right?"; of the world and of what was put and deleted."""

    def __init__(
        self,
        standing: Callable[[datetime], Mapping[str, Goal]],
        agents: Callable[[datetime], list[dict[str, Any]]],
        clock: Callable[[], datetime],
        variants: Variants,
    ) -> None:
        self._standing = standing
        self._agents = agents
        self._clock = clock
        self._variants = variants

    def goals(self, now: datetime | None = None) -> dict[str, Goal]:
        """By code, all goals at `now` (the world's clock); agents in order of their codes."""
        standing = self._standing(now or self._clock())
        return {code: goal for code, goal in standing.items() if code not in self._variants.vanishing}

    def goal_agents(self, now: datetime | None = None) -> set[tuple[str, str]]:
        """Pairs of goal code and agent code."""
        return {(goal.code, agent) for goal in self.goals(now).values() for agent in goal.agents}

    def agents(self, now: datetime | None = None) -> dict[str, dict[str, Any]]:
        """By code, each agent as it is listed."""
        return {one["code"]: one for one in self._agents(now or self._clock())}

    def history(self, reads: Iterable[datetime]) -> dict[str, list[Spell]]:
        """By code, what complete reads at these clocks make of each goal: its forms, one after another."""
        history: dict[str, list[Spell]] = {}
        for clock in reads:
            goals = self.goals(clock)
            for code in {*goals, *history}:
                spells = history.setdefault(code, [])
                last = spells[-1] if spells and spells[-1].until is None else None
                if last is not None and last.goal != goals.get(code):
                    spells[-1] = Spell(last.goal, last.since, clock)
                if code in goals and (last is None or last.goal != goals[code]):
                    spells.append(Spell(goals[code], clock, None))
        return history

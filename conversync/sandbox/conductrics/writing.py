"""PUT and DELETE of a goal, with the documented limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from conversync.sandbox.conductrics.goals import NAME_LIMIT, Goal
from conversync.sandbox.conductrics.variants import Variants

CODE_LIMIT = 100


@dataclass(frozen=True)
class Received:
    """One PUT or DELETE that was taken; `body` is what was put."""

    at: datetime
    method: str
    code: str
    body: Mapping[str, Any]


class Refused(Exception):  # noqa: N818 - what the vendor does with a request, not an error of ours
    """The answer to a request that is wrong."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def put(standing: Goal | None, code: str, body: Mapping[str, Any], variants: Variants) -> Goal:
    """The goal after the PUT: what is not given stays; `agents` replaces the list. Limits are a 400."""
    if body.get("code", code) != code:
        raise Refused(400, "code must match the code in the URL")
    if standing is None:
        missing = [name for name in ("code", "name", "agents") if name not in body]
        if missing:
            raise Refused(400, f"{missing[0]} is required")
        _check_code(code, variants)
    base = standing or Goal(code, "", ())
    goal = Goal(
        code=code,
        name=_name(body.get("name", base.name)),
        agents=_agents(body["agents"]) if "agents" in body else base.agents,
        count_max=_count(body.get("countMax", base.count_max)),
        value_min=_number(body.get("valueMin", base.value_min), "valueMin"),
        value_max=_number(body.get("valueMax", base.value_max), "valueMax"),
    )
    _check_values(goal)
    return goal


def _check_code(code: str, variants: Variants) -> None:
    letters = r"[A-Za-z0-9/_-]+" if variants.dashes else r"[A-Za-z0-9/_]+"
    if len(code) > CODE_LIMIT or not re.fullmatch(letters, code):
        raise Refused(400, f"code may hold letters, numbers, slashes and underscores, up to {CODE_LIMIT}")


def _check_values(goal: Goal) -> None:
    if (goal.value_min is None) != (goal.value_max is None):
        raise Refused(400, "valueMin and valueMax must both be provided")
    if goal.value_min is not None and goal.value_max is not None and goal.value_max <= goal.value_min:
        raise Refused(400, "valueMax must be greater than valueMin")


def _name(name: Any) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= NAME_LIMIT:
        raise Refused(400, f"name must be a text of up to {NAME_LIMIT} characters")
    return name


def _agents(agents: Any) -> tuple[str, ...]:
    if not isinstance(agents, list) or not all(isinstance(one, str) for one in agents):
        raise Refused(400, "agents must be an array of agent codes")
    return tuple(agents)


def _count(count: Any) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise Refused(400, "countMax must be a positive integer")
    return int(count)


def _number(value: Any, name: str) -> Decimal | None:
    if value is None or isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refused(400, f"{name} must be a number")
    return Decimal(value)

"""Conductrics' endpoints: goal types, read and written, and agents."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from random import Random
from typing import Any
from urllib.parse import unquote, urlsplit

from conversync.sandbox.conductrics.goals import Change, Goal, Told, told_by
from conversync.sandbox.conductrics.oracle import Oracle
from conversync.sandbox.conductrics.variants import Variants
from conversync.sandbox.conductrics.writing import Received, Refused, put
from conversync.sandbox.messages import Answer, Raw, Request, json_answer
from conversync.sandbox.world import World

SUMMARY = ("code", "name", "agents")

Scripted = Mapping[str, Any] | str
"""A goal or an agent to serve: an object, or JSON text that goes out verbatim."""


class Conductrics:
    """Answers under `/admin/`. `variants`, `rows` and `agent_rows` may be set at any time, between requests.

    `reads` notes the clock of each list that was rightly answered, for `oracle.history(reads)`.
    """

    name = "conductrics"

    def __init__(
        self,
        world: World,
        *,
        api_key: str = "admin-sandboxkey",
        account: str = "acc-xxxxxx",
        variants: Variants | None = None,
    ) -> None:
        self.world = world
        self.api_key = api_key
        self.account = account
        self.reads: list[datetime] = []
        self.received: list[Received] = []
        """Every PUT and DELETE that was taken, in order."""
        self.keys_in_query: list[str] = []
        """Paths that were asked with `?apikey=`, which works and leaks into logs."""
        self.rows: Sequence[Scripted] | None = None
        """Scripted goals in place of the world's: whole in the detail, `code`, `name`, `agents` in the list.
        Goals that are put stand beside them."""
        self.agent_rows: Sequence[Scripted] | None = None
        self._changes: dict[str, list[Change]] = {}
        self._lock = threading.RLock()
        self._requests = 0
        self.variants = variants or Variants()

    @property
    def variants(self) -> Variants:
        """The reading of the document in force."""
        return self._variants

    @variants.setter
    def variants(self, variants: Variants) -> None:
        self._variants, self._emptied = variants, False

    @cached_property
    def _told(self) -> Told:
        return told_by(self.world)

    @property
    def oracle(self) -> Oracle:
        """What must be held of the world and of what was written. It knows nothing of scripted rows."""
        return Oracle(self._standing, self._listed_agents, lambda: self.world.now, self._variants)

    def delete(self, code: str) -> None:
        """Deletes a goal now, as somebody in the vendor's own pages would."""
        self._change(code, None)

    def answer(self, request: Request) -> Answer | None:
        """The right answer, or None for a path that is another vendor's."""
        parts = [unquote(part) for part in urlsplit(request.target).path.split("/")]
        if parts[1] != "admin":
            return None
        with self._lock:
            self._requests += 1
            try:
                self._admit(request, parts[2:3])
                status, data = 200, self._answered(request, parts[3:])
            except Refused as refused:
                http = refused.status if self._variants.errors == "http" else 200
                return json_answer(http, {"status": refused.status, "error": refused.text})
        if self._variants.body_status:
            return json_answer(200, {"status": self._variants.body_status, "data": []})
        if request.method != "GET" and self._variants.written == "empty":
            return Answer(200, b"")
        if request.method != "GET" and self._variants.written == "status":
            return json_answer(status, {"status": status})
        return json_answer(status, {"status": status, "data": data})

    def _admit(self, request: Request, account: list[str]) -> None:
        if "apikey" in request.query:
            self.keys_in_query.append(request.path)
        given = request.headers.get("x-conductrics-apikey") or request.query.get("apikey")
        if given != self.api_key or account != [self.account]:
            raise Refused(401, "Unauthorized")

    def _answered(self, request: Request, parts: list[str]) -> object:
        match (request.method, *parts):
            case ("GET", "goals"):
                return self._list()
            case ("GET", "agents"):
                return self._agent_list()
            case ("GET", "goals", "goal", *code):
                goal = self._detail(self._code(code))
                return [goal] if self._variants.detail == "list" else goal
            case ("PUT", "goals", "goal", *code):
                return self._put(self._code(code), request)
            case ("DELETE", "goals", "goal", *code):
                return self._delete(self._code(code), request)
        raise Refused(404, "Not Found")

    def _code(self, parts: list[str]) -> str:
        if len(parts) != 1 and self._variants.slashes == "encoded":
            raise Refused(404, "Not Found")
        return "/".join(parts)

    def _list(self) -> list[Any]:
        if self._variants.empty == "always" or (self._variants.empty == "once" and not self._emptied):
            self._emptied = True
            return []
        if not self._variants.body_status:
            self.reads.append(self.world.now)
        rows = [_verbatim(row, SUMMARY) for row in self.rows or ()]
        goals = [self._told_of(goal, SUMMARY) for goal in self._standing(self.world.now).values()]
        return self._mixed([*rows, *goals])

    def _agent_list(self) -> list[Any]:
        if self.agent_rows is not None:
            return [_verbatim(row) for row in self.agent_rows]
        return self._mixed(self._listed_agents(self.world.now))

    def _detail(self, code: str) -> Any:
        if code in self._variants.vanishing:
            raise Refused(404, "Goal not found")
        found = [_verbatim(row) for row in self.rows or () if _code_of(row) == code]
        if found:
            return found[0]
        goal = self._standing(self.world.now).get(code)
        if goal is None:
            raise Refused(404, "Goal not found")
        return self._told_of(goal)

    def _put(self, code: str, request: Request) -> object:
        try:
            body = json.loads(request.body, parse_float=Decimal)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Refused(400, "The body is not a JSON object")
        goal = put(self._standing(self.world.now).get(code), code, body, self._variants)
        self.received.append(Received(self.world.now, "PUT", code, body))
        self._change(code, goal)
        return self._told_of(goal)

    def _delete(self, code: str, request: Request) -> object:
        if code not in self._standing(self.world.now):
            raise Refused(404, "Goal not found")
        self.received.append(Received(self.world.now, request.method, code, {}))
        self._change(code, None)
        return {"code": code}

    def _change(self, code: str, goal: Goal | None) -> None:
        with self._lock:
            self._changes.setdefault(code, []).append(Change(self.world.now, goal))

    def _standing(self, now: datetime) -> dict[str, Goal]:
        """By code, the goals at `now`, each with its agents in the order of their codes."""
        told = self._told.goals if self.rows is None else {}
        standing = {}
        for code in dict.fromkeys((*told, *self._changes)):
            changes = sorted((*told.get(code, ()), *self._changes.get(code, ())), key=lambda one: one.at)
            seen = [change.goal for change in changes if change.at <= now]
            if seen and seen[-1] is not None:
                standing[code] = replace(seen[-1], agents=tuple(sorted(seen[-1].agents)))
        return standing

    def _listed_agents(self, now: datetime) -> list[dict[str, Any]]:
        return [shown for shown in (agent.shown(now) for agent in self._told.agents) if shown is not None]

    def _told_of(self, goal: Goal, only: tuple[str, ...] | None = None) -> dict[str, Any]:
        """As the vendor writes it; `only` these members."""
        told: dict[str, Any] = {
            "code": goal.code,
            "name": goal.name,
            "agents": self._mixed(list(goal.agents)),
        }
        if goal.count_max != 1 or self._variants.count_max == "shown":
            told["countMax"] = goal.count_max
        if goal.value_min is not None or self._variants.unset == "null":
            told |= {"valueMin": goal.value_min, "valueMax": goal.value_max}
        if self._variants.extras:
            told |= {"diagram": {"x": 10, "y": 20}, "tags": ["express"]}
        return told if only is None else {name: told[name] for name in only}

    def _mixed(self, things: list[Any]) -> list[Any]:
        if self._variants.order == "shuffled":
            return Random(self._requests).sample(things, len(things))
        return things


def _verbatim(row: Scripted, only: tuple[str, ...] | None = None) -> Any:
    if isinstance(row, str):
        return Raw(row)
    return dict(row) if only is None else {name: row[name] for name in only if name in row}


def _code_of(row: Scripted) -> object:
    """The code of a scripted goal; None if it cannot be read."""
    try:
        given = json.loads(row) if isinstance(row, str) else row
    except ValueError:
        return None
    return given.get("code") if isinstance(given, Mapping) else None

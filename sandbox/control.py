"""The sandbox's own endpoints, below `/_sandbox/`, for who runs in another process. All speak JSON.

GET  clock                    {"now"}
POST clock                    {"now": ISO} or {"advance_hours": n}
GET  oracle[?statements=1]    each vendor's totals, by offer too, and on demand its statements
GET  requests                 what was asked so far
GET  faults                   each with `delivered`
POST faults                   one fault (the fields of `Fault` that JSON can say), added; [] clears them
POST variants                 {"besitos": ["order=newest", ...]}
POST rows                     {"besitos": [row, ...]}: objects, or verbatim JSON text; null tells the world
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.besitos import parse_variants
from sandbox.faults import Fault
from sandbox.messages import Answer, Request, json_answer
from sandbox.server import CONTROL

if TYPE_CHECKING:
    from sandbox.stage import Sandbox


class Control:
    """Answers under `/_sandbox/`; no token, no fault, no record."""

    name = "control"

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def answer(self, request: Request) -> Answer | None:
        """400 says what was wrong with what was sent."""
        if not request.path.startswith(CONTROL):
            return None
        routes: dict[tuple[str, str], Callable[[Request], object]] = {
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._set_clock,
            ("GET", "oracle"): self._oracle,
            ("GET", "requests"): lambda _: {"requests": [_plain(one) for one in self.sandbox.requests]},
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._add_fault,
            ("POST", "variants"): self._set_variants,
            ("POST", "rows"): self._set_rows,
        }
        route = routes.get((request.method, request.path.removeprefix(CONTROL)))
        if route is None:
            return json_answer(404, {"error": f"there are {', '.join(' '.join(pair) for pair in routes)}"})
        try:
            return json_answer(200, route(request))
        except (ValueError, TypeError, KeyError) as error:
            return json_answer(400, {"error": str(error)})

    def _clock(self, _: Request) -> object:
        return {"now": self.sandbox.world.now.isoformat()}

    def _set_clock(self, request: Request) -> object:
        wish = json.loads(request.body)
        if "now" in wish:
            self.sandbox.world.now = instant(wish["now"])
        else:
            self.sandbox.world.advance(hours=float(wish["advance_hours"]))
        return self._clock(request)

    def _oracle(self, request: Request) -> object:
        oracle = self.sandbox.besitos.oracle
        besitos: dict[str, object] = {
            "totals": _plain(oracle.totals()),
            "by_offer": {str(key): _plain(totals) for key, totals in oracle.totals_by_offer().items()},
        }
        if request.query.get("statements") == "1":
            besitos["statements"] = [_plain(one) for one in oracle.statements().values()]
        return {"now": self.sandbox.world.now.isoformat(), "besitos": besitos}

    def _faults(self, _: Request) -> object:
        known = ("path", "page", "times", "status", "delivered")
        return {"faults": [{name: getattr(fault, name) for name in known} for fault in self.sandbox.faults]}

    def _add_fault(self, request: Request) -> object:
        wish = json.loads(request.body)
        if wish == []:
            self.sandbox.faults.clear()
        else:
            self.sandbox.faults.add(fault_from(wish))
        return self._faults(request)

    def _set_variants(self, request: Request) -> object:
        besitos = self.sandbox.besitos
        besitos.variants = parse_variants(json.loads(request.body)["besitos"], besitos.variants)
        return {"besitos": {**asdict(besitos.variants), "ignores": sorted(besitos.variants.ignores)}}

    def _set_rows(self, request: Request) -> object:
        self.sandbox.besitos.rows = json.loads(request.body, parse_float=Decimal)["besitos"]
        rows = self.sandbox.besitos.rows
        return {"besitos": None if rows is None else len(rows)}


def fault_from(wish: dict[str, Any]) -> Fault:
    """A fault from JSON: text for bytes, a list for `attempts`. What only Python can say is refused."""
    unsaid = {"where", "action", "mutate"}
    unknown = set(wish) - {field.name for field in fields(Fault) if field.init} | set(wish) & unsaid
    if unknown:
        raise ValueError(f"a fault has no {', '.join(sorted(unknown))} here")
    as_bytes = {"body", "raw", "preface"}
    return Fault(**{key: value.encode() if key in as_bytes else value for key, value in wish.items()})


def instant(text: str) -> datetime:
    """ISO text; without a zone it is UTC."""
    read = datetime.fromisoformat(text)
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read


def _plain(thing: object) -> dict[str, object]:
    """A dataclass as JSON has it: decimals and times as text."""
    if not is_dataclass(thing):
        raise TypeError(type(thing).__name__)
    return {field.name: _value(getattr(thing, field.name)) for field in fields(thing)}


def _value(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if value is None or isinstance(value, bool | int | float | str | dict):
        return value
    return str(value)

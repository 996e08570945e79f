"""The sandbox's own endpoints, below `/_sandbox/`, for who runs in another process. All speak JSON.

GET  clock                    {"now"}
POST clock                    {"now": ISO} or {"advance_hours": n}
GET  oracle[?statements=1]    each vendor's totals, Besitos' by offer too, and on demand all its statements
GET  requests                 what was asked so far
GET  received                 what was sent to each vendor, in order
GET  faults                   each with `delivered`
POST faults                   one fault (the fields of `Fault` that JSON can say), added; [] clears them
POST variants                 {"besitos": ["order=newest", ...], "keitaro": [...], "server": ["date=clock"]}
POST rows                     {"besitos": [row, ...], ...}: objects, or verbatim JSON text; null tells the world
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from conversync.sandbox import oracles
from conversync.sandbox.faults import Fault
from conversync.sandbox.messages import Answer, Request, json_answer
from conversync.sandbox.oracles import plain
from conversync.sandbox.readings import parse
from conversync.sandbox.server import CONTROL

if TYPE_CHECKING:
    from conversync.sandbox.stage import Sandbox


VENDORS = ("besitos", "keitaro", "infobip", "conductrics", "optibase")
TELLERS = VENDORS[:4]
"""Those that tell rows; Optibase only takes."""
READINGS = (*VENDORS, "server")
"""Who has variants: the server before them, too."""


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
            ("GET", "requests"): lambda _: {"requests": plain(self.sandbox.requests)},
            ("GET", "received"): self._received,
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
        sandbox, full = self.sandbox, request.query.get("statements") == "1"
        told = {
            "besitos": oracles.besitos(sandbox.besitos.oracle, full=full),
            "keitaro": oracles.keitaro(sandbox.keitaro.oracle, full=full),
            "infobip": oracles.infobip(sandbox.infobip, full=full),
            "conductrics": oracles.conductrics(sandbox.conductrics.oracle, full=full),
            "optibase": oracles.optibase(sandbox.optibase.oracle),
        }
        return {"now": sandbox.world.now.isoformat(), **told}

    def _received(self, _: Request) -> object:
        takers = (self._vendor(name) for name in VENDORS if name != "besitos")
        return {vendor.name: plain(vendor.received) for vendor in takers}

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
        """All that is wished is understood before any of it is set."""
        named = json.loads(request.body).items()
        wish = {name: (self._vendor(name, READINGS), pairs) for name, pairs in named}
        parsed = {name: (vendor, parse(pairs, vendor.variants)) for name, (vendor, pairs) in wish.items()}
        for vendor, variants in parsed.values():
            vendor.variants = variants
        return {name: plain(variants) for name, (_, variants) in parsed.items()}

    def _set_rows(self, request: Request) -> object:
        wish = json.loads(request.body, parse_float=Decimal)
        vendors = {name: self._vendor(name, TELLERS) for name in wish}
        for name, vendor in vendors.items():
            vendor.rows = wish[name]
        return {name: None if wish[name] is None else len(wish[name]) for name in wish}

    def _vendor(self, name: str, among: Sequence[str] = VENDORS) -> Any:
        if name not in among:
            raise ValueError(f"no vendor {name!r}; there are {', '.join(among)}")
        return getattr(self.sandbox, name)


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

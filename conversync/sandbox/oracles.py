"""What each vendor's oracle says, as JSON has it: decimals and times as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from conversync.sandbox.besitos import Oracle as Besitos
from conversync.sandbox.conductrics import Oracle as Conductrics
from conversync.sandbox.infobip import Infobip
from conversync.sandbox.keitaro import Oracle as Keitaro
from conversync.sandbox.optibase import Oracle as Optibase

METRICS = ("clicks", "conversions", "leads", "sales", "rejected", "revenue", "rejected_revenue", "cost")


def besitos(oracle: Besitos, *, full: bool) -> dict[str, Any]:
    """Totals, by offer too; with `full` every statement."""
    told: dict[str, Any] = {
        "totals": plain(oracle.totals()),
        "by_offer": {str(key): plain(totals) for key, totals in oracle.totals_by_offer().items()},
    }
    return told | ({"statements": plain(oracle.statements().values())} if full else {})


def keitaro(oracle: Keitaro, *, full: bool) -> dict[str, Any]:
    """Counts and sums of all time, and the sizes of the lists; with `full` events, days and lists."""
    events = oracle.events()
    told: dict[str, Any] = {
        "events": len(events),
        "revenue": str(sum((one.revenue for one in events.values()), Decimal(0))),
        "totals": plain(oracle.report((), METRICS)),
        "lists": {name: len(things) for name, things in oracle.lists().items()},
    }
    if full:
        days = oracle.report(("day", "campaign_id"), METRICS)
        told |= {"statements": plain(events.values()), "days": plain(days), "lists": plain(oracle.lists())}
    return told


def infobip(vendor: Infobip, *, full: bool) -> dict[str, Any]:
    """By pair, the days from the story's begin to the clock: counts in all; with `full` day by day."""
    world, oracle = vendor.world, vendor.oracle
    first, last = world.start - timedelta(days=60), world.now.date()
    told: dict[str, Any] = {"processes": len(oracle.processes()), "tags": len(oracle.tags()), "pairs": []}
    for pair in vendor.pairs:
        days = oracle.rates((pair["process_key"], pair["start_tag"], pair["end_tag"]), first, last).values()
        counts = {
            "start_count": sum(day.start_count for day in days),
            "end_count": sum(day.end_count for day in days),
        }
        told["pairs"].append({**pair, **counts, **({"days": plain(days)} if full else {})})
    return told


def conductrics(oracle: Conductrics, *, full: bool) -> dict[str, Any]:
    """How many goals, associations and agents; with `full` all of them."""
    goals, agents = oracle.goals(), oracle.agents()
    told: dict[str, Any] = {
        "goals": len(goals),
        "goal_agents": len(oracle.goal_agents()),
        "agents": len(agents),
    }
    return told | (
        {"statements": plain(goals.values()), "listed_agents": plain(agents.values())} if full else {}
    )


def optibase(oracle: Optibase) -> dict[str, Any]:
    """By conversion id, how often it counts and of how many visitors; and how many repeats came."""
    return {
        "conversions": oracle.conversions(),
        "visitors": oracle.visitors(),
        "repeats": oracle.repeats(),
    }


def plain(thing: Any) -> Any:
    """Dataclasses as objects, sequences as arrays; what JSON cannot say as text."""
    if is_dataclass(thing) and not isinstance(thing, type):
        return {field.name: plain(getattr(thing, field.name)) for field in fields(thing)}
    if thing is None or isinstance(thing, bool | int | float | str):
        return thing
    if isinstance(thing, bytes):
        return thing.decode("utf-8", "replace")
    if isinstance(thing, Mapping):
        return {str(name): plain(value) for name, value in thing.items()}
    if isinstance(thing, frozenset):
        return sorted(thing)
    return [plain(one) for one in thing] if isinstance(thing, Iterable) else str(thing)

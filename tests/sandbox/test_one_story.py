"""Four vendors tell one story: what Besitos credits was clicked, was perhaps invited by SMS, and has a goal."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from conversync.sandbox import Sandbox, World
from conversync.sandbox.keitaro import Variants
from tests.sandbox.asking import conductrics, infobip, keitaro, scan


def settled(world: World) -> World:
    """Nothing more is told, and every lead was approved."""
    world.now = world.last_change() + timedelta(days=3)
    return world


def test_keitaro_revenue_by_tid_is_besitos_payout() -> None:
    """For each transaction to the cent, read over HTTP from both; what was wholly taken back is rejected."""
    with Sandbox(settled(World())) as sandbox:
        rows = keitaro(
            sandbox, "conversions/log", {"columns": ["tid", "revenue", "status", "sub_id_1"], "limit": 0}
        )
        feed = scan(sandbox, from_date="2025-12-01", to_date="2026-12-31")
        totals = sandbox.besitos.oracle.totals()
        by_tid = sandbox.keitaro.oracle.revenue_by_tid()
    tracked = {row["tid"]: row for row in rows.json()["rows"]}
    originals = {str(row["transaction_id"]): row for row in feed if "reverse" not in row}
    taken = {str(row["transaction_id"]): row for row in feed if "reverse" in row}
    assert {tid: row["revenue"] for tid, row in tracked.items()} == {
        tid: row["payout"] for tid, row in originals.items()
    }
    assert sum(by_tid.values(), Decimal(0)) == totals.gross_payout
    assert {row["status"] for row in tracked.values()} == {"sale", "rejected"}
    for tid, row in tracked.items():
        if row["status"] == "rejected":
            assert taken[tid]["payout"] > 0 or taken[tid]["reward"] > 0
        assert row["sub_id_1"].casefold() == originals[tid]["user_id"].casefold()
    whole = [
        tid
        for tid, row in taken.items()
        if (row["payout"], row["reward"]) == (originals[tid]["payout"], originals[tid]["reward"])
    ]
    assert all(tracked[tid]["status"] == "rejected" for tid in whole)
    assert len(whole) > 50


def test_with_net_revenue_the_tracker_pays_what_besitos_nets() -> None:
    """Except where an amount was raised after all of it had been taken back: rejected stays rejected."""
    with Sandbox(settled(World())) as sandbox:
        sandbox.keitaro.variants = Variants(partial="net")
        events = sandbox.keitaro.oracle.events().values()
        statements = sandbox.besitos.oracle.statements()
    reversals = {str(one.transaction_id): one for one in statements.values() if one.is_reversal}
    apart = 0
    for event in events:
        original, reversal = statements[f"{event.tid}:original"], reversals.get(event.tid)
        net = (original.payout or 0) - ((reversal.payout or 0) if reversal else 0)
        paid = event.revenue if event.kind != "rejected" else 0
        apart += paid != net
    assert apart < 20


def test_the_tracker_may_miss_some() -> None:
    """Every tenth transaction never reached it, and nothing else differs."""
    with Sandbox(settled(World(days=10))) as sandbox:
        whole = sandbox.keitaro.oracle.revenue_by_tid()
        sandbox.keitaro.variants = Variants(misses=10)
        some = sandbox.keitaro.oracle.revenue_by_tid()
    missing = [tid for number, tid in enumerate(whole, 1) if number % 10 == 0]
    assert some == {tid: revenue for tid, revenue in whole.items() if tid not in missing}


@pytest.mark.parametrize("day", [1, 5, 9, 30])
def test_at_any_clock_the_tracker_knows_what_the_wall_has_told(day: int) -> None:
    """No conversion comes earlier or later than its credit."""
    world = World(days=10)
    world.now = world.day(day)
    with Sandbox(world) as sandbox:
        tids = {event.tid for event in sandbox.keitaro.oracle.events().values()}
        told = {
            str(one.transaction_id)
            for one in sandbox.besitos.oracle.statements().values()
            if not one.is_reversal
        }
    assert tids == told


def test_those_who_converted_after_a_message_are_besitos_players() -> None:
    """Each end of the sign-up process is a credited game, at the very time; about half of them were invited."""
    with Sandbox(settled(World(days=30))) as sandbox:
        games = [one for one in sandbox.world.conversions if one.offer.kind == "offer"]
        pair = sandbox.infobip.pairs[0]
        first, last = sandbox.world.start - timedelta(days=60), sandbox.world.now.date()
        rates = sandbox.infobip.oracle.rates(
            (pair["process_key"], pair["start_tag"], pair["end_tag"]), first, last
        )
    ends = sum(rate.end_count for rate in rates.values())
    assert 0.35 * len(games) < ends < 0.55 * len(games)


def test_goals_are_named_after_the_offers() -> None:
    """Every goal that is listed belongs to an offer of the wall."""
    with Sandbox(World()) as sandbox:
        names = [goal["name"] for goal in conductrics(sandbox, "goals").json()["data"]]
        offers = [offer.name for offer in sandbox.world.offers]
    assert names
    assert all(any(name.startswith(offer[:40]) for offer in offers) for name in names)


def test_the_same_seed_tells_the_same_in_every_dialect() -> None:
    """Byte for byte from two sandboxes; another seed's differs."""

    def told(seed: int) -> list[str]:
        with Sandbox(World(seed, days=5)) as sandbox:
            pair = sandbox.infobip.pairs[0]
            return [
                keitaro(sandbox, "conversions/log", {"columns": ["event_id", "revenue", "sub_id"]}).text,
                keitaro(
                    sandbox, "report/build", {"grouping": ["day", "campaign"], "metrics": ["clicks", "cost"]}
                ).text,
                infobip(
                    sandbox, f"/1/conversion-rate/process/{pair['process_key']}/statistics/conversion-rate"
                ).text,
                conductrics(sandbox, "goals").text,
                conductrics(sandbox, "agents").text,
            ]

    assert told(3) == told(3)
    assert all(one != other for one, other in zip(told(3), told(4), strict=True))

"""A conversion's states by hand: what the wall's tellings make of it at the tracker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from conversync.sandbox import World
from conversync.sandbox.keitaro import Variants
from conversync.sandbox.keitaro.events import Posting, postings_of, stands
from conversync.sandbox.story import Amounts, Conversion, Reversal, Telling

BEGIN = datetime(2026, 1, 5, 12, 0, 0, 250000, UTC)
HOUR = timedelta(hours=1)


def telling(hours: int, payout: str, reward: str = "1") -> Telling:
    return Telling(BEGIN + hours * HOUR, Amounts(Decimal(payout), Decimal(reward), Decimal(0)))


def told(tellings: Sequence[Telling], taken: Sequence[Telling] = (), *, first: str = "sale") -> Conversion:
    """A conversion with these tellings that begins as a lead or as a sale."""
    reversal = Reversal(taken[0].at, full=False, tellings=tuple(taken)) if taken else None
    some = World(days=1).conversions[0]
    for number in range(100):
        one = replace(some, transaction_id=number, tellings=tuple(tellings), reversal=reversal)
        if postings_of(one, Variants())[0].status == first:
            return one
    raise AssertionError(first)


def said(conversion: Conversion, variants: Variants | None = None) -> list[tuple[int, str, str]]:
    """Hours since the beginning, status and revenue of each posting."""
    return [
        (round((one.at - BEGIN) / HOUR), one.status, str(one.revenue))
        for one in postings_of(conversion, variants or Variants())
    ]


def test_what_is_wholly_taken_back_is_rejected_and_keeps_its_revenue() -> None:
    """All of payout and reward; a part of either is none of the tracker's business."""
    assert said(told([telling(0, "5")], [telling(90, "5")])) == [(0, "sale", "5"), (90, "rejected", "5")]
    assert said(told([telling(0, "5")], [telling(90, "5", "0.5")])) == [(0, "sale", "5")]
    assert said(told([telling(0, "5")], [telling(90, "2")])) == [(0, "sale", "5")]
    assert said(told([telling(0, "0")], [telling(90, "0")])) == [(0, "sale", "0"), (90, "rejected", "0")]
    assert said(told([telling(0, "5")], [telling(90, "2"), telling(95, "5")]))[1:] == [(95, "rejected", "5")]


def test_restated_amounts_are_posted_anew() -> None:
    """There and back again; after a rejection the revenue still follows, the status does not."""
    there_and_back = told([telling(0, "5"), telling(60, "7"), telling(70, "5")])
    assert said(there_and_back) == [(0, "sale", "5"), (60, "sale", "7"), (70, "sale", "5")]
    raised = told([telling(0, "5"), telling(80, "7")], [telling(60, "5")])
    assert said(raised) == [(0, "sale", "5"), (60, "rejected", "5"), (80, "rejected", "7")]


def test_revenue_may_be_what_is_left() -> None:
    """Of a part taken back; what is wholly taken back keeps what it was."""
    net = Variants(partial="net")
    partial = told([telling(0, "5")], [telling(90, "2"), telling(95, "5")])
    assert said(partial, net) == [(0, "sale", "5"), (90, "sale", "3"), (95, "rejected", "5")]


def test_a_lead_is_approved_or_rejected() -> None:
    """Within two days; a reversal that comes first ends it."""
    lead, sale = said(told([telling(0, "5")], first="lead"))
    assert (lead[:2], sale[1], 0 <= sale[0] <= 48) == ((0, "lead"), "sale", True)
    early = told(
        [telling(0, "5")], [Telling(BEGIN + timedelta(seconds=1), telling(0, "5").amounts)], first="lead"
    )
    assert [status for _, status, _ in said(early)] == ["lead", "rejected"]


def test_a_reversal_known_before_its_late_original_makes_no_conversion() -> None:
    """The tracker hears of it with the original, already rejected."""
    assert said(told([telling(0, "5")], [telling(-3, "5")], first="rejected")) == [(0, "rejected", "5")]


def test_newer_statuses_by_hand() -> None:
    """A deal is a deposit; a lead is a registration."""
    lead = told([telling(0, "5")], first="lead")
    assert said(lead, Variants(statuses="newer"))[0][1] == "registration"
    deal = next(one for one in World(days=3).conversions if one.offer.kind == "deal")
    assert postings_of(deal, Variants(statuses="newer"))[-1].status in ("deposit", "rejected")


@pytest.mark.parametrize(
    ("statuses", "previous", "history", "version"),
    [
        (["sale"], None, ["sale"], 1),
        (["lead", "lead", "sale"], "lead", ["lead", "sale"], 3),
        (["lead", "sale", "rejected", "rejected"], "sale", ["lead", "sale", "rejected"], 4),
        (["rejected", "sale", "lead"], None, ["rejected"], 1),
    ],
)
def test_how_a_conversion_stands(
    statuses: list[str], previous: str | None, history: list[str], version: int
) -> None:
    """After postings an hour apart, each with an amount of its own."""
    postings = [Posting(BEGIN + n * HOUR, status, Decimal(n)) for n, status in enumerate(statuses)]
    event = stands("id", "s", "t", postings, None)
    assert event is not None
    assert (event.status, event.previous_status, event.original_status) == (
        history[-1],
        previous,
        statuses[0],
    )
    assert ([status for status, _ in event.history], event.version) == (history, version)
    assert (event.at, event.revenue) == (BEGIN + (version - 1) * HOUR, Decimal(version - 1))
    assert (event.sale_at is None) == ("sale" not in history)
    assert stands("id", "s", "t", [], None) is None

"""The view `conversions`: what stands, and how its status came about, told by both kinds of tracker."""

from __future__ import annotations

from typing import Any

import pytest

from tests.houses import VendorWorkspace
from tests.keitaro.books import conversion, money

State = dict[str, Any]
# Each night's statement of one conversion, then first status, previous status and changes after the last night.
HISTORIES: dict[str, tuple[list[State], tuple[str | None, str | None, int]]] = {
    "one state": ([{"status": "lead"}], ("lead", None, 0)),
    "lead, sale": ([{"status": "lead"}, {"status": "sale"}], ("lead", "lead", 1)),
    "lead, sale, rejected": (
        [{"status": "lead"}, {"status": "sale"}, {"status": "rejected"}],
        ("lead", "sale", 2),
    ),
    "posted again, the same status": (
        [{"status": "sale", "version": 1}, {"status": "sale", "version": 2}],
        ("sale", None, 0),
    ),
    "other revenue after the change": (
        [{"status": "lead"}, {"status": "sale"}, {"status": "sale", "revenue": 9}],
        ("lead", "lead", 1),
    ),
    "first seen late, the tracker tells": (
        [{"status": "sale", "original_status": "lead", "previous_status": "lead"}],
        ("lead", "lead", 1),
    ),
    "first seen rejected, after lead and sale": (
        [{"status": "rejected", "original_status": "lead", "previous_status": "sale"}],
        ("lead", "sale", 2),
    ),
    "a change unseen between two nights": (
        [
            {"status": "lead", "original_status": "lead"},
            {"status": "rejected", "original_status": "lead", "previous_status": "sale"},
        ],
        ("lead", "sale", 2),
    ),
    "previous said again without a change": (
        [
            {"status": "lead", "original_status": "lead"},
            {"status": "sale", "original_status": "lead", "previous_status": "lead"},
            {"status": "sale", "original_status": "lead", "previous_status": "lead", "revenue": 2},
        ],
        ("lead", "lead", 1),
    ),
    "there and back": (
        [{"status": "sale"}, {"status": "trash"}, {"status": "sale"}],
        ("sale", "trash", 2),
    ),
}


def rows(night: int) -> list[dict[str, Any]]:
    """What the tracker says of every history on this night; a history that is over stays as it ended."""
    found = []
    for number, (states, _) in enumerate(HISTORIES.values()):
        state = states[min(night, len(states) - 1)]
        found.append(
            {
                "conversion_id": number,
                "postback_datetime": f"2026-01-0{min(night, len(states) - 1) + 2} 10:00:00",
                "revenue": 1,
                "currency": "EUR" if number % 2 else "USD",
                **state,
            }
        )
    return found


@pytest.fixture
def after_three_nights(house: VendorWorkspace) -> VendorWorkspace:
    """All histories told to their ends."""
    for night in range(3):
        house.sandbox.keitaro.rows = rows(night)
        house.load()
    return house


def test_histories_read_as_they_went(after_three_nights: VendorWorkspace) -> None:
    """First status, previous status and the number of changes, what was missed between nights included."""
    told = after_three_nights.query(
        "select first_status, previous_status, changes from keitaro.conversions "
        "order by cast(conversion_id as integer)"
    )
    assert dict(zip(HISTORIES, told, strict=True)) == {name: end for name, (_, end) in HISTORIES.items()}
    # The newest statement is the one that stands, with its own revenue and currency.
    stands = after_three_nights.query(
        "select status, revenue, currency, statements from keitaro.conversions order by cast(conversion_id as integer)"
    )
    assert [row[:2] for row in stands] == [
        (states[-1]["status"], money(str(states[-1].get("revenue", 1)))) for states, _ in HISTORIES.values()
    ]
    assert [row[2] for row in stands] == ["EUR" if number % 2 else "USD" for number in range(len(stands))]
    assert [row[3] for row in stands] == [len(states) for states, _ in HISTORIES.values()]


def test_s21_revenue_by_status_follows_a_conversion_on_its_way(house: VendorWorkspace) -> None:
    """From lead over sale to rejected: it counts once, where it stands, and each step is a statement of its own."""
    steps = [("lead", 0), ("sale", 30), ("rejected", 30)]
    query = "select status, kind, is_rejected, sum(revenue), count(*) from keitaro.conversions group by all"
    other = conversion(2, status="sale", revenue=5)
    kinds = []
    for status, revenue in steps:
        house.sandbox.keitaro.rows = [conversion(1, status=status, revenue=revenue), other]
        house.load()
        held = {row[0]: row[1:] for row in house.query(query)}
        if status == "sale":
            assert held == {"sale": ("sale", False, money("35"), 2)}
        else:
            assert held[status][2:] == (money(str(revenue)), 1)
            assert held["sale"] == ("sale", False, money("5"), 1)
        kinds.append(held[status][0])
    assert kinds == ["lead", "sale", "rejected"]
    [(rejected, stands)] = house.query(
        "select is_rejected, status from keitaro.conversions where conversion_id = 'c1'"
    )
    assert (rejected, stands) == (True, "rejected")
    history = (
        "select status, revenue from keitaro.conversion_events where conversion_id = 'c1' order by valid_from"
    )
    assert house.query(history) == [(status, money(str(revenue))) for status, revenue in steps]

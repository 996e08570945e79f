"""Rows for the sandbox to serve, as a test writes them."""

from __future__ import annotations

import json
from typing import Any

DAY = "2024-12-04"
FROM, TO = "2024-12-01", "2024-12-20"
# The command asks for it too: a question may not cover its last day.
AFTER = "2024-12-21"


def row(number: int, **changes: Any) -> dict[str, Any]:
    """A conversion of the document's sample; `None` for a field leaves it out."""
    whole = {
        "user_id": "asdfn-234ghhh",
        "transaction_id": number,
        "reward": 40,
        "payout": 11.05,
        "offer_id": "tU5z8PU5BIR9",
        "offer_name": "Club Vegas Slots",
        "note": "Level 91 Reached",
        "date_time": f"{DAY} 06:25:36",
        "reward_local_currency": 4000,
        "goal_id": "tU5z8PU5BIR9_133",
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def reversal(number: int, **changes: Any) -> dict[str, Any]:
    """The reversal of that conversion, whole, two days later."""
    return row(number, **{"reverse": 1, "date_time": "2024-12-06 09:00:00", **changes})


def text(number: int, **literals: str) -> str:
    """A row as JSON text, with these literals as they stand in place of the sample's values."""
    pairs = {name: json.dumps(value) for name, value in row(number).items()} | literals
    return "{" + ",".join(f'"{name}":{literal}' for name, literal in pairs.items()) + "}"

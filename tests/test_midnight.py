"""The suite begins no test just before a day ends, so that "today" is one day in each."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.conftest import until_the_next_day


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        ("2026-11-27T23:58:59+00:00", 0),
        ("2026-11-27T23:59:30+00:00", 30),
        ("2026-11-28T00:00:00+00:00", 0),
        ("2026-11-28T04:59:10+00:00", 50),
        ("2026-11-28T12:00:00+00:00", 0),
    ],
)
def test_a_test_waits_for_the_day_after(now: str, seconds: int) -> None:
    """In UTC and in Besitos' zone."""
    assert until_the_next_day(datetime.fromisoformat(now), timedelta(minutes=1)).total_seconds() == seconds

"""M09: `check` holds the newest row against the clock: a wrong zone puts it into the future, or long ago."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from conversync.extract.check_results import newest_row
from conversync.sandbox import Sandbox, World
from tests.besitos.rows import row
from tests.support import command

HOUR = timedelta(hours=1)
EST = timezone(-5 * HOUR)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NIGHTLY = [NOW - age * HOUR for age in (49, 47, 40, 32, 31, 30, 29, 28, 27, 26, 25, 16, 8)]


@pytest.mark.more
@pytest.mark.quick(1)
@pytest.mark.parametrize(
    ("zone", "code", "words"),
    [
        ("EST", 0, "plausible for EST"),
        ("Asia/Tokyo", 3, "hours old if its times are Asia/Tokyo"),
        ("Pacific/Honolulu", 3, "in the future if its times are Pacific/Honolulu"),
    ],
    ids=["M09-right", "M09-behind", "M09-ahead"],
)
def test_m09_a_wrong_zone_is_seen(tmp_path: Path, zone: str, code: int, words: str) -> None:
    """A feed with a row every hour up to now, told in EST as the document says."""
    now = datetime.now(UTC)
    with Sandbox(World(days=1)) as sandbox:
        sandbox.besitos.rows = [
            row(number, date_time=f"{(now - number * HOUR).astimezone(EST):%Y-%m-%d %H:%M:%S}")
            for number in range(1, 60)
        ]
        settings = {"BESITOS_TOKEN": sandbox.token, "BESITOS_URL": sandbox.url, "BESITOS_ZONE": zone}
        ended = command("check", "besitos", cwd=tmp_path, environment=settings)
    assert ended.code == code, ended.out + ended.err
    assert words in ended.out
    assert ("is besitos_zone right?" in ended.out) == (code == 3)


def test_of_a_long_listing_the_newest_rows_are_looked_at(tmp_path: Path) -> None:
    """More rows in the last days than a page has, the oldest first: a zone that puts the newest ahead is seen."""
    now = datetime.now(UTC)
    with Sandbox(World(days=1)) as sandbox:
        sandbox.besitos.rows = [
            row(number, date_time=f"{(now - (350 - number) * HOUR / 6).astimezone(EST):%Y-%m-%d %H:%M:%S}")
            for number in range(1, 350)
        ]
        settings = {"BESITOS_TOKEN": sandbox.token, "BESITOS_URL": sandbox.url}
        ahead, right = (
            command("check", "besitos", cwd=tmp_path, environment={**settings, "BESITOS_ZONE": zone})
            for zone in ("Pacific/Honolulu", "EST")
        )
    assert (ahead.code, right.code) == (3, 0), ahead.out + right.out
    [told] = [line for line in ahead.out.splitlines() if "newest" in line]
    assert "in the future if its times are Pacific/Honolulu" in told
    assert "the newest row is from" in right.out


@pytest.mark.parametrize(
    ("times", "newest", "good"),
    [
        ([one - 12 * HOUR for one in NIGHTLY], True, False),
        (NIGHTLY, True, True),  # as quiet as it has been before
        ([one - 12 * HOUR for one in NIGHTLY], False, True),  # newer ones were not looked at
        ([NOW - 20 * HOUR, NOW - 21 * HOUR], True, True),  # too few to know
        ([NOW - 20 * HOUR - number * HOUR / 10 for number in range(50)], True, True),  # of too short a time
        ([one - 400 * HOUR for one in NIGHTLY], True, True),  # no zone is so far away
        ([NOW + HOUR], True, False),
        ([None, *NIGHTLY], True, True),
    ],
)
def test_m09_how_old_the_newest_row_may_be(
    times: Sequence[datetime | None], newest: bool, good: bool
) -> None:
    """Not much older than the longest silence before it; where that is not known, nothing is said of its age."""
    [found] = newest_row(times, NOW, "EST", "is besitos_zone right?", newest=newest)
    assert found.good == good


def test_m09_nothing_is_said_of_no_rows() -> None:
    """An empty feed tells of no zone."""
    assert not list(newest_row([], NOW, "EST", "is besitos_zone right?"))

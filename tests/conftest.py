"""Which cases of a test every run has, and which only CI and the long suites; a PostgreSQL for a module of tests."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from conversync.http import redact
from tests.dbt.cluster import Cluster, cluster

# A test that asks twice for "today" has to get one day: none begins so shortly before the day of a vendor ends.
BEFORE_MIDNIGHT = {"": timedelta(minutes=1), "more": timedelta(minutes=2)}
# UTC's day, and Besitos' (EST), which ends five hours later.
DAYS_END = (timedelta(0), timedelta(hours=5))


def until_the_next_day(now: datetime, margin: timedelta) -> timedelta:
    """How long a test waits that begins at `now` (UTC) and may last `margin`; nothing where no day ends in it."""
    midnights = [now.replace(hour=0, minute=0, second=0, microsecond=0) + end for end in DAYS_END]
    coming = [midnight + timedelta(days=day) - now for midnight in midnights for day in (0, 1)]
    return next((wait for wait in coming if timedelta(0) < wait <= margin), timedelta(0))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Waits for the next day where this one is about to end."""
    margin = BEFORE_MIDNIGHT["more" if item.get_closest_marker("more") else ""]
    time.sleep(until_the_next_day(datetime.now(UTC), margin).total_seconds())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`@pytest.mark.quick(2)`: cases of a parametrized test after its second one are marked `more`."""
    met: Counter[str] = Counter()
    for item in items:
        mark = item.get_closest_marker("quick")
        if mark is None:
            continue
        name = item.nodeid.partition("[")[0]
        met[name] += 1
        if met[name] > mark.args[0]:
            item.add_marker("more")


@pytest.fixture(autouse=True)
def secrets_of_this_test() -> Iterator[None]:
    """What a test gives for a secret masks no word in what later ones read: a run is a process, many tests are one."""
    before = set(redact._known)  # noqa: SLF001 - only a test forgets a secret
    yield
    redact._known.intersection_update(before)  # noqa: SLF001 - as above


@pytest.fixture(scope="module")
def database() -> Iterator[Cluster]:
    """A cluster of its own."""
    with cluster() as running:
        yield running

"""Which cases of a test every run has, and which only CI and the long suites; a PostgreSQL for a module of tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from conversync.http import redact
from tests.dbt.cluster import Cluster, cluster


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

"""Two accounts of each vendor: two sandboxes with worlds of their own, in which some transactions have one id."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from conversync.sandbox import Sandbox, World
from tests.accounts.support import Accounts, Trackers
from tests.process.support import ProcessPool, nursery


@pytest.fixture(scope="session", name="nursery")
def one_nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessPool]:
    """One for all tests of a worker."""
    with nursery(tmp_path_factory.mktemp("nursery")) as running:
        yield running


def world(seed: int) -> World:
    """Twelve days of a story of its own."""
    made = World(seed, date(2024, 12, 1), 12, players=30, conversions_a_day=8)
    made.now = made.day(12)
    return made


@pytest.fixture
def accounts(tmp_path: Path, nursery: ProcessPool) -> Iterator[Accounts]:
    """The account without a name, and `eu`; nothing is loaded yet."""
    with Sandbox(world(7)) as first, Sandbox(world(8)) as second:
        second.besitos.token = "token-of-the-second-account"
        yield Accounts(tmp_path, first, second, nursery)


@pytest.fixture(scope="session")
def forking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessPool]:
    """Runs whose points are those of a send: the journal's writes, requests, SQL (see tests/send/nursery.py)."""
    with nursery(tmp_path_factory.mktemp("forking"), "tests.send.nursery") as running:
        yield running


@pytest.fixture
def trackers(tmp_path: Path, forking: ProcessPool) -> Iterator[Trackers]:
    """Nothing was sent or loaded yet."""
    with Sandbox(world(7)) as first, Sandbox(world(8)) as second:
        yield Trackers(tmp_path, first, second, forking)

"""A vendor, a place and a nursery for every test about processes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from sandbox import Sandbox, World
from tests.process import support

DAYS = 40


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[support.Nursery]:
    """One for all tests of a worker."""
    with support.nursery(tmp_path_factory.mktemp("nursery")) as running:
        yield running


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A small world, whose clock stands in its middle: restatements and reversals are still to come."""
    world = World(7, date(2024, 12, 1), DAYS, players=60, conversions_a_day=20)
    world.now = world.day(25)
    with Sandbox(world) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, sandbox: Sandbox, nursery: support.Nursery) -> support.Place:
    """A warehouse that is still to be made."""
    return support.Place(tmp_path, sandbox, nursery)

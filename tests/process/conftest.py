"""A nursery, a vendor and a place for every test about processes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from sandbox import Sandbox, World
from tests.process.support import Nursery, Place, nursery


@pytest.fixture(scope="session", name="nursery")
def one_nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """One for all tests of a worker."""
    with nursery(tmp_path_factory.mktemp("nursery")) as running:
        yield running


def two_nights() -> World:
    """A small world whose clock stands at the first night; fifteen days later much was restated and reversed."""
    world = World(7, date(2024, 12, 1), 40, players=60, conversions_a_day=20)
    world.now = world.day(25)
    return world


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """At the first night."""
    with Sandbox(two_nights()) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, sandbox: Sandbox, nursery: Nursery) -> Place:
    """With no warehouse yet."""
    return Place(tmp_path, sandbox, nursery)


@pytest.fixture(scope="session")
def first_night(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Iterator[Place]:
    """A warehouse as the first night left it, to be copied and not changed; the clock stays there."""
    with Sandbox(two_nights()) as sandbox:
        place = Place(tmp_path_factory.mktemp("first"), sandbox, nursery)
        place.loaded()
        assert place.held() == place.expected()
        yield place


@pytest.fixture
def loaded(first_night: Place, tmp_path: Path) -> Place:
    """A copy of the first night's warehouse."""
    return first_night.copy(tmp_path)

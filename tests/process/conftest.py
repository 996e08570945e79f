"""A nursery, a vendor and a place for every test about processes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conversync.sandbox import Sandbox
from tests.process.nights import Nights, two_nights
from tests.process.support import Place, ProcessPool, nursery


@pytest.fixture(scope="session", name="nursery")
def one_nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessPool]:
    """One for all tests of a worker."""
    with nursery(tmp_path_factory.mktemp("nursery")) as running:
        yield running


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """At the first night."""
    with Sandbox(two_nights()) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, sandbox: Sandbox, nursery: ProcessPool) -> Place:
    """With no warehouse yet."""
    return Place(tmp_path, sandbox, nursery)


@pytest.fixture(scope="session", name="all_nights")
def one_story(tmp_path_factory: pytest.TempPathFactory, nursery: ProcessPool) -> Iterator[Nights]:
    """One for all tests of a worker."""
    with Sandbox(two_nights()) as sandbox:
        yield Nights(tmp_path_factory.mktemp("nights"), sandbox, nursery)


@pytest.fixture
def nights(all_nights: Nights) -> Nights:
    """The clock stands at the second night."""
    all_nights.stand_at(2)
    return all_nights


@pytest.fixture
def loaded(all_nights: Nights, tmp_path: Path) -> Place:
    """A copy of the first night's warehouse, and the clock still there."""
    all_nights.stand_at(1)
    return all_nights.first.copy(tmp_path)


@pytest.fixture
def shared(sandbox: Sandbox, nursery: ProcessPool) -> Iterator[Place]:
    """A place that others can enter and write in, as /tmp is."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o1777)
    try:
        yield Place(folder, sandbox, nursery)
    finally:
        shutil.rmtree(folder)

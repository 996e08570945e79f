"""A sandbox of scripted rows and a warehouse for every test, and nothing of the developer's own settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conversync.sandbox import Sandbox, World
from tests.health.support import Workspace
from tests.houses import forget_settings
from tests.process.conftest import one_nursery
from tests.process.support import ProcessPool
from tests.support import at_once

__all__ = ["one_nursery"]  # the fixture "nursery"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, and no setting of ours in the environment."""
    forget_settings(monkeypatch)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def house(tmp_path: Path, nursery: ProcessPool) -> Iterator[Workspace]:
    """Besitos, whose sandbox waits for scripted rows, both streams read at once."""
    with Sandbox(World(days=1)) as sandbox:
        yield Workspace("besitos", sandbox, tmp_path, vendor=at_once(), nursery=nursery)

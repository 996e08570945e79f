"""A story that is told once, a copy of its folder for each test, and nothing of the developer's own settings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from conversync.sandbox import Sandbox, World
from tests.forget.story import Story
from tests.houses import forget_settings
from tests.process.support import ProcessPool, nursery


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, and no setting of ours in the environment."""
    forget_settings(monkeypatch)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessPool]:
    """Runs are forked."""
    with nursery(tmp_path_factory.mktemp("forks")) as pool:
        yield pool


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory, forks: ProcessPool) -> Iterator[Story]:
    """Two nights, a send and a close, of a person; its vendors still serve."""
    folder = tmp_path_factory.mktemp("forget") / "project"
    folder.mkdir()
    with Sandbox(World(days=1)) as sandbox:
        story = Story(folder, sandbox, forks)
        story.tell()
        yield story


@pytest.fixture
def story(told: Story, tmp_path: Path) -> Story:
    """A copy, which a test may change; the vendors serve what they served last."""
    folder = tmp_path / "project"
    shutil.copytree(told.folder, folder)
    told.serve()
    return Story(folder, told.sandbox, told.forks)

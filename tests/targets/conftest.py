"""A sandbox that takes what is sent, and nothing of the developer's own settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from conversync.sandbox import Sandbox, World
from tests.houses import forget_settings
from tests.targets.sending import Post


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, and no setting of ours in the environment."""
    forget_settings(monkeypatch)
    for name in [name for name in os.environ if name.startswith(("OPTIBASE_", "DESTINATIONS__", "SEND"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Two days of the story; the tracker holds nothing but what is sent to it."""
    with Sandbox(World(days=2, conversions_a_day=3)) as running:
        running.keitaro.rows = []
        yield running


@pytest.fixture
def post(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Post:
    """Sends rows to the sandbox, by the settings in the environment."""
    for name, value in sandbox.settings().items():
        monkeypatch.setenv(name, value)
    return Post(sandbox)

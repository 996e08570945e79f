"""Nothing of the developer's own settings reaches a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.houses import forget_settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, and no setting of ours in the environment."""
    forget_settings(monkeypatch)
    monkeypatch.chdir(tmp_path)

"""Nothing of the developer's own settings reaches a test; a warehouse of one vendor, built."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversync.build import build
from conversync.sandbox import Sandbox
from tests.dbt.nights import Story, small_world
from tests.houses import environment, forget_settings, made_once


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, and no setting of ours in the environment."""
    forget_settings(monkeypatch)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def offerwall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with nothing but Besitos, built with all tests."""

    def make(folder: Path) -> None:
        path = folder / "warehouse.duckdb"
        with environment({"HOME": str(folder)}), Sandbox(small_world()) as sandbox:
            Story(sandbox, path).night(20, ("besitos",))
            report = build(path, unit_tests=True)
        assert report.failures == []
        assert report.skipped == 0

    return made_once(tmp_path_factory, "offerwall", make) / "warehouse.duckdb"

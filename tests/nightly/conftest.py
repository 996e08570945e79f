"""All vendors of a small world, whose settings stand in files, and nothing of the developer's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conversync.sandbox import Sandbox
from tests.houses import forget_settings
from tests.nightly.support import Project, small_world
from tests.process.conftest import one_nursery
from tests.process.support import ProcessPool

__all__ = ["one_nursery"]  # the fixture "nursery"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, and no setting of ours in the environment."""
    forget_settings(monkeypatch)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def project(tmp_path: Path, nursery: ProcessPool) -> Iterator[Project]:
    """With no files yet."""
    with Sandbox(small_world()) as sandbox:
        yield Project(tmp_path, sandbox, nursery)

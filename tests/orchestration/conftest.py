"""A vendor, a project, and a scheduler in an environment of its own, which `make test-orchestration` builds."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from conversync.sandbox import Sandbox
from tests.process.nights import two_nights
from tests.process.support import CONVERSYNC, ROOT, Place

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A project with a vendor, and no warehouse yet; its runs are the scheduler's."""
    with Sandbox(two_nights()) as sandbox:
        made = Place(tmp_path, sandbox, None)  # type: ignore[arg-type] # it forks no run
        made.env |= {"CONVERSYNC_COMMAND": str(CONVERSYNC), "CONVERSYNC_PROJECT": str(tmp_path)}
        yield made


@pytest.fixture
def scheduler(place: Place) -> Run:
    """Runs a program of a scheduler's environment, by the name of that, in the project."""

    def run(environment: str, program: str, *argv: str, **settings: str) -> subprocess.CompletedProcess[str]:
        file = ROOT / f".venv-{environment}" / "bin" / program
        if not file.exists():
            pytest.fail("the scheduler is not installed: make test-orchestration does it")
        env = {**place.env, "PATH": f"{file.parent}{os.pathsep}{place.env['PATH']}", **settings}
        command: Sequence[str] = [str(file), *argv]
        return subprocess.run(
            command, cwd=place.folder, env=env, capture_output=True, text=True, check=False, timeout=300
        )

    return run

"""Other users of the machine: their files are theirs, and their processes run as them. It takes root to make them."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.process.support import Place

ONLY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="other users are made by root, and this is not root")

# A user that Debian has, with a group of its own name; and one that no system knows.
OTHER, UNKNOWN = 65534, 54321


def as_other(*command: str | Path) -> subprocess.CompletedProcess[bytes]:
    """A program that somebody else runs."""
    return subprocess.run(command, user=OTHER, group=OTHER, extra_groups=[], capture_output=True, check=False)


def theirs(path: Path, text: str | None = None) -> Path:
    """A file of somebody else's with this text; without one, what is there becomes theirs."""
    if text is not None:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    os.chown(path, OTHER, OTHER, follow_symlinks=False)
    return path


def mode(path: Path) -> int:
    """The permission bits."""
    return stat.S_IMODE(path.lstat().st_mode)


def written(place: Place, name: str, text: str) -> Path:
    """A settings file of the place's project, kept to ourselves."""
    path = place.folder / ".dlt" / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


def open_to_others(folder: Path) -> list[str]:
    """What somebody else may do anything with, but for the folder of the tests' own."""
    paths = [path for path in folder.rglob("*") if path.relative_to(folder).parts[0] != "tmp"]
    return [f"{mode(path):o} {path.relative_to(folder)}" for path in paths if mode(path) & 0o077]


@contextmanager
def held_by_other(path: Path) -> Iterator[bool]:
    """Somebody else holds, or tries to hold, a lock on the file; whether they do. To look is to hold it a moment."""
    with subprocess.Popen(
        ["flock", "-w", "10", path, "sleep", "120"],
        user=OTHER,
        group=OTHER,
        extra_groups=[],
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    ) as process:
        held = False
        for _ in range(250):
            if process.poll() is not None:
                break
            if held := subprocess.run(["flock", "-n", path, "true"], check=False).returncode != 0:
                break
            time.sleep(0.02)
        try:
            yield held
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

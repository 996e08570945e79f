"""Environments of other projects' loaders, made below `bench-data/` from the pinned versions in `peers/<name>.txt`.

Where one cannot be made here, that is said, and kept for the page: its contestant does not run.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "bench-data"
PEERS = Path(__file__).with_name("peers")
PATIENCE = 1200  # seconds that an installation may take
MADE = "made"


class NotInstalledError(Exception):
    """Why an environment could not be made, as a sentence without an address."""


def folder(name: str) -> Path:
    """Where the environment is, by the text of its requirements: another version is another folder."""
    return DATA / f"{name}-{hashlib.sha256((PEERS / f'{name}.txt').read_bytes()).hexdigest()[:12]}"


def interpreter(name: str) -> Path:
    """Its Python."""
    return folder(name) / "bin" / "python"


def make(name: str) -> None:
    """Makes the environment unless it is there; NotInstalledError otherwise."""
    here = folder(name)
    if (here / MADE).exists():
        return
    shutil.rmtree(here, ignore_errors=True)
    here.parent.mkdir(exist_ok=True)
    print(f"installing the environment of {name} ...", flush=True)
    for command in (
        [sys.executable, "-m", "venv", str(here)],
        [str(interpreter(name)), "-m", "pip", "install", "--quiet", "-r", str(PEERS / f"{name}.txt")],
    ):
        try:
            ended = subprocess.run(
                command,
                env={key: value for key, value in os.environ.items() if not key.startswith("PYTHON")},
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotInstalledError(f"{type(error).__name__} while it was installed") from error
        if ended.returncode:
            print(ended.stderr[-2000:], file=sys.stderr)
            raise NotInstalledError(reason(ended.stderr) or f"the installer ended with {ended.returncode}")
    (here / MADE).touch()


def reason(said: str) -> str:
    """The last error that pip told of, without any address."""
    errors = [line for line in said.splitlines() if line.startswith("ERROR:")]
    last = errors[-1].removeprefix("ERROR:").strip() if errors else ""
    return re.sub(r"\S*(?:://|\.[a-z]{2,}/)\S*", "(an address)", last)

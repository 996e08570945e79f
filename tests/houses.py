"""A sandbox and a warehouse for any vendor: loads as the command does, in this process, and the tables as rows."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import Quiet  # settles dlt before it is imported

# isort: split
import duckdb
import pytest

from conversync.load import SourceReport, load
from conversync.sandbox import Request, Sandbox
from conversync.vendors import LoadRequest, Vendor, vendors
from conversync.warehouse.warehouse import Warehouse


def forget_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes every setting of ours out of the environment, for one test."""
    vendors = ("BESITOS_", "INFOBIP_", "CONDUCTRICS_", "KEITARO_", "OPTIBASE_")
    ours = (*vendors, "CONVERSYNC_", "HTTP_BUDGET", "SOURCES__", "SEND_")
    for name in [name for name in os.environ if name.startswith(ours)]:
        monkeypatch.delenv(name)


@contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """These settings in this process's environment, for as long as the block lasts."""
    saved = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(saved)


@dataclass
class VendorWorkspace:
    """One vendor of a sandbox, and one warehouse that is loaded from it."""

    name: str
    sandbox: Sandbox
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    vendor: Vendor | None = None

    @property
    def path(self) -> Path:
        """The DuckDB file."""
        return self.folder / "warehouse.duckdb"

    @property
    def environment(self) -> dict[str, str]:
        """The vendor's settings as environment variables."""
        own = {
            name: value
            for name, value in self.sandbox.settings().items()
            if name.startswith(self.name.upper())
        }
        return {**own, "CONVERSYNC_WAREHOUSE": str(self.path), **self.settings}

    def set(self) -> AbstractContextManager[None]:
        """The settings in this process's environment, for as long as the block lasts."""
        return environment(self.environment)

    def run(self, start: object = None, end: object = None, **asked: Any) -> SourceReport:
        """One run, as it ended."""
        chosen = self.vendor or vendors()[self.name]
        days = LoadRequest(start and str(start), end and str(end), **{"window_days": 400, **asked})  # type: ignore[arg-type]
        with self.set():
            [report] = load(Warehouse(self.path), [chosen], days, Quiet())
        return report

    def load(self, start: object = None, end: object = None, **asked: Any) -> SourceReport:
        """One run that loads everything it should, with nothing set aside anew."""
        report = self.run(start, end, **asked)
        if report.error is not None:
            raise report.error
        assert report.exit_code == 0
        return report

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a question to the warehouse."""
        with duckdb.connect(str(self.path), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(sql).fetchall()

    def asked(self, path: str = "", since: int = 0) -> list[Request]:
        """The requests from number `since` on whose path ends so."""
        return [one for one in self.sandbox.requests[since:] if one.path.endswith(path)]


def readme_script(readme: Path) -> str:
    """The first Python example of a README, as it stands there."""
    return readme.read_text(encoding="utf-8").split("```python\n", 1)[1].split("```", 1)[0]


def run_script(script: str, folder: Path, settings: dict[str, str]) -> None:
    """Runs a script in a process of its own, in an empty folder, with nothing in its environment but `settings`."""
    # dlt keeps pipelines by name, for root outside of HOME: a script must not meet those of an earlier test.
    own = {"HOME": str(folder), "DLT_DATA_DIR": str(folder / "dlt"), "RUNTIME__DLTHUB_TELEMETRY": "false"}
    clean = {"PATH": os.environ["PATH"], **own, "RUNTIME__LOG_LEVEL": "CRITICAL"}
    subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env={**clean, **settings}, check=True, timeout=120
    )


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` filled once for all workers of a test run; nobody may change what is in it."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (folder / "made").touch()
    return folder

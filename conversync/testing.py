"""What every vendor must keep, as tests to inherit: complete, twice the same, credentials, bad rows, dry runs.

    class TestAcme(VendorContract):
        vendor, table = "acme", "conversion_events"
        credential = "ACME_KEY"

        @contextmanager
        def served(self): ...      # a server of yours that speaks as the vendor does

It needs pytest, and runs the command as processes of their own, in a folder of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from conversync.types import Values

WRONG = "wrong-credential-0815"


class Served(Protocol):
    """A server on loopback that speaks as the vendor does."""

    @property
    def settings(self) -> Mapping[str, str]:
        """The environment variables that lead to it, the credentials among them."""

    @property
    def events(self) -> int:
        """How many rows of `VendorContract.table` stand when all that it has was read."""

    @property
    def requests(self) -> int:
        """How many requests came."""

    def spoil(self) -> None:
        """From now on one of the rows is one that cannot be read."""

    def mend(self) -> None:
        """The row is as it was before."""


@dataclass(frozen=True)
class Project:
    """A project's folder, and the command run in it."""

    folder: Path
    settings: Mapping[str, str]
    path: Sequence[str] = field(default_factory=tuple)

    def run(self, *argv: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """The command, with these settings beside the project's."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment = {**kept, "TERM": "dumb", **self.settings, **settings}
        if self.path:
            environment["PYTHONPATH"] = os.pathsep.join(self.path)
        return subprocess.run(
            [str(Path(sys.executable).with_name("conversync")), *argv],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def ask(self, query: str) -> list[Values]:
        """What the warehouse says."""
        import duckdb

        with duckdb.connect(str(self.folder / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(query).fetchall()


class VendorContract(ABC):
    """The tests. `table` is the vendor's table of events, `credential` the variable that holds its secret."""

    vendor: str
    table: str
    credential: str
    path: Sequence[str] = ()
    """Folders in which the vendor's package lies, where it is not installed."""

    @abstractmethod
    def served(self) -> AbstractContextManager[Served]:
        """The vendor's stand-in, with some rows of the last days."""

    def rows(self, project: Project) -> list[str]:
        """What stands of the table, without what says when it was read."""
        told = f"select * exclude (valid_from, _dlt_load_id) from {self.vendor}.{self.table}"
        return sorted(map(str, project.ask(f"{told} where valid_to is null")))

    def test_a_load_is_complete_and_a_second_one_changes_nothing(self, tmp_path: Path) -> None:
        """Every row is there once; exit 0, both times."""
        with self.served() as served:
            project = Project(tmp_path, served.settings, self.path)
            first = project.run("load", self.vendor)
            assert first.returncode == 0, first.stdout + first.stderr
            held = self.rows(project)
            assert len(held) == served.events
            pages = f"select count(*) from {self.vendor}.{self.table} where _page is null"
            assert project.ask(pages) == [(0,)]
            second = project.run("load", self.vendor)
            assert (second.returncode, self.rows(project)) == (0, held), second.stdout + second.stderr
            assert project.run("verify", self.vendor).returncode == 0
            assert project.run("status", self.vendor).returncode == 0

    def test_a_wrong_credential_ends_with_5_and_loads_nothing(self, tmp_path: Path) -> None:
        """Three requests at most (other days might be answered), a sentence that names the setting, and no table."""
        with self.served() as served:
            project = Project(tmp_path, served.settings, self.path)
            ended = project.run("load", self.vendor, **{self.credential: WRONG})
            assert (ended.returncode, served.requests <= 3) == (5, True), ended.stdout + ended.stderr
            assert self.credential in ended.stderr.upper()
            assert WRONG not in ended.stdout + ended.stderr

    def test_a_row_that_cannot_be_read_costs_itself_alone_until_it_is_mended(self, tmp_path: Path) -> None:
        """It is set aside with exit 3, the others are there; once it is mended it comes, and is resolved."""
        with self.served() as served:
            project = Project(tmp_path, served.settings, self.path)
            served.spoil()
            ended = project.run("load", self.vendor)
            assert ended.returncode == 3, ended.stdout + ended.stderr
            assert len(self.rows(project)) == served.events - 1
            assert project.ask(f"select count(*) from {self.vendor}.rejected_rows") == [(1,)]
            served.mend()
            assert project.run("load", self.vendor).returncode == 0
            assert len(self.rows(project)) == served.events
            left = f"select count(*) from {self.vendor}.rejected_rows where resolved_at is null"
            assert project.ask(left) == [(0,)]

    def test_no_secret_is_told_or_kept(self, tmp_path: Path) -> None:
        """Neither on the screen, with --debug too, nor in any file."""
        with self.served() as served:
            project = Project(tmp_path, served.settings, self.path)
            ended = project.run("load", self.vendor, "--debug")
            secret = served.settings[self.credential]
            assert secret not in ended.stdout + ended.stderr
            for file in (one for one in tmp_path.rglob("*") if one.is_file()):
                assert secret.encode() not in file.read_bytes(), file

    def test_a_dry_run_asks_nothing_and_makes_no_warehouse(self, tmp_path: Path) -> None:
        """It tells the windows."""
        with self.served() as served:
            project = Project(tmp_path, served.settings, self.path)
            ended = project.run("load", self.vendor, "--dry-run")
            assert (ended.returncode, served.requests) == (0, 0), ended.stdout + ended.stderr
            assert not (tmp_path / "warehouse.duckdb").exists()


__all__ = ["Project", "Served", "VendorContract"]

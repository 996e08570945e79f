"""Runs of the command as processes, and what a warehouse then holds, to compare with the sandbox's oracle."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import duckdb

from conversync.sandbox import Sandbox, Statement
from conversync.sandbox.besitos import Read

ROOT = Path(__file__).parents[2]
CONVERSYNC = Path(sys.executable).with_name("conversync")
FEED = "/data/partner/conversions"
# Longer than any run of these tests takes on a busy machine; a run that hangs fails its test.
PATIENCE = 120.0

Held = dict[str, list[Statement]]


@dataclass(frozen=True)
class Done:
    """A run that has ended. `code` is negative for a signal that killed it."""

    code: int
    out: str
    err: str
    seconds: float = 0.0

    @property
    def told(self) -> str:
        """All that a person reads."""
        return self.out + self.err

    def refused(self, code: int, *words: str) -> None:
        """It ended with this code and a sentence that holds these words, and without a traceback."""
        assert self.code == code, self.told
        assert "Traceback" not in self.told
        for word in words:
            assert word in self.told, self.told


@dataclass(frozen=True)
class Wish:
    """What a forked run is to be (see tests/process/nursery.py)."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    stdout: str = ""
    stderr: str = ""
    umask: int = 0o022
    privileged: bool = True
    ordinary: bool = False
    user: int = 0
    limits: dict[str, int] = field(default_factory=dict)
    at: int = 0
    number: int = signal.SIGKILL
    points: str | None = None


class ProcessPool:
    """The process that forks runs."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._count = 0

    def ask(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """One request, one answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wish) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def start(self, wish: Wish) -> Forked:
        """Forks a run; what it prints is kept, unless the wish names other streams."""
        self._count += 1
        out, err = (self._folder / f"{self._count}.{name}" for name in ("out", "err"))
        wish = replace(wish, stdout=wish.stdout or str(out), stderr=wish.stderr or str(err))
        return Forked(self, self.ask(asdict(wish))["pid"], out, err)


@contextmanager
def nursery(folder: Path, module: str = "tests.process.nursery", **environment: str) -> Iterator[ProcessPool]:
    """A nursery that is gone afterwards; `folder` takes what its runs print, `environment` is what it is started in.

    `module` says at which points its runs can be killed: `tests.send.nursery` at those of a send.
    """
    with subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
    ) as process:
        yield ProcessPool(process, folder)


@dataclass
class Forked:
    """A run in the nursery."""

    nursery: ProcessPool
    pid: int
    stdout: Path
    stderr: Path
    began: float = field(default_factory=time.monotonic)

    def signal(self, number: int) -> None:
        """Sends a signal."""
        os.kill(self.pid, number)

    def ended(self, seconds: float) -> bool:
        """Whether it has ended within so many seconds."""
        handle = os.pidfd_open(self.pid)
        try:
            return bool(select.select([handle], [], [], seconds)[0])
        finally:
            os.close(handle)

    def wait(self, seconds: float = PATIENCE) -> Done:
        """Waits for its end; a run that takes longer is killed, and fails the test."""
        in_time = self.ended(seconds)
        took = time.monotonic() - self.began
        if not in_time:
            self.signal(signal.SIGKILL)
        code = self.nursery.ask({"wait": self.pid})["code"]
        out, err = (path.read_text() if path.exists() else "" for path in (self.stdout, self.stderr))
        assert in_time, f"the run did not end within {seconds:g} s: {out}{err}"
        return Done(code, out, err, took)


class Place:
    """A folder with a project and a warehouse of its own, and a vendor to load from."""

    def __init__(self, folder: Path, sandbox: Sandbox, nursery: ProcessPool) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.nursery = nursery
        self.warehouse = folder / "warehouse.duckdb"
        (folder / "tmp").mkdir()
        self.env = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ} | {
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
            "BESITOS_TOKEN": sandbox.token,
            "BESITOS_URL": sandbox.url,
            "CONVERSYNC_WAREHOUSE": str(self.warehouse),
        }

    @property
    def days(self) -> list[str]:
        """`load` over every day that the sandbox's world tells of, up to its clock."""
        world = self.sandbox.world
        dates = ["--from", str(world.day(-1).date()), "--to", str(world.now.date())]
        return ["load", "besitos", *dates, "--window", "400d"]

    def begin(self, *more: str, **wish: Any) -> Forked:
        """A forked `load`; `wish` sets fields of `Wish`."""
        return self.nursery.start(Wish([*self.days, *more], self.env, str(self.folder), **wish))

    def run(self, *argv: str, **wish: Any) -> Done:
        """Any forked command, to its end."""
        return self.nursery.start(Wish([*argv], self.env, str(self.folder), **wish)).wait()

    def load(self, *more: str, **wish: Any) -> Done:
        """As `begin`, to its end."""
        return self.begin(*more, **wish).wait()

    def loaded(self, *more: str) -> None:
        """A load that ends with 0 and leaves the statements that the oracle wants of the days' last reading."""
        done = self.load(*more)
        assert done.code == 0, done.told

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a question to the warehouse."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def change(self, sql: str) -> None:
        """Statements of somebody else's, in a session of their own."""
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.execute(sql)

    def held(self) -> Held:
        """By event_key, the statements that the warehouse holds, oldest first; empty without the table."""
        columns = ", ".join(field.name for field in fields(Statement))
        held: Held = {}
        closed: dict[str, Any] = {}
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            with suppress(duckdb.CatalogException):
                connection.execute(
                    f"select {columns}, valid_from, valid_to from besitos.conversion_events order by valid_from"
                )
                for *values, valid_from, valid_to in connection.fetchall():
                    statement = Statement(*values)
                    held.setdefault(statement.event_key, []).append(statement)
                    before = closed.get(statement.event_key, valid_from)
                    assert before == valid_from, (
                        f"no statement of {statement.event_key} follows where one ended"
                    )
                    closed[statement.event_key] = valid_to
        ended = [key for key, valid_to in closed.items() if valid_to is not None]
        assert not ended, f"the last statement is closed: {ended[:3]}"
        return held

    def expected(self) -> Held:
        """What the oracle wants held after all that was asked of the vendor's feed."""
        return self.sandbox.besitos.oracle.held(self.sandbox.besitos.reads)

    def leftovers(self) -> list[str]:
        """What a run should not leave: all but the warehouse, its copy, its lock and the empty folder beside it."""
        expected = {"warehouse.duckdb", ".conversync", ".conversync/warehouse.duckdb.lock", "tmp"}
        expected |= {"published", "published/warehouse.duckdb"}
        return sorted({str(path.relative_to(self.folder)) for path in self.folder.rglob("*")} - expected)

    def copy(self, folder: Path) -> Place:
        """The same warehouse in a new place, without the leftovers."""
        folder.mkdir(exist_ok=True)
        place = Place(folder, self.sandbox, self.nursery)
        for name in ("warehouse.duckdb", "warehouse.duckdb.wal"):
            if (self.folder / name).exists():
                shutil.copy(self.folder / name, folder / name)
        return place


def reads_at_once(reads: Sequence[Read]) -> list[Read]:
    """The reads that were asked at the last one's clock."""
    return [read for read in reads if read.clock == reads[-1].clock]

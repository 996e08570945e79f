"""Runs of the command as processes, and what a warehouse then holds, to compare with the sandbox's oracle."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any

import duckdb

from sandbox import Sandbox, Statement

ROOT = Path(__file__).parents[2]
CONVERSYNC = Path(sys.executable).with_name("conversync")
# Longer than any run of these tests takes on a busy machine; a run that hangs fails its test.
PATIENCE = 120.0


@dataclass(frozen=True)
class Done:
    """A run that has ended. `code` is negative for a signal that killed it."""

    code: int
    out: str
    err: str

    @property
    def sentences(self) -> str:
        """All that a person reads."""
        return self.out + self.err


class Place:
    """A folder with a project and a warehouse of its own, and a vendor to load from."""

    def __init__(self, folder: Path, sandbox: Sandbox, nursery: Nursery) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.nursery = nursery
        self.warehouse = folder / "warehouse.duckdb"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "BESITOS_TOKEN": sandbox.token,
            "BESITOS_URL": sandbox.url,
            "CONVERSYNC_WAREHOUSE": str(self.warehouse),
        }

    def load(self, *more: str, **env: str) -> Done:
        """`conversync load besitos` over the world's days, forked; waits for its end."""
        return self.begin(*more, **env).wait()

    def begin(self, *more: str, kill_at: int | None = None, points: Path | None = None, **env: str) -> Forked:
        """As `load`, without waiting."""
        return self.nursery.start(
            [*self.arguments, *more], {**self.env, **env}, self.folder, kill_at=kill_at, points=points
        )

    def command(self, *arguments: str, **env: str) -> Done:
        """The installed command with these arguments, in a process of its own from the start."""
        ended = subprocess.run(
            [CONVERSYNC, *arguments],
            env={**self.env, **env},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return Done(ended.returncode, ended.stdout, ended.stderr)

    @property
    def arguments(self) -> list[str]:
        """The first and the last day that the sandbox's world tells of, as it stands."""
        world = self.sandbox.world
        days = ["--from", str(world.day(-1).date()), "--to", str(world.now.date())]
        return ["load", "besitos", *days, "--window", "400d"]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a question to the warehouse."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def held(self) -> dict[str, list[Statement]]:
        """By event_key, the statements that the warehouse holds, oldest first; the last one is open."""
        columns = ", ".join(field.name for field in fields(Statement))
        held: dict[str, list[Statement]] = {}
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            order = "event_key, valid_from"
            for row in connection.execute(
                f"select {columns}, valid_to from besitos.conversion_events order by {order}"
            ).fetchall():
                statement = Statement(*row[:-1])
                earlier = held.setdefault(statement.event_key, [])
                assert not earlier or earlier[-1] is not None
                earlier.append(statement)
            [[wrong]] = connection.execute(
                "select count(*) from (select valid_to, lead(valid_from) over (partition by event_key order by "
                "valid_from) as next from besitos.conversion_events) where valid_to is distinct from next"
            ).fetchall()
        assert wrong == 0, "a statement is open that another followed, or closed without one"
        return held

    def leftovers(self) -> list[str]:
        """What lies beside the warehouse that a run should not leave: anything but its lock."""
        allowed = {self.warehouse, self.warehouse.with_name("warehouse.duckdb.lock"), self.folder / ".conversync"}
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path not in allowed)


@dataclass
class Forked:
    """A run in the nursery."""

    nursery: Nursery
    pid: int
    stdout: Path
    stderr: Path

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
        if not in_time:
            self.signal(signal.SIGKILL)
        code = self.nursery.ask({"wait": self.pid})["code"]
        done = Done(code, self.stdout.read_text(), self.stderr.read_text())
        self.stdout.unlink()
        self.stderr.unlink()
        assert in_time, f"the run did not end within {seconds:g} s: {done.sentences}"
        return done


class Nursery:
    """The process that forks runs (see tests/process/nursery.py)."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._count = 0

    def ask(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """One request, one answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(wish), file=self._process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def start(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        *,
        kill_at: int | None = None,
        points: Path | None = None,
    ) -> Forked:
        """Forks a run."""
        self._count += 1
        out, err = (self._folder / f"{self._count}.{name}" for name in ("out", "err"))
        wish = {"argv": [*argv], "env": dict(env), "cwd": str(cwd), "stdout": str(out), "stderr": str(err)}
        wish |= {"kill_at": kill_at, "points": str(points) if points else None}
        return Forked(self, self.ask(wish)["pid"], out, err)


@contextmanager
def nursery(folder: Path) -> Iterator[Nursery]:
    """A nursery that is gone afterwards; `folder` takes what its runs print."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.process.nursery"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
    ) as process:
        try:
            yield Nursery(process, folder)
        finally:
            stdin: IO[str] | None = process.stdin
            if stdin is not None:
                stdin.close()
            process.wait(10)

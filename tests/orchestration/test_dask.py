"""pipelines/dask_conversync.py as Dask runs it: a cluster of processes reads a range by shards, and is exact."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from conversync.sandbox import Fault, Sandbox
from tests.dbt.cluster import Cluster, binary
from tests.destinations.places import Elsewhere
from tests.orchestration.conftest import Run
from tests.process.gate import Gate
from tests.process.nights import two_nights
from tests.process.support import CONVERSYNC, FEED, PATIENCE, ROOT

pytestmark = [
    pytest.mark.orchestration,
    pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here"),
]


@pytest.fixture
def place(database: Cluster, tmp_path: Path) -> Iterator[Elsewhere]:
    """A project whose tables are in a PostgreSQL."""
    with Sandbox(two_nights()) as sandbox:
        made = Elsewhere(tmp_path, sandbox, None, "postgres", database.ask)  # type: ignore[arg-type] # it forks no run
        made.env |= {"CONVERSYNC_COMMAND": str(CONVERSYNC), "CONVERSYNC_PROJECT": str(tmp_path)}
        made.env["DESTINATION__POSTGRES__CREDENTIALS"] = database.url
        yield made
    database.ask("drop schema if exists besitos, besitos_staging cascade; select 1")


def asked(place: Elsewhere) -> list[str]:
    """Every day of the world in four shards, by two processes."""
    world = place.sandbox.world
    days = str(world.day(-1).date()), str(world.now.date())
    pipeline = str(ROOT / "pipelines" / "dask_conversync.py")
    return [pipeline, "besitos", *days, "--shards", "4", "--workers", "2"]


def backfill(scheduler: Run, place: Elsewhere) -> subprocess.CompletedProcess[str]:
    """To its end."""
    return scheduler("dask", "python", *asked(place))


@contextmanager
def begun(place: Elsewhere, *more: str) -> Iterator[subprocess.Popen[str]]:
    """The same, that has begun."""
    argv = [str(ROOT / ".venv-dask" / "bin" / "python"), *asked(place), *more]
    with subprocess.Popen(
        argv, cwd=place.folder, env=place.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def line_of(pid: int, above: int) -> list[int]:
    """A process, its parent and so on, up to the one below `above`; nothing where that is none of them."""
    line = [pid]
    with suppress(OSError):
        while line[-1] > 1:
            parent = int(Path(f"/proc/{line[-1]}/stat").read_text().rpartition(")")[2].split()[1])
            if parent == above:
                return line
            line.append(parent)
    return []


def shards_of(pipeline: int) -> dict[int, int]:
    """The commands that load a shard, by the worker that began each."""
    found: dict[int, int] = {}
    for one in Path("/proc").iterdir():
        with suppress(OSError):
            if one.name.isdecimal() and b"--shard" in (one / "cmdline").read_bytes().split(b"\0"):
                _, *above = line_of(int(one.name), pipeline) or [0]
                found |= {above[0]: int(one.name)} if above else {}
    return found


def test_a_backfill_is_exact(place: Elsewhere, scheduler: Run) -> None:
    """A shard that met a vendor that was away is begun again, and what all loaded is what the oracle wants."""
    place.env["SOURCES__BESITOS__HTTP_BUDGET"] = "1"
    place.sandbox.faults.add(Fault(path=FEED, times=20, status=503))
    done = backfill(scheduler, place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ended with 6" in done.stderr
    assert place.held() == place.expected()


def test_a_shard_whose_worker_is_killed_is_begun_again(place: Elsewhere) -> None:
    """In the middle of its reading: what the worker had begun goes on beside the new one, and all is exact."""
    gate = Gate(place.sandbox)
    with begun(place) as running:
        gate.reached()
        worker, shard = shards_of(running.pid).popitem()
        os.kill(worker, signal.SIGKILL)
        gate.open()
        out, err = running.communicate(timeout=300)
    assert running.returncode == 0, out + err
    assert "Restarting worker" in err
    until = time.monotonic() + PATIENCE
    while Path(f"/proc/{shard}").exists():
        assert time.monotonic() < until
        time.sleep(0.1)
    assert place.held() == place.expected()


def test_a_shard_whose_workers_are_killed_again_and_again_is_named(place: Elsewhere) -> None:
    """The vendor never answers, and whoever asks it is lost: the pipeline says which shards to start again."""
    place.sandbox.faults.add(Fault(path=FEED, times=10_000, delay=600.0))
    with begun(place, "--shards", "1") as running:
        while running.poll() is None:
            for worker, shard in shards_of(running.pid).items():
                os.kill(worker, signal.SIGKILL)
                os.kill(shard, signal.SIGKILL)
            time.sleep(0.2)
        _, err = running.communicate()
    assert running.returncode == 1
    assert "to be started again: conversync load --shard 1/1" in err


def test_a_shard_that_cannot_end_well_is_told(place: Elsewhere, scheduler: Run) -> None:
    """Refused credentials: exit 1, after one attempt each."""
    place.env["BESITOS_TOKEN"] = "another"
    done = backfill(scheduler, place)
    assert done.returncode == 1, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count("refused the token") == 4

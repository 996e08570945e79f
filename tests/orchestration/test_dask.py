"""pipelines/dask_conversync.py as Dask runs it: a cluster of processes reads a range by shards, and is exact."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conversync.sandbox import Fault, Sandbox
from tests.dbt.cluster import Cluster, binary
from tests.destinations.places import Elsewhere
from tests.orchestration.conftest import Run
from tests.process.nights import two_nights
from tests.process.support import CONVERSYNC, FEED, ROOT

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


def backfill(scheduler: Run, place: Elsewhere) -> subprocess.CompletedProcess[str]:
    """Every day of the world in four shards, by two processes."""
    world = place.sandbox.world
    days = str(world.day(-1).date()), str(world.now.date())
    pipeline = str(ROOT / "pipelines" / "dask_conversync.py")
    argv = [pipeline, "besitos", *days, "--shards", "4", "--workers", "2"]
    return scheduler("dask", "python", *argv)


def test_a_backfill_is_exact(place: Elsewhere, scheduler: Run) -> None:
    """A shard that met a vendor that was away is begun again, and what all loaded is what the oracle wants."""
    place.env["SOURCES__BESITOS__HTTP_BUDGET"] = "1"
    place.sandbox.faults.add(Fault(path=FEED, times=20, status=503))
    done = backfill(scheduler, place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ended with 6" in done.stderr
    assert place.held() == place.expected()


def test_a_shard_that_cannot_end_well_is_told(place: Elsewhere, scheduler: Run) -> None:
    """Refused credentials: exit 1, after one attempt each."""
    place.env["BESITOS_TOKEN"] = "another"
    done = backfill(scheduler, place)
    assert done.returncode == 1, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count("refused the token") == 4

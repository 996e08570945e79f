"""pipelines/airflow_conversync.py as Airflow runs it: a backfill is a mapped task for each window, and is exact."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.orchestration.conftest import Run
from tests.process.support import ROOT, Place

pytestmark = pytest.mark.orchestration


def airflow(scheduler: Run, place: Place, *argv: str) -> subprocess.CompletedProcess[str]:
    """The command of Airflow, with a database of its own."""
    settings = {
        "AIRFLOW_HOME": str(place.folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "pipelines"),
    }
    return scheduler("airflow", "airflow", *argv, **settings)


def backfill(scheduler: Run, place: Place) -> subprocess.CompletedProcess[str]:
    """Every day of the world, window by window."""
    world = place.sandbox.world
    days = {"first": str(world.day(-30).date()), "last": str(world.now.date())}
    done = airflow(scheduler, place, "db", "migrate")
    assert done.returncode == 0, done.stderr
    conf = json.dumps({"sources": ["besitos"], **days})
    return airflow(scheduler, place, "dags", "test", "conversync_backfill", "--conf", conf)


def test_a_backfill_is_exact(place: Place, scheduler: Run) -> None:
    """Two windows are two tasks, and what they loaded is what the oracle wants."""
    done = backfill(scheduler, place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("end task task_id=load") == 2
    assert "state=success" in done.stdout
    assert place.held() == place.expected()


def test_a_task_that_cannot_end_well_fails_at_once(place: Place, scheduler: Run) -> None:
    """Refused credentials: the DAG has failed, after one attempt each."""
    place.env["BESITOS_TOKEN"] = "another"
    done = backfill(scheduler, place)
    assert "state=failed" in done.stdout, done.stdout + done.stderr
    assert "conversync load ended with 5" in done.stdout

"""Conversync for Airflow 3: the night as one DAG, and a backfill as another, a mapped task for each window. Copy it.

Airflow and Conversync need not share an environment: the command is run, found on the PATH or named by
CONVERSYNC_COMMAND, in the folder CONVERSYNC_PROJECT (the working directory), whose `.dlt/` holds the settings. What may
write is its own business: out of one project folder one load at a time writes, and the others wait (`--wait`).
"""

import os
import subprocess
from datetime import date, timedelta
from typing import Any

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

COMMAND = os.environ.get("CONVERSYNC_COMMAND", "conversync")
PROJECT = os.environ.get("CONVERSYNC_PROJECT", ".")
# So many days are read, and committed, by one task of a backfill.
WINDOW = timedelta(days=31)
# Done, and done but something wants a look (see the README's exit codes).
DONE, LOOK = 0, 3
# A warehouse that is locked or away, or a vendor that is unavailable: the same a while later may end well.
PASSING = (4, 6)


def conversync(*argv: str) -> int:
    """Runs the command, its lines in the task's log; its exit code where it did its work, else the task has failed."""
    code = subprocess.run([COMMAND, *argv, "--project", PROJECT], check=False).returncode  # noqa: S603 - ours
    if code in PASSING:
        raise AirflowException(f"conversync {argv[0]} ended with {code}: it may end well a while later")
    if code not in (DONE, LOOK):
        raise AirflowFailException(f"conversync {argv[0]} ended with {code}")
    return code


@dag(schedule="15 6 * * *", catchup=False, max_active_runs=1, tags=["conversync"])
def conversync_nightly() -> None:
    """All that is due: load, models, sends, copy, report, alert."""

    @task(retries=2, retry_delay=timedelta(minutes=10))
    def night() -> int:
        return conversync("nightly", "--wait", "30m")

    night()


@dag(
    schedule=None,
    catchup=False,
    params={"sources": ["besitos"], "first": "2024-01-01", "last": "2024-12-31"},
    tags=["conversync"],
)
def conversync_backfill() -> None:
    """Days of the past: `first` to `last` of each of the `sources`."""

    @task
    def windows(**context: Any) -> list[dict[str, str]]:
        """A source and some days for each task, the oldest first."""
        params = context["params"]
        first, last = (date.fromisoformat(params[name]) for name in ("first", "last"))
        starts = [first + WINDOW * number for number in range((last - first) // WINDOW + 1)]
        return [
            {"source": source, "start": str(start), "end": str(min(start + WINDOW - timedelta(days=1), last))}
            for start in starts
            for source in params["sources"]
        ]

    @task(retries=2, retry_delay=timedelta(minutes=10))
    def load(source: str, start: str, end: str) -> int:
        return conversync("load", source, "--from", start, "--to", end, "--wait", "3h")

    load.expand_kwargs(windows())


conversync_nightly()
conversync_backfill()

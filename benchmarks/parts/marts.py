"""What the analysts' side costs: a build from empty and with nothing new, the report's page, a published copy.

The warehouse is a small one that was loaded from the sandbox, filled up by SQL (`benchmarks.large`).
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.contestants import DATABASE
from benchmarks.environments import ROOT
from benchmarks.parts.part import Measure, Notes, Wish
from benchmarks.prepared import prepared
from benchmarks.results import costs
from benchmarks.runner import BenchmarkError, asked, clean_environment, measured, size_of

EMPTY, AGAIN, REPORT, PUBLISH, COPY = (
    "build, from empty",
    "build, nothing new",
    "report",
    "publish",
    "a file copy",
)
SUBJECT = "conversync"
# What the mart has to hold: each transaction once, and all their payout.
BUILT = """
    select count(*), count(distinct conversion_key), sum(net_revenue)::varchar
    from marts.conversions where vendor = 'besitos'
"""
MEANT = "select count(*), count(distinct transaction_id), sum(net_payout)::varchar from besitos.conversions"


def filled(size: int) -> Path:
    """A warehouse of so many conversions on which nothing was built, made this week: a report is of the last days."""

    def make(path: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.large", "--rows", str(size), str(path)]
        with (path.parent / "large.log").open("wb") as log:
            subprocess.run(
                command, cwd=ROOT, env=clean_environment(), check=True, stdout=log, stderr=subprocess.STDOUT
            )

    return prepared(f"large-{size}", make, also=f"{datetime.now(UTC):%G-%V}")


def settings(home: Path) -> Mapping[str, str]:
    """Ours, with a published copy beside the warehouse only where one is asked for."""
    return clean_environment() | {
        "CONVERSYNC_WAREHOUSE": str(home / DATABASE),
        "CONVERSYNC_PUBLISHED": "off",
        "HOME": str(home),
    }


def step(home: Path, size: int, case: str, notes: Notes, *words: str, **also: str) -> None:
    """One command of ours as a whole process, and how large the file is afterwards."""
    command = [str(Path(sys.executable).with_name("conversync")), *words]
    cost = measured(command, {**settings(home), **also}, home, home / "output.log")
    notes.figure(SUBJECT, case, size, costs(cost, file=size_of(home / DATABASE)))


def one(size: int, notes: Notes) -> None:
    """All steps on one warehouse."""
    with tempfile.TemporaryDirectory(prefix="conversync-marts-") as folder:
        home = Path(folder)
        shutil.copyfile(filled(size), home / DATABASE)
        for case in (EMPTY, AGAIN):
            step(home, size, case, notes, "build")
            if (held := asked(home / DATABASE, BUILT)) != (meant := asked(home / DATABASE, MEANT)):
                raise BenchmarkError(f"{case} of {size:,}: the mart holds {held}, the view {meant}.")
        step(home, size, REPORT, notes, "report", "--output", str(home / "report.html"))
        copy = home / "copy"
        step(home, size, PUBLISH, notes, "publish", CONVERSYNC_PUBLISHED=str(copy / DATABASE))
        shutil.rmtree(copy)
        began = time.perf_counter()
        shutil.copyfile(home / DATABASE, home / "copied.duckdb")
        notes.figure(COPY, COPY, size, {"wall": time.perf_counter() - began})


def measure(wish: Wish, notes: Notes, *, sizes: tuple[int, ...], rounds: int) -> None:
    """All steps at each size, once a round."""
    for _ in range(wish.rounds or rounds):
        for size in wish.sizes or sizes:
            one(size, notes)


def part(sizes: tuple[int, ...], rounds: int) -> Measure:
    """A measure of these sizes."""

    def run(wish: Wish, notes: Notes) -> None:
        measure(wish, notes, sizes=sizes, rounds=rounds)

    return run

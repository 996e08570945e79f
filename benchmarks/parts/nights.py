"""A night of so many rows into tables of several sizes.

What is in the table before is written by SQL: other events of other days. A night is a process of its own; its rows
come in for the first time ("new"), and then again ("same", nothing is new). After each the table is looked at: the
feed's rows, their sums, and the rows that were there before.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.contestants import DATABASE, OURS
from benchmarks.feed import Totals
from benchmarks.filled import BEFORE
from benchmarks.parts.part import Measure, Notes, Wish, rotated
from benchmarks.prepared import prepared
from benchmarks.results import costs
from benchmarks.runner import (
    BenchmarkError,
    Cost,
    asked,
    check,
    clean_environment,
    measured,
    running_feed,
    size_of,
)

NIGHTS = ("new", "same")
NIGHT = 10_000
NOTHING, MILLION = 0, 1_000_000
SIZES = (NOTHING, MILLION, 10 * MILLION, 50 * MILLION)
SUBJECT = "DuckDB"


def night(home: Path, url: str, *, is_profiled: bool = False) -> Cost:
    """One load in `home`; what its statements took is shown where it is profiled."""
    command = OURS.command(url, home)
    if is_profiled:
        command = [sys.executable, str(Path(__file__).parents[1] / "profiled.py"), *command[1:]]
    log = home / "output.log"
    cost = measured(command, clean_environment() | OURS.environment(url, home), home, log)
    if is_profiled:
        print(log.read_text(encoding="utf-8"))
    return cost


def looked_at(database: Path, totals: Totals, size: int) -> None:
    """BenchmarkError unless the table holds the night's rows once, and all that were there before."""
    night = f"(from besitos.conversion_events where valid_to is null and not {BEFORE})"
    check(f"{size:,} rows before", database, night, OURS.reversal, totals, money=OURS.money)
    query = f"select count(*) filter ({BEFORE}), count(*) from besitos.conversion_events"
    if (found := asked(database, query)) != [size, size + totals.rows]:
        raise BenchmarkError(
            f"{size:,} rows before: {found} are of them and at all, after {totals.rows:,} came."
        )


def filled(size: int, keys: str) -> Path | None:
    """A file of so many rows; none for nothing."""

    def make(path: Path) -> None:
        with running_feed(NIGHT) as (url, _):
            night(path.parent, url)
        command = [sys.executable, str(Path(__file__).parents[1] / "filled.py")]
        subprocess.run([*command, str(path), str(size), keys], check=True)

    return prepared(f"filled-{size}-{keys}", make) if size else None


def measure(wish: Wish, notes: Notes, *, sizes: tuple[int, ...], rounds: int) -> None:
    """Both nights into each size, once a round; a size of 0 is a load that makes the table."""
    files = {size: filled(size, wish.keys) for size in wish.sizes or sizes}
    with running_feed(NIGHT) as (url, totals):
        notes.facts["rows"] = totals.rows
        for turn in range(wish.rounds or rounds):
            for size in rotated(tuple(files), turn):
                with tempfile.TemporaryDirectory(prefix="conversync-nights-") as folder:
                    home = Path(folder)
                    if file := files[size]:
                        shutil.copyfile(file, home / DATABASE)
                    for case in NIGHTS:
                        cost = night(home, url, is_profiled=wish.is_profiled)
                        looked_at(home / DATABASE, totals, size)
                        notes.figure(SUBJECT, case, size, costs(cost, file=size_of(home / DATABASE)))


def part(sizes: tuple[int, ...] = SIZES, rounds: int = 3) -> Measure:
    """A measure of these sizes."""

    def run(wish: Wish, notes: Notes) -> None:
        measure(wish, notes, sizes=sizes, rounds=rounds)

    return run

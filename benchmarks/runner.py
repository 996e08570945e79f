"""Measures: one feed, everybody in turn, every load a fresh process, every table checked.

CPU is user plus system time of the whole process from start to exit, as the kernel counted it (`wait4`),
its children included. The rounds are interleaved and the order rotates, so that a busy minute of the
machine falls on everybody. This module imports the standard library alone: what a parent holds counts in
its children's peak.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, cast

from benchmarks.contestants import DATABASE, Contestant
from benchmarks.feed import Totals

ROOT = Path(__file__).resolve().parent.parent
LOADS = ("first", "identical second")
PATIENCE = 1800.0  # seconds one load may take before it is ended
PASSED_ON = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ")


class BenchmarkError(Exception):
    """A contestant failed, or loaded something else than the feed holds."""


@dataclass(frozen=True)
class Cost:
    """What one process took: seconds of CPU, seconds on the clock, megabytes (2**20) at the peak."""

    cpu: float
    wall: float
    peak: float


@dataclass(frozen=True)
class Measurement:
    """One load of one contestant."""

    contestant: str
    totals: Totals
    load: str
    cost: Cost


def clean_environment() -> dict[str, str]:
    """A few variables alone: no proxy, dlt setting or PYTHONDONTWRITEBYTECODE reaches a child."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def compile_everything() -> None:
    """Writes every .pyc into its usual place, as an installation has them."""
    packages = sysconfig.get_paths()["purelib"]
    ours = [str(ROOT / name) for name in ("conversync", "sources", "benchmarks")]
    command = [sys.executable, "-m", "compileall", "-q", "-q", packages, *ours]
    subprocess.run(command, check=False, env=clean_environment())


@contextlib.contextmanager
def running_feed(rows: int) -> Iterator[tuple[str, Totals]]:
    """The feed as a process of its own: its address and what it holds; gone at the end."""
    command = [sys.executable, "-m", "benchmarks.feed", "--rows", str(rows)]
    feed = subprocess.Popen(
        command, cwd=ROOT, env=clean_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    asked, said = cast("IO[str]", feed.stdin), cast("IO[str]", feed.stdout)
    try:
        announced = json.loads(said.readline() or "{}")
        if not announced:
            raise BenchmarkError("The feed did not start.")
        yield announced.pop("url"), Totals(**announced)
    finally:
        asked.close()
        try:
            feed.wait(timeout=10)
        except subprocess.TimeoutExpired:
            feed.kill()
            feed.wait()
        said.close()


def measured(command: Sequence[str], environment: dict[str, str], directory: Path, log: Path) -> Cost:
    """Runs one process to its end and tells what it took; raises with the end of its output unless exit 0."""
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        guard = threading.Timer(PATIENCE, os.killpg, (process.pid, signal.SIGKILL))
        guard.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            guard.cancel()
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = log.read_text(errors="replace")[-2000:]
        raise BenchmarkError(f"{' '.join(command)}\nended with {process.returncode}:\n{tail}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / unit)


def check(contestant: Contestant, directory: Path, totals: Totals) -> None:
    """Raises unless every table of the contestant holds each event once and has the feed's exact sums."""
    verify = str(Path(__file__).with_name("verify.py"))
    for table in contestant.tables:
        command = [sys.executable, verify, str(directory / DATABASE), table, contestant.reversal]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        right = (
            found["rows"] == found["events"] == totals.rows
            and found["reversals"] == totals.reversals
            and Decimal(found["payout"]) == Decimal(totals.payout)
            and Decimal(found["reward"]) == Decimal(totals.reward)
            and all(found[kind].startswith("DECIMAL") for kind in ("payout_type", "reward_type"))
        )
        if not right:
            raise BenchmarkError(f"{contestant.name}: {table} holds {found}, the feed {totals}.")


def both_loads(contestant: Contestant, url: str, totals: Totals) -> list[Measurement]:
    """A first load into nothing and the same again, in a directory of its own that is removed."""
    results = []
    with tempfile.TemporaryDirectory(prefix="conversync-benchmark-") as name:
        home = Path(name)
        work = home / "work"
        work.mkdir()
        environment = clean_environment() | contestant.environment(url, home)
        for load in LOADS:
            cost = measured(contestant.command(url, home), environment, work, home / "output.log")
            check(contestant, home, totals)
            results.append(Measurement(contestant.name, totals, load, cost))
            print(
                f"{totals.rows:>9,} rows  {contestant.name:<22} {load:<17} CPU {cost.cpu:6.2f} s"
                f"  wall {cost.wall:6.2f} s  peak {cost.peak:5.0f} MB",
                flush=True,
            )
    return results


def compete(contestants: Sequence[Contestant], rows: int, rounds: int) -> list[Measurement]:
    """Every contestant once a round, the order rotated from round to round, on one feed."""
    results: list[Measurement] = []
    with running_feed(rows) as (url, totals):
        for turn in range(rounds):
            first = turn % len(contestants)
            for contestant in (*contestants[first:], *contestants[:first]):
                results += both_loads(contestant, url, totals)
    return results

"""Measures a process from its start to its exit, serves the feed, and checks what a load left in a table.

CPU is user plus system time of the whole process as the kernel counted it (`wait4`), its children included.
This module imports the standard library alone: what a parent holds counts in its children's peak.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, cast

from benchmarks.environments import ROOT
from benchmarks.feed import Totals

MB = 1_000_000
PATIENCE = 1800.0  # seconds one load may take before it is ended
PASSED_ON = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ")


class BenchmarkError(Exception):
    """A contestant failed, or loaded something else than the feed holds."""


@dataclass(frozen=True)
class Cost:
    """What one process took: seconds of CPU, seconds on the clock, megabytes (a million bytes) at the peak."""

    cpu: float
    wall: float
    peak: float


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
def running_feed(rows: int, delay: float = 0) -> Iterator[tuple[str, Totals]]:
    """The feed as a process of its own: its address and what it holds; gone at the end.

    Each answer comes `delay` seconds after its request.
    """
    command = [sys.executable, "-m", "benchmarks.feed", "--rows", str(rows), "--delay", str(delay)]
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


def measured(command: Sequence[str], environment: Mapping[str, str], directory: Path, log: Path) -> Cost:
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
    unit = 1 if sys.platform == "darwin" else 2**10
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * unit / MB)


def asked(database: Path, query: str) -> list[Any]:
    """The first row of a query of a DuckDB file."""
    command = [sys.executable, str(Path(__file__).with_name("verify.py")), str(database), query]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    if ended.returncode:
        raise BenchmarkError(f"{query}\ncould not be asked:\n{ended.stderr[-2000:]}")
    return cast("list[Any]", json.loads(ended.stdout))


def check(name: str, database: Path, table: str, reversal: str, totals: Totals, *, money: str) -> None:
    """Raises unless the table holds each event of the feed once, and the feed's exact sums.

    `table` is what can stand after FROM, `reversal` tells a reversal in it, and its amounts are of the type `money`.
    """
    found = asked(database, HELD.format(table=table, reversal=reversal))
    rows, events, reversals, payout, reward, *types = found
    right = (
        rows == events == totals.rows
        and reversals == totals.reversals
        and (Decimal(payout or 0), Decimal(reward or 0)) == (Decimal(totals.payout), Decimal(totals.reward))
        and all(str(kind).startswith(money) for kind in types)
    )
    if not right:
        raise BenchmarkError(f"{name}: {table} holds {found}, the feed {totals}.")


HELD = """
    select count(*), count(distinct (transaction_id, {reversal})), count(*) filter ({reversal}),
        sum(cast(payout as decimal(18, 6)))::varchar, sum(cast(reward as decimal(18, 6)))::varchar,
        any_value(typeof(payout)), any_value(typeof(reward))
    from {table}
"""


def size_of(database: Path) -> float:
    """How large the file is, with its log, in megabytes."""
    return (
        sum(path.stat().st_size for path in database.parent.glob(f"{database.name}*") if path.is_file()) / MB
    )

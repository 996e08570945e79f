"""Several vendors in one run that finds nothing new, all of them quick, and again with one that takes 300 ms an answer.

Each run is a process of its own on a copy of one warehouse. Told are the run's CPU, clock and peak, and how long after
its start each source was done. With `--code` the same is measured with the code of other checkouts, too.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from benchmarks.contestants import DATABASE
from benchmarks.environments import ROOT
from benchmarks.parts.part import Measure, Notes, Wish
from benchmarks.results import costs
from benchmarks.runner import Cost, clean_environment, measured
from conversync.sandbox import Fault, Sandbox, World

DAYS = 60
SLOW_ONE, DELAY = "infobip", 0.3
QUICK_CASE, SLOW_CASE = "all quick", "one slow"
# Of each vendor, how its paths begin; none stands for no vendor.
SLOW = {"besitos": "/data/", "conductrics": "/admin/", "infobip": "/1/", "keitaro": "/admin_api/"}
COMMAND = "import sys; from conversync.cli.main import main; sys.argv[0] = 'conversync'; main()"
Night = tuple[Cost, dict[str, float]]


def load(home: Path, code: Path, sandbox: Sandbox) -> Night:
    """One `load` of every source: what it took, and after how many seconds each source was done."""
    environment = clean_environment() | sandbox.settings() | {"PYTHONPATH": str(code), "HOME": str(home)}
    environment["CONVERSYNC_WAREHOUSE"] = str(home / DATABASE)
    log = home / "output.log"
    command = [sys.executable, "-c", COMMAND, "load"]
    began = datetime.now(UTC)
    cost = measured(command, environment, home, log)
    with duckdb.connect(str(home / DATABASE), read_only=True) as connection:
        return cost, {name: _done(connection, name, began) for name in SLOW}


def _done(connection: duckdb.DuckDBPyConnection, source: str, began: datetime) -> float:
    """After how many seconds its last load was committed."""
    query = f"select epoch_us(max(inserted_at)) from {source}._dlt_loads"
    [[last]] = connection.execute(query).fetchall()
    return float(last / 1e6 - began.timestamp())


def nights(codes: Sequence[Path], slow: str, delay: float, rounds: int) -> Iterator[tuple[Path, bool, Night]]:
    """The runs, each with its code, and whether a vendor was slow: by `delay` seconds an answer."""
    world = World(days=DAYS)
    with Sandbox(world) as sandbox, tempfile.TemporaryDirectory(prefix="conversync-several-") as folder:
        sandbox.world.now = world.day(DAYS - 1) + timedelta(hours=12)
        first = Path(folder) / "first"
        first.mkdir()
        load(first, codes[0], sandbox)
        for number in range(rounds):
            for is_slow in (False, True):
                sandbox.faults.clear()
                if is_slow:
                    sandbox.faults.add(Fault(path=f"{SLOW[slow]}*", delay=delay))
                for code in codes if number % 2 else codes[::-1]:
                    home = Path(folder) / "night"
                    home.mkdir()
                    shutil.copyfile(first / DATABASE, home / DATABASE)
                    yield code, is_slow, load(home, code, sandbox)
                    shutil.rmtree(home)


def part(rounds: int = 3) -> Measure:
    """A measure of so many rounds."""

    def run(wish: Wish, notes: Notes) -> None:
        codes = (ROOT, *wish.codes)
        for code, is_slow, (cost, done) in nights(codes, SLOW_ONE, DELAY, wish.rounds or rounds):
            subject = "conversync" if code == ROOT else code.name
            values = costs(cost, **{f"done {source}": seconds for source, seconds in done.items()})
            notes.figure(subject, SLOW_CASE if is_slow else QUICK_CASE, len(SLOW), values)

    return run

"""Several vendors in one run that finds nothing new: `python -m benchmarks.several`.

python -m benchmarks.several                       all vendors at once, and again with one that takes 300 ms an answer
python -m benchmarks.several --code ../other       and the same with the code of another checkout beside it

Each run is a process of its own on a copy of one warehouse. Told are medians: the run's CPU, clock and peak, and how
long after its start each source was done; with the slow one as a ratio to the run without. The rounds are interleaved.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import duckdb

from benchmarks.contestants import DATABASE
from benchmarks.runner import ROOT, BenchmarkError, Cost, clean_environment, compile_everything, measured
from conversync.sandbox import Fault, Sandbox, World

DAYS = 60
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
    """The runs, each with its code, and whether a vendor was slow."""
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


def told(code: Path, quick: Sequence[Night], slowed: Sequence[Night], slow: str) -> Iterator[str]:
    """The medians of one checkout."""
    yield f"{code.name}: "
    for name, some in (("all quick", quick), (f"{slow} slow", slowed)):
        cpu, wall, peak = (
            median(getattr(cost, what) for cost, _ in some) for what in ("cpu", "wall", "peak")
        )
        yield f"  {name:<18} CPU {cpu:.2f} s  clock {wall:.2f} s  peak {peak:.0f} MB"
    for source in quick[0][1]:
        was, is_ = (median(seconds[source] for _, seconds in some) for some in (quick, slowed))
        yield f"  {source:<18} done after {was:.2f} s; beside the slow one {is_:.2f} s, {is_ / was:.2f} times"


def main(arguments: list[str] | None = None) -> int:
    """0 when every run ended well."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.several",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--slow", choices=sorted(SLOW), default="infobip")
    parser.add_argument("--delay", type=float, default=0.3, help="seconds that each of its answers takes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--code", type=Path, action="append", default=[], help="another checkout, beside it")
    options = parser.parse_args(arguments)
    codes = [ROOT, *(path.resolve() for path in options.code)]
    compile_everything()
    found: dict[tuple[Path, bool], list[Night]] = {
        (code, slow): [] for code in codes for slow in (False, True)
    }
    try:
        for code, is_slow, night in nights(codes, options.slow, options.delay, options.rounds):
            found[code, is_slow].append(night)
            print(f"{code.name:<20} {'slow' if is_slow else 'quick'}  CPU {night[0].cpu:.2f} s", flush=True)
    except (BenchmarkError, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)
        return 1
    for code in codes:
        print("\n".join(told(code, found[code, False], found[code, True], options.slow)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

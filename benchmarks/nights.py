"""A night of so many rows into tables of several sizes: `python -m benchmarks.nights`.

python -m benchmarks.nights                                   10,000 rows into nothing, 1M and 10M rows, 3 rounds
python -m benchmarks.nights --size 0 --size 1000000 --rounds 1
python -m benchmarks.nights --size 10000000 --profile         what each SQL statement takes
python -m benchmarks.nights --keys random                     as of a vendor whose ids do not grow

What is in the table before is written by SQL: other events of other days. A night is a process of its own; its rows
come in for the first time ("new"), and then again ("same"). The rounds are interleaved; all is told as medians, and
as ratios to the same night into nothing.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.contestants import DATABASE, OURS
from benchmarks.runner import (
    BenchmarkError,
    Cost,
    clean_environment,
    compile_everything,
    measured,
    running_feed,
)

NIGHTS = ("new", "same")
SIZES = (0, 1_000_000, 10_000_000)
ROWS = 10_000


def night(home: Path, url: str, *, profile: bool = False) -> Cost:
    """One load in `home`; with `profile`, what its statements took is shown."""
    command = OURS.command(url, home)
    if profile:
        command = [sys.executable, str(Path(__file__).with_name("profiled.py")), *command[1:]]
    environment = clean_environment() | OURS.environment(url, home)
    log = home / "output.log"
    cost = measured(command, environment, home, log)
    if profile:
        print(log.read_text(encoding="utf-8"))
    return cost


def both(url: str, filled: Path | None, *, profile: bool) -> list[Cost]:
    """The night with rows that are new, and the same again."""
    with tempfile.TemporaryDirectory(prefix="conversync-nights-") as folder:
        home = Path(folder)
        if filled is not None:
            shutil.copyfile(filled, home / DATABASE)
        return [night(home, url, profile=profile) for _ in NIGHTS]


def prepared(places: Path, url: str, sizes: Sequence[int], keys: str) -> dict[int, Path | None]:
    """A file for each size; none where nothing is there."""
    first = places / "first"
    first.mkdir()
    night(first, url)
    files: dict[int, Path | None] = {}
    for size in sizes:
        files[size] = places / f"{size}.duckdb" if size else None
        if size:
            shutil.copyfile(first / DATABASE, places / f"{size}.duckdb")
            command = [sys.executable, str(Path(__file__).with_name("filled.py"))]
            subprocess.run([*command, str(places / f"{size}.duckdb"), str(size), keys], check=True)
    return files


def told(costs: dict[tuple[int, str], list[Cost]], sizes: Sequence[int]) -> None:
    """The medians, as a table."""
    print("| rows before | night | CPU s | ratio | wall s | peak MB |\n|--:|---|--:|--:|--:|--:|")
    for name in NIGHTS:
        nothing = median(cost.cpu for cost in costs[sizes[0], name])
        for size in sizes:
            some = costs[size, name]
            cpu, wall, peak = (median(getattr(c, what) for c in some) for what in ("cpu", "wall", "peak"))
            print(f"| {size:,} | {name} | {cpu:.2f} | {cpu / nothing:.2f} | {wall:.2f} | {peak:.0f} |")


def main(arguments: list[str] | None = None) -> int:
    """0 when every night ended well."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.nights",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--size", type=int, action="append", help="rows in the table before; several times")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the night")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keys", choices=("growing", "random"), default="growing")
    parser.add_argument("--profile", action="store_true", help="show what each statement takes")
    options = parser.parse_args(arguments)
    sizes = sorted(options.size or SIZES)
    compile_everything()
    costs: dict[tuple[int, str], list[Cost]] = {(size, name): [] for size in sizes for name in NIGHTS}
    try:
        with running_feed(options.rows) as (url, _), tempfile.TemporaryDirectory() as folder:
            files = prepared(Path(folder), url, sizes, options.keys)
            for turn in range(options.rounds):
                first = turn % len(sizes)
                for size in (*sizes[first:], *sizes[:first]):
                    for name, cost in zip(
                        NIGHTS, both(url, files[size], profile=options.profile), strict=True
                    ):
                        costs[size, name].append(cost)
                        print(
                            f"{size:>12,}  {name}  CPU {cost.cpu:.2f} s  peak {cost.peak:.0f} MB", flush=True
                        )
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    told(costs, sizes)
    return 0


if __name__ == "__main__":
    sys.exit(main())

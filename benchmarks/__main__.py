"""`python -m benchmarks`: measures the same load done three ways and writes docs/speed.md.

python -m benchmarks                                  100,000 rows x 3 rounds, 1,000,000 rows x 1
python -m benchmarks --rows 100000 --rounds 5         one size
python -m benchmarks --smoke                          2,000 rows once, nothing written: does it still work?
"""

import argparse
import signal
import sys
from pathlib import Path

from benchmarks.contestants import EVERYBODY
from benchmarks.report import report
from benchmarks.runner import ROOT, BenchmarkError, Measurement, compete, compile_everything

DEFAULT = ((100_000, 3), (1_000_000, 1))
SMOKE = ((2_000, 1),)


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line; `--rows` may stand several times, each with the same `--rounds`."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, action="append", help="how many rows the feed holds")
    parser.add_argument("--rounds", type=int, help="how often each contestant runs")
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="part of a contestant's name; writes nothing"
    )
    parser.add_argument("--smoke", action="store_true", help="a few seconds, writes nothing")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "speed.md")
    return parser.parse_args(arguments)


def plan(options: argparse.Namespace) -> tuple[tuple[int, int], ...]:
    """Which sizes, how many rounds each."""
    if options.smoke:
        return SMOKE
    if options.rows:
        return tuple((rows, options.rounds or 3) for rows in options.rows)
    return tuple((rows, options.rounds or rounds) for rows, rounds in DEFAULT)


def command(options: argparse.Namespace) -> str:
    """What was typed, without the place of the output."""
    sizes = [f"--rows {rows}" for rows in options.rows or ()]
    rounds = [f"--rounds {options.rounds}"] if options.rounds else []
    return " ".join(["python -m benchmarks", *sizes, *rounds])


def main(arguments: list[str] | None = None) -> int:
    """0 when everybody loaded the feed exactly; 1 with the reason otherwise."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parsed(arguments)
    wanted = [c for c in EVERYBODY if not options.only or any(name in c.name for name in options.only)]
    if not options.smoke:
        compile_everything()
    results: list[Measurement] = []
    try:
        for rows, rounds in plan(options):
            results += compete(wanted, rows, rounds)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    if not (options.smoke or options.only):
        options.output.write_text(report(results, command(options)), encoding="utf-8")
        print(f"wrote {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

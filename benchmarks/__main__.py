"""`python -m benchmarks`: measures what docs/speed.md tells, and writes it.

python -m benchmarks                            every part, one after the other, and then the page
python -m benchmarks --part nights --part marts-1m    some parts anew; the page has the others as they were measured
python -m benchmarks --part loads-1m --only hand --only conversync --rounds 1    to look at, nothing is kept
python -m benchmarks --list                     which parts there are, and how many minutes each takes
python -m benchmarks --prepare                  makes what takes long to make: environments, large warehouses
python -m benchmarks --page                     the page alone, from what was measured before
python -m benchmarks --quick                    for CI: ratios at 100,000 rows, and a night into a million
"""

import argparse
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import arithmetic
from benchmarks.contestants import EVERYBODY
from benchmarks.environments import NotInstalledError, make
from benchmarks.page import write
from benchmarks.parts import marts, nights
from benchmarks.parts.part import Notes, Wish
from benchmarks.plan import MILLION, PARTS, QUICK, SMOKE, Part
from benchmarks.results import About, Run, found, keep, machine
from benchmarks.runner import BenchmarkError, compile_everything
from benchmarks.tables import told


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", action="append", choices=PARTS, default=[], help="this part; several times")
    parser.add_argument("--rounds", type=int, help="how often; each part has a number of its own")
    parser.add_argument(
        "--size", type=int, action="append", default=[], help="rows, other than the part's; not kept"
    )
    parser.add_argument("--only", action="append", default=[], help="part of a contestant's name; not kept")
    parser.add_argument(
        "--code", type=Path, action="append", default=[], help="another checkout beside it (several, sending)"
    )
    parser.add_argument("--keys", choices=("growing", "random"), default="growing", help="ids of the nights")
    parser.add_argument("--profile", action="store_true", help="what each statement of a night takes")
    parser.add_argument("--list", action="store_true", help="the parts")
    parser.add_argument("--prepare", action="store_true", help="makes environments and large warehouses")
    parser.add_argument("--page", action="store_true", help="writes the page alone")
    parser.add_argument("--quick", action="store_true", help="for CI; nothing is kept")
    parser.add_argument("--smoke", action="store_true", help="does it still work? nothing is kept")
    return parser.parse_args(arguments)


def measure(name: str, part: Part, wish: Wish, command: str) -> Run:
    """One run of a part, whatever was measured before."""
    print(f"-- {name}: {part.what}", flush=True)
    notes, began, started = Notes(), datetime.now(UTC), time.monotonic()
    load = os.getloadavg()[1]
    part.measure(wish, notes)
    about = About(
        name,
        command,
        f"{began:%Y-%m-%d %H:%M}",
        machine(),
        seconds=time.monotonic() - started,
        load=load,
        notes=tuple(notes.said),
        facts=notes.facts,
    )
    return Run(about, tuple(notes.figures))


def prepare() -> None:
    """What is made once for many runs; an environment that cannot be made is told when it is wanted."""
    for one in EVERYBODY:
        try:
            if one.environment_name:
                make(one.environment_name)
        except NotInstalledError as error:
            print(f"{one.name} could not be installed: {error}")
    for size in nights.SIZES:
        nights.filled(size, "growing")
    for size in (MILLION, 10 * MILLION):
        marts.filled(size)


def written() -> Path:
    """The pages, from what was measured; what follows from a million rows where these were."""
    runs = found(PARTS)
    page = write(runs)
    if "loads-1m" in runs:
        arithmetic.write()
    return page


def main(arguments: list[str] | None = None) -> int:
    """0 when every table held what it has to; 1 with the reason otherwise."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parsed(arguments)
    if options.list:
        for name, part in PARTS.items():
            print(f"{name:<12} {part.minutes:>3.0f} min  {part.what}")
        return 0
    wish = Wish(
        options.rounds,
        tuple(options.size),
        tuple(options.only),
        tuple(path.resolve() for path in options.code),
        options.keys,
        options.profile,
    )
    is_kept = not (options.quick or options.smoke or wish != Wish(options.rounds))
    parts = QUICK if options.quick else SMOKE if options.smoke else PARTS
    chosen = [] if options.page or options.prepare else options.part or list(parts)
    try:
        if not options.page:
            compile_everything()
        if options.prepare:
            prepare()
        for name in chosen:
            words = f"--part {name}" + (f" --rounds {wish.rounds}" if wish.rounds else "")
            run = measure(name, parts[name], wish, f"python -m benchmarks {words}")
            if is_kept:
                print(f"kept in {keep(run)}; wrote {written()}")
            else:
                print("\n".join(told(run)))
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    if options.page:
        print(f"wrote {written()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The same feed by everybody, into nothing and once more."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contestants import DATABASE, EVERYBODY, Contestant
from benchmarks.environments import NotInstalledError, make
from benchmarks.feed import Totals
from benchmarks.parts.part import Notes, Wish, rotated
from benchmarks.results import costs
from benchmarks.runner import BenchmarkError, check, clean_environment, measured, running_feed, size_of

FIRST, SECOND = "first", "identical second"
MANY = 500_000  # rows that take a slow contestant minutes


def present(wanted: Sequence[str], notes: Notes) -> list[Contestant]:
    """The contestants whose name has one of these parts in it, with their environments; who is lacking is told."""
    found = []
    for one in EVERYBODY:
        if wanted and not any(part.lower() in one.name.lower() for part in wanted):
            continue
        try:
            if one.environment_name:
                make(one.environment_name)
        except NotInstalledError as error:
            notes.say(f"{one.name} could not be installed on this machine and is missing here: {error}.")
        else:
            found.append(one)
    if not found:
        raise BenchmarkError("There is nobody to measure.")
    return found


def loads(
    contestant: Contestant, url: str, totals: Totals, cases: Sequence[str], threads: int | None, notes: Notes
) -> None:
    """The loads of one contestant in a directory of its own, each of them checked."""
    with tempfile.TemporaryDirectory(prefix="conversync-benchmark-") as name:
        home = Path(name)
        work = home / "work"
        work.mkdir()
        environment = clean_environment() | contestant.environment(url, home, threads=threads)
        for case in cases:
            command = contestant.command(url, home)
            cost = measured(command, environment, work, home / "output.log")
            for table in contestant.tables:
                check(
                    contestant.name,
                    home / DATABASE,
                    table,
                    contestant.reversal,
                    totals,
                    money=contestant.money,
                )
            values = costs(cost, file=size_of(home / DATABASE))
            notes.figure(contestant.name, case, totals.rows, values)


@dataclass(frozen=True)
class Contest:
    """Who loads what, how often: `sizes` in rows, `threads` of DuckDB (None: its default), `delay` in s a request."""

    sizes: tuple[int, ...]
    rounds: int = 3
    slow_rounds: int = 1
    """Of those that take minutes, from MANY rows on."""
    threads: int | None = 1
    delay: float = 0
    cases: tuple[str, ...] = (FIRST, SECOND)
    only: tuple[str, ...] = ()
    """Unless the command line says who."""

    def __call__(self, wish: Wish, notes: Notes) -> None:
        """Every contestant once a round, on one feed for each size."""
        contestants = present(wish.only or self.only, notes)
        for rows in wish.sizes or self.sizes:
            with running_feed(rows, self.delay) as (url, totals):
                notes.facts.update(
                    delay=self.delay,
                    rows=totals.rows,
                    reversals=totals.reversals,
                    page_bytes=totals.page_bytes,
                )
                for turn in range(wish.rounds or self.rounds):
                    for one in rotated(contestants, turn):
                        if not (one.is_slow and rows >= MANY and turn >= self.slow_rounds):
                            loads(one, url, totals, self.cases, self.threads, notes)

"""The same nights into PostgreSQL: what they cost ours, and what they cost the server.

The server's CPU is that of all its processes that ended meanwhile, which the sessions of the load are. A table is
filled by SQL, and copied as a database of its own for each round.
"""

import tempfile
from pathlib import Path

from benchmarks.cluster import Cluster, NoServerError, cluster
from benchmarks.contestants import OURS
from benchmarks.feed import Totals
from benchmarks.filled import BEFORE, on_postgres
from benchmarks.parts.nights import MILLION, NIGHT, NIGHTS, NOTHING
from benchmarks.parts.part import Measure, Notes, Wish, rotated
from benchmarks.results import costs
from benchmarks.runner import BenchmarkError, Cost, clean_environment, measured, running_feed

SIZES = (NOTHING, MILLION, 10 * MILLION)
SUBJECT = "PostgreSQL"
HELD = f"""
    select count(*) filter (where {BEFORE}), count(*) filter (where not {BEFORE}),
        count(distinct event_key) filter (where not {BEFORE}),
        count(*) filter (where is_reversal and not {BEFORE}),
        sum(payout) filter (where not {BEFORE}) = {{payout}}, sum(reward) filter (where not {BEFORE}) = {{reward}}
    from besitos.conversion_events where valid_to is null
"""


def night(home: Path, here: Cluster, url: str) -> tuple[Cost, float]:
    """One load from `home`, and the CPU seconds of the server meanwhile."""
    environment = clean_environment() | OURS.environment(url, home)
    environment["DESTINATION__POSTGRES__CREDENTIALS"] = here.url
    command = [*OURS.command(url, home), "--destination", "postgres"]
    before = here.cpu()
    cost = measured(command, environment, home, home / "output.log")
    return cost, here.cpu() - before


def looked_at(here: Cluster, totals: Totals, size: int) -> None:
    """BenchmarkError unless the table holds the night's rows once, and all that were there before."""
    [found] = here.ask(HELD.format(payout=totals.payout, reward=totals.reward))
    rows = str(totals.rows)
    if found != [str(size), rows, rows, str(totals.reversals), "t", "t"]:
        raise BenchmarkError(f"PostgreSQL, {size:,} rows before: {found} was found, the feed has {totals}.")


def emptied(here: Cluster, size: int) -> None:
    """The table with so many rows and no others; for none, a server on which nothing was loaded."""
    if size == NOTHING:
        schemas = here.ask(
            "select nspname from pg_namespace where nspname !~ '^(pg_|information_schema|public)'"
        )
        for [schema] in schemas:
            here.ask(f'drop schema "{schema}" cascade')
        return
    here.ask(f"delete from besitos.conversion_events where not ({BEFORE})")
    here.ask("vacuum analyze besitos.conversion_events")


def measure(wish: Wish, notes: Notes, *, sizes: tuple[int, ...], rounds: int) -> None:
    """Both nights into each size, once a round, each size on a server of its own."""
    try:
        with running_feed(NIGHT) as (url, totals):
            notes.facts["rows"] = totals.rows
            rounds_of(wish, notes, url, totals, sizes=wish.sizes or sizes, rounds=wish.rounds or rounds)
    except NoServerError as error:
        notes.say(f"PostgreSQL was not measured: {error}.")


def rounds_of(
    wish: Wish, notes: Notes, url: str, totals: Totals, *, sizes: tuple[int, ...], rounds: int
) -> None:
    """The servers are started one within the other; all run at once, and one of them works."""
    del wish
    from contextlib import ExitStack

    with ExitStack() as stack:
        servers = {}
        for size in sizes:
            here = servers[size] = stack.enter_context(cluster())
            if size:
                with tempfile.TemporaryDirectory() as folder:
                    night(Path(folder), here, url)
                print(f"filling {size:,} rows ...", flush=True)
                here.ask(on_postgres(size))
        for turn in range(rounds):
            for size in rotated(sizes, turn):
                here = servers[size]
                emptied(here, size)
                with tempfile.TemporaryDirectory(prefix="conversync-server-night-") as folder:
                    for case in NIGHTS:
                        cost, server = night(Path(folder), here, url)
                        looked_at(here, totals, size)
                        notes.figure(SUBJECT, case, size, costs(cost, server=server))


def part(sizes: tuple[int, ...] = SIZES, rounds: int = 3) -> Measure:
    """A measure of these sizes."""

    def run(wish: Wish, notes: Notes) -> None:
        measure(wish, notes, sizes=sizes, rounds=rounds)

    return run

"""`conversync`, and then what each of its SQL statements took: `python benchmarks/profiled.py load besitos`.

Seconds of this process's CPU and on the clock, from a statement's start until its rows were read; the dearest first.
For a database elsewhere the clock is what counts: it worked, and we waited.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SHOWN = 12
WIDTH = 300


def timed(execute: Callable[..., Any], costs: dict[str, list[float]]) -> Callable[..., Any]:
    """dlt's way to a statement, with what each one took added to `costs`."""

    @contextmanager
    def measured(self: Any, query: Any, *values: Any, **named: Any) -> Iterator[Any]:
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            with execute(self, query, *values, **named) as cursor:
                yield cursor
        finally:
            cost = costs[" ".join(str(query).split())]
            cost[0] += time.process_time() - cpu
            cost[1] += time.perf_counter() - wall
            cost[2] += 1

    return measured


def told(costs: dict[str, list[float]]) -> Iterator[str]:
    """A line for each of the dearest statements."""
    for query, (cpu, wall, times) in sorted(costs.items(), key=lambda one: -one[1][1])[:SHOWN]:
        yield f"{cpu:7.3f} s CPU {wall:7.3f} s wall {times:4.0f} x  {query[:WIDTH]}"
    cpu, wall, times = (sum(column) for column in zip(*costs.values(), strict=True))
    yield f"{cpu:7.3f} s CPU {wall:7.3f} s wall {times:4.0f} x  all statements"


def main() -> None:
    """The command's own exit code."""
    from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient

    clients: list[Any] = [DuckDbSqlClient]
    try:
        from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient
    except ImportError:
        pass
    else:
        clients.append(Psycopg2SqlClient)
    costs: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for client in clients:
        client.execute_query = timed(client.execute_query, costs)
    from conversync.cli.main import main as command

    try:
        sys.exit(command())
    finally:
        print("\n".join(told(costs)), file=sys.stderr)


if __name__ == "__main__":
    main()

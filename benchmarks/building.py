"""What a build costs, model by model: CPU seconds, the peak of memory, and the size of the file before and after.

    python -m benchmarks.building warehouse.duckdb [--full-refresh]

It is what `conversync build` runs, with dbt in this process, one node after the other.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb

from conversync import build
from conversync.warehouse.query import of_duckdb
from conversync.warehouse.warehouse import Warehouse

SHOWN = 25
MB = 1_000_000


def cpu() -> float:
    """CPU seconds of this process, its threads included."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Nodes:
    """Is told by dbt of each node's beginning and end."""

    def __init__(self) -> None:
        self.begun: dict[str, tuple[float, float]] = {}
        self.costs: dict[str, tuple[float, float]] = {}

    def heard(self, event: Any) -> None:
        """One event of dbt's."""
        info = getattr(event.data, "node_info", None)
        if info is None or not info.unique_id:
            return
        now = (cpu(), time.monotonic())
        if event.info.name == "NodeStart":
            self.begun[info.unique_id] = now
        elif event.info.name == "NodeFinished":
            before = self.begun[info.unique_id]
            self.costs[info.unique_id] = (now[0] - before[0], now[1] - before[1])


def main(arguments: list[str]) -> None:
    """Builds, and prints what it cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--full-refresh", action="store_true")
    asked = parser.parse_args(arguments)
    from dbt.cli.main import dbtRunner

    with tempfile.TemporaryDirectory(dir=asked.path.absolute().parent) as folder:
        os.environ.update(build.environment_of(Warehouse(asked.path), Path(folder)))
        with duckdb.connect(str(asked.path), read_only=True) as connection:
            variables = build.variables(build.relations(of_duckdb(connection)))
        options = [
            "build",
            "--vars",
            json.dumps(variables),
            "--exclude-resource-type",
            "unit_test",
            "--quiet",
        ]
        options += ["--full-refresh"] if asked.full_refresh else []
        before, nodes, started = asked.path.stat().st_size, Nodes(), cpu()
        done = dbtRunner(callbacks=[nodes.heard]).invoke(options)
        total = cpu() - started
    for name, (seconds, wall) in sorted(nodes.costs.items(), key=lambda one: -one[1][0])[:SHOWN]:
        print(f"{seconds:7.2f} CPU s {wall:7.2f} wall s  {name}")
    slowest = max(nodes.costs.values(), default=(0, 0))[0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"{'well' if done.success else 'FAILED'}: {total:.1f} CPU s, {len(nodes.costs)} nodes, {slowest:.2f} at most, "
        f"peak {peak / MB:,.0f} MB, file {before / MB:,.0f} -> {asked.path.stat().st_size / MB:,.0f} MB"
    )


if __name__ == "__main__":
    main(sys.argv[1:])

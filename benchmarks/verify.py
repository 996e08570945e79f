"""The first row of a query, as one JSON line: `python benchmarks/verify.py DATABASE QUERY`.

A process of its own, so that the runner stays small: a child's peak memory counts what its parent held at
the fork.
"""

import json
import sys

import duckdb


def main() -> None:
    """Looks, and changes nothing."""
    database, query = sys.argv[1:]
    with duckdb.connect(database, read_only=True) as connection:
        print(json.dumps(connection.execute(query).fetchone()))


if __name__ == "__main__":
    main()

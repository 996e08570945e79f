"""What a contestant's table holds, as one JSON line to compare with the feed's own totals.

A process of its own, so that the runner stays small: a child's peak memory counts what its parent held at
the fork.

Usage: `python benchmarks/verify.py DATABASE TABLE REVERSAL_CONDITION`.
"""

import json
import sys

import duckdb


def main() -> None:
    """Counts and exact sums; a money column that is not DECIMAL fails, whatever it sums to."""
    database, table, reversal = sys.argv[1:]
    query = f"""
        select count(*), count(distinct (transaction_id, {reversal})), count(*) filter ({reversal}),
               sum(payout)::varchar, sum(reward)::varchar,
               any_value(typeof(payout)), any_value(typeof(reward))
        from {table}"""
    with duckdb.connect(database, read_only=True) as connection:
        row = connection.execute(query).fetchone() or ()
    names = ("rows", "events", "reversals", "payout", "reward", "payout_type", "reward_type")
    print(json.dumps(dict(zip(names, row, strict=True))))


if __name__ == "__main__":
    main()

"""A warehouse of as many conversions as wanted: a small one that was loaded from the sandbox, filled up by SQL.

    python -m benchmarks.large --rows 1000000 warehouse.duckdb

Besitos' statements are copied under new transactions, reversals with their originals, restated ones with what they
were; a tenth as many of Keitaro's are, with the transactions that they belong to. Loads and evidence stay those of
the small one, so that all of it counts as read.
"""

import argparse
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from conversync.load import load
from conversync.sandbox import Sandbox, World
from conversync.vendors import LoadRequest, vendors
from conversync.warehouse.warehouse import Warehouse

DAYS = 200
TRACKED_SHARE = 10
LIMITS: dict[str, Any] = {"memory_limit": "2GB", "threads": 2, "preserve_insertion_order": False}


class Silent:
    """Progress that nobody watches."""

    def step(self, dataset: str, label: str) -> None:
        """A window."""

    def page(self, dataset: str, received: int, announced: int) -> None:
        """A page."""

    def done(self, dataset: str, label: str, step: object) -> None:
        """A commit."""


def loaded(path: Path) -> None:
    """Two nights of a small story into a new warehouse: the second one restates and reverses, and was yesterday."""
    world = World(
        start=datetime.now(UTC).date() - timedelta(days=DAYS), days=DAYS, players=400, conversions_a_day=20
    )
    with Sandbox(world) as sandbox:
        begin = str(world.start - timedelta(days=1))
        os.environ.update(sandbox.settings())
        os.environ.update({f"{name}_START_DATE": begin for name in ("BESITOS", "INFOBIP", "KEITARO")})
        os.environ.update({f"{name}_LOOKBACK_DAYS": "60" for name in ("BESITOS", "INFOBIP", "KEITARO")})
        for day in (DAYS - 20, DAYS - 1):
            world.now = world.day(day) + timedelta(hours=12)
            asked = LoadRequest(end=str(world.now.date()), window_days=400)
            for report in load(Warehouse(path), list(vendors().values()), asked, Silent()):
                if report.error is not None:
                    raise report.error


def fill(path: Path, rows: int) -> None:
    """Copies what was loaded until there are `rows` conversions of Besitos, rounded up to a whole copy."""
    with duckdb.connect(str(path), config=LIMITS) as connection:
        connection.execute("set timezone = 'UTC'")
        [[held]] = connection.execute(
            "select count(*) from besitos.conversion_events where valid_to is null and not is_reversal"
        ).fetchall()
        copies = -(-rows // held)
        [[first, last]] = connection.execute(
            "select min(transaction_id), max(transaction_id) from besitos.conversion_events"
        ).fetchall()
        apart = last - first + 1
        # In the order of their times, as nights would have brought them.
        connection.execute(COPIED.format(copies=copies, apart=apart, key=KEY.format(apart=apart)))
        connection.execute(TRACKED.format(copies=copies // TRACKED_SHARE, apart=apart))
        connection.execute("force checkpoint")


KEY = "cast(transaction_id + n * {apart} as varchar) || substr(event_key, strpos(event_key, ':'))"
COPIED = """
    insert into besitos.conversion_events by name
    select events.* replace (
        transaction_id + n * {apart} as transaction_id,
        {key} as event_key,
        md5(statement_hash || n) as statement_hash,
        'u' || cast(hash(user_key) % 100 + n * 100 as varchar) as user_id,
        'u' || cast(hash(user_key) % 100 + n * 100 as varchar) as user_key
    )
    from besitos.conversion_events as events cross join range(1, {copies}) as copies(n)
    order by valid_from, n, transaction_id
"""
TRACKED = """
    insert into keitaro.conversion_events by name
    select events.* replace (
        'c' || cast(n as varchar) || '-' || conversion_id as conversion_id,
        md5(statement_hash || n) as statement_hash,
        coalesce(cast(try_cast(tid as bigint) + n * {apart} as varchar), tid) as tid
    )
    from keitaro.conversion_events as events cross join range(1, {copies}) as copies(n)
    order by valid_from, n, conversion_id
"""


def main(arguments: list[str]) -> None:
    """Makes the warehouse; one that is there is filled up no further."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    asked = parser.parse_args(arguments)
    if asked.path.exists():
        parser.error(f"{asked.path} is there already")
    loaded(asked.path)
    fill(asked.path, asked.rows)


if __name__ == "__main__":
    main(sys.argv[1:])

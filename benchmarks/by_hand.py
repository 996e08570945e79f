"""Contestant: what a careful person writes by hand, without a framework and without history.

requests, msgspec, Arrow, and DELETE + INSERT in one DuckDB transaction: exact decimals, times in UTC, every
key once. It keeps no earlier statements, no rejects, no evidence and no cursor, and restarts from nothing
after a failure: the lower limit of the cost, not a rival in what it promises.

Usage: `python benchmarks/by_hand.py FEED_URL TOKEN DATABASE FROM TO`.
"""

import sys
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import requests

BATCH_PAGES = 50
MONEY = pa.decimal128(18, 6)
TABLE = """
create table if not exists conversions (
  transaction_id bigint, is_reversal boolean,
  user_id varchar, offer_id varchar, offer_name varchar, goal_id varchar, note varchar,
  payout decimal(18,6), reward decimal(18,6), reward_local_currency decimal(18,6), occurred_at timestamptz
)"""
SAME_KEY = "c.transaction_id = b.transaction_id and c.is_reversal = b.is_reversal"
FORGET = f"delete from conversions c where exists (from batch b where {SAME_KEY})"
KEYS = "select count(*) from (select distinct transaction_id, is_reversal from batch)"
STORE = "insert into conversions by name from batch"
STORE_ONCE = "insert into conversions by name select distinct on (transaction_id, is_reversal) * from batch"


class Event(msgspec.Struct):
    """A row of the feed; msgspec reads a decimal from the literal text, so money is never a float."""

    transaction_id: int
    user_id: str
    offer_id: str
    offer_name: str
    goal_id: str
    note: str
    payout: Decimal
    reward: Decimal
    reward_local_currency: Decimal
    date_time: str
    reverse: int = 0


class Meta(msgspec.Struct):
    """The part of the paginator that is read."""

    last_page: int


class Page(msgspec.Struct):
    """One answer."""

    data: list[Event]
    meta: Meta


def pages(url: str, token: str, first_day: str, last_day: str) -> Iterator[list[Event]]:
    """Every page of the period, one after the other on one connection."""
    decoder = msgspec.json.Decoder(Page)
    query: dict[str, str | int] = {"from_date": first_day, "to_date": last_day, "per_page": 1000}
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        number, last = 1, 1
        while number <= last:
            reply = session.get(
                f"{url}/data/partner/conversions", params=query | {"page": number}, timeout=60
            )
            reply.raise_for_status()
            page = decoder.decode(reply.content)
            yield page.data
            number, last = number + 1, page.meta.last_page


def table(rows: list[Event]) -> Any:
    """One page as Arrow, while its objects are in the cache; EST is a fixed -05:00, as the document says."""
    local = pc.strptime(pa.array([r.date_time for r in rows]), format="%Y-%m-%d %H:%M:%S", unit="us")
    return pa.table(
        {
            "transaction_id": pa.array([r.transaction_id for r in rows], pa.int64()),
            "is_reversal": pa.array([r.reverse == 1 for r in rows]),
            "user_id": pa.array([r.user_id for r in rows]),
            "offer_id": pa.array([r.offer_id for r in rows]),
            "offer_name": pa.array([r.offer_name for r in rows]),
            "goal_id": pa.array([r.goal_id for r in rows]),
            "note": pa.array([r.note for r in rows]),
            "payout": pa.array([r.payout for r in rows], MONEY),
            "reward": pa.array([r.reward for r in rows], MONEY),
            "reward_local_currency": pa.array([r.reward_local_currency for r in rows], MONEY),
            "occurred_at": pc.assume_timezone(local, "-05:00").cast(pa.timestamp("us", "UTC")),
        }
    )


def batches(scan: Iterator[list[Event]]) -> Iterator[Any]:
    """Fifty pages at a time, as one table."""
    tables = map(table, scan)
    while part := list(islice(tables, BATCH_PAGES)):
        yield pa.concat_tables(part).combine_chunks()


def main() -> None:
    """One load, one transaction."""
    url, token, database, first_day, last_day = sys.argv[1:]
    with duckdb.connect(database) as connection:
        connection.execute(TABLE)
        connection.begin()
        for batch in batches(pages(url, token, first_day, last_day)):
            connection.register("batch", batch)
            connection.execute(FORGET)
            (distinct,) = connection.execute(KEYS).fetchone() or (0,)
            connection.execute(STORE if distinct == batch.num_rows else STORE_ONCE)
        connection.commit()


if __name__ == "__main__":
    main()

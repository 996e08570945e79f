"""Another table than the one that a load made: `python benchmarks/filled.py DATABASE ROWS growing|random`.

A process of its own, for what it holds would count in the peaks of those that are measured.
"""

import sys
from pathlib import Path

# What the filler's ids are made of: `{i}` counts from 0. Those that grow begin long before the feed's.
START = 10_000_000
# What tells these rows from a feed's.
BEFORE = f"transaction_id >= {START}"
KEYS = {"growing": f"{START} + {{i}}", "random": f"cast(hash({{i}}) % 9000000000000000 as bigint) + {START}"}
FILL = """
    insert into besitos.conversion_events by name
    select
        timestamptz '2021-01-01 00:00:00+00' + to_microseconds(cast(i * (1.2e14 / {size}) as bigint)) as occurred_at,
        cast({key} as varchar) || ':original' as event_key,
        {key} as transaction_id,
        false as is_reversal,
        'u' || substr(md5(cast(i % ({size} // 6 + 1) as varchar)), 1, 14) as user_id,
        user_id as user_key,
        'offer' || i % 400 as offer_id,
        'Offer no. ' || i % 400 as offer_name,
        'Level ' || i % 140 || ' reached' as note,
        'goal' || i % 140 as goal_id,
        cast(i % 400 as decimal(18,6)) as payout,
        cast(i % 60 as decimal(18,6)) as reward,
        cast(i % 60 as decimal(18,6)) * 100 as reward_local_currency,
        strftime(occurred_at, '%Y-%m-%d %H:%M:%S') as date_time,
        cast(occurred_at as date) as occurred_on,
        md5(cast(i as varchar)) as statement_hash,
        timestamptz '2024-11-01 00:00:00+00' + to_days(cast(i * 20 // {size} as integer)) as valid_from,
        cast(1730419200 + i * 20 // {size} * 86400 as varchar) || '.25' as _dlt_load_id
    from range({size}) as numbers(i)
"""
# The same for PostgreSQL, with ids that grow.
FILL_POSTGRES = """
    delete from besitos.conversion_events;
    insert into besitos.conversion_events (
        occurred_at, event_key, transaction_id, is_reversal, user_id, user_key, offer_id, offer_name, note, goal_id,
        payout, reward, reward_local_currency, date_time, occurred_on, statement_hash, valid_from, _dlt_load_id
    )
    select
        timestamptz '2021-01-01 00:00:00+00' + i * (interval '120000000 seconds' / {size}),
        ({start} + i)::varchar || ':original',
        {start} + i,
        false,
        'u' || substr(md5((i % ({size} / 6 + 1))::varchar), 1, 14),
        'u' || substr(md5((i % ({size} / 6 + 1))::varchar), 1, 14),
        'offer' || i % 400,
        'Offer no. ' || i % 400,
        'Level ' || i % 140 || ' reached',
        'goal' || i % 140,
        i % 400,
        i % 60,
        i % 60 * 100,
        '2021-01-01 00:00:00',
        date '2021-01-01' + (i * 1388 / {size})::integer,
        md5(i::varchar),
        timestamptz '2024-11-01 00:00:00+00' + (i * 20 / {size}) * interval '1 day',
        (1730419200 + i * 20 / {size} * 86400)::varchar || '.25'
    from generate_series(0::bigint, {size} - 1) as numbers(i);
    vacuum analyze besitos.conversion_events
"""


def on_postgres(size: int) -> str:
    """What fills the table there; each statement outside of any transaction."""
    return FILL_POSTGRES.format(size=size, start=START)


def fill(database: Path, size: int, keys: str) -> None:
    """The tables as a load made them, with so many other statements instead of those that it brought."""
    import duckdb

    with duckdb.connect(str(database), config={"threads": 1, "memory_limit": "2GB"}) as connection:
        connection.execute("set timezone = 'UTC'; set preserve_insertion_order = true")
        connection.execute("delete from besitos.conversion_events")
        connection.execute(FILL.format(size=size, key=KEYS[keys].format(i="i")))
        connection.execute("checkpoint")


if __name__ == "__main__":
    fill(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])

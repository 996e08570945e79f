"""What an earlier version's tables need before this one adds to them."""

from __future__ import annotations

from typing import Any

from .feed import STATED

# Before several reversals of a transaction were events of their own, a reversal's key had no time.
_OLD = "is_reversal and event_key = cast(transaction_id as varchar) || ':reversal'"


def name_reversals(client: Any, dialect: str) -> None:
    """Gives reversals of an earlier version the key, and so the hash, that this one would: nothing is stated anew.

    `client` is a dlt sql client of the dataset, whose table `conversion_events` is there. Does nothing the second time.
    """
    table = client.make_qualified_table_name("conversion_events")
    if dialect == "postgres":
        # An index of what is looked for: as a rule it is empty, and the table need not be read.
        client.execute_sql(f"create index if not exists old_reversals on {table} (event_key) where {_OLD}")
    if not client.execute_sql(f"select 1 from {table} where {_OLD} limit 1"):  # noqa: S608
        return
    instant = (
        "epoch_us(occurred_at)"
        if dialect == "duckdb"
        else "cast(extract(epoch from occurred_at) * 1000000 as bigint)"
    )
    texts = {"event_key": "new_key", "occurred_at": f"cast({instant} as varchar)"}
    parts = ", ".join(f"coalesce({texts.get(name, f'cast({name} as varchar)')}, chr(30))" for name in STATED)
    key = "event_key || ':' || replace(date_time, 'T', ' ')"
    digest = f"md5(concat_ws(chr(31), {parts}))".replace("new_key", key)
    with client.begin_transaction():
        client.execute_sql(f"update {table} set statement_hash = {digest}, event_key = {key} where {_OLD}")  # noqa: S608

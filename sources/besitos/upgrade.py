"""What an earlier version's tables need before this one adds to them."""

from __future__ import annotations

from conversync.types import SqlClient

from .feed import STATED

# Before two reversals of one instant were events of their own, a reversal's key had no reward.
_OLD = "is_reversal and position('.' in event_key) = 0"
# And before several reversals of a transaction were, it had no time either.
_OLDER = "is_reversal and event_key = cast(transaction_id as varchar) || ':reversal'"
_KEY = "event_key || ':' || cast(abs(reward) as varchar)"


def name_reversals(client: SqlClient, dialect: str) -> None:
    """Gives reversals of an earlier version the key, and the hash, that this one would: nothing is stated anew.

    `client` is a dlt sql client of the dataset, whose table `conversion_events` is there. Does nothing the second time.
    """
    table = client.make_qualified_table_name("conversion_events")
    if dialect == "postgres":
        _index(client, table)
    if not client.execute_sql(f"select 1 from {table} where {_OLD} limit 1"):  # noqa: S608
        return
    with client.begin_transaction():
        _add_times(client, table, dialect)
        _add_rewards(client, table)


def _index(client: SqlClient, table: str) -> None:
    """An index of what is looked for: as a rule it is empty, and the table need not be read."""
    client.execute_sql(f"create index if not exists reversals_to_name on {table} (event_key) where {_OLD}")
    client.execute_sql(f"drop index if exists {client.make_qualified_table_name('old_reversals')}")


def _add_times(client: SqlClient, table: str, dialect: str) -> None:
    """The oldest keys get the time; `withdrawn_events` was not there yet. The hash holds a key without the reward."""
    instant = (
        "epoch_us(occurred_at)"
        if dialect == "duckdb"
        else "cast(extract(epoch from occurred_at) * 1000000 as bigint)"
    )
    texts = {"event_key": "new_key", "occurred_at": f"cast({instant} as varchar)"}
    parts = ", ".join(f"coalesce({texts.get(name, f'cast({name} as varchar)')}, chr(30))" for name in STATED)
    key = "event_key || ':' || replace(date_time, 'T', ' ')"
    digest = f"md5(concat_ws(chr(31), {parts}))".replace("new_key", key)
    client.execute_sql(f"update {table} set statement_hash = {digest}, event_key = {key} where {_OLDER}")  # noqa: S608


def _add_rewards(client: SqlClient, table: str) -> None:
    """Each statement's key gets its own reward, and what was withdrawn follows the one that stands."""
    name = "withdrawn_events"
    query = "select 1 from information_schema.tables where table_schema = %s and table_name = %s"
    if client.execute_sql(query, client.dataset_name, name):
        withdrawn = client.make_qualified_table_name(name)
        client.execute_sql(
            f"update {withdrawn} set event_key = stands.new_key from ("  # noqa: S608
            f"select event_key as old_key, {_KEY} as new_key from {table} where {_OLD} and valid_to is null"
            f") as stands where event_key = stands.old_key"
        )
    client.execute_sql(f"update {table} set event_key = {_KEY} where {_OLD}")  # noqa: S608

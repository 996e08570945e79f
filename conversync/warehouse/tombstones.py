"""The dataset `privacy`: who was forgotten, as fingerprints under a secret key, so that nobody comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from conversync.errors import SettingsError
from conversync.extract import persons
from conversync.extract.persons import Persons, fingerprint
from conversync.settings import privacy
from conversync.types import Pipeline, SqlClient
from conversync.warehouse.query import rows

DATASET, TABLE = "privacy", "forgotten"
# Where somebody can be forgotten.
SERVERS = ("duckdb", "postgres")
# The line that is no person's: it tells whether the key is the one that the others were made with.
OF_KEY = 0
_COLUMNS = (
    "tombstone varchar(64) not null, length bigint not null, forgotten_at timestamp with time zone not null"
)


def place(client: SqlClient) -> str:
    """The table, with its dataset."""
    return f"{client.escape_column_name(DATASET)}.{client.escape_column_name(TABLE)}"


def known(client: SqlClient) -> Persons:
    """Those who were forgotten there; SettingsError where there are some, and the key is missing or another one."""
    from conversync.dlt_internals import DatabaseUndefinedRelation

    if client.capabilities.sqlglot_dialect not in SERVERS:
        return Persons(privacy.key())
    try:
        found: dict[str, int] = dict(rows(client, f"select tombstone, length from {place(client)}"))  # noqa: S608 - our own names
    except DatabaseUndefinedRelation:
        return Persons(privacy.key())
    if not found:
        return Persons(privacy.key())
    key = privacy.needed(
        "People were forgotten in this warehouse, who would come again with the next reading"
    )
    if found.pop(_of_key(key), None) != OF_KEY:
        raise SettingsError(
            f"{privacy.NAME} is another one than that with which people were forgotten in this warehouse, so nobody is "
            "known again, and they would come with the next reading: set the one from then."
        )
    return Persons(key, found)


@contextmanager
def heeded(pipeline: Pipeline) -> Iterator[None]:
    """What this thread reads meanwhile brings nobody back who was forgotten in the pipeline's destination."""
    with pipeline.sql_client() as client:
        found = known(client)
    with persons.heeded(found):
        yield


def note(client: SqlClient, forgotten: Persons) -> None:
    """Adds them; in a transaction of the caller's."""
    client.execute_sql(f"create schema if not exists {client.escape_column_name(DATASET)}")
    client.execute_sql(f"create table if not exists {place(client)} ({_COLUMNS})")
    there = {tombstone for (tombstone,) in rows(client, f"select tombstone from {place(client)}")}  # noqa: S608
    new = {_of_key(forgotten.key): OF_KEY, **forgotten.tombstones}
    for tombstone in new.keys() - there:
        client.execute_sql(
            f"insert into {place(client)} values (%s, %s, current_timestamp)",  # noqa: S608 - our own names
            tombstone,
            new[tombstone],
        )


def _of_key(key: bytes) -> str:
    return fingerprint(key, "key", "")

"""What was cleared leaves the disk, too: a DuckDB file is written anew, and so is each table of a PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from conversync.errors import ConversyncError, LockedError
from conversync.forget.places import STAGING, Place
from conversync.types import Connection, SqlClient
from conversync.warehouse import confined_sql, duckdb_limits, files
from conversync.warehouse.warehouse import Warehouse

# Seconds for which readers of a table may go on.
PATIENCE = 30.0
# Of a table without rows, each column with its type.
_TYPES = """
    select attname::text, format_type(atttypid, atttypmod) from pg_attribute
    where attrelid = %s::regclass and attnum > 0 and not attisdropped
"""
_LEFT_THERE = (
    "the server's statistics may hold the id until they are written over: have its administrator run "
    "VACUUM FULL pg_statistic; CHECKPOINT"
)
_COUNTED = """
    select schema_name, table_name from duckdb_tables() where database_name = ? and not internal order by all
"""


def anew(warehouse: Warehouse, folder: Path) -> None:
    """The file without anything that stands in none of its tables; whole or not at all. Nobody writes meanwhile.

    ConversyncError where the new one would not be the same. The caller has the right to write.
    """
    import duckdb

    path = warehouse.path
    if path.with_name(f"{path.name}.wal").exists():
        raise ConversyncError(
            f"{path} has changes that are not in the file yet: run conversync forget again."
        )
    files.clear_unfinished(path)
    # As long as the old file is open to be read, DuckDB lets nobody write to it.
    with duckdb.connect(config={**duckdb_limits.limits(), "preserve_insertion_order": False}) as connection:
        connection.execute(f"attach {_text(path)} as old (read_only)")
        with files.replacing(path) as new:
            connection.execute(f"attach {_text(new)} as new")
            confined_sql.close(connection, folder)
            connection.execute("copy from database old to new")
            if _counts(connection, "old") != _counts(connection, "new"):
                raise ConversyncError(
                    f"{path} could not be written anew; it is as it was. Run conversync forget again."
                )
            connection.execute("checkpoint new")
            connection.execute("detach new")


def _counts(connection: Connection, database: str) -> dict[tuple[str, str], int]:
    """How many rows each table has."""
    found = {}
    for schema, table in connection.execute(_COUNTED, [database]).fetchall():
        name = ".".join('"' + one.replace('"', '""') + '"' for one in (database, schema, table))
        [[found[schema, table]]] = connection.execute(f"select count(*) from {name}").fetchall()  # noqa: S608
    return found


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def vacuumed(client: SqlClient, places: Iterable[Place], wait: float) -> list[str]:
    """The same of a server's tables, and of what it knows of their values; sentences on what it did not let us do.

    LockedError where somebody reads one of them for longer than `wait` seconds, and `PATIENCE` at least.
    """
    import psycopg2  # type: ignore[import-untyped] # its stubs are a package of their own

    connection = psycopg2.connect(client.credentials.to_native_representation())
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"set lock_timeout = {int(max(wait, PATIENCE) * 1000)}")
            for place in places:
                cursor.execute(f"vacuum (full, analyze) {place.within(client)}")
                if place.schema.endswith(STAGING):
                    _no_statistics_of_nothing(client, cursor, place)
            try:
                # Most common values stood there, too.
                cursor.execute("vacuum full pg_catalog.pg_statistic")
                cursor.execute("checkpoint")
            except psycopg2.Error:
                return [_LEFT_THERE]
    except psycopg2.errors.LockNotAvailable as error:
        raise LockedError(
            "Somebody has a table open in a transaction, so what was cleared is still in its unused parts: end that "
            "session, and run conversync forget again, or wait for it with --wait 30m."
        ) from error
    finally:
        connection.close()
    return []


def _no_statistics_of_nothing(client: SqlClient, cursor: Any, place: Place) -> None:
    """Analysing a table without rows, such as one in which rows wait to be merged, leaves what was known of others."""
    cursor.execute(f"select 1 from {place.within(client)} limit 1")  # noqa: S608 - our own names
    if cursor.fetchone() is not None:
        return
    cursor.execute(_TYPES, [place.within(client)])
    for name, kind in cursor.fetchall():
        if name in place.columns:
            column = client.escape_column_name(name)
            cursor.execute(f"alter table {place.within(client)} alter column {column} type {kind}")

"""Asking a destination, through dlt's client or DuckDB's own session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from conversync.types import Connection, SqlClient, Values

# What answers a query of ours with its rows, whichever database it asks.
Rows = Callable[[str], Sequence[Values]]


def rows(client: SqlClient, query: str, *values: object) -> Sequence[Values]:
    """What a query comes to; nothing where it is none that has rows. `%s` stands for a value."""
    return [tuple(row) for row in client.execute_sql(query, *values) or ()]


def columns(cursor: Any) -> list[str]:
    """The names of the columns of an answer, by dlt's cursor; of SQLAlchemy's the answer itself has them."""
    named = getattr(cursor.native_cursor, "keys", None)
    return [str(name) for name in named()] if named else [str(column[0]) for column in cursor.description]


def of_duckdb(connection: Connection) -> Rows:
    """What asks an open DuckDB."""
    return lambda query: connection.execute(query).fetchall()

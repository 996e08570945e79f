"""Asking a destination, through dlt's client or DuckDB's own session."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from conversync.types import Connection, SqlClient, Values

# What answers a query of ours with its rows, whichever database it asks.
Rows = Callable[[str], Sequence[Values]]


def rows(client: SqlClient, query: str, *values: object) -> Sequence[Values]:
    """What a query comes to; nothing where it is none that has rows. `%s` stands for a value."""
    return [tuple(row) for row in client.execute_sql(query, *values) or ()]


def of_duckdb(connection: Connection) -> Rows:
    """What asks an open DuckDB."""
    return lambda query: connection.execute(query).fetchall()

"""Asking a destination through dlt's client."""

from __future__ import annotations

from collections.abc import Sequence

from conversync.types import SqlClient, Values


def rows(client: SqlClient, query: str, *values: object) -> Sequence[Values]:
    """What a query comes to; nothing where it is none that has rows. `%s` stands for a value."""
    return [tuple(row) for row in client.execute_sql(query, *values) or ()]

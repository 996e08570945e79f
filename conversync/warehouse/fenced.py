"""dlt's PostgreSQL client, whose transactions begin with a fence (see right.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg2.extensions import TRANSACTION_STATUS_IDLE  # type: ignore[import-untyped] # its stubs are a package
from psycopg2.sql import SQL, Composable  # type: ignore[import-untyped] # as above

from conversync.dlt_internals.postgres import Psycopg2SqlClient

# Seconds for which a statement waits for who holds a table, such as a reader whose transaction stays open where a
# column is added; dlt tries the jobs of a load some times more.
PATIENCE = 60.0


class Fenced(Psycopg2SqlClient):
    """A statement outside of a transaction is one of its own, together with the fence before it."""

    fence: str

    @contextmanager
    def begin_transaction(self) -> Iterator[Any]:
        """Also for what goes past `execute_query`, such as a copy from a file."""
        with super().begin_transaction():
            self.execute_sql("select 1")
            yield self

    @contextmanager
    def execute_query(self, query: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """As dlt's."""
        if self._conn.info.transaction_status == TRANSACTION_STATUS_IDLE:
            query = _after(self.fence, query)
        with super().execute_query(query, *args, **kwargs) as cursor:
            yield cursor


def with_fences(destination: Any, fences: Mapping[str, str]) -> Any:
    """dlt's destination, which from now on makes such clients; a dataset without a fence is not to be written."""
    make = destination.client

    def client(schema: Any, initial_config: Any = None) -> Any:
        made = make(schema, initial_config)
        made.sql_client.fence = fences[made.config.dataset_name]
        made.sql_client.credentials = _patient(made.sql_client.credentials)
        made.sql_client.__class__ = Fenced
        return made

    vars(destination).update(client=client)
    return destination


def _patient(credentials: Any) -> Any:
    """As an option of the start, which holds after dlt's `reset all`; what a person set there counts."""
    query = dict(credentials.query or {})
    if "lock_timeout" in (options := query.get("options", "")):
        return credentials
    patient = credentials.copy()
    patient.query = {**query, "options": f"{options} -clock_timeout={int(PATIENCE * 1000)}".strip()}
    return patient


def _after(fence: str, query: Any) -> Any:
    if isinstance(query, Composable):
        return SQL(fence + ";\n") + query
    return (fence + ";\n").encode() + query if isinstance(query, bytes) else f"{fence};\n{query}"

"""dlt's PostgreSQL client: it tells who kept it waiting; where it writes, transactions begin with a fence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from psycopg2 import Error  # type: ignore[import-untyped] # its stubs are a package
from psycopg2.extensions import TRANSACTION_STATUS_IDLE  # type: ignore[import-untyped] # as above
from psycopg2.sql import SQL, Composable  # type: ignore[import-untyped] # as above

from conversync.dlt_internals import DatabaseException
from conversync.dlt_internals.postgres import Psycopg2SqlClient
from conversync.warehouse.sessions import HELD_BY, NOT_HAD, WHO


class Patient(Psycopg2SqlClient):
    """An error of a statement that waited in vain knows who holds the table (see sessions.py)."""

    # Whose locks kept a statement waiting: of who only reads, only those that nobody can read beside.
    _HOLDS = "l.mode = 'AccessExclusiveLock'"

    @contextmanager
    def execute_query(self, query: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """As dlt's."""
        try:
            with super().execute_query(query, *args, **kwargs) as cursor:
                yield cursor
        except DatabaseException as error:
            if getattr(error.dbapi_exception, "pgcode", None) == NOT_HAD and not hasattr(error, HELD_BY):
                setattr(error, HELD_BY, self._holders())
            raise

    def _holders(self) -> str:
        """Asked after the statement's end, in a transaction of its own; nothing where nobody is found."""
        ours = [self.dataset_name, self.staging_dataset_name]
        with suppress(Error), self._conn.cursor() as cursor:
            cursor.execute(_HOLDERS.format(who=WHO, holds=self._HOLDS), {"ours": ours})
            return ", ".join(str(name) for (name,) in cursor.fetchall())
        return ""


class Fenced(Patient):
    """A statement outside of a transaction is one of its own, together with the fence before it."""

    fence: str
    _HOLDS = "l.mode = 'AccessExclusiveLock' or n.nspname = any(%(ours)s)"

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


def _after(fence: str, query: Any) -> Any:
    if isinstance(query, Composable):
        return SQL(fence + ";\n") + query
    return (fence + ";\n").encode() + query if isinstance(query, bytes) else f"{fence};\n{query}"


_HOLDERS = """
    select distinct {who}
    from pg_locks as l join pg_stat_activity as a on a.pid = l.pid
    join pg_class as c on c.oid = l.relation join pg_namespace as n on n.oid = c.relnamespace
    where l.granted and l.database = (select oid from pg_database where datname = current_database())
        and a.pid <> pg_backend_pid() and n.nspname !~ '^pg_' and ({holds})
    order by 1
"""

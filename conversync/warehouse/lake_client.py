"""dlt's client of a DuckLake, whose sessions share one DuckDB (see lake.py)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import duckdb

from conversync.dlt_internals.ducklake import DuckDbConnectionPool, DuckLakeSqlClient


class Engine(DuckDbConnectionPool):
    """A DuckDB that stays until nobody refers to it; what is borrowed are further connections to it."""

    def __init__(self, credentials: Any) -> None:
        super().__init__(credentials)
        self.lock = threading.RLock()
        self.sessions: set[LakeSession] = set()
        self._is_kept = False

    def borrow_conn(
        self,
        global_config: dict[str, Any] | None = None,
        local_config: dict[str, Any] | None = None,
        pragmas: list[str] | None = None,
    ) -> duckdb.DuckDBPyConnection:
        """As dlt's; one more is borrowed for good."""
        with self.lock:
            if not self._is_kept:
                super().borrow_conn(global_config)  # type: ignore[arg-type] # dlt has None for none
                self._is_kept = True
        return super().borrow_conn(global_config, local_config, pragmas)  # type: ignore[arg-type] # as above


class LakeSession(DuckLakeSqlClient):
    """The first that is open attaches the lake, and the last detaches it.

    Each transaction is within the `gate`, where there is one, and so is a statement outside of any.
    """

    engine: Engine
    gate: Callable[[], AbstractContextManager[None]] | None = None
    _is_past = False

    @contextmanager
    def begin_transaction(self) -> Iterator[Any]:
        """As dlt's."""
        with self._past(), super().begin_transaction() as transaction:
            yield transaction

    @contextmanager
    def execute_query(self, query: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """As dlt's."""
        with self._past(), super().execute_query(query, *args, **kwargs) as cursor:
            yield cursor

    @contextmanager
    def _past(self) -> Iterator[None]:
        if self.gate is None or self._is_past:
            yield
            return
        with self.gate():
            self._is_past = True
            try:
                yield
            finally:
                self._is_past = False

    def open_connection(self) -> duckdb.DuckDBPyConnection:
        """As dlt's."""
        with self.engine.lock:
            connection = super().open_connection()
            self.engine.sessions.add(self)
            return connection

    def close_connection(self) -> None:
        """As dlt's, which detaches the lake from whatever uses it as its database."""
        with self.engine.lock:
            self.engine.sessions.discard(self)
            if self._conn and self.engine.sessions:
                with suppress(duckdb.TransactionException):  # none is open
                    self._conn.rollback()
                self._conn.execute("use memory")
            super().close_connection()

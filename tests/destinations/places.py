"""Places whose tables are in one of the destinations that can be run here, and what each of them holds."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import duckdb

from conversync.sandbox import Sandbox, Statement
from tests.process.support import Done, Held, Place, ProcessPool, Wish

Ask = Callable[[str], list[tuple[Any, ...]]]
# Where a home has DuckDB's extensions: they come from the package index, and nothing is fetched.
EXTENSIONS = Path(".duckdb") / "extensions"
NAMES = ("ducklake", "postgres_scanner")
ARE_INSTALLED = all(importlib.util.find_spec(f"duckdb_extension_{name}") for name in NAMES)


class Elsewhere(Place):
    """A place whose tables are in `destination`; `ask` answers a query in DuckDB's words, in a session of its own."""

    def __init__(
        self, folder: Path, sandbox: Sandbox, nursery: ProcessPool, destination: str, ask: Ask
    ) -> None:
        super().__init__(folder, sandbox, nursery)
        self.destination, self._ask = destination, ask

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a question to the destination."""
        return self._ask(sql)

    def run(self, *argv: str, **wish: Any) -> Done:
        """Any command on this destination, to its end."""
        told = [*argv, "--destination", self.destination]
        return self.nursery.start(Wish(told, self.env, str(self.folder), **wish)).wait()

    def load(self, *more: str, **wish: Any) -> Done:
        """A load of every day."""
        return self.run(*self.days, *more, **wish)

    def held(self) -> Held:
        """By event_key, the statements that the destination holds, oldest first, the last one open."""
        columns = ", ".join(field.name for field in fields(Statement))
        held: Held = {}
        ends: dict[str, Any] = {}
        rows = self.query(
            f"select {columns}, valid_from, valid_to from besitos.conversion_events order by valid_from"
        )
        for *values, start, end in rows:
            statement = Statement(*values)
            held.setdefault(statement.event_key, []).append(statement)
            assert ends.get(statement.event_key, start) == start, "it follows where the one before ended"
            ends[statement.event_key] = end
        assert set(ends.values()) <= {None}, "the last one is open"
        return held


def in_file(folder: Path) -> Ask:
    """A DuckDB file."""

    def ask(query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(query).fetchall()

    return ask


@contextmanager
def lake(folder: Path, catalog: str, attached: str, *options: str) -> Iterator[tuple[dict[str, str], Ask]]:
    """A DuckLake with its data on disk: the settings of a project, and the way to ask.

    `catalog` is where dlt is told that the catalog is, `attached` the same for DuckDB, with these `options`.
    """
    from duckdb_extensions import import_extension  # type: ignore[import-not-found,import-untyped,unused-ignore] # no types

    home, files = folder / EXTENSIONS, folder / "lake"
    told = ", ".join([f"data_path '{files}'", *options])
    with duckdb.connect(config={"extension_directory": str(home)}) as connection:
        for name in NAMES:
            import_extension(name, con=connection)

    def ask(query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(config={"extension_directory": str(home)}) as connection:
            connection.execute("set timezone = 'UTC'")
            connection.execute(f"attach '{attached}' as lake ({told})")
            connection.execute("use lake")
            try:
                return connection.execute(query).fetchall()
            finally:
                connection.execute("use memory; detach lake")

    credentials = "DESTINATION__DUCKLAKE__CREDENTIALS__"
    yield {f"{credentials}CATALOG": catalog, f"{credentials}STORAGE__BUCKET_URL": str(files)}, ask

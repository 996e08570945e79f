"""Places whose tables are in one of the destinations that can be run here, and what each of them holds."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import duckdb

from conversync.sandbox import Sandbox, Statement
from tests.process.support import Done, Held, Place, ProcessPool, Wish

Ask = Callable[[str], list[tuple[Any, ...]]]
# Where a home has DuckDB's extensions: they come from the package index, and nothing is fetched.
EXTENSIONS = Path(".duckdb") / "extensions"
NAMES = ("ducklake", "postgres_scanner", "httpfs")
# What readers of Delta's and Iceberg's tables need, each after what it needs itself.
OF_LAKES = ("httpfs", "avro", "iceberg", "delta")
NEEDED = (*(f"duckdb_extension_{name}" for name in {*NAMES, *OF_LAKES}), "moto")
ARE_INSTALLED = all(map(importlib.util.find_spec, NEEDED))


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
        columns = ", ".join(one.name for one in fields(Statement))
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


@dataclass(frozen=True)
class Storage:
    """Where a DuckLake has its data: an address, what dlt is told of it, and DuckDB."""

    url: str
    settings: Mapping[str, str] = field(default_factory=dict)
    secret: str = "select 1"

    def within(self, folder: str) -> Storage:
        """A folder of it."""
        return replace(self, url=f"{self.url}/{folder}")


@contextmanager
def bucket() -> Iterator[Storage]:
    """On an S3 server of its own, which is moto's: it keeps everything in memory, and looks at no signature."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "moto.server", "-p", host.rpartition(":")[2]]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env={"PATH": os.environ["PATH"]}, **quiet) as server:  # type: ignore[call-overload] # of the two streams
        try:
            _make_bucket(f"http://{host}/lake")
            key = {"aws_access_key_id": "none", "aws_secret_access_key": "none", "region_name": "us-east-1"}
            told = {"endpoint_url": f"http://{host}", **key}
            yield Storage(
                "s3://lake",
                {f"CREDENTIALS__{name.upper()}": value for name, value in told.items()},
                "create secret (type s3, key_id 'none', secret 'none', region 'us-east-1', use_ssl false, "
                f"endpoint '{host}', url_style 'path')",
            )
        finally:
            server.terminate()


def _make_bucket(url: str) -> None:
    """As soon as the server is there."""
    until = time.monotonic() + 60
    while True:
        try:
            with urlopen(Request(url, method="PUT"), timeout=30):  # noqa: S310 - on loopback
                return
        except (URLError, ConnectionError):
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


@contextmanager
def lake(
    folder: Path, storage: Storage, catalog: str, attached: str, *options: str
) -> Iterator[tuple[dict[str, str], Ask]]:
    """A DuckLake: the settings of a project, and the way to ask.

    `catalog` is where dlt is told that the catalog is, `attached` the same for DuckDB, with these `options`.
    """
    from duckdb_extensions import import_extension  # type: ignore[import-not-found,import-untyped,unused-ignore] # no types

    home = folder / EXTENSIONS
    told = ", ".join([f"data_path '{storage.url}'", *options])
    with duckdb.connect(config={"extension_directory": str(home)}) as connection:
        for name in NAMES:
            import_extension(name, con=connection)

    def ask(query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(config={"extension_directory": str(home)}) as connection:
            connection.execute("set timezone = 'UTC'")
            connection.execute(storage.secret)
            connection.execute(f"attach '{attached}' as lake ({told})")
            connection.execute("use lake")
            try:
                return connection.execute(query).fetchall()
            finally:
                connection.execute("use memory; detach lake")

    credentials = "DESTINATION__DUCKLAKE__CREDENTIALS__"
    settings = {"CATALOG": catalog, "STORAGE__BUCKET_URL": storage.url}
    settings |= {f"STORAGE__{name}": value for name, value in storage.settings.items()}
    yield {f"{credentials}{name}": value for name, value in settings.items()}, ask

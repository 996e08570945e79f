"""A PostgreSQL of our own, for as long as a test lasts."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Where Debian keeps them; elsewhere they are on the PATH.
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
# PostgreSQL refuses to run as root.
USER = "postgres"


def binary(name: str) -> str | None:
    """The path of one of PostgreSQL's programs, if it is installed."""
    return shutil.which(name, path=os.pathsep.join([*map(str, reversed(BINARIES)), os.environ["PATH"]]))


@dataclass
class Cluster:
    """A database that listens on loopback; `begin` starts its server."""

    port: int
    begin: Callable[[], subprocess.Popen[bytes]]
    server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the server, and waits until it answers."""
        self.server = self.begin()
        for _ in range(100):
            try:
                self.ask("select 1")
            except Exception:  # noqa: BLE001 - whatever a server says that is not up yet
                time.sleep(0.1)
            else:
                return
        raise TimeoutError("PostgreSQL did not start")

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ends it; with SIGQUIT at once, whatever it does, as after a crash."""
        if self.server is not None:
            self.server.send_signal(number)
            self.server.wait(30)

    @property
    def url(self) -> str:
        """As dlt takes it, who wants a password even where the server does not."""
        return f"postgresql://{USER}:none@127.0.0.1:{self.port}/postgres"

    @property
    def settings(self) -> dict[str, str]:
        """As the dbt profile takes it."""
        named = {"HOST": "127.0.0.1", "PORT": str(self.port), "USER": USER, "DATABASE": "postgres"}
        return {f"CONVERSYNC_POSTGRES_{name}": value for name, value in named.items()}

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a question."""
        import psycopg2  # type: ignore[import-untyped] # its stubs are a package of their own

        connection = psycopg2.connect(self.url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute("set timezone = 'UTC'")
                cursor.execute(query)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def outside(self, *statements: str) -> None:
        """Statements, each outside of any transaction."""
        import psycopg2

        connection = psycopg2.connect(self.url)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        finally:
            connection.close()


@contextmanager
def cluster(*options: str) -> Iterator[Cluster]:
    """Started with files of its own, made with these options of initdb, and stopped."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        user = USER if os.geteuid() == 0 else None
        if user:
            shutil.chown(folder, user)
        data = str(Path(folder) / "data")
        initdb, postgres = binary("initdb"), binary("postgres")
        assert initdb
        assert postgres
        subprocess.run(
            [initdb, "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync", *options],
            check=True,
            capture_output=True,
            cwd=folder,
            user=user,
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [postgres, "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        running = Cluster(port, lambda: subprocess.Popen(command, cwd=folder, user=user, **quiet))  # type: ignore[call-overload] # of the two streams
        try:
            running.start()
            yield running
        finally:
            running.stop()

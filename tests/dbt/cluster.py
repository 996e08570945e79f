"""A PostgreSQL of our own, for as long as a test lasts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
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


@dataclass(frozen=True)
class Cluster:
    """A database that listens on loopback."""

    port: int

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


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Started with files of its own, and stopped."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        user = USER if os.geteuid() == 0 else None
        if user:
            shutil.chown(folder, user)
        data = str(Path(folder) / "data")
        initdb, postgres = binary("initdb"), binary("postgres")
        assert initdb
        assert postgres
        subprocess.run(
            [initdb, "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=folder,
            user=user,
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = subprocess.Popen(
            [postgres, "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=user,
        )
        try:
            _wait(port)
            yield Cluster(port)
        finally:
            server.terminate()
            server.wait(30)


def _wait(port: int) -> None:
    for _ in range(100):
        try:
            Cluster(port).ask("select 1")
        except Exception:  # noqa: BLE001 - whatever a server says that is not up yet
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("PostgreSQL did not start")

"""A MariaDB of our own, for as long as a test lasts."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp

# Where Debian keeps the server; elsewhere it is on the PATH.
PLACES = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])
SERVER = shutil.which("mariadbd", path=PLACES)
HAS_DRIVER = all(map(importlib.util.find_spec, ("sqlalchemy", "pymysql")))
# The server refuses to run as root, and Debian made a user for it.
USER = "mysql"
PASSWORD = "none"


@dataclass
class Server:
    """A server that listens on loopback, whose own collation takes 'a' for 'A', as Debian's does."""

    port: int

    @property
    def url(self) -> str:
        """As dlt takes it."""
        return f"mariadb+pymysql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/mysql"

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a question in DuckDB's words; times are in UTC."""
        for given in _in_its_words(query):
            found = self.run(given)
        return [tuple(map(_in_utc, row)) for row in found]

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a statement in its own words."""
        import pymysql  # type: ignore[import-not-found,import-untyped,unused-ignore] # see requirements.in

        with (
            pymysql.connect(
                host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, autocommit=True
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            return list(cursor.fetchall())


def _in_its_words(query: str) -> Iterator[str]:
    for tree in sqlglot.parse(query, read="duckdb"):
        assert tree is not None
        for node in list(tree.find_all(exp.Filter)):
            value = node.this.this if not isinstance(node.this.this, exp.Star) else exp.Literal.number(1)
            case = exp.Case().when(node.expression.this.copy(), value.copy())
            node.replace(type(node.this)(this=case))
        yield tree.sql("mysql", identify=True)


def _in_utc(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


@contextmanager
def server(*, has_zones: bool = True) -> Iterator[Server]:
    """Started with files of its own, and stopped."""
    assert SERVER
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        user = USER if os.geteuid() == 0 else None
        if user:
            shutil.chown(folder, user)
        data = str(Path(folder) / "data")
        made = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db"]
        made += ["--auth-root-authentication-method=normal", *([f"--user={user}"] if user else [])]
        subprocess.run(made, check=True, capture_output=True, cwd=folder)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [SERVER, "--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1"]
        command += [f"--socket={folder}/socket", "--innodb-flush-log-at-trx-commit=2"]
        command += ["--character-set-server=latin1", *([f"--user={user}"] if user else [])]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, cwd=folder, **quiet) as running:  # type: ignore[call-overload] # of the two streams
            try:
                _ready(f"{folder}/socket", has_zones=has_zones)
                yield Server(port)
            finally:
                running.terminate()


def _ready(place: str, *, has_zones: bool) -> None:
    """As soon as it answers, with a user of ours, and zones as Debian's server has them once somebody loads them."""
    zones = subprocess.run(["mysql_tzinfo_to_sql", "/usr/share/zoneinfo"], check=True, capture_output=True)
    made = (
        f"create user {USER}@'127.0.0.1' identified by '{PASSWORD}'; grant all on *.* to {USER}@'127.0.0.1';"
    )
    client = ["mariadb", "--no-defaults", f"--socket={place}", "--user=root", "mysql"]
    until = time.monotonic() + 60
    while subprocess.run([*client, "-e", "select 1"], check=False, capture_output=True).returncode:
        assert time.monotonic() < until, "it does not answer"
        time.sleep(0.1)
    subprocess.run(
        client, input=(zones.stdout if has_zones else b"") + made.encode(), check=True, capture_output=True
    )

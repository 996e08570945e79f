"""A PostgreSQL of the benchmark's own, where its programs are installed: on loopback, with files that are removed."""

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

# Where Debian keeps them; elsewhere they are on the PATH.
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
# PostgreSQL refuses to run as root.
USER = "postgres"
# Nothing else is to work while we measure, and a file is to last as long as the benchmark.
QUIET = {"autovacuum": "off", "fsync": "off", "max_wal_size": "8GB", "shared_buffers": "256MB"}
PATIENCE = 30  # seconds for a server to begin


class NoServerError(Exception):
    """Why there is no PostgreSQL here, as a sentence."""


@dataclass(frozen=True)
class Cluster:
    """A server that answers: `pid` is that of its first process."""

    port: int
    pid: int
    psql: str

    @property
    def url(self) -> str:
        """As dlt takes it, who wants a password even where the server does not."""
        return f"postgresql://{USER}:none@127.0.0.1:{self.port}/postgres"

    def ask(self, statements: str) -> list[list[str]]:
        """The rows of the statements as text, each statement in a transaction of its own."""
        asked = [self.psql, "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", self.url]
        ended = subprocess.run(asked, input=f"{statements};", capture_output=True, text=True, check=False)
        if ended.returncode:
            raise NoServerError(ended.stderr.strip()[-500:])
        return [line.split("\t") for line in ended.stdout.splitlines()]

    def cpu(self) -> float:
        """CPU seconds of all its processes that have ended, and those of sessions all have: who was let go ends soon.

        A look at the tables that ended while a night began would count as the night's.
        """
        for _ in range(PATIENCE * 10):
            if not self._has_sessions():
                break
            time.sleep(0.1)
        else:
            raise NoServerError(f"PostgreSQL has sessions that did not end within {PATIENCE} seconds")
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        user, system = fields[13], fields[14]  # of children that were waited for, from "state" on
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def _has_sessions(self) -> bool:
        """Whether somebody is connected, or has just gone (and has no title any more), as its processes tell."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii").split()
        try:
            titles = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children]
        except (FileNotFoundError, ProcessLookupError):
            return True
        return any(not title or b"127.0.0.1(" in title for title in titles)


def binary(name: str) -> str:
    """The path of one of PostgreSQL's programs; NoServerError where it is not installed."""
    places = os.pathsep.join([*map(str, reversed(BINARIES)), os.environ.get("PATH", "")])
    if (found := shutil.which(name, path=places)) is None:
        raise NoServerError(f"PostgreSQL's {name} is not installed")
    return found


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Started with files of its own, and stopped; NoServerError where that cannot be."""
    if not Path("/proc/self/stat").exists():
        raise NoServerError("there is no /proc, which tells a server's CPU")
    initdb, postgres, psql = map(binary, ("initdb", "postgres", "psql"))
    with tempfile.TemporaryDirectory(prefix="conversync-server-", ignore_cleanup_errors=True) as folder:
        user = USER if os.geteuid() == 0 else None
        if user:
            shutil.chown(folder, user)
        data = str(Path(folder) / "data")
        made = [initdb, "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"]
        ended = subprocess.run(made, capture_output=True, text=True, check=False, cwd=folder, user=user)
        if ended.returncode:
            raise NoServerError(f"initdb ended with {ended.returncode}: {ended.stderr.strip()[-300:]}")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        settings = [word for name, value in QUIET.items() for word in ("-c", f"{name}={value}")]
        server = subprocess.Popen(
            [postgres, "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, *settings],
            cwd=folder,
            user=user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield answering(Cluster(port, server.pid, psql))
        finally:
            server.terminate()
            server.wait(60)


def answering(here: Cluster) -> Cluster:
    """The same, once it answers."""
    for _ in range(PATIENCE * 10):
        try:
            here.ask("select 1")
        except NoServerError:
            time.sleep(0.1)
        else:
            return here
    raise NoServerError(f"PostgreSQL did not answer within {PATIENCE} seconds")

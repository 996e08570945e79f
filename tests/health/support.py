"""Health as a command sees it, of warehouses that were loaded for real."""

from __future__ import annotations

import http.server
import json
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.houses import VendorWorkspace
from tests.process.support import Done, ProcessPool, Wish

# isort: split
import duckdb

from conversync.monitor.limits import Limits
from conversync.monitor.overview import Health, look
from conversync.monitor.problems import Problem, problems
from conversync.monitor.source import SourceHealth
from conversync.vendors import vendors
from conversync.warehouse.warehouse import Warehouse


@dataclass
class Workspace(VendorWorkspace):
    """One whose commands are forked from a process that has imported everything."""

    nursery: ProcessPool = None  # type: ignore[assignment] # the fixture gives it


def health(house: VendorWorkspace, **asked: Any) -> Health:
    """What `status` sees."""
    with house.set(), tempfile.TemporaryDirectory() as folder:
        return look(Warehouse(house.path), list(vendors().values()), Path(folder), **asked)


def source(house: VendorWorkspace, **asked: Any) -> SourceHealth:
    """The one source that the house loads."""
    [found] = health(house, **asked).sources
    return found


def told(house: VendorWorkspace, bounds: Limits = Limits()) -> dict[str, Problem]:  # noqa: B008 - it is frozen
    """The problems, by kind."""
    return {problem.kind: problem for problem in problems(health(house, bounds=bounds), bounds)}


def change(house: VendorWorkspace, sql: str) -> None:
    """Somebody's own session in the warehouse."""
    with duckdb.connect(str(house.path)) as connection:
        connection.execute(sql)


def run(house: Workspace, *arguments: str, **settings: str) -> Done:
    """The command in a process of its own, in the house's folder."""
    return forked(house.nursery, house.folder, {**house.environment, **settings}, *arguments)


def forked(nursery: ProcessPool, folder: Path, settings: Mapping[str, str], *arguments: str) -> Done:
    """The command in a process of its own, with nothing in its environment but what is given."""
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return nursery.start(Wish([*arguments], {**clean, **settings}, str(folder))).wait()


@dataclass
class Webhook:
    """Somebody's address: what was posted there, and the status that it answers with."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    posted: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@contextmanager
def webhook(status: int = 200, headers: dict[str, str] | None = None) -> Iterator[Webhook]:
    """It serves until the block ends."""
    hook = Webhook(status=status, headers=headers or {})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.posted.append((self.path, json.loads(body)))
            self.send_response(hook.status)
            for name, value in hook.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Nothing is said."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        hook.url = f"http://127.0.0.1:{server.server_port}"
        yield hook
        server.shutdown()
        thread.join()


def program(folder: Path, code: int = 0) -> tuple[str, Path]:
    """A command line of a program that keeps its standard input and its environment, and where it keeps them."""
    place, script = folder / "told.json", folder / "tell us.sh"
    script.write_text(f'#!/bin/sh\ncat > "$1"\nenv > "$1.env"\nexit {code}\n')
    script.chmod(0o755)
    return f"'{script}' '{place}'", place

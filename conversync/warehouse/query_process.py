"""A person's query on a DuckDB file, in a program of its own.

DuckDB looks at an interrupt between two steps only, and one step may take a day: a function of long texts, a list of
a thousand million numbers, a plan that it cannot finish. A process ends at once. It is given the file, the settings and
the query, no environment but the system's, so much memory, and our deadline; what it makes of them comes through a
pipe. It may only be open while nobody writes, as its parent's own session.
"""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, cast

from conversync import children
from conversync.errors import SettingsError
from conversync.types import Values

# What its process may take, in bytes: DuckDB's own limit, Python, and rows on their way.
MEMORY = 400 * 1024 * 1024
# Of a frame, in bytes.
MOST_FRAME = 32 * 1024 * 1024
# Seconds of CPU beyond its deadline after which the system ends it, should we not be there.
SPARE = 10
_BEGIN = [sys.executable, "-P", "-m", "conversync.warehouse.query_program"]
# What a row may be made of besides plain values.
_KINDS = {
    ("decimal", "Decimal"),
    ("uuid", "UUID"),
    ("pytz", "_p"),
    ("pytz", "_UTC"),
    *(("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")),
}
_TOO_MUCH = (
    "The query takes more memory than it may. Join its tables by their keys, make no "
    "long lists or texts in it, or ask for fewer days."
)
_GONE = (
    "The query ended the program that it ran in. Ask for less in it, or load what it "
    "makes into a table first."
)


class QueryError(Exception):
    """What DuckDB says of a query that it does not take."""


@contextmanager
def asked(path: str, settings: Mapping[str, object], query: str, until: float) -> Iterator[Answered]:
    """The query's rows, until that time of the monotonic clock (TimeoutError then).

    SettingsError for a text that may not be asked, and for one that takes too much; QueryError for what DuckDB says.
    """
    seconds = math.ceil(max(until - time.monotonic(), 0)) + SPARE
    question = {
        "path": path,
        "settings": dict(settings),
        "query": query,
        "seconds": seconds,
        "memory": MEMORY,
    }
    with subprocess.Popen(  # noqa: S603 - our own interpreter, our own words
        _BEGIN,
        env=children.bare(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        start_new_session=True,
    ) as process:
        try:
            yield Answered(process, json.dumps(question).encode() + b"\n", until)
        finally:
            process.kill()


class Answered:
    """A cursor: the query's columns, and its rows as they are taken."""

    def __init__(self, process: subprocess.Popen[bytes], question: bytes, until: float) -> None:
        self._process = process
        self._to, self._from = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout).fileno()
        self._until = until
        self._rows: list[Values] = []
        self._is_over = False
        self._ask(question)
        names = self._frame("columns")
        self.description: Sequence[Values] = [(name,) for name in names]

    def fetchmany(self, size: int) -> list[Values]:
        """So many rows at most; none at the end."""
        while not self._rows and not self._is_over:
            self._rows = self._frame("rows") or []
        taken, self._rows = self._rows[:size], self._rows[size:]
        return taken

    def _ask(self, question: bytes) -> None:
        try:
            self._to.write(question)
        except BrokenPipeError:
            self._ended()

    def _frame(self, wanted: str) -> Any:
        size = int.from_bytes(self._read(8), "big")
        if size > MOST_FRAME:
            raise SettingsError(_TOO_MUCH)
        kind, told = _Plain(io.BytesIO(self._read(size))).load()
        if kind == "refused":
            raise SettingsError(told)
        if kind == "failed":
            raise QueryError(told)
        if kind == "memory":
            raise SettingsError(_TOO_MUCH)
        self._is_over = kind == "end"
        return told if kind == wanted else None

    def _read(self, count: int) -> bytes:
        pieces: list[bytes] = []
        while count:
            left = self._until - time.monotonic()
            if left <= 0 or not select.select([self._from], [], [], left)[0]:
                raise TimeoutError
            pieces.append(os.read(self._from, min(count, 1024 * 1024)))
            if not pieces[-1]:
                self._ended()
            count -= len(pieces[-1])
        return b"".join(pieces)

    def _ended(self) -> None:
        """It is gone before its end: the system, or DuckDB itself, gave it up."""
        code = self._process.wait()
        if code == -signal.SIGXCPU:
            raise TimeoutError
        raise SettingsError(
            _TOO_MUCH if code in (-signal.SIGKILL, -signal.SIGABRT, -signal.SIGSEGV) else _GONE
        )


class _Plain(pickle.Unpickler):
    """Values of a database, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KINDS:
            raise SettingsError(f"The query gives values of a kind that is not read ({name}).")
        return super().find_class(module, name)

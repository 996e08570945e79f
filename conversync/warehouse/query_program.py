"""The program that runs a person's query on a DuckDB file, and nothing else: its parent may end it at any time.

It is told what to ask on standard input, one line of JSON (see `asking`), and ends when that does. What comes out on
standard output are frames: eight bytes of length, and a pickle of ("columns", names), ("rows", rows), ("end", None),
or of why there is nothing more: ("refused" | "failed" | "memory", text).
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from conversync.errors import SettingsError
from conversync.types import Row
from conversync.warehouse import one_select

# Rows of a frame.
ROWS = 500


def main() -> None:
    """Answers the one question that it is asked."""
    out = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    asked = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limit(asked["seconds"], asked["memory"])
    for frame in _answer(asked):
        text = pickle.dumps(frame, 5)
        out.write(len(text).to_bytes(8, "big"))
        out.write(text)
        out.flush()


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


def _limit(seconds: int, memory: int) -> None:
    """What the system holds it to, should nobody be there to end it. Where it knows no such limit there is none."""
    import resource

    for kind, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


def _answer(asked: Row) -> Iterator[tuple[str, Any]]:
    import duckdb

    try:
        connection = duckdb.connect(asked["path"], read_only=True)
        for name, value in asked["settings"].items():
            with suppress(duckdb.CatalogException):  # a search path of what is not there yet, as dlt has it
                connection.execute(f"set {name} = ?", [value])
        one_select.check(connection, asked["query"])
        connection.execute("set global lock_configuration = true")
        cursor = connection.execute(asked["query"])
        yield "columns", [str(column[0]) for column in cursor.description]
        while rows := cursor.fetchmany(ROWS):
            yield "rows", rows
        yield "end", None
    except SettingsError as error:
        yield "refused", str(error)
    except (MemoryError, duckdb.OutOfMemoryException):
        yield "memory", ""
    except duckdb.Error as error:
        yield "failed", str(error)[:10_000]


if __name__ == "__main__":
    main()

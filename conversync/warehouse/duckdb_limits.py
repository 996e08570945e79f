"""How much of the machine DuckDB takes: as set, else by the memory and processors that this process may have.

A machine's are those of its cgroup where that has fewer: a container knows of the others, and is ended for using them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from conversync.errors import SettingsError
from conversync.settings import lookup
from conversync.types import SqlClient
from conversync.warehouse.query import rows

# In bytes, as DuckDB counts. With Python, the batches and a page beside the smallest, a million rows stay under 500 MB.
MB = 1_000_000
SMALLEST, LARGEST = 150 * MB, 1_000 * MB
# Of its memory a machine gives DuckDB this part, and of its processors the other: we are a guest on it.
PART_OF_MEMORY, PART_OF_PROCESSORS = 200, 4
MOST_THREADS, MOST_SET = 4, 256
# Less is too little for DuckDB to sort in; and what it keeps when others need the room.
LEAST_SET, LET_GO = 100 * MB, 16 * MB
UNITS = {"MB": MB, "GB": 1_000 * MB, "MIB": 2**20, "GIB": 2**30}
_SIZE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*([KMG]i?B)", re.IGNORECASE)


def limits() -> dict[str, str | int | float | list[str]]:
    """DuckDB's settings `memory_limit` and `threads`. SettingsError where ours cannot be meant."""
    memory = _memory_set() or min(max(memory_here() // PART_OF_MEMORY, SMALLEST), LARGEST)
    by_machine = min(processors_here() // PART_OF_PROCESSORS, memory // SMALLEST, MOST_THREADS)
    return {"memory_limit": f"{memory // MB}MB", "threads": _threads_set() or max(by_machine, 1)}


def let_go() -> None:
    """Has Arrow give back what it keeps for tables to come: what comes next is DuckDB's."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def let_go_of_pages(client: SqlClient) -> None:
    """Has DuckDB give back what it keeps of pages that it may read again: what comes next are the vendor's."""
    if client.capabilities.sqlglot_dialect != "duckdb":
        return
    from conversync.dlt_internals import DatabaseException

    [[kept]] = rows(client, "select current_setting('memory_limit')")
    try:
        with suppress(DatabaseException):  # some of it is in use
            client.execute_sql(f"set global memory_limit = '{LET_GO // MB}MB'")
    finally:
        client.execute_sql(f"set global memory_limit = '{kept}'")


def _memory_set() -> int | None:
    """duckdb_memory in bytes; None where it is not set."""
    text = lookup.preference("duckdb_memory", "CONVERSYNC_DUCKDB_MEMORY")
    if text is None:
        return None
    found = _SIZE.fullmatch(text.strip())
    size = int(float(found[1]) * UNITS.get(found[2].upper(), 0)) if found else 0
    if size < LEAST_SET:
        raise SettingsError(
            f'duckdb_memory is "{text}", but must be a size such as "300MB" or "1GB", of at least 100MB.'
        )
    return size


def _threads_set() -> int | None:
    """duckdb_threads; None where it is not set."""
    text = lookup.preference("duckdb_threads", "CONVERSYNC_DUCKDB_THREADS")
    if text is None:
        return None
    threads = int(text) if text.strip().isascii() and text.strip().isdigit() else 0
    if not 0 < threads <= MOST_SET:
        raise SettingsError(f'duckdb_threads is "{text}", but must be a whole number from 1 to {MOST_SET}.')
    return threads


def memory_here(system: Path = Path("/")) -> int:
    """The bytes that this process may have at most; 0 where nothing tells."""
    told = [_machine()] if system == Path("/") else []
    for folder in _groups(system, "memory"):
        told += [
            int(text) for text in _words(folder, "memory.max", "memory.limit_in_bytes") if text.isdigit()
        ]
    return min((one for one in told if one), default=0)


def processors_here(system: Path = Path("/")) -> int:
    """How many processors this process may use at once, at least 1."""
    told = (
        [float(len(os.sched_getaffinity(0)))]
        if hasattr(os, "sched_getaffinity")
        else [float(os.cpu_count() or 1)]
    )
    for folder in _groups(system, "cpu"):
        quota = _words(folder, "cpu.max") or [
            *_words(folder, "cpu.cfs_quota_us"),
            *_words(folder, "cpu.cfs_period_us"),
        ]
        if len(quota) == len(("quota", "period")) and all(one.isdigit() and int(one) for one in quota):
            told.append(int(quota[0]) / int(quota[1]))
    return max(int(min(told)), 1)


def _machine() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 0


def _groups(system: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's cgroup and of all above it, of version 2, and of 1 for this controller."""
    for line in _text(system / "proc/self/cgroup").splitlines():
        _, controllers, own = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = system / "sys/fs/cgroup" / controller if controllers else system / "sys/fs/cgroup"
        # Within a container the path may be the one outside of it: then the top is its own.
        parts = Path(own.strip("/")).parts
        yield from (top.joinpath(*parts[:count]) for count in range(len(parts), -1, -1))


def _words(folder: Path, *names: str) -> list[str]:
    return next((words for name in names if (words := _text(folder / name).split())), [])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""

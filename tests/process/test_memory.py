"""C15: memory follows the page and not the window; where it does not suffice, a sentence, and the next run is right."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.process.support import CONVERSYNC, ROOT

pytestmark = pytest.mark.long

DAYS = ["load", "besitos", "--from", "2024-12-01", "--to", "2024-12-20"]


@contextmanager
def feed(rows: int) -> Iterator[dict[str, Any]]:
    """A quick vendor in a process of its own, and the totals that a loaded table must show."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.feed", "--rows", str(rows)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())


def load(url: str, folder: Path, most: int | None = None) -> tuple[int, float, str]:
    """The exit code, the peak of resident memory in MB, and what was printed."""

    def limit() -> None:
        if most is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))

    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), "BESITOS_URL": url}
    env |= {"BESITOS_TOKEN": "benchmark-token", "CONVERSYNC_WAREHOUSE": str(folder / "warehouse.duckdb")}
    with (folder / "told").open("w+") as told:
        process = subprocess.Popen(
            [CONVERSYNC, *DAYS], env=env, cwd=folder, stdout=told, stderr=told, preexec_fn=limit
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        told.seek(0)
        return process.returncode, usage.ru_maxrss / 1024, told.read()


def holds(folder: Path, totals: dict[str, Any]) -> bool:
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        [row] = connection.execute(
            "select count(*), count(distinct event_key), sum(payout), sum(reward) from besitos.conversion_events"
        ).fetchall()
    return row == (totals["rows"], totals["rows"], Decimal(totals["payout"]), Decimal(totals["reward"]))


def test_c15_long_a_million_rows_in_one_window(tmp_path: Path) -> None:
    """First and again: less than 450 MB, and every sum exact."""
    with feed(1_000_000) as vendor:
        for _ in range(2):
            code, megabytes, told = load(vendor["url"], tmp_path)
            assert code == 0, told
            assert megabytes < 450
            assert holds(tmp_path, vendor)
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith((".tmp", ".wal"))] == []


@pytest.mark.parametrize("megabytes", [400, 450, 500, 550, 600, 700])
def test_c15_long_memory_does_not_suffice(tmp_path: Path, megabytes: int) -> None:
    """Under a limit on its memory a run ends right, or with a sentence or a signal; then the next is right."""
    with feed(300_000) as vendor:
        code, _, told = load(vendor["url"], tmp_path, megabytes * 2**20)
        if code == 0:
            assert holds(tmp_path, vendor)
        elif code > 0:
            assert "Traceback" not in told or "MemoryError" in told, told
        code, _, told = load(vendor["url"], tmp_path)
        assert code == 0, told
        assert holds(tmp_path, vendor)

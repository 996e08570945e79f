"""The source alone, in anybody's own dlt script, without the command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

import sources.besitos
from conversync.sandbox import Variants
from tests.besitos.rows import row
from tests.support import Workspace, sometimes

README = Path(sources.besitos.__file__).with_name("README.md").read_text(encoding="utf-8")
[SNIPPET] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
EXAMPLE = "\n".join(
    line.strip()
    for line in (sources.besitos.__doc__ or "").splitlines()
    if re.match(r"    (import|from|dlt)", line)
)


@pytest.mark.parametrize("script", sometimes(SNIPPET, EXAMPLE, quick=1), ids=["README", "docstring"])
def test_the_source_works_in_a_script_of_five_lines(house: Workspace, script: str) -> None:
    """As its README and its docstring show it, in an empty folder, with the token in the environment; twice is once."""
    house.settings |= {"BESITOS_START_DATE": "2024-12-01", "RUNTIME__DLTHUB_TELEMETRY": "false"}
    house.sandbox.besitos.rows = [row(1), row(1, reverse=1), row(2)]
    own = {"PATH": os.environ["PATH"], "HOME": str(house.folder), "DLT_DATA_DIR": str(house.folder / "dlt")}
    assert len(script.strip().splitlines()) <= 5
    twice = script + "\n" + script.splitlines()[-1] + "\n"
    subprocess.run(
        [sys.executable, "-c", twice],
        cwd=house.folder,
        env={**house.environment, **own},
        check=True,
        timeout=60,
    )
    with duckdb.connect(str(house.folder / "rewards.duckdb"), read_only=True) as reader:
        held = reader.execute(
            "select event_key, valid_to from besitos.conversion_events order by 1"
        ).fetchall()
        windows = reader.execute(
            "select stream, count(*) from besitos.windows group by all order by 1"
        ).fetchall()
    assert held == [
        ("1:original", None),
        ("1:reversal:2024-12-04 06:25:36:40.000000", None),
        ("2:original", None),
    ]
    assert [stream for stream, _ in windows] == ["conversions", "reversals"]
    if script == SNIPPET:  # its days are over; the docstring's go on until today
        assert [count for _, count in windows] == [2, 2]
        assert len(house.sandbox.requests) == 4


def test_one_bad_row_in_both_walks_is_set_aside_once(house: Workspace) -> None:
    """A server that ignores is_reverse brings it twice in one load; the table holds it once, seen twice."""
    house.sandbox.besitos.variants = Variants(true="ignored")
    house.sandbox.besitos.rows = [row(1), row(1, reverse=1), row(2, payout="N/A")]
    own = {"PATH": os.environ["PATH"], "HOME": str(house.folder), "DLT_DATA_DIR": str(house.folder / "dlt")}
    subprocess.run(
        [sys.executable, "-c", SNIPPET],
        cwd=house.folder,
        env={**house.environment, **own},
        check=True,
        timeout=60,
    )
    with duckdb.connect(str(house.folder / "rewards.duckdb"), read_only=True) as reader:
        aside = reader.execute("select reason, times_seen from besitos.rejected_rows").fetchall()
    assert aside == [("payout is not a number", 2)]

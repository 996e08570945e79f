"""The scripts in pipelines/ run as they are: copied into a folder of a user's, with the settings in the environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from conversync.sandbox import Sandbox, World
from tests.process.support import ROOT

TABLES = {
    "besitos": "conversion_events",
    "keitaro": "conversion_events",
    "infobip": "conversion_rates",
    "conductrics": "goals",
}


@pytest.mark.more
@pytest.mark.quick(1)
@pytest.mark.parametrize("vendor", TABLES)
def test_a_pipeline_of_a_vendor_runs_by_itself(vendor: str, tmp_path: Path) -> None:
    """Twice is once."""
    shutil.copy(ROOT / "pipelines" / f"{vendor}.py", tmp_path)
    start = datetime.now(UTC).date() - timedelta(days=5)
    with Sandbox(World(start=start, days=5, conversions_a_day=4)) as sandbox:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "DLT_DATA_DIR": str(tmp_path / "dlt"),
            **{
                f"{name}_START_DATE": str(start - timedelta(days=1))
                for name in ("BESITOS", "KEITARO", "INFOBIP")
            },
            **sandbox.settings(),
        }
        counts: list[int] = []
        for _ in range(2):
            command = [sys.executable, f"{vendor}.py"]
            ended = subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert ended.returncode == 0, ended.stdout + ended.stderr
            with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as connection:
                counts += (
                    connection.execute(f"select count(*) from {vendor}.{TABLES[vendor]}").fetchone() or ()
                )
        assert counts[0] == counts[1] > 0

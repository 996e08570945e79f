"""Help is quick: it imports none of the heavy libraries."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"dlt", "pyarrow", "duckdb", "msgspec", "numpy", "sqlglot", "requests", "pendulum"}
CODE = """
import atexit, json, sys
atexit.register(lambda: print("MODULES", json.dumps(sorted({name.partition(".")[0] for name in sys.modules}))))
sys.argv = ["conversync", *sys.argv[1:]]
from conversync.cli.main import main
main()
"""


@pytest.mark.parametrize("arguments", [["--help"], ["load", "--help"], ["--version"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """Neither dlt nor Arrow nor DuckDB is imported where nothing is loaded."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    modules = set(json.loads(done.stdout.rpartition("MODULES")[2]))
    assert "typer" in modules
    assert modules & HEAVY == set()

"""The house: who imports whom, who talks, and how long a file may be."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("conversync", "sources", "pipelines", "benchmarks", "tests")
# Each may import itself and what stands behind it here.
LAYERS = {
    "wire": set[str](),
    "sources": {"wire"},
    "destinations": {"wire"},
    "sandbox": set[str](),
    "pipelines": {"sources", "destinations", "wire"},
    "benchmarks": {"pipelines", "sources", "destinations", "wire", "sandbox"},
    "tests": {*OURS},
}
# The two commands that show the sandbox.
MAY_IMPORT_SANDBOX = {"conversync/demo.py", "conversync/cli/showing.py"}
HTTP = ("requests", "urllib3", "http.client", "urllib.request", "httpx", "aiohttp", "dlt.sources.helpers")
# The sandbox serves, its tests and those of wire ask it without ours, and the benchmarks compare with others.
MAY_TALK = ("conversync/http/", "sandbox/", "tests/", "benchmarks/")
MOST_LINES = 400


def files() -> Iterator[Path]:
    for top in OURS:
        yield from sorted((ROOT / top).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The full names of all modules that a file imports, at its top or anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{name.name}" for name in node.names)


PATHS = [str(path.relative_to(ROOT)) for path in files()]


def has(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


@pytest.mark.parametrize("name", PATHS)
def test_imports_run_one_way(name: str) -> None:
    """cli -> what runs -> sources and destinations -> wire; nobody imports cli; the sandbox knows none of us."""
    top = name.partition("/")[0]
    for module in imported(ROOT / name):
        package = module.partition(".")[0]
        if package not in OURS or package == top:
            allowed = True
        elif package == "sandbox" and top == "pipelines":
            allowed = name in MAY_IMPORT_SANDBOX
        else:
            allowed = package in LAYERS[top]
        assert allowed, f"{name} imports {module}"
        assert not has(module, "conversync.cli.main") or top == "tests", f"{name} imports the command line"
        if top == "sandbox":
            assert package in sys.stdlib_module_names or package == "sandbox", f"{name} imports {module}"
        if not name.startswith(MAY_TALK):
            assert not any(has(module, http) for http in HTTP), f"{name} talks past wire ({module})"


@pytest.mark.parametrize("name", PATHS)
def test_no_file_is_long(name: str) -> None:
    """Four hundred lines are read in one sitting."""
    assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= MOST_LINES

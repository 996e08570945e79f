"""The house: who imports whom, who talks, and how long a file may be."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measures import measure, python_files

ROOT = Path(__file__).parents[1]
TOPS = ("conversync", "sources", "pipelines", "benchmarks", "tests")
# What dlt's documentation has an author of sources import.
OF_DLT = {
    "dlt",
    "dlt.extract.DltResource",
    "dlt.common.configuration.specs.BaseConfiguration",
    "dlt.common.configuration.specs.configspec",
    "dlt.common.typing.TSecretStrValue",
}
# Each room may import itself, and what stands behind it here. What is on neither side is nobody's to import.
ROOMS = {
    "errors": set[str](),
    "dlt_internals": set[str](),
    "count_words": set[str](),
    "types": set[str](),
    "span_words": set[str](),
    "http": {"errors"},
    "extract": {"errors", "http"},
    "table": {"extract"},
    "vendors": {"errors"},
    "children": {"http", "vendors"},
    "settings": {"children", "errors", "extract", "http", "send", "vendors", "warehouse"},
    "dlt_shortcuts": set[str](),
    "dlt_errors": {"errors", "http", "warehouse"},
    "warehouse": {
        "children",
        *("build", "dlt_errors", "dlt_shortcuts", "errors", "extract"),
        *("http", "send", "settings", "vendors"),
    },
    "load_counts": {"vendors", "warehouse"},
    "turns": {"errors", "extract", "http", "types", "vendors", "warehouse"},
    "load": {
        "load_counts",
        "turns",
        "dlt_errors",
        "dlt_shortcuts",
        "errors",
        "extract",
        "http",
        "settings",
        "vendors",
        "warehouse",
    },
    "books": {
        *("cli", "dlt_errors", "errors", "extract", "load", "monitor", "send", "settings"),
        *("vendors", "warehouse"),
    },
    "undo": {"books", "dlt_errors", "errors", "load", "monitor", "send", "vendors", "warehouse"},
    "monitor": {
        *("children", "cli", "dlt_errors", "errors", "extract", "http"),
        *("load", "send", "settings", "table", "turns", "vendors", "warehouse"),
    },
    "forget": {
        *("build", "dlt_errors", "errors", "extract", "http", "load", "report"),
        *("send", "settings", "vendors", "warehouse"),
    },
    "feed": {"extract", "http", "monitor", "table", "vendors"},
    "send": {
        "cli",
        "dlt_errors",
        "errors",
        "extract",
        "http",
        "load",
        "settings",
        "vendors",
        "warehouse",
    },
    "assistant": {"books", "dlt_errors", "errors", "http", "monitor", "types", "warehouse"},
    "library": {"errors", "extract", "settings", "types", "vendors", "warehouse"},
    "build": {"children", "dlt_errors", "errors", "load", "settings", "vendors", "warehouse"},
    "staging": {"build", "extract", "vendors", "warehouse"},
    "report": {"books", "build", "dlt_errors", "errors", "load", "monitor", "vendors", "warehouse"},
    "nightly": {
        "build",
        "cli",
        "dlt_errors",
        "errors",
        "load",
        "monitor",
        "report",
        "send",
        "settings",
        "vendors",
        "warehouse",
    },
    "testing": set[str](),
    "sources": {
        "books",
        "report",
        "errors",
        "extract",
        "feed",
        "http",
        "monitor",
        "send",
        "settings",
        "table",
        "vendors",
    },
}
# What every room may use: counts and spans of time in words, and names for what values are.
WORDS = {"count_words", "span_words", "types"}
# These show everything, and only they know the sandbox.
SHOWS = {"cli", "demo", "demo_books", "demo_places", "demo_sends"}
HTTP = ("requests", "urllib3", "http.client", "urllib.request", "httpx", "aiohttp", "dlt.sources.helpers")
# The sandbox serves, its tests and those of the client ask it without ours, and the benchmarks compare with others.
MAY_TALK = ("conversync/http/", "conversync/sandbox/", "tests/", "benchmarks/")
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION, MOST_COMPLEX = 40, 10
EXCUSED = {
    "conversync/cli/send.py send": "nineteen options, a line each, and what its help says of them",
    "conversync/warehouse/commit_check.py _wrong": "a list of what may be wrong, a line each",
    "conversync/extract/spill.py one_each": "one decision, by what the files hold",
}
# What is shown is shown by these; the last one asks a person at a terminal.
PRINTS = {"conversync/cli/terminal.py", "conversync/cli/screen.py", "conversync/settings/questions.py"}


def files(*tops: str) -> Iterator[tuple[str, Path]]:
    """The files below these folders, each with its name from the top of the repository on."""
    for top in tops:
        yield from ((str(path.relative_to(ROOT)), path) for path in sorted((ROOT / top).rglob("*.py")))


def imported(path: Path) -> Iterator[str]:
    """The full names of all modules that a file imports, at its top or anywhere in it, but for types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def relative(path: Path) -> int:
    """How far the furthest relative import of a file reaches: 1 is its own folder."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return max((node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)), default=0)


def has(module: str, package: str) -> bool:
    """Whether it is the package, or in it."""
    return module == package or module.startswith(package + ".")


def room(module: str) -> str:
    """`http` of conversync.http.client, `sources` of a vendor's."""
    parts = module.split(".")
    return parts[1] if parts[0] == "conversync" and len(parts) > 1 else parts[0]


def test_imports_run_one_way() -> None:
    """Each room knows what stands behind it; nobody knows a vendor or the command line, the sandbox none of us."""
    for name, path in files("conversync", "sources"):
        mine = room(name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"))
        for module in imported(path):
            theirs = room(module)
            if mine == "sandbox":
                known = {*sys.stdlib_module_names, "sandbox"}
                assert module.partition(".")[0] in known or theirs == "sandbox", f"{name} imports {module}"
                continue
            if not has(module, "conversync") and not has(module, "sources"):
                continue
            assert not has(module, "conversync.cli.main"), f"{name} imports the command line"
            assert not has(module, "sources"), f"{name} knows a vendor by its name ({module})"
            if mine in SHOWS or theirs in {mine, "dlt_internals", *WORDS} or mine == "conversync":
                continue
            assert theirs in ROOMS[mine], f"{name} imports {module}"


def test_a_vendor_is_a_folder_of_its_own() -> None:
    """It imports its own files relatively, and nothing above them; the engine has no relative imports."""
    for name, path in files("conversync", "pipelines", "benchmarks", "tests"):
        assert relative(path) == 0, f"{name}: imports are absolute"
    for name, path in files("sources"):
        assert relative(path) <= 1, f"{name} reaches out of its folder"
    assert all(
        (folder / "vendor.py").exists()
        for folder in (ROOT / "sources").iterdir()
        if (folder / "__init__.py").exists()
    )


def test_only_http_talks() -> None:
    """One client speaks to vendors."""
    for name, path in files(*TOPS):
        if not name.startswith(MAY_TALK):
            talks = [module for module in imported(path) if any(has(module, http) for http in HTTP)]
            assert not talks, f"{name} talks past conversync.http ({talks})"


def test_only_one_room_knows_what_dlt_keeps_to_itself() -> None:
    """What its documentation names may be used anywhere; all else would break in many places with its next release."""
    for name, path in files("conversync", "sources"):
        if not name.startswith("conversync/dlt_internals/"):
            kept = {module for module in imported(path) if has(module, "dlt")} - OF_DLT
            assert not kept, f"{name} imports {kept}"


def test_one_module_prints() -> None:
    """Lines, JSON, tables and bars go through one place, which shows what others wrote as what it is."""
    for name, path in files("conversync", "sources"):
        if name in PRINTS or name.startswith("conversync/sandbox/"):
            continue
        assert not {module for module in imported(path) if has(module, "rich")}, f"{name} draws by itself"
        told = {
            ast.unparse(node.func)
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
        }
        assert not told & {"print", "typer.echo", "sys.stdout.write", "sys.stderr.write"}, f"{name} prints"


def test_no_file_is_long() -> None:
    """Four hundred lines are read in one sitting."""
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in files(*TOPS)}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_function_is_long_or_complex() -> None:
    """As `make measures` measures them; what is excused stands in `EXCUSED`, with its reason."""
    found = measure(python_files("conversync", "sources", "pipelines", but="conversync/sandbox"))
    long = {name for lines, name in found.functions if lines > MOST_LINES_OF_A_FUNCTION}
    dense = {name for complexity, name in found.complexities if complexity > MOST_COMPLEX}
    assert {re.sub(r":\d+ ", " ", name) for name in long | dense} - EXCUSED.keys() == set()


def test_the_engine_names_no_vendor() -> None:
    """Nothing of it is decided by a vendor's name: that stands in prose, examples, the demo and the sandbox."""
    vendors = {path.parent.name for path in (ROOT / "sources").glob("*/vendor.py")}
    assert len(vendors) == 5
    for name, path in files("conversync"):
        if room(name.replace("/", ".")) in {"sandbox", *SHOWS - {"cli"}}:
            continue
        texts = {
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert texts & vendors == set(), name

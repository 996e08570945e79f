"""`conversync build`: the dbt project over the warehouse, in a process of its own that leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from conversync import building, children
from conversync.building import SCHEMAS as SCHEMAS
from conversync.errors import ConversyncError, LockedError, SettingsError
from conversync.last_build import Inputs, Note, days_now, digest_of, mark
from conversync.settings import lookup
from conversync.settings.accounts import sources as named_in_settings
from conversync.vendors import Vendor, label_of, vendors
from conversync.warehouse import views
from conversync.warehouse.datasets import accounts
from conversync.warehouse.query import Rows
from conversync.warehouse.warehouse import Warehouse

# Where dbt's project stands: beside our packages in a checkout, within this one where we are installed.
PROJECTS = (Path(__file__).parents[1] / "dbt", Path(__file__).parent / "_dbt")
# Where dbt's locks lie, which are the system's.
LOCKS = "/dev/shm"  # noqa: S108 - only looked at
# What the dbt project puts before the names of its sources, so that nobody's project takes them for its own.
PREFIX = "conversync__"


@dataclass
class BuildReport:
    """What a build came to. `failures` and `warnings` are sentences; `skipped` depended on something that failed.

    `is_unchanged`: nothing was written since the last build, which came to all else that is told.
    """

    models: int = 0
    models_failed: int = 0
    tests_passed: int = 0
    tests_failed: int = 0
    tests_warned: int = 0
    skipped: int = 0
    seconds: float = 0
    is_unchanged: bool = False
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """What the command ends with: 0, or 1 if a model or a test failed."""
        return 1 if self.failures else 0


def build(
    warehouse: Warehouse | Path,
    *,
    full_refresh: bool = False,
    select: str | None = None,
    run_tests: bool = True,
    unit_tests: bool = False,
    wait: float = 0,
) -> BuildReport:
    """Builds staging, intermediate and marts in the warehouse, and tests what they hold.

    A path is that of a DuckDB file.

    `select` is dbt's own, with the tables' names for the models' (`conversions+`). `unit_tests` are those of the
    models' arithmetic on rows of their own: they say nothing about the warehouse. Of a network, nothing is asked but
    the warehouse's own server. Where nothing was written to a file since a whole build, nothing is built, unless
    `full_refresh`: it would come to the same.
    Raises SettingsError without the extra `dbt` (`dbt-postgres`) or without a warehouse, LockedError if another run or
    a reader holds the file, or another build the server's marts, for longer than `wait` seconds; UnreachedError for a
    server that cannot be reached.
    """
    started = time.monotonic()
    place = warehouse if isinstance(warehouse, Warehouse) else Warehouse(warehouse)
    building.check(place)
    if place.destination == "duckdb":
        _refuse_what_is_no_warehouse(place.path)
    with place.locked(wait, "build", [building.MARTS]) as folder:
        report = _within(place, folder, wait, full_refresh, select, run_tests, unit_tests)
    report.seconds = time.monotonic() - started
    return report


def _within(
    place: Warehouse,
    folder: Path,
    wait: float,
    full_refresh: bool,
    select: str | None,
    run_tests: bool,
    unit_tests: bool,
) -> BuildReport:
    """The same, with the right to write."""
    note = Note(place.home / f"{place.path.name}.built", place.path)
    is_noted = place.destination == "duckdb" and not select and not unit_tests
    found = mark(place.path) if is_noted else None
    # Waits for readers; then dbt's own process is to open the file.
    with building.asked(place, wait, folder) as rows:
        names, named = relations(rows), accounts(rows)
        _refuse_rows_without_their_view(rows, names, named)
        inputs = inputs_of(rows, names, named, told_of_days=is_noted)
    if is_noted and not full_refresh and (same := note.same(found, inputs, tested=run_tests)):
        return BuildReport(**same, is_unchanged=True)
    options = _options(full_refresh, select, run_tests, unit_tests, inputs.variables)
    report = _told(run_dbt(options, place, folder), folder / "dbt", place)
    if is_noted and not report.failures and _settled(place, folder):
        note.keep(inputs, _noted(report), tested=run_tests)
    return report


def _options(
    full_refresh: bool, select: str | None, run_tests: bool, unit_tests: bool, told: Mapping[str, Any]
) -> list[str]:
    """What dbt is called with."""
    options = ["build" if run_tests else "run", "--vars", json.dumps(told)]
    options += ["--full-refresh"] if full_refresh else []
    options += ["--select", selection(select)] if select else []
    return options + (["--exclude-resource-type", "unit_test"] if run_tests and not unit_tests else [])


def _refuse_what_is_no_warehouse(path: Path) -> None:
    if not path.exists():
        raise SettingsError(f"There is no warehouse {path} to build on: run conversync load first.")
    if path.stem in SCHEMAS:
        raise SettingsError(
            f"The warehouse may not be called {path.name}: DuckDB could not tell the file from the schema {path.stem}. "
            "Call it warehouse.duckdb."
        )


def inputs_of(
    rows: Rows, names: Collection[str], named: Sequence[Vendor], *, told_of_days: bool = True
) -> Inputs:
    """What a build of this warehouse, of these relations and accounts, would be made of.

    What the days say is asked in DuckDB's words, and only where it is `told_of_days`.
    """
    datasets = {*vendors(), *(source.dataset for source in named)}
    days = days_now(rows, datasets, names) if told_of_days else None
    return Inputs(digest_of(project()), variables(names, named), days)


def _settled(warehouse: Warehouse, folder: Path) -> bool:
    """Whether the file is as publishing it will leave it, too; not where a reader came who keeps it open."""
    try:
        with warehouse.held(0, folder) as connection:
            connection.execute("force checkpoint")
    except LockedError:
        return False
    return True


def _noted(report: BuildReport) -> dict[str, Any]:
    """What is told again of a build where another one would come to the same."""
    return {name: value for name, value in asdict(report).items() if name not in {"seconds", "is_unchanged"}}


def project() -> Path:
    """The folder of the dbt project."""
    for folder in PROJECTS:
        if (folder / "dbt_project.yml").exists():
            return folder
    raise ConversyncError("The dbt project is missing from this installation; install conversync anew.")


def variables(names: Collection[str], named: Sequence[Vendor] = ()) -> dict[str, Any]:
    """The dbt variables that the settings and a warehouse of these relations, with these accounts, answer."""
    datasets: dict[str, list[str]] = {}
    for source in named:
        datasets.setdefault(source.name, []).append(source.dataset)
    return {
        **{f"{name}_zone": zone for name, zone in zones(vendors().values()).items()},
        **using(names, named),
        f"{PREFIX}accounts": datasets,
        f"{PREFIX}zones": zones(named),
        f"{PREFIX}others": others(names),
    }


def zones(sources: Iterable[Vendor] | None = None) -> dict[str, str]:
    """By dataset, in which zone the days of these sources, or of all, are; without settings, their vendor's."""
    chosen = named_in_settings().values() if sources is None else sources
    zoned = [one for one in chosen if hasattr(one.settings, f"{one.name}_zone")]
    return {one.dataset: str(_settings(one)[f"{one.name}_zone"]) for one in zoned}


def using(names: Collection[str], named: Iterable[Vendor] = ()) -> dict[str, bool]:
    """The dbt variables that a warehouse of these relations answers: which of the project's sources it has.

    One that was loaded has tables. One that is gone, but was built once, stays on: else its old models would stand as
    they were.
    """
    of_accounts = {one.name for one in named}
    return {
        f"{PREFIX}using_{source}": any(
            name.startswith((f"{source}.", f"{SCHEMAS[0]}.stg_{source}__")) for name in names
        )
        or source in of_accounts
        for source in _sources()
    }


def others(names: Collection[str]) -> list[str]:
    """Of a warehouse of these relations, the datasets of vendors that the project does not know."""
    return [
        name
        for name in sorted(vendors().keys() - _sources())
        if {f"{name}.windows", f"{name}.days"} <= set(names)
    ]


def selection(select: str) -> str:
    """dbt's selection of models and sources, where ours may be called as their tables and datasets are."""
    models = {model["config"]["alias"]: model["name"] for model in _models()}
    sources = "|".join(_sources())

    def named(part: str) -> str:
        if "source:" in part:
            return re.sub(rf"\bsource:(?=(?:{sources})\b)", f"source:{PREFIX}", part)
        return re.sub(r"\w+", lambda word: models.get(word[0], word[0]), part)

    return "".join(map(named, re.split(r"([\s,]+)", select)))


def _sources() -> list[str]:
    """What the project has sources of, in a file of its name each."""
    return sorted(file.stem for file in (project() / "models" / SCHEMAS[0]).glob("*.yml"))


def _models() -> Iterator[dict[str, Any]]:
    import yaml

    for file in sorted((project() / "models").glob("*/*.yml")):
        yield from yaml.safe_load(file.read_bytes()).get("models", ())


def _settings(vendor: Vendor) -> Any:
    """What is set of a vendor, whether or not it is enough to load it."""
    return lookup.resolve_partly(vendor.settings, vendor.label)


def relations(rows: Rows) -> set[str]:
    """The tables and views of the warehouse, as schema.name."""
    return {str(name) for (name,) in rows(_RELATIONS)}


def _refuse_rows_without_their_view(rows: Rows, names: set[str], named: Sequence[Vendor]) -> None:
    """ConversyncError where a table has rows and the view of them is missing: the models would take it for empty."""
    for table, view in _without_view(names, named):
        if rows(f"select 1 from {table} limit 1"):  # noqa: S608 - our own names
            raise ConversyncError(
                f"{table} has rows, and the view {view} of them is missing, so the models would be without them; "
                f"nothing was built. conversync load {label_of(view.partition('.')[0])} makes it; after "
                "an upgrade of this program, once the vendor answers."
            )


def _without_view(names: set[str], named: Sequence[Vendor]) -> Iterator[tuple[str, str]]:
    """Of the tables and views of these names, each table that a view should read, with that view, which is missing."""
    for source in (*vendors().values(), *named):
        dataset = source.dataset
        if not any(name.startswith(f"{dataset}.") for name in names):
            continue
        for view, query in source.views(_settings(source)).items():
            if f"{dataset}.{view}" not in names:
                tables = {f"{dataset}.{table}" for table in views.tables_of(query)}
                yield from ((table, f"{dataset}.{view}") for table in sorted(tables & names))


def run_dbt(options: list[str], warehouse: Warehouse, folder: Path) -> subprocess.CompletedProcess[str]:
    """dbt on our project, with all that it writes in `folder`/dbt."""
    return subprocess.run(  # noqa: S603 - our own interpreter, our own words
        [sys.executable, "-P", "-c", "from dbt.cli.main import cli; cli()", *options],
        cwd=folder,
        env=children.bare("CONVERSYNC_BUILD_MEMORY", **environment_of(warehouse, folder)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


def environment_of(warehouse: Warehouse, folder: Path) -> dict[str, str]:
    """What dbt is told of the warehouse and of `folder`, where all that it writes goes."""
    return {
        **building.place_of(warehouse, folder),
        "DBT_PROJECT_DIR": str(project()),
        "DBT_PROFILES_DIR": str(project()),
        "DBT_TARGET_PATH": str(folder / "dbt"),
        "DBT_LOG_PATH": str(folder / "dbt"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_VERSION_CHECK": "false",
        "DBT_PARTIAL_PARSE": "false",
        "DBT_USE_COLORS": "false",
        "DBT_WRITE_JSON": "true",
        "DBT_LOG_LEVEL_FILE": "none",
        "DO_NOT_TRACK": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        # Nothing of a home directory is read, which a container may not have.
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }


def _told(ended: subprocess.CompletedProcess[str], target: Path, warehouse: Warehouse) -> BuildReport:
    """What dbt noted of its nodes; an error where it did not come so far."""
    results = target / "run_results.json"
    if not results.exists():
        _refuse(ended.stdout, warehouse)
    nodes = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    report = BuildReport()
    counts: Counter[str] = Counter()
    for result in json.loads(results.read_text(encoding="utf-8"))["results"]:
        kind, status = result["unique_id"].partition(".")[0], result["status"]
        if kind not in {"model", "test", "unit_test"}:
            continue
        counts[f"{'model' if kind == 'model' else 'test'} {status}"] += 1
        node = nodes.get(result["unique_id"], {"name": result["unique_id"].rpartition(".")[2]})
        if status in {"error", "fail", "runtime error"}:
            report.failures.append(_sentence(kind, node, result))
        elif status == "warn":
            report.warnings.append(_sentence(kind, node, result))
    if ended.returncode and not report.failures:
        _refuse(ended.stdout, warehouse)
    report.models = counts["model success"]
    report.models_failed = counts["model error"]
    report.tests_passed = counts["test pass"] + counts["test success"]
    report.tests_failed = counts["test fail"] + counts["test error"] + counts["test runtime error"]
    report.tests_warned = counts["test warn"]
    report.skipped = counts["model skipped"] + counts["test skipped"]
    return report


def _sentence(kind: str, node: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """What failed, in words: of an integrity test, the promise that its file begins with."""
    message = " ".join(str(result.get("message") or "").split())[:600]
    if kind == "model":
        return f"The model {node.get('alias', node['name'])} could not be built: {message}"
    if kind == "unit_test":
        return f"The unit test {node['name']} failed: {message}"
    rows = result.get("failures")
    found = f"{rows} rows" if rows is not None else message
    return (
        f"The test {node['name']} failed ({found}). {' '.join(_promise(node.get('raw_code', '')))}".rstrip()
    )


def _promise(code: str) -> Iterator[str]:
    for line in code.splitlines():
        if not line.startswith("-- "):
            return
        yield line.removeprefix("-- ")


def _refuse(output: str, warehouse: Warehouse) -> None:
    """Raises what made dbt give up before it built anything."""
    if "Could not set lock on file" in output:
        raise LockedError(
            f"Somebody has {warehouse} open; close that session, or wait for it with --wait 30m."
        )
    lines = [line.split("  ", 1)[-1].strip() for line in output.splitlines()]
    told = [line for line in lines if line and "Running with dbt" not in line and "Registered" not in line]
    way_out = "" if os.access(LOCKS, os.W_OK) else f" Its locks need {LOCKS}, which this user cannot write."
    said = " ".join(told).partition(" Traceback ")[0][:600]
    raise ConversyncError(f"dbt could not begin, and nothing was built.{way_out} It said: {said}")


_RELATIONS = """
    select table_schema || '.' || table_name from information_schema.tables where table_catalog = current_database()
"""

"""`conversync build`: the dbt project over the warehouse, in a process of its own that leaves nothing behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from conversync import children
from conversync.build import place as places
from conversync.build import strangers
from conversync.build.dependents import refuse_views
from conversync.build.last import Inputs, Last, Node, Note, Split, after, days_now, digest_of, mark, read_by
from conversync.build.place import SCHEMAS as SCHEMAS
from conversync.build.report import BuildReport, Ended
from conversync.errors import ConversyncError, LockedError, SettingsError
from conversync.settings import lookup
from conversync.settings.accounts import sources as named_in_settings
from conversync.vendors import Vendor, label_of, vendors
from conversync.warehouse import views
from conversync.warehouse.datasets import accounts
from conversync.warehouse.query import Rows, of_duckdb
from conversync.warehouse.stored import Look, look
from conversync.warehouse.warehouse import Warehouse

# Where dbt's project stands: beside our packages in a checkout, within this one where we are installed.
PROJECTS = (Path(__file__).parents[2] / "dbt", Path(__file__).parents[1] / "_dbt")
# What the dbt project puts before the names of its sources, so that nobody's project takes them for its own.
PREFIX = "conversync__"


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
    the warehouse's own server. In a file, without `full_refresh`, only what would come to something else than in the
    last whole build is built (see last.py).
    Raises SettingsError without the extra `dbt` (`dbt-postgres`) or without a warehouse, LockedError if another run or
    a reader holds the file, or another build the server's marts, for longer than `wait` seconds; UnreachedError for a
    server that cannot be reached.
    """
    started = time.monotonic()
    place = warehouse if isinstance(warehouse, Warehouse) else Warehouse(warehouse)
    places.check(place)
    if place.destination == "duckdb":
        _refuse_what_is_no_warehouse(place.path)
    asked = _Asked(full_refresh, select, run_tests, unit_tests)
    with place.locked(wait, "build", [places.MARTS]) as folder:
        report = (
            _in_file(place, folder, asked, wait)
            if place.destination == "duckdb"
            else _elsewhere(place, folder, asked)
        )
    report.seconds = time.monotonic() - started
    return report


def _elsewhere(place: Warehouse, folder: Path, asked: _Asked) -> BuildReport:
    """All of it, with the right to write the marts: nobody can tell what was written there since."""
    with places.asked(place, folder) as rows:
        if place.is_postgres:
            refuse_views(rows, SCHEMAS, {model["config"]["alias"] for model in _models()})
        strangers.refuse(rows, _models(), on_postgres=place.is_postgres)
        inputs = inputs_of(rows, *_stand(rows), told_of_days=False)
    inputs = replace(inputs, variables={**inputs.variables, f"{PREFIX}on_lake": place.is_lake})
    return _Plan(asked, inputs, None, Split()).run(place, folder)


def _in_file(place: Warehouse, folder: Path, asked: _Asked, wait: float) -> BuildReport:
    """What would come to something else than in the last whole build, with the right to write."""
    last = noted(place).last() if asked.is_whole and not asked.full_refresh else None
    found = mark(place.path)
    # Waits for readers; then dbt's own process is to open the file.
    with place.held(wait, folder) as connection:
        rows = of_duckdb(connection)
        inputs = inputs_of(rows, *_stand(rows))
        if last and (same := last.same(found, inputs, tested=asked.run_tests)):
            return BuildReport(**same, is_unchanged=True)
        strangers.refuse(rows, _models(), on_postgres=False)
        before = _look(connection, place, last) if asked.is_whole else None
    split = last.split(found, inputs, before) if last and before else Split()
    return _Plan(asked, inputs, before, split).run(place, folder)


def _stand(rows: Rows) -> tuple[set[str], list[Vendor]]:
    """The relations and the accounts that there are; ConversyncError where the models would take rows for none."""
    names, named = relations(rows), accounts(rows)
    _refuse_rows_without_their_view(rows, names, named)
    return names, named


@dataclass(frozen=True)
class _Asked:
    """What is wanted of a build."""

    full_refresh: bool
    select: str | None
    run_tests: bool
    unit_tests: bool

    @property
    def is_whole(self) -> bool:
        """Whether it comes to all models, and all that is tested by itself."""
        return not self.select and not self.unit_tests

    def options(self, told: Mapping[str, Any], named: Sequence[str] | None) -> list[str]:
        """What dbt is called with: for all, or for the models and tests of these names alone."""
        options = ["build" if self.run_tests else "run", "--vars", json.dumps(told)]
        options += ["--full-refresh"] if self.full_refresh else []
        options += ["--select", selection(self.select)] if self.select else []
        options += ["--indirect-selection", "empty", "--select", *named] if named is not None else []
        return options + (
            ["--exclude-resource-type", "unit_test"] if self.run_tests and not self.unit_tests else []
        )


@dataclass(frozen=True)
class _Plan:
    """A build: what it is made of, what stood before a whole one, and what of the `last` one need not be run."""

    asked: _Asked
    inputs: Inputs
    before: Look | None
    split: Split

    def run(self, warehouse: Warehouse, folder: Path) -> BuildReport:
        """Runs it, and notes what it came to if it was whole and went well."""
        report, nodes = self._ran(warehouse, folder)
        report.models_left = self.split.models
        report.tests_left = len(self.split.stood) - self.split.models if self.asked.run_tests else 0
        if self.before and not report.failures and (left := _settled(warehouse, folder, nodes)):
            made = after(self.before, left, SCHEMAS)
            if made:
                noted(warehouse).keep(self.inputs, made, nodes, report.noted(), tested=self.asked.run_tests)
        return report

    def _ran(self, warehouse: Warehouse, folder: Path) -> tuple[BuildReport, list[Node]]:
        """What it came to, and all models and tests as they are now."""
        named = self.split.named(tested=self.asked.run_tests)
        if named == []:
            return BuildReport(), [*self.split.stood, *(self.split.due or ())]
        options = self.asked.options(self.inputs.variables, named)
        ended = Ended(run_dbt(options, warehouse, folder), folder / "dbt", str(warehouse))
        return ended.report(), list(ended.nodes(self.split.stood))


def noted(warehouse: Warehouse) -> Note:
    """Where the last build of a warehouse is noted."""
    return Note(warehouse.home / f"{warehouse.path.name}.built", warehouse.path)


def _look(connection: Any, warehouse: Warehouse, last: Last | None) -> Look:
    """At the file as it stands, and what the models and tests of a build would read."""
    found = look(connection, warehouse.path)
    found.ask(connection, read_by(last.nodes if last else ()))
    return found


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


def _settled(warehouse: Warehouse, folder: Path, nodes: Iterable[Node]) -> Look | None:
    """The file as publishing it will leave it, too; None where a reader came who keeps it open."""
    try:
        with warehouse.held(0, folder) as connection:
            connection.execute("force checkpoint")
            found = look(connection, warehouse.path)
            found.ask(connection, read_by(nodes))
            return found
    except LockedError:
        return None


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
    """As dbt's files declare them, with the schema that each is made in."""
    import yaml

    for file in sorted((project() / "models").glob("*/*.yml")):
        for model in yaml.safe_load(file.read_bytes()).get("models", ()):
            yield {"schema": file.parent.name, **model}


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
        env=children.bare(places.MEMORY, **environment_of(warehouse, folder)),
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
        "DBT_PROJECT_DIR": str(project()),
        "DBT_PROFILES_DIR": str(project()),
        **places.place_of(warehouse, folder),
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


_RELATIONS = """
    select table_schema || '.' || table_name from information_schema.tables where table_catalog = current_database()
"""

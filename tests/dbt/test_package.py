"""The models in somebody's dbt project: nothing of theirs is taken, nothing of ours is written over."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from conversync.build import build, project
from tests.dbt.nights import ask, marts
from tests.houses import made_once

USING = ("besitos", "infobip", "conductrics", "keitaro", "sent")
OURS = "dbt_ci_123_conversync_marts"


@dataclass
class Theirs:
    """A dbt project of a team over a warehouse of ours, with models and a source that are called as ours are."""

    folder: Path

    @property
    def path(self) -> Path:
        """The DuckDB file."""
        return self.folder / "warehouse.duckdb"

    def write(self) -> None:
        """The project as a person would begin it: it reads only Besitos, and names nothing but that."""
        only = {f"conversync__using_{name}": name == "besitos" for name in USING}
        outputs = {
            name: {"type": "duckdb", "path": str(self.path), "schema": schema, "threads": 1}
            for name, schema in (("ci", "dbt_ci_123"), ("prod", "analytics"))
        }
        source = {
            "name": "besitos",
            "schema": "main",
            "tables": [{"name": "conversions", "identifier": "own"}],
        }
        for name, content in {
            "packages.yml": {"packages": [{"local": str(project())}]},
            "dbt_project.yml": {
                "name": "theirs",
                "profile": "theirs",
                "vars": {"conversync": only},
                "models": {"theirs": {"+materialized": "table"}},
            },
            "profiles.yml": {"theirs": {"target": "ci", "outputs": outputs}},
            "models/sources.yml": {"sources": [source]},
        }.items():
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text(yaml.safe_dump(content), encoding="utf-8")
        for name, query in {
            "conversions": "select 'theirs' as whose",
            "days": "select whose from {{ ref('conversions') }}",
            "int_conversions": "select whose from {{ ref('days') }}",
            "stg_besitos__conversions": "select whose from {{ source('besitos', 'conversions') }}",
            "earned": "select sum(net_revenue) as revenue from {{ ref('conversync__conversions') }}",
        }.items():
            (self.folder / "models" / f"{name}.sql").write_text(query, encoding="utf-8")

    def dbt(self, *options: str) -> str:
        """dbt as the team runs it, with every warning an error; what it said, and it must end well."""
        ended = self.run(*options)
        assert ended.returncode == 0, ended.stdout
        return ended.stdout

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        """dbt as the team runs it, however it ends."""
        quiet = {
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DBT_VERSION_CHECK": "false",
            "DBT_USE_COLORS": "false",
        }
        return subprocess.run(
            [sys.executable, "-c", "from dbt.cli.main import cli; cli()", "--warn-error", *options],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "DBT_PROFILES_DIR": ".", **quiet},
            capture_output=True,
            text=True,
            check=False,
        )

    def rows(self, schema: str) -> dict[str, Counter[tuple[Any, ...]]]:
        """Our marts as they stand in a schema."""
        names = ask(self.path, f"select table_name from duckdb_tables() where schema_name = '{schema}'")
        return {name: Counter(ask(self.path, f"select * from {schema}.{name}")) for [name] in names}


@pytest.fixture(scope="session")
def theirs(offerwall: Path, tmp_path_factory: pytest.TempPathFactory) -> Theirs:
    """Built and tested once for their CI."""

    def make(folder: Path) -> None:
        team = Theirs(folder)
        shutil.copy(offerwall, team.path)
        with duckdb.connect(str(team.path)) as connection:
            connection.execute("create table main.own as select 'theirs' as whose")
        team.write()
        team.dbt("deps")
        team.dbt("build", "--exclude-resource-type", "unit_test", "--show-all-deprecations")

    return Theirs(made_once(tmp_path_factory, "theirs", make))


@pytest.mark.more
def test_models_of_the_same_names_stay_theirs(theirs: Theirs) -> None:
    """Their `ref` and their `source` mean theirs, ours mean ours, and both of one name are in the warehouse."""
    for name in ("conversions", "days", "int_conversions", "stg_besitos__conversions"):
        assert ask(theirs.path, f"select * from dbt_ci_123.{name}") == [("theirs",)], name
    [[net]] = ask(theirs.path, "select sum(net_payout) from besitos.conversions")
    assert ask(theirs.path, "select revenue from dbt_ci_123.earned") == [(net,)]


@pytest.mark.more
def test_our_models_go_where_their_target_says(theirs: Theirs, offerwall: Path) -> None:
    """Beside what `conversync build` made, which is as it was; and with the same rows."""
    assert theirs.rows(OURS) == theirs.rows("marts") == marts(offerwall)
    schemas = {name for [name] in ask(theirs.path, "select schema_name from duckdb_schemas()")}
    before = {name for [name] in ask(offerwall, "select schema_name from duckdb_schemas()")}
    assert schemas - before == {
        "dbt_ci_123",
        *(f"dbt_ci_123_conversync_{name}" for name in ("staging", "intermediate", "marts")),
    }


@pytest.mark.more
def test_what_is_switched_off_has_no_models(theirs: Theirs) -> None:
    """Of vendors that they have not, nothing is staged; every mart is there for the one that they have."""
    staged = ask(
        theirs.path,
        "select view_name from duckdb_views() where schema_name = 'dbt_ci_123_conversync_staging'",
    )
    assert {name.removeprefix("stg_").partition("__")[0] for [name] in staged} == {"besitos"}
    rows = theirs.rows(OURS)
    assert not rows["sms_funnel"] | rows["goal_catalogue"]
    assert rows["conversions"]
    assert rows["days"]


NEVER_NULL = {"type": "not_null"}


def test_the_marts_keep_their_contracts(theirs: Theirs) -> None:
    """Each mart has every column that it declares, of that type and in that order, and its keys are never null."""
    models = yaml.safe_load((project() / "models" / "marts" / "marts.yml").read_text())["models"]
    assert len(models) == len(theirs.rows(OURS))
    for model in models:
        config, columns = model["config"], model["columns"]
        assert config["contract"] == {"enforced": True}
        held = ask(
            theirs.path,
            f"""select column_name, data_type, is_nullable, comment from duckdb_columns()
            where schema_name = '{OURS}' and table_name = '{config["alias"]}' order by column_index""",
        )
        with duckdb.connect() as connection:
            kinds = ", ".join(f"cast(null as {column['data_type']})" for column in columns)
            types = [str(kind) for kind in connection.sql(f"select {kinds}").types]
        assert held == [
            (column["name"], kind, NEVER_NULL not in column.get("constraints", []), column["description"])
            for column, kind in zip(columns, types, strict=True)
        ]
        assert any(NEVER_NULL in column.get("constraints", []) for column in columns)


@pytest.mark.more
def test_production_is_not_overwritten_by_ci(theirs: Theirs, tmp_path: Path) -> None:
    """Two targets share a database: what one builds after a change does not show in the other's tables."""
    team = Theirs(shutil.copytree(theirs.folder, tmp_path / "theirs", symlinks=True))
    team.write()
    before = team.rows(OURS)
    with duckdb.connect(str(team.path)) as connection:
        connection.execute("update besitos.conversion_events set payout = payout + 1 where not is_reversal")
    team.dbt("run", "--target", "prod")
    assert team.rows(OURS) == before == team.rows("marts")
    production = team.rows("analytics_conversync_marts")
    assert production.keys() == before.keys()
    assert production["conversions"] != before["conversions"]
    assert ask(team.path, "select whose from analytics.conversions") == [("theirs",)]


@pytest.mark.more
def test_their_own_rule_for_schemas_holds_for_ours(theirs: Theirs, tmp_path: Path) -> None:
    """Their macro is asked, whatever it calls in turn; a schema that they set is used, and a mart may be left out."""
    team = Theirs(shutil.copytree(theirs.folder, tmp_path / "theirs", symlinks=True))
    team.write()
    (team.folder / "macros").mkdir()
    (team.folder / "macros" / "schemas.sql").write_text(
        "{% macro generate_schema_name(custom_schema_name, node) %}{{ called(custom_schema_name) }}{% endmacro %}"
        "{% macro called(name) %}{{ 'team_' ~ (name or target.schema) }}{% endmacro %}"
    )
    settings = yaml.safe_load((team.folder / "dbt_project.yml").read_text())
    no_funnel = {"conversync__sms_funnel": {"+enabled": False}}
    settings["models"]["conversync"] = {"marts": {"+schema": "money", **no_funnel}}
    (team.folder / "dbt_project.yml").write_text(yaml.safe_dump(settings))
    keys = ("--output", "json", "--output-keys", "name schema alias", "--resource-type", "model")
    lines = [line for line in team.dbt("ls", "--quiet", *keys).splitlines() if line.startswith("{")]
    found = {(one["name"], one["alias"], one["schema"]) for one in map(json.loads, lines)}
    assert found >= {
        ("conversions", "conversions", "team_dbt_ci_123"),
        ("conversync__conversions", "conversions", "team_money"),
        ("int_conversync__conversions", "int_conversions", "team_conversync_intermediate"),
    }
    assert "conversync__sms_funnel" not in {name for name, _, _ in found}


@pytest.mark.more
def test_freshness_is_asked_of_what_is_configured(theirs: Theirs) -> None:
    """By a bare command: no source that is switched off is asked."""
    assert _freshness(theirs, 0) == {"conversync__besitos": {"pass"}}


@pytest.mark.more
def test_how_late_is_too_late_is_a_variable(theirs: Theirs, tmp_path: Path) -> None:
    """Hours after the last load, of which one warns and the other fails."""
    team = Theirs(shutil.copytree(theirs.folder, tmp_path / "theirs", symlinks=True))
    team.write()
    options = ("--vars", json.dumps({"conversync__freshness_error_hours": 0}))
    assert _freshness(team, 1, *options) == {"conversync__besitos": {"error"}}


def _freshness(team: Theirs, code: int, *options: str) -> dict[str, set[str]]:
    ended = team.run("source", "freshness", *options)
    assert ended.returncode == code, ended.stdout
    told: dict[str, set[str]] = {}
    for result in json.loads((team.folder / "target" / "sources.json").read_text())["results"]:
        told.setdefault(result["unique_id"].split(".")[2], set()).add(result["status"])
    return told


@pytest.mark.more
def test_a_mart_that_breaks_its_contract_is_not_built(
    offerwall: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column of another type: the model fails with its name, and the table that people read stays as it was."""
    path, broken = tmp_path / "warehouse.duckdb", tmp_path / "dbt"
    shutil.copy(offerwall, path)
    shutil.copytree(project(), broken)
    model = broken / "models" / "marts" / "conversync__offer_performance.sql"
    query = model.read_text()
    assert "\n    offers.first_on,\n" in query
    model.write_text(
        query.replace("\n    offers.first_on,\n", "\n    cast(offers.first_on as varchar) as first_on,\n")
    )
    before = marts(path)
    monkeypatch.setattr("conversync.build.PROJECTS", (broken,))
    report = build(path, select="offer_performance")
    [sentence] = report.failures
    assert sentence.startswith("The model offer_performance could not be built")
    assert "first_on" in sentence
    assert marts(path) == before

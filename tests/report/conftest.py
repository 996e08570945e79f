"""One warehouse with marts, and copies of it that are as awkward as warehouses get."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import vl_convert

from conversync.build import build
from conversync.report import write_report
from conversync.sandbox import Sandbox, World
from tests.dbt.nights import Story, stand_at
from tests.houses import environment, forget_settings, made_once
from tests.report.pages import Page

ZONES = {"besitos": "EST", "keitaro": "UTC"}
# Readings are dated by the clock of this machine, so the story ends today.
DAYS = 40
START = date.today() - timedelta(days=DAYS - 1)  # noqa: DTZ011
WORLD = World(start=START, days=DAYS, players=60, conversions_a_day=8)
MADE = datetime.now(UTC).replace(microsecond=0)
# An offer name that would be a script, a picture and an end of the table, were it not escaped.
EVIL = """<script>alert("x")</script><img src=x onerror='y'></table>&amp;\x01 \\u0022 {{7*7}} ]]>"""


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, and no setting of ours in the environment."""
    forget_settings(monkeypatch)
    monkeypatch.chdir(tmp_path)


def at(number: int) -> date:
    """A day of the story."""
    return START + timedelta(days=number)


@dataclass
class Built:
    """A warehouse with marts, the report on it, and the sandbox that it was loaded from."""

    warehouse: Path
    report: Path
    sandbox: Sandbox

    @property
    def page(self) -> Page:
        """The report."""
        return Page(self.report)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """One night of a small story that ends today, built once, and its report."""
    with Sandbox(WORLD) as sandbox:

        def make(folder: Path) -> None:
            path = folder / "warehouse.duckdb"
            with environment({"HOME": str(folder)}):
                Story(sandbox, path).night(DAYS - 1)
                assert build(path, run_tests=False).failures == []
                write_report(path, folder / "report.html", zones=ZONES, now=MADE)

        folder = made_once(tmp_path_factory, "report", make)
        stand_at(sandbox, DAYS - 1)
        yield Built(folder / "warehouse.duckdb", folder / "report.html", sandbox)


@pytest.fixture(scope="session")
def drawn() -> dict[str, str]:
    """The pictures that were drawn before, by what they are drawn of."""
    return {}


@pytest.fixture
def changed(
    built: Built, tmp_path: Path, drawn: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Page]:
    """Writes the report on a copy in which these statements were run first; draws only what changed by them."""
    draw = vl_convert.vegalite_to_svg

    def once(spec: dict[str, Any], **options: Any) -> str:
        key = json.dumps(spec, sort_keys=True)
        if key not in drawn:
            drawn[key] = draw(spec, **options)
        return drawn[key]

    monkeypatch.setattr(vl_convert, "vegalite_to_svg", once)

    def report(*statements: str) -> Page:
        copy = tmp_path / "warehouse.duckdb"
        if not copy.exists():
            shutil.copy(built.warehouse, copy)
        with duckdb.connect(str(copy)) as connection:
            for statement in statements:
                connection.execute(statement)
        write_report(copy, tmp_path / "report.html", zones=ZONES, now=MADE)
        return Page(tmp_path / "report.html")

    return report

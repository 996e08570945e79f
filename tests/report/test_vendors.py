"""A vendor of somebody else's package has its place on the page: its name, its colour, its section."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tests.report.conftest import EVIL, Built
from tests.report.pages import Page

VENDOR = """
from pathlib import Path

from conversync.report.parts import Column, Content, Figure, Section
from conversync.vendors import InReport, Vendor

HERE = Path(__file__).parent


def players(reader):
    answer = reader.ask(HERE / "players")
    columns = (Column("name", "Name"), Column("number", "Number", lambda number: f"{number} times"))
    return Content({"answer": answer, "columns": columns}, (answer,), [Figure("Acme players", "7", "of them")])


VENDOR = Vendor(
    name="acme",
    title="Acme Ads",
    settings=object,
    in_report=InReport("violet", sections=lambda: [Section("acme", "Acme", "Players", players, HERE, "offers")]),
)
"""
TEMPLATE = '{% from "parts.html" import table %}{{ table(answer, columns, "Players by name") }}'
WRITE = "import sys; from conversync.report import *; write_report(Path(sys.argv[1]), Path(sys.argv[2]), zones={})"


def installed(folder: Path) -> dict[str, str]:
    """The environment in which a package is installed that adds a vendor by its entry point."""
    (folder / "acme_ads-1.dist-info").mkdir(parents=True)
    (folder / "acme_ads-1.dist-info" / "METADATA").write_text("Name: acme-ads\nVersion: 1\n")
    points = "[conversync.vendors]\nacme = acme_ads:VENDOR\n"
    (folder / "acme_ads-1.dist-info" / "entry_points.txt").write_text(points)
    (folder / "acme_ads").mkdir()
    (folder / "acme_ads" / "__init__.py").write_text(VENDOR)
    (folder / "acme_ads" / "acme.html").write_text(TEMPLATE)
    text = EVIL.replace("'", "''")
    (folder / "acme_ads" / "players.sql").write_text(f"select '{text}' as name, 7 as number")
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{Path(__file__).parents[2]}"}


@pytest.mark.more
def test_a_vendor_of_another_package_is_shown(built: Built, tmp_path: Path) -> None:
    """Under its title, in its colour, with a section of its own that is escaped as ours; and as no side of ours."""
    copy = tmp_path / "warehouse.duckdb"
    shutil.copy(built.warehouse, copy)
    with duckdb.connect(str(copy)) as connection:
        for table, key in (("conversions_daily", "daily_key"), ("reversal_cohorts", "cohort_key")):
            connection.execute(f"delete from marts.{table} where vendor = 'keitaro'")
            connection.execute(
                f"""insert into marts.{table} select * replace
                    ('acme' as vendor, 'acme' as account, 'acme' || {key} as {key})
                from marts.{table} where vendor = 'besitos'"""
            )
        connection.execute("delete from marts.conversions where vendor = 'keitaro'")
    environment = installed(tmp_path / "site")
    subprocess.run([sys.executable, "-c", WRITE, copy, tmp_path / "page.html"], env=environment, check=True)
    page = Page(tmp_path / "page.html")
    captions = [table.caption for table in page.tables("revenue_monthly")]
    assert captions == ["Acme Ads by month, in USD", "Besitos by month, in USD"]
    [drawn, _] = page.section("revenue").all("svg", class_="for-desk")
    assert any("fill:var(--violet)" in path.attributes.get("style", "") for path in drawn.all("path"))
    assert "two accounts of the same money" not in page.section("revenue").text
    assert "two accounts of the same money" in built.page.section("revenue").text
    keys = [section.attributes["id"] for section in page.root.all("section")]
    assert keys[keys.index("offers") + 1] == "acme"
    [shown] = page.tables("players")
    assert shown.rows == [{"name": EVIL.replace("\x01", "\ufffd"), "number": "7"}]
    assert not list(page.root.all("script"))
    assert page.queries()["players"].startswith("select '<script>")
    assert page.figures()["Acme players"] == "7"


def test_what_is_one_vendors_alone_may_be_absent(changed: Callable[..., Page]) -> None:
    """Without its mart a vendor's section says that nothing is there; without its view goals are called by ids."""
    page = changed(
        "drop table marts.sms_funnel", "drop table marts.goal_catalogue", "drop view besitos.conversions"
    )
    for key in ("sms", "goals"):
        section = page.section(key)
        assert list(section.all("p", class_="missing"))
        assert not list(section.all("table"))
    assert not any(label.startswith("SMS") for label in page.figures())
    [goals] = page.tables("offer_goals")
    assert len(goals.rows) > 10
    assert "Successfully Installed the App" not in {row["goal"] for row in goals.rows}

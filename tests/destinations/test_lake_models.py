"""The models and the report in a DuckLake are those of a DuckDB file of the same nights."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversync.build import build
from conversync.report import write_report
from conversync.sandbox import Sandbox, World
from conversync.warehouse.warehouse import Warehouse
from tests.dbt.nights import Story, ask
from tests.destinations.conftest import ON_S3, ON_SERVER
from tests.destinations.places import Elsewhere
from tests.houses import environment
from tests.report.conftest import DAYS, MADE, START, ZONES
from tests.report.pages import alike

pytestmark = pytest.mark.destinations
# Of each mart the columns that tell no moment, which is this machine's; and marts that tell nothing else.
COLUMNS = """
    select string_agg(column_name, ', ' order by column_index) from duckdb_columns()
    where schema_name = 'marts' and table_name = '{mart}' and data_type not like 'TIMESTAMP%'
"""
SAME = (
    "conversions",
    "conversions_daily",
    "reconciliation",
    "sms_funnel",
    "goal_catalogue",
    "offer_performance",
)


@pytest.mark.parametrize("place", [ON_SERVER, ON_S3], indirect=True)
def test_the_models_and_the_page_are_those_of_a_file(place: Elsewhere, tmp_path: Path) -> None:
    """All vendors, built twice; each model tested by dbt, and every figure of the page."""
    world = World(start=START, days=DAYS, players=20, conversions_a_day=3)
    file, lake = tmp_path / "file" / "warehouse.duckdb", Warehouse(place.warehouse, place.destination)
    file.parent.mkdir()
    with Sandbox(world) as sandbox, environment(place.env):
        for story in (Story(sandbox, file), Story(sandbox, place.warehouse, place.destination)):
            story.night(DAYS - 1)
        for where in (file, lake, lake):
            report = build(where)
            assert (report.failures, report.warnings, report.skipped) == ([], [], 0)
        for mart in SAME:
            [[columns]] = ask(file, COLUMNS.format(mart=mart))
            query = f"select {columns} from marts.{mart} order by all"
            rows = place.query(query)
            assert rows == ask(file, query)
            assert rows, mart
        pages = [tmp_path / "file.html", tmp_path / "lake.html"]
        write_report(file, pages[0], zones=ZONES, now=MADE)
        write_report(lake, pages[1], zones=ZONES, now=MADE)
        assert alike(pages[0]).splitlines() == alike(pages[1]).splitlines()
    assert place.query("select comment is not null from duckdb_tables() where table_name = 'conversions'")

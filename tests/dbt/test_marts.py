"""The marts after three nights: equal to the vendors' books, and to a full refresh."""

from __future__ import annotations

import json
import pickle
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from conversync.build import build, project, run_dbt
from conversync.build.report import BuildReport
from conversync.sandbox import Sandbox
from conversync.warehouse.warehouse import Warehouse
from tests.dbt.nights import SCHEMAS, Story, ask, marts, small_world, stand_at
from tests.houses import environment, made_once

ROOT = Path(__file__).parents[2]
# Three nights and two builds of four vendors take a minute; the tests of the report build one, too.
pytestmark = pytest.mark.more
REJECTED = ("rejected", "trash")


@dataclass
class Built:
    """A story after its third night, built after the first and the third, and what stood in dbt/ before."""

    story: Story
    first: BuildReport
    last: BuildReport
    project_before: set[Path]

    @property
    def path(self) -> Path:
        """The DuckDB file."""
        return self.story.path


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Built from empty after the first night, and over that after the third."""
    with Sandbox(small_world()) as sandbox:

        def make(folder: Path) -> None:
            home, before = folder / "home", set(project().rglob("*"))
            home.mkdir()
            story = Story(sandbox, home / "warehouse.duckdb")
            with environment({"HOME": str(home)}):
                story.night(25)
                first = build(story.path)
                story.night(30)
                story.night(38)
                (folder / "reports").write_bytes(pickle.dumps((first, build(story.path), before)))

        folder = made_once(tmp_path_factory, "marts", make)
        stand_at(sandbox, 38)
        first, last, before = pickle.loads((folder / "reports").read_bytes())  # noqa: S301 - our own
        yield Built(Story(sandbox, folder / "home" / "warehouse.duckdb"), first, last, before)


def test_build_is_green_from_empty_and_after_three_nights(built: Built) -> None:
    """Every model is built and every integrity test passes, both times."""
    for report in (built.first, built.last):
        assert report.failures == report.warnings == []
        assert (report.models_failed, report.tests_failed, report.skipped, report.exit_code) == (0, 0, 0, 0)
        assert report.models + report.models_left > 30
        assert report.tests_passed + report.tests_left > 30


def test_the_offerwalls_figures_are_its_books(built: Built) -> None:
    """Counts and amounts of all Besitos conversions are those of the sandbox's own books, to the cent."""
    oracle = built.story.sandbox.besitos.oracle.totals()
    assert oracle.reversals > 0
    [figures] = ask(
        built.path,
        """select count(*) filter (not is_orphan), count(*) filter (is_reversed), count(*) filter (is_orphan),
            sum(gross_revenue), sum(reversed_revenue) + sum(unmatched_reversal), sum(net_revenue),
            sum(gross_cost), sum(net_cost)
        from marts.conversions where vendor = 'besitos'""",
    )
    assert figures == (
        oracle.conversions,
        oracle.reversals,
        oracle.orphans,
        oracle.gross_payout,
        oracle.reversed_payout,
        oracle.net_payout,
        oracle.gross_reward,
        oracle.net_reward,
    )
    by_day = ask(built.path, "select sum(net_revenue) from marts.conversions_daily where vendor = 'besitos'")
    by_offer = ask(
        built.path, "select sum(net_revenue) from marts.offer_performance where vendor = 'besitos'"
    )
    assert by_day == by_offer == [(oracle.net_payout,)]


def test_the_trackers_figures_are_its_books(built: Built) -> None:
    """Keitaro's conversions net what the tracker did not reject, status by status."""
    expected: dict[str, tuple[int, Decimal, Decimal]] = {}
    for event in built.story.sandbox.keitaro.oracle.events().values():
        count, gross, net = expected.get(event.status, (0, Decimal(0), Decimal(0)))
        kept = Decimal(0) if event.status in REJECTED else event.revenue
        expected[event.status] = (count + 1, gross + event.revenue, net + kept)
    rows = ask(
        built.path,
        """select status, count(*), sum(gross_revenue), sum(net_revenue)
        from marts.conversions where vendor = 'keitaro' group by status""",
    )
    assert {row[0]: row[1:] for row in rows} == expected


def test_the_reconciliation_is_the_books_of_both(built: Built) -> None:
    """Every transaction of either side is there once, and the differences add up to those of the two books."""
    sandbox = built.story.sandbox
    wall = {
        str(one.transaction_id): one.payout or Decimal(0)
        for one in sandbox.besitos.oracle.statements().values()
        if not one.is_reversal
    }
    tracker = sandbox.keitaro.oracle.revenue_by_tid()
    [figures] = ask(
        built.path,
        """select count(*), count(*) filter (outcome in ('missing in tracker', 'tracker not read')),
            count(*) filter (outcome in ('missing at offerwall', 'offerwall not read')),
            coalesce(sum(gross_difference), 0)
        from marts.reconciliation""",
    )
    both = wall.keys() & tracker.keys()
    apart = sum((wall[tid] - tracker[tid] for tid in both), Decimal(0))
    expected = (
        len(wall.keys() | tracker.keys()),
        len(wall.keys() - tracker.keys()),
        len(tracker.keys() - wall.keys()),
        apart,
    )
    assert figures == expected


def test_the_funnel_and_the_goals_are_the_vendors(built: Built) -> None:
    """SMS counts are Infobip's books day by day; every goal of Conductrics' books is in the catalogue."""
    infobip = built.story.sandbox.infobip
    first, last = infobip.world.start - timedelta(days=1), infobip.world.now.date()
    expected = {}
    for pair in infobip.pairs:
        key = (pair["process_key"], pair["start_tag"], pair["end_tag"])
        for day, told in infobip.oracle.rates(key, first, last).items():
            if told.start_count:
                expected[(*key, day)] = (told.start_count, told.end_count)
    rows = ask(
        built.path,
        "select process_key, start_tag, end_tag, day, start_count, end_count "
        "from marts.sms_funnel where start_count > 0",
    )
    assert {row[:4]: row[4:] for row in rows} == expected
    codes = {code for [code] in ask(built.path, "select code from marts.goal_catalogue where is_current")}
    assert codes == set(built.story.sandbox.conductrics.oracle.goals())


def test_every_column_carries_its_sentence(built: Built) -> None:
    """An analyst with a shell reads in duckdb_columns() what each column means, and so of each table and view."""
    for catalogue, name in (
        ("duckdb_columns()", "table_name || '.' || column_name"),
        ("duckdb_tables()", "table_name"),
        ("duckdb_views()", "view_name"),
    ):
        silent = ask(
            built.path, f"select {name} from {catalogue} where schema_name in {SCHEMAS} and comment is null"
        )
        assert silent == []


QUERIES = [
    pytest.param(query, id=f"{page}-{number}")
    for page in (
        "README.md",
        "docs/analysts.md",
        "docs/books.md",
        "dbt/README.md",
        "sources/keitaro/README.md",
    )
    for number, query in enumerate(
        re.findall(r"(?:```sql\n|`(?=select ))([^`{]+)`", (ROOT / page).read_text(encoding="utf-8"))
    )
]


@pytest.mark.parametrize("page_queries", QUERIES)
def test_every_query_that_is_shown_works(built: Built, page_queries: str) -> None:
    """As it stands in the README, in the pages and in the models' own, within a line, too."""
    for query in filter(str.strip, page_queries.split(";")):
        ask(built.path, query)


def test_a_build_leaves_nothing_but_its_schemas(built: Built) -> None:
    """No file in dbt/, none beside the warehouse, and no schema but the three."""
    assert set(project().rglob("*")) == built.project_before
    assert {file.name for file in built.path.parent.iterdir()} <= {
        "warehouse.duckdb",
        ".conversync",
    }
    schemas = {name for [name] in ask(built.path, "select distinct schema_name from duckdb_tables()")}
    schemas |= {
        name
        for [name] in ask(built.path, "select distinct schema_name from duckdb_views() where not internal")
    }
    vendors = {
        name
        for name in schemas
        if name.removesuffix("_staging") in ("besitos", "infobip", "conductrics", "keitaro")
    }
    assert schemas - vendors == set(SCHEMAS)


def test_what_moved_or_vanished_leaves_nothing_behind(built: Built, tmp_path: Path) -> None:
    """A conversion that changes its day, and a day that vanishes, leave nothing behind in the days they were in."""
    path = tmp_path / "warehouse.duckdb"
    shutil.copy(built.path, path)
    gone, emptied = _alter(path)
    with duckdb.connect(str(path)) as connection:  # as a version left it that had no such column
        connection.execute("alter table marts.conversions drop column is_sent_by_us")
    assert build(path, run_tests=False).failures == []
    built_over = marts(path)
    assert build(path, full_refresh=True, run_tests=False).failures == []
    assert built_over == marts(path)
    assert ask(path, f"select count(*) from marts.conversions where conversion_id = '{gone}'") == [(0,)]
    days = {
        day for [day] in ask(path, "select occurred_on from marts.conversions_daily where vendor = 'besitos'")
    }
    assert emptied not in days
    assert len(days) > 10


@pytest.mark.long
def test_a_quiet_day_is_not_stale(built: Built, tmp_path: Path) -> None:
    """Freshness goes by the last load that was committed: not by its rows, and not by a load that never was."""
    path = tmp_path / "warehouse.duckdb"
    shutil.copy(built.path, path)
    assert _freshness(path, tmp_path) == {"pass"}
    with duckdb.connect(str(path)) as connection:
        connection.execute("update besitos._dlt_loads set inserted_at = inserted_at - interval 3 days")
        connection.execute(
            "insert into besitos._dlt_loads (load_id, status, inserted_at) values ('1', 1, now())"
        )
    assert _freshness(path, tmp_path) == {"error"}


def _freshness(path: Path, folder: Path) -> set[str]:
    selected = "source:conversync__besitos.conversion_events"
    run_dbt(["source", "freshness", "--select", selected], Warehouse(path), folder)
    told = json.loads((folder / "dbt" / "sources.json").read_text(encoding="utf-8"))
    return {result["status"] for result in told["results"]}


def _alter(path: Path) -> tuple[int, object]:
    """Takes one transaction away, moves another by a day, restates a third, and moves all of the first day."""
    with duckdb.connect(str(path)) as connection:
        one, two, three = (
            number
            for [number] in connection.execute(
                "select transaction_id from besitos.conversions where not is_orphan order by 1 desc limit 3"
            ).fetchall()
        )
        [emptied] = connection.execute("select min(occurred_on) from besitos.conversions").fetchall()[0]
        events = "besitos.conversion_events"
        connection.execute(f"delete from {events} where transaction_id = {one}")
        connection.execute(f"update {events} set occurred_on = occurred_on - 1 where transaction_id = {two}")
        connection.execute(f"update {events} set payout = payout + 1 where transaction_id = {three}")
        connection.execute(
            f"update {events} set occurred_on = occurred_on + 1 where occurred_on = ?", [emptied]
        )
        connection.execute("update keitaro.offers set name = name || ' (renamed)'")
    return one, emptied

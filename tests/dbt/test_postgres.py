"""The same project on a real PostgreSQL, over tables that dlt loaded there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from conversync.build import project
from conversync.monitor.overview import look
from conversync.sandbox import Sandbox
from conversync.vendors import vendors
from conversync.warehouse.warehouse import Warehouse
from tests.dbt.cluster import Cluster, binary
from tests.dbt.nights import Story, small_world
from tests.houses import environment

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here"),
]
MARTS = (
    "conversions",
    "conversions_daily",
    "offer_performance",
    "reversal_cohorts",
    "reversal_lookback",
    "reconciliation",
    "sms_funnel",
    "goal_catalogue",
    "readings",
    "days",
    "revenue_by_knowledge",
    "corrections",
)


def dbt(database: Cluster, folder: Path, *options: str) -> None:
    """dbt on Postgres, as a person would run it; it must end well."""
    ours = {"DBT_TARGET_PATH": str(folder), "DBT_LOG_PATH": str(folder), "DBT_VERSION_CHECK": "false"}
    place = ("--target", "postgres", "--project-dir", str(project()), "--profiles-dir", str(project()))
    ended = subprocess.run(
        [sys.executable, "-c", "from dbt.cli.main import cli; cli()", *options, *place],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **ours, **database.settings},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout


def marts(database: Cluster) -> dict[str, Counter[tuple[Any, ...]]]:
    """Every mart as its rows."""
    return {name: Counter(database.ask(f"select * from marts.{name}")) for name in MARTS}


def test_postgres_builds_the_same_marts(database: Cluster, tmp_path: Path) -> None:
    """Loaded and built night by night it adds up to the books, equals its full refresh, and never blocks a load."""
    credentials = {"DESTINATION__POSTGRES__CREDENTIALS": database.url, "HOME": str(tmp_path)}
    with environment(credentials), Sandbox(small_world()) as sandbox:
        story = Story(sandbox, tmp_path / "warehouse.duckdb", "postgres", credentials)
        story.night(25)
        dbt(database, tmp_path, "build")
        story.night(38)
        dbt(database, tmp_path, "build")
        built_over = marts(database)
        dbt(database, tmp_path, "build", "--full-refresh", "--exclude-resource-type", "unit_test")
        assert built_over == marts(database)
        wall, tracker = sandbox.besitos.oracle.totals(), sandbox.keitaro.oracle.revenue_by_tid()
        health = look(Warehouse(story.path, "postgres"), list(vendors().values()), tmp_path / "look")
    # Status reads the views that dbt reads, on this destination too.
    for source in health.sources:
        for stream in source.streams:
            place = f"vendor = '{source.source}' and stream = '{stream.stream}'"
            [[whole]] = database.ask(f"select count(*) from marts.days where {place} and state = 'whole'")
            first, last = stream.days.first, stream.days.last
            assert whole == (1 + (last - first).days if first and last else 1), stream
            assert (stream.days.never, stream.days.short, stream.is_current) == ((), (), True)
    [besitos] = [one.lateness for one in health.sources if one.source == "besitos"]
    assert besitos is not None
    assert database.ask(
        "select watched_days, reversals from marts.reversal_lookback where vendor = 'besitos'"
    ) == [(besitos.watched_days, besitos.rows)]
    told = "select conversion_id, net_revenue from {} where vendor = 'keitaro'"
    assert Counter(database.ask(told.format("marts.conversions_as_of(now())"))) == Counter(
        database.ask(told.format("marts.conversions"))
    )
    figures = database.ask(
        "select vendor, sum(gross_revenue), sum(net_revenue) from marts.conversions group by vendor order by vendor"
    )
    assert figures[0] == ("besitos", wall.gross_payout, wall.net_payout)
    assert figures[1][:2] == ("keitaro", sum(tracker.values(), Decimal(0)))
    [[silent]] = database.ask(
        """select count(*) from pg_attribute as a
        inner join pg_class as c on a.attrelid = c.oid inner join pg_namespace as n on c.relnamespace = n.oid
        where n.nspname in ('staging', 'intermediate', 'marts') and c.relkind in ('r', 'v') and a.attnum > 0
        and not a.attisdropped and col_description(a.attrelid, a.attnum) is null"""
    )
    assert silent == 0
    # What the marts' contracts promise stands in the database.
    required = database.ask(
        """select count(*) from information_schema.columns
        where table_schema = 'marts' and is_nullable = 'NO' and column_name in ('conversion_key', 'day_key', 'code')"""
    )
    assert required == [(3,)]

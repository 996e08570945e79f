"""What is missing is worked out once: status, its strict code, alert, report and dbt say the same."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from conversync.build import build
from conversync.report import write_report
from tests.dbt.nights import Story, ask
from tests.houses import environment
from tests.report.conftest import DAYS, MADE, ZONES, Built, at
from tests.report.pages import Page
from tests.report.test_figures import CONVERSIONS, reading
from tests.support import CONVERSYNC

# By source: days never read, days read short, and by how many rows.
TRUTH = {"besitos": (10, 0, 0), "conductrics": (0, 0, 0), "infobip": (0, 0, 0), "keitaro": (2, 3, 2)}


@pytest.fixture(scope="module")
def troubled(built: Built, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], str]:
    """A short span and a gap of the tracker, conversions ten days late, and a pair that left the settings.

    The warehouse, the settings of its sources, and the pair that left.
    """
    path = tmp_path_factory.mktemp("troubled") / "warehouse.duckdb"
    shutil.copy(built.warehouse, path)
    settings = built.sandbox.settings()
    [first, *others] = json.loads(settings["INFOBIP_PAIRS"])
    settings["INFOBIP_PAIRS"] = json.dumps(others)
    with environment({"HOME": str(path.parent)}):
        Story(built.sandbox, path, settings={"INFOBIP_PAIRS": settings["INFOBIP_PAIRS"]}).night(
            DAYS - 1, ("infobip",)
        )
    left = f"{first['process_key']} from {first['start_tag']} to {first['end_tag']}"
    with duckdb.connect(str(path)) as connection:
        for statement in (
            f"delete from keitaro.windows where {CONVERSIONS}",
            reading("keitaro", at(-1), at(10)),
            reading("keitaro", at(12), at(15), missing=2),
            reading("keitaro", at(15), at(39)),
            f"delete from besitos.windows where {CONVERSIONS}",
            reading("besitos", at(-1), at(DAYS - 11), read_at=MADE - timedelta(days=10)),
            f"""update infobip.windows set read_at = read_at - interval 20 day, window_end = window_end - 20
            where stream like '%{left}'""",
        ):
            connection.execute(statement)
    return path, {**settings, "CONVERSYNC_WAREHOUSE": str(path), "HOME": str(path.parent)}, left


def command(settings: dict[str, str], *arguments: str) -> tuple[int, dict[str, Any]]:
    ended = subprocess.run(
        [CONVERSYNC, *arguments],
        env=settings,
        cwd=settings["HOME"],
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, json.loads(ended.stdout)


@pytest.mark.more
def test_m08_five_outputs_say_the_same(troubled: tuple[Path, dict[str, str], str]) -> None:
    """Days never read, days short by so many rows, a listing that is ten days late, one that left the settings."""
    path, settings, left = troubled
    code, status = command(settings, "status", "--json", "--strict")
    alerted, alert = command(settings, "alert", "--dry-run")
    assert (code, alerted) == (3, 0)
    streams = {source["source"]: source["streams"] for source in status["sources"]}
    told = {
        name: (
            len({day for one in own if one["is_current"] for day in one["days"]["never"]}),
            len({day for one in own if one["is_current"] for day in one["days"]["short"]}),
            sum(one["days"]["missing"] for one in own if one["is_current"]),
        )
        for name, own in streams.items()
    }
    assert told == TRUTH
    assert {one["stream"] for own in streams.values() for one in own if not one["is_current"]} == {
        f"conversion_rates {left}",
        f"conversion_times {left}",
    }

    problems = [one for one in alert["problems"] if one["kind"] in ("stale", "incomplete", "short")]
    assert problems == [one for one in status["problems"] if one["kind"] in ("stale", "incomplete", "short")]
    by_kind = {(one["kind"], one["source"]): one for one in problems}
    assert by_kind.keys() == {
        ("stale", "besitos"), ("incomplete", "besitos"), ("incomplete", "keitaro"), ("short", "keitaro"),
    }  # fmt: skip
    assert by_kind["stale", "besitos"]["stream"] == "conversions"
    assert len(by_kind["incomplete", "besitos"]["days"]) == 10
    assert by_kind["short", "keitaro"]["rows"] == 2

    assert build(path, select="+days +readings +reconciliation", run_tests=False).failures == []
    rows = ask(
        path,
        """select vendor, count(distinct day) filter (state in ('never', 'due')),
            count(distinct day) filter (state = 'short'), coalesce(max(missing) filter (state = 'short'), 0)
        from marts.days where is_current group by vendor""",
    )
    assert {vendor: tuple(counts) for vendor, *counts in rows} == TRUTH
    assert ask(path, "select count(distinct stream) from marts.days where not is_current") == [(2,)]

    with environment(settings):
        write_report(path, path.parent / "report.html", zones=ZONES, now=MADE)
    page = Page(path.parent / "report.html")
    said = page.section("completeness").one("p", class_="finding").text
    assert "12 days of a source never read and 3 days read short by 2 rows (Besitos and Keitaro)" in said
    assert "Besitos, conversions: not read for 10 days." in said
    assert page.figures()["Days missing"] == "15"
    with duckdb.connect(str(path), read_only=True) as connection:
        missing = connection.execute(page.queries()["missing"]).fetchall()
    assert {vendor: tuple(map(int, counts)) for vendor, *counts in missing} == TRUTH
    [listings] = page.tables("streams")
    assert len([row for row in listings.rows if row["never"] == "10"]) == 1
    assert page.root.text.count("no longer in the settings") == 2


@pytest.mark.more
def test_m07_a_day_that_the_tracker_was_not_read_is_missing_nothing(
    troubled: tuple[Path, dict[str, str], str],
) -> None:
    """No transaction of a day that was never read, or read short, is called missing in the tracker."""
    path, _, _ = troubled
    copy = path.parent / "untracked.duckdb"
    shutil.copy(path, copy)
    with duckdb.connect(str(copy)) as connection:
        gone = f"(occurred_on between date '{at(10)}' and date '{at(15)}')"
        connection.execute(f"delete from keitaro.conversion_events where {gone}")
    assert build(copy, select="+reconciliation", run_tests=False).failures == []
    outcomes = dict(
        ask(
            copy,
            f"""select outcome, count(*) from marts.reconciliation
            where occurred_on between '{at(11)}' and '{at(13)}' group by 1""",
        )
    )
    assert "missing in tracker" not in outcomes
    assert outcomes["tracker not read"] > 10
    write_report(copy, path.parent / "untracked.html", zones=ZONES, now=MADE)
    page = Page(path.parent / "untracked.html")
    [table] = page.tables("reconciliation")
    compared = sum(int(row["compared"]) for row in table.rows)
    matched = sum(int(row["compared"]) for row in table.rows if row["outcome"] == "Matched")
    assert f"of {compared} transactions match" in page.section("reconciliation").text
    assert re.search(
        r"[\d,]+ transactions of days that one side was not read whole are left out", page.root.text
    )
    assert 0 < matched <= compared
    words = re.search(r"What does not match, by week: (.*?)\.", page.section("reconciliation").text)
    assert words, "no picture"
    told = [int(number) for number in re.findall(r"\d+", words[1].replace(",", ""))]
    assert sum(told) == compared - matched, words[0]

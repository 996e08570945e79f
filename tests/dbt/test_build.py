"""The command's build: with few vendors, without what it needs, and when something is wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import NoReturn

import duckdb
import pytest

from conversync.build import build, selection
from conversync.build import place as places
from conversync.errors import LockedError, SettingsError
from conversync.warehouse.warehouse import Warehouse
from tests.dbt.nights import ask, marts


def changed(built: Path, folder: Path, *statements: str) -> Path:
    """A copy of a warehouse that was built, with something done to it by hand."""
    path = folder / "warehouse.duckdb"
    shutil.copy(built, path)
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


@pytest.mark.more
def test_a_vendor_that_is_not_configured_has_empty_models(offerwall: Path) -> None:
    """With Besitos alone every mart is built and tested, the arithmetic too; the others' rows are just not there."""
    assert ask(offerwall, "select distinct vendor from marts.conversions") == [("besitos",)]
    assert ask(offerwall, "select distinct outcome from marts.reconciliation") == [("tracker not read",)]
    rows = marts(offerwall)
    assert not rows["sms_funnel"]
    assert not rows["goal_catalogue"]
    types = ask(
        offerwall,
        """select column_name, data_type from duckdb_columns()
        where table_name = 'sms_funnel' and column_name in ('day', 'start_count', 'average_seconds')
        order by 1""",
    )
    assert types == [("average_seconds", "DOUBLE"), ("day", "DATE"), ("start_count", "BIGINT")]
    staged = ask(offerwall, "select view_name from duckdb_views() where schema_name = 'staging'")
    assert {name.removeprefix("stg_").partition("__")[0] for [name] in staged} == {"besitos"}


@pytest.mark.more
def test_what_is_gone_leaves_no_old_rows(offerwall: Path, tmp_path: Path) -> None:
    """A dataset that was built once and is dropped then: its models go on, empty, and none reads what is not there."""
    path = changed(offerwall, tmp_path, "drop schema besitos cascade")
    report = build(path, run_tests=False)
    assert (report.failures, report.exit_code) == ([], 0)
    assert ask(path, "select count(*) from marts.conversions") == [(0,)]
    for [name] in ask(path, "select schema_name || '.' || view_name from duckdb_views() where not internal"):
        assert ask(path, f"select count(*) from {name}")[0][0] == 0 or "lateness" in name, name


def test_a_table_of_somebody_elses_is_named_and_stays(offerwall: Path, tmp_path: Path) -> None:
    """Called as a mart is, it was replaced without a word."""
    path = changed(
        offerwall,
        tmp_path,
        "create or replace table marts.days as select date '2025-01-01' as day, 'Neujahr' as name",
        "comment on table marts.days is 'Holidays.'",
    )
    with pytest.raises(
        SettingsError, match=r"^marts\.days is called as .* somebody else made it; nothing was built"
    ):
        build(path, run_tests=False)
    assert ask(path, "select name from marts.days") == [("Neujahr",)]


@pytest.mark.more
def test_a_model_that_lost_its_comment_is_ours_all_the_same(offerwall: Path, tmp_path: Path) -> None:
    """As after an export and an import; also one of a version in which a column was missing."""
    path = changed(
        offerwall,
        tmp_path,
        "comment on table marts.readings is null",
        "comment on view staging.stg_besitos__days is null",
        "alter table marts.readings drop column read_at",
    )
    assert build(path, select="readings", run_tests=False).exit_code == 0
    assert ask(path, "select count(read_at) from marts.readings")[0][0] > 0


@pytest.mark.more
def test_a_model_is_asked_for_by_its_tables_name(offerwall: Path, tmp_path: Path) -> None:
    """As `--select` took it ever since: the warehouse's names are the ones that people know."""
    path = tmp_path / "warehouse.duckdb"
    shutil.copy(offerwall, path)
    report = build(path, select="offer_performance stg_besitos__offers")
    assert (report.models, report.failures) == (2, [])
    assert report.tests_passed > 0


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("conversions+", "conversync__conversions+"),
        ("2+days,@int_conversions", "2+conversync__days,@int_conversync__conversions"),
        ("+stg_besitos__days+1", "+stg_conversync__besitos_days+1"),
        ("source:besitos.days+", "source:conversync__besitos.days+"),
        ("conversync__days", "conversync__days"),
        ("conversync.marts", "conversync.marts"),
        ("tag:mine source:mine", "tag:mine source:mine"),
    ],
)
def test_a_selection_means_our_models_by_either_name(asked: str, meant: str) -> None:
    """A table's name, or the model's; whatever dbt puts around it stays."""
    assert selection(asked) == meant


def test_k27_every_view_works_under_any_name(offerwall: Path, tmp_path: Path) -> None:
    """A copy of another name, opened or attached as another database: the same rows, for no view names the catalog."""
    copy = tmp_path / "for_readers.duckdb"
    shutil.copy(offerwall, copy)
    views = ask(offerwall, "select schema_name || '.' || view_name from duckdb_views() where not internal")
    assert {"besitos.conversions", "staging.stg_besitos__conversions"} <= {name for [name] in views}
    attached = [f"attach '{copy}' as elsewhere (read_only)"]
    for path, prepared, catalog in ((copy, [], ""), (":memory:", attached, "elsewhere.")):
        with duckdb.connect(str(path)) as connection:
            for statement in prepared:
                connection.execute(statement)
            for [name] in views:
                found = connection.execute(f"select count(*) from {catalog}{name}").fetchall()
                assert found == ask(offerwall, f"select count(*) from {name}"), name


@pytest.mark.more
def test_a_test_that_fails_is_told_with_its_promise(offerwall: Path, tmp_path: Path) -> None:
    """A report says in words which promise is broken, and costs exit 1."""
    broken = changed(
        offerwall,
        tmp_path,
        (
            "update marts.conversions set net_revenue = net_revenue + 1 "
            "where conversion_id = (select min(conversion_id) from marts.conversions)"
        ),
    )
    report = build(broken, select="assert_gross_less_reversed_is_net")
    assert (report.tests_failed, report.exit_code) == (1, 1)
    [sentence] = report.failures
    assert sentence == (
        "The test assert_gross_less_reversed_is_net failed (1 rows). "
        "On every row what was earned, less what was taken back, is what is left."
    )


FIRST, LAST = (f"(select {end}(transaction_id) from marts.reconciliation)" for end in ("min", "max"))


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (
            [
                f"update marts.conversions set net_revenue = net_revenue + 1 where transaction_id = {FIRST}",
                f"update marts.conversions set net_revenue = net_revenue - 1 where transaction_id = {LAST}",
                "alter table marts.conversions alter conversion_key drop not null",
                f"update marts.conversions set conversion_key = null where transaction_id = {LAST}",
            ],
            {
                "assert_reversals_are_judged_as_the_view_does": 2,
                "is_key_conversync__conversions_conversion_key": 1,
            },
        ),
        (
            [
                f"delete from marts.reconciliation where transaction_id = {LAST}",
                f"insert into marts.reconciliation from marts.reconciliation where transaction_id = {FIRST}",
            ],
            {
                "assert_every_transaction_is_reconciled_once": 2,
                "is_key_conversync__reconciliation_transaction_id__besitos": 1,
            },
        ),
    ],
)
def test_a_row_that_is_wrong_is_found_among_rows_that_are_right(
    offerwall: Path, tmp_path: Path, wrong: list[str], found: dict[str, int]
) -> None:
    """What compares sums first tells the rows, also of two that are wrong by the same; a key is never null, and one."""
    broken = tmp_path / "warehouse.duckdb"
    shutil.copy(offerwall, broken)
    with duckdb.connect(str(broken)) as connection:
        for statement in wrong:
            connection.execute(statement)
    told = [sentence.partition(").")[0] for sentence in build(broken, select=" ".join(found)).failures]
    assert sorted(told) == [f"The test {name} failed ({rows} rows" for name, rows in found.items()]


def test_build_waits_for_nobody_it_was_not_told_to(offerwall: Path, tmp_path: Path) -> None:
    """Another run, or a reader of the file, makes it stop with the sentence of a locked warehouse."""
    offerwall = Path(shutil.copy(offerwall, tmp_path / "warehouse.duckdb"))
    with Warehouse(offerwall).locked(), pytest.raises(LockedError, match="Another run holds"):
        build(offerwall)
    reads = (
        f"import duckdb; c = duckdb.connect({str(offerwall)!r}, read_only=True); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", reads], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout
        reader.stdout.readline()
        with pytest.raises(LockedError, match="Somebody has"):
            build(offerwall)
        reader.communicate("\n")


def test_without_dbt_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who installed without the extra reads what to install."""

    def missing(name: str) -> NoReturn:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(places, "version", missing)
    with pytest.raises(SettingsError, match=r'pip install "conversync\[dbt\]"'):
        build(tmp_path / "warehouse.duckdb")


@pytest.mark.parametrize(
    ("name", "words"), [("warehouse", "run conversync load first"), ("marts", "may not be called")]
)
def test_a_file_that_cannot_be_built_on_is_refused(tmp_path: Path, name: str, words: str) -> None:
    """Nothing is created where nothing was loaded, and no file is called as a schema."""
    path = tmp_path / f"{name}.duckdb"
    if name == "marts":
        duckdb.connect(str(path)).close()
    with pytest.raises(SettingsError, match=words):
        build(path)
    assert path.exists() == (name == "marts")

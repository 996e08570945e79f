"""C12, C13: somebody dropped, renamed or retyped what a load writes to. It is made anew or refused, never bent."""

from __future__ import annotations

import pytest

from tests.process.support import Place

EVENTS = "besitos.conversion_events"
WITHOUT_VIEW = "drop view besitos.conversions; "

NO_VERSION = "drop table besitos._dlt_version; "
NO_RECORDS = f"{NO_VERSION} drop table besitos._dlt_loads; drop table besitos._dlt_pipeline_state; "
NO_STAGING = "drop schema if exists besitos_staging cascade; "
NO_STATE = "delete from besitos._dlt_pipeline_state; "
ONE_MORE = f"alter table {EVENTS} add column mine integer; "

HEALING = {
    "C12-records-C13-added": NO_RECORDS + ONE_MORE,
    "C12-version-staging": NO_VERSION + NO_STAGING,
    "C12-state": pytest.param(NO_STATE, marks=pytest.mark.long),
    "C12-staging": pytest.param(NO_STAGING, marks=pytest.mark.long),
    "C12-state-staging": pytest.param(NO_STATE + NO_STAGING, marks=pytest.mark.long),
    "C13-added": pytest.param(ONE_MORE, marks=pytest.mark.long),
}
REFUSED = {
    "C12-loads-dropped": ("drop table besitos._dlt_loads", "besitos._dlt_loads is gone"),
    "C12-state-dropped": ("drop table besitos._dlt_pipeline_state", "besitos._dlt_pipeline_state is gone"),
    "C12-state-edited": ("update besitos._dlt_pipeline_state set state = 'x'", "cannot be read"),
    "C12-version-edited": ("update besitos._dlt_version set schema = 'x'", "cannot be read"),
    "C13-table-dropped": (f"{WITHOUT_VIEW} drop table {EVENTS}", f"{EVENTS} is gone"),
    "C13-column-dropped": (
        f"{WITHOUT_VIEW} alter table {EVENTS} drop column payout",
        f"{EVENTS} has no column payout",
    ),
    "C13-column-renamed": (
        f"{WITHOUT_VIEW} alter table {EVENTS} rename payout to paid",
        f"{EVENTS} has no column payout",
    ),
    "C13-money-as-double": (
        f"{WITHOUT_VIEW} alter table {EVENTS} alter payout type double",
        f"{EVENTS}.payout is double, and a load made it decimal(18,6)",
    ),
    "C13-money-rounded": (
        f"{WITHOUT_VIEW} alter table {EVENTS} alter payout type decimal(18, 2)",
        f"{EVENTS}.payout is decimal(18,2), and a load made it decimal(18,6)",
    ),
    "C13-day-as-text": (
        f"{WITHOUT_VIEW} alter table {EVENTS} alter occurred_on type varchar",
        f"{EVENTS}.occurred_on is text, and a load made it date",
    ),
    "C13-evidence-dropped": ("drop table besitos.windows", "besitos.windows is gone"),
    "C13-table-for-view": (
        f"{WITHOUT_VIEW} create table besitos.conversions as select 1 as x",
        "besitos.conversions is a table",
    ),
}


@pytest.mark.more
@pytest.mark.parametrize("change", HEALING.values(), ids=HEALING)
def test_c12_c13_what_a_run_needs_and_can_make_is_made(loaded: Place, change: str) -> None:
    """The run ends with 0, and every statement is still there once."""
    before = loaded.held()
    loaded.change(change)
    loaded.loaded()
    assert loaded.held() == before


@pytest.mark.quick(1)
@pytest.mark.parametrize("case", REFUSED)
def test_c12_c13_what_cannot_be_made_is_refused_before_anything_happens(loaded: Place, case: str) -> None:
    """Exit 1, no request, not one row changed, and a sentence that says what is wrong and how to repair it."""
    change, words = REFUSED[case]
    loaded.change(change)
    tables = "select table_name from duckdb_tables() where schema_name = 'besitos' order by all"
    held = {name: loaded.query(f"from besitos.{name} order by all") for (name,) in loaded.query(tables)}
    asked = len(loaded.sandbox.requests)
    loaded.load().refused(1, words, "Nothing was loaded.", "besitos")
    assert len(loaded.sandbox.requests) == asked
    assert {
        name: loaded.query(f"from besitos.{name} order by all") for (name,) in loaded.query(tables)
    } == held


def test_c12_the_way_out_works(loaded: Place) -> None:
    """What the sentence says to drop, dropped: the next run makes it anew, and nothing is lost or doubled."""
    before = loaded.held()
    loaded.change("drop table besitos._dlt_loads")
    loaded.load().refused(1, "drop table besitos._dlt_version")
    loaded.change("drop table besitos._dlt_version")
    loaded.loaded()
    assert loaded.held() == before


def test_c13_the_way_out_works(loaded: Place) -> None:
    """After dropping what the sentence says, one load brings everything back."""
    before = loaded.held()
    loaded.change(f"{WITHOUT_VIEW} alter table {EVENTS} alter payout type bigint")
    told = loaded.load().told
    _, _, repair = told.partition("load everything anew after: ")
    loaded.change(repair.strip().splitlines()[0].removesuffix("."))
    loaded.loaded()
    assert loaded.held() == before

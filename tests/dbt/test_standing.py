"""After a night, only what reads something that changed is made again; and all marts are those of a full refresh."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from conversync import build as building
from conversync.build import build
from conversync.build.last import mark, read_by
from conversync.build.report import BuildReport
from conversync.cli import output
from conversync.forget.run import forget
from conversync.sandbox import Sandbox
from conversync.undo import take_back
from conversync.vendors import vendors
from conversync.warehouse.datasets import accounts
from conversync.warehouse.query import of_duckdb
from conversync.warehouse.stored import look
from conversync.warehouse.warehouse import Warehouse
from tests.dbt.nights import Story, ask, marts, small_world, stand_at
from tests.houses import environment, made_once

# What is made of the evidence that each load writes, whatever it brings.
EVIDENCE = ("days", "readings", "reversal_lookback")
# What is made of conversions.
MONEY = ("conversions", "conversions_daily", "offer_performance", "reconciliation", "reversal_cohorts")
CHANGES = ("corrections", "revenue_by_knowledge")
VENDORS = ("besitos", "infobip", "keitaro")
# The last reading of conversions, once more.
WINDOW = """
    insert into besitos.windows select * replace (read_at + interval 1 second as read_at) from besitos.windows
    where stream = 'conversions' order by _dlt_load_id desc, read_at desc limit 1
"""
ORIGINAL = "select min(transaction_id) from besitos.conversions where not is_reversed and not is_orphan"
COPIED = """
    insert into besitos.conversion_events by name
    select * replace ({key} as event_key, {number} as transaction_id, {is_reversal} as is_reversal)
    from besitos.conversion_events
    where valid_to is null and not is_reversal and transaction_id = ({original})
"""


def change(path: Path, statements: str) -> None:
    """By hand, in a session of its own."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(statements)


def due(path: Path) -> set[str]:
    """The marts that a build would make."""
    warehouse = Warehouse(path)
    last, found = building.noted(warehouse).last(), mark(path)
    assert last
    with duckdb.connect(str(path)) as connection:
        rows = of_duckdb(connection)
        names, named = building.relations(rows), accounts(rows)
        inputs, now = building.inputs_of(rows, names, named), look(connection, path)
        now.ask(connection, read_by(last.nodes))
    split = last.split(found, inputs, now)
    nodes = last.nodes if split.due is None else split.due
    relations = [node.relation or "" for node in nodes]
    return {name.removeprefix("marts.") for name in relations if name.startswith("marts.")}


def built(path: Path, *, run_tests: bool = True) -> tuple[BuildReport, set[str]]:
    """A build over what stands, and which marts it made; afterwards all are as a full refresh makes them."""
    made = due(path)
    report = build(path, run_tests=run_tests)
    assert report.failures == []
    held = marts(path)
    copy = path.parent / "refreshed" / path.name
    shutil.rmtree(copy.parent, ignore_errors=True)
    copy.parent.mkdir()
    shutil.copy2(path, copy)
    refreshed = build(copy, full_refresh=True, run_tests=False)
    assert (refreshed.failures, refreshed.models_left) == ([], 0)
    assert marts(copy) == held
    return report, made


def test_a_night_that_brings_nothing_leaves_what_it_says_nothing_of(
    offerwall: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Evidence alone was written: what is made of it is made, and the rest stands as it is."""
    path = tmp_path / "warehouse.duckdb"
    shutil.copy2(offerwall, path)
    first = build(path, run_tests=False)
    assert (first.failures, first.models_left) == ([], 0)
    change(path, WINDOW)
    report, made = built(path, run_tests=False)
    assert made == set(EVIDENCE)
    assert (report.models, report.models_left) == (len(EVIDENCE), first.models - len(EVIDENCE))
    output.built(report)
    assert f"3 models built, {report.models_left} left as they were, " in capsys.readouterr().out


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Three vendors of which a build was noted, with its tests."""
    with Sandbox(small_world()) as sandbox:

        def make(folder: Path) -> None:
            story = Story(sandbox, folder / "warehouse.duckdb")
            with environment({"HOME": str(folder)}):
                story.night(24, VENDORS)
                story.night(25, VENDORS)
                assert build(story.path).failures == []

        folder = made_once(tmp_path_factory, "standing", make)
        stand_at(sandbox, 25)
        yield Story(sandbox, folder / "warehouse.duckdb")


@pytest.fixture
def story(told: Story, tmp_path: Path) -> Story:
    """A copy of it, with its note."""
    shutil.copytree(told.path.parent, tmp_path / "story")
    return Story(told.sandbox, tmp_path / "story" / "warehouse.duckdb")


def again(story: Story) -> None:
    """The same noon: every row comes again."""
    story.night(25, VENDORS)


def next_night(story: Story) -> None:
    """Days later: new conversions, reversals, restatements, new days."""
    story.night(28, VENDORS)


def undone(story: Story) -> None:
    """The last load of Besitos is taken back."""
    again(story)
    take_back.undo(Warehouse(story.path), [vendors()["besitos"]], None)


def forgotten(story: Story) -> None:
    """A player is."""
    [[player]] = ask(story.path, "select min(user_id) from besitos.conversions")
    with environment({**story.sandbox.settings(), "CONVERSYNC_PRIVACY_KEY": "a key of the tests"}):
        forget(Warehouse(story.path), [player], 0)


def by_hand(statements: str) -> Callable[[Story], None]:
    """A change in a session of somebody's own."""
    return lambda story: change(story.path, statements)


NIGHTS = [
    pytest.param(again, set(EVIDENCE) | {"sms_funnel"}, id="nothing new"),
    pytest.param(next_night, {*EVIDENCE, *MONEY, *CHANGES, "sms_funnel"}, id="the next night"),
    pytest.param(
        by_hand(
            COPIED.format(key="'77:original'", number=77, is_reversal="false", original=ORIGINAL)
            + ";"
            + WINDOW
        ),
        {*EVIDENCE, *MONEY, *CHANGES},
        id="one new row",
    ),
    pytest.param(
        by_hand(
            COPIED.format(
                key="transaction_id || ':reversal'",
                number="transaction_id",
                is_reversal="true",
                original=ORIGINAL,
            )
        ),
        {"reversal_lookback", *MONEY, *CHANGES},
        id="a reversal",
    ),
    pytest.param(
        by_hand(
            f"update besitos.conversion_events set payout = payout + 1 where transaction_id = ({ORIGINAL})"
        ),
        {"reversal_lookback", *MONEY, *CHANGES},
        id="a restatement",
    ),
    pytest.param(
        by_hand(
            "update keitaro.offers set name = name || '!' where id = (select min(id) from keitaro.offers)"
        ),
        set(MONEY),
        id="a name in a list",
    ),
    pytest.param(
        by_hand("update keitaro.offers set last_seen_at = last_seen_at + interval 1 hour"),
        set[str](),
        id="a list that was seen again",
    ),
    pytest.param(
        by_hand("update marts.conversions_daily set net_revenue = net_revenue + 1"),
        {"conversions_daily"},
        id="a mart by hand",
    ),
    pytest.param(
        by_hand(
            "delete from marts.conversions where conversion_key = (select min(conversion_key) from marts.conversions)"
        ),
        set(MONEY),
        id="the mart of all others by hand",
    ),
    pytest.param(
        by_hand("comment on view staging.stg_besitos__deals is 'mine'"),
        set[str](),
        id="a view by hand",
    ),
    pytest.param(undone, None, id="undo"),
    pytest.param(forgotten, None, id="forget"),
]


@pytest.mark.more
@pytest.mark.parametrize(("night", "marts_made"), NIGHTS)
def test_a_night_of_any_kind_is_its_full_refresh(
    story: Story, night: Callable[[Story], None], marts_made: set[str] | None
) -> None:
    """Whatever came; and what was not made again is what did not have to be."""
    night(story)
    report, made = built(story.path)
    assert marts_made is None or made == marts_made
    assert report.tests_left or not report.models_left


@pytest.mark.more
def test_a_setting_another_account_or_shape_makes_everything(story: Story) -> None:
    """What the models are made for is another thing then."""
    with environment({"BESITOS_ZONE": "UTC"}):
        report, made = built(story.path, run_tests=False)
        assert (made, report.models_left) == (set(marts(story.path)), 0)
        change(story.path, "create schema besitos_eu; create table besitos_eu.offers as from besitos.offers")
        report, made = built(story.path, run_tests=False)
        assert (made, report.models_left) == (set(marts(story.path)), 0)


@pytest.mark.more
def test_a_day_that_the_clock_brought_is_made_and_nothing_else(story: Story) -> None:
    """Views of days say something else without any write; the reconciliation heeds only which days were read whole."""
    [[days]] = ask(
        story.path, "select sql from duckdb_views() where schema_name = 'besitos' and view_name = 'days'"
    )
    dated = days.partition(" AS ")[2].strip().removesuffix(";")
    change(story.path, "create table besitos._clock as select 0 as later, cast(null as varchar) as state")
    change(
        story.path,
        "create or replace view besitos.days as select days.* replace ("
        "last_read + to_days(cast(later as integer)) as last_read, "
        "case when days.state = 'whole' then coalesce(clock.state, days.state) else days.state end as state"
        f") from ({dated}) as days cross join besitos._clock as clock",
    )
    assert build(story.path, run_tests=False).failures == []
    change(story.path, "update besitos._clock set later = 1")
    assert built(story.path, run_tests=False)[1] == {"days"}
    change(story.path, "update besitos._clock set state = 'short'")
    assert built(story.path, run_tests=False)[1] == {"days", "reconciliation"}


@pytest.mark.more
def test_a_test_that_was_not_run_is_run(story: Story) -> None:
    """A build without tests leaves those of what it made to the next one."""
    change(story.path, "update besitos.conversion_events set payout = payout + 1")
    assert build(story.path, run_tests=False).failures == []
    report = build(story.path)
    assert report.failures == []
    assert report.tests_passed > 20
    assert report.tests_left > 5
    assert build(story.path).is_unchanged


@pytest.mark.more
def test_what_fails_is_not_left(story: Story) -> None:
    """A build that went wrong is no last one: the next makes all that it had to make, until it goes well."""
    before = building.noted(Warehouse(story.path)).last()
    change(
        story.path,
        COPIED.format(key="'77:original'", number=77, is_reversal="false", original=ORIGINAL)
        + "; "
        + COPIED.format(key="'77:original'", number=77, is_reversal="false", original=ORIGINAL),
    )
    for _ in range(2):
        assert any("is_key" in failure for failure in build(story.path).failures)
    assert building.noted(Warehouse(story.path)).last() == before
    change(story.path, "delete from besitos.conversion_events where transaction_id = 77")
    assert built(story.path)[0].tests_failed == 0

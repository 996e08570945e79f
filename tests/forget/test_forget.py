"""`conversync forget`: a search of every byte finds nothing, no sum moves, and the next night brings nobody back."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tests.besitos.rows import reversal
from tests.forget.story import CLICK, LOADS, MAIL, OTHER, PERSON, SEND, Story
from tests.support import CONVERSYNC

# The story takes half a minute.
pytestmark = pytest.mark.more


def test_nothing_is_left_and_no_sum_moves(story: Story) -> None:
    """Told by standard input; the receipt says what stood where, and holds no id."""
    before, catalog = story.money(), story.catalog()
    assert {"warehouse.duckdb: besitos.rejected_rows", "warehouse.duckdb: main.notes"} <= set(
        story.hits(PERSON)
    )
    tried = story.run("forget", PERSON, "--dry-run", "--json")
    assert story.money() == before
    done = subprocess.run(
        [CONVERSYNC, "forget", "-", "--json"],
        cwd=story.folder,
        env=story.environment,
        input=f"{PERSON}\n{MAIL}\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    receipt, planned = json.loads(done.stdout), json.loads(tried.out)
    assert {one["place"] for one in planned["found"]} <= {one["place"] for one in receipt["found"]}
    assert PERSON.lower() not in (done.stdout + done.stderr + tried.told).lower()
    found = {one["place"]: one["rows"] for one in receipt["found"]}
    assert found["besitos.rejected_rows"] == 1
    assert found["sent.keitaro_conversions"] == 2
    assert story.hits(PERSON, CLICK, MAIL) == []
    assert story.money() == before
    assert [one for one in story.catalog() if one[0] != "privacy"] == catalog
    kept = story.rows("select distinct user_id from besitos.conversion_events order by all")
    assert kept == [(OTHER,), (None,)]


def test_a_column_of_the_users_own_on_a_vendors_table_is_cleared_too(story: Story) -> None:
    """As a cell of a table of theirs."""
    with duckdb.connect(str(story.path)) as connection:
        for table, told in (("conversion_events", f"of {PERSON}"), ("rejected_rows", PERSON)):
            connection.execute(f"alter table besitos.{table} add column my_note varchar")
            connection.execute(f"update besitos.{table} set my_note = '{told}'")
    done = story.run("forget", PERSON)
    assert done.code == 0, done.told
    assert story.hits(PERSON) == []


def test_the_next_night_brings_nobody_back(story: Story) -> None:
    """The same rows, then a late reversal: nothing is stated anew but the reversal, and nobody is sent again."""
    before = story.money()
    story.run("forget", PERSON)
    story.run("forget", MAIL)
    story.run(*LOADS)
    assert (story.hits(PERSON, CLICK, MAIL), story.money()) == ([], before)
    assert story.rows("select count(*) from besitos.rejected_rows") == [(1,)]
    story.serve(reversal(900, user_id=PERSON, email=MAIL), user=PERSON.title())
    story.run(*LOADS)
    assert story.hits(PERSON, CLICK, MAIL) == []
    after = story.money()
    assert after["history"][:-1] == before["history"] or set(before["history"]) < set(after["history"])
    assert len(after["history"]) == len(before["history"]) + 1
    assert story.rows(
        "select net_payout, is_reversed from besitos.conversions where transaction_id = 900"
    ) == [(Decimal(0), True)]
    assert story.rows("select currency, payout from besitos.conversions where transaction_id = 901") == [
        ("EUR", Decimal(7))
    ]
    sent = len(story.sandbox.keitaro.received)
    story.run(*SEND)
    assert len(story.sandbox.keitaro.received) == sent
    days = ("--from", "2024-12-03", "--to", "2024-12-07")
    story.run("verify", "besitos", *days)
    story.run("status")
    story.run("books")
    assert story.hits(PERSON, CLICK, MAIL) == []


def marts(story: Story) -> dict[str, list[tuple[object, ...]]]:
    """Every column of the marts, but what names a person, how many people there were, and when we read it."""
    columns = story.rows(
        "select table_name, column_name from duckdb_columns() where schema_name = 'marts' "
        "and table_name not in ('days', 'readings') and column_name not in ('user_id', 'user_key', 'users') "
        "and not starts_with(data_type, 'TIMESTAMP')"
    )
    return {
        f"{table}.{column}": story.rows(f'select "{column}" from marts."{table}" order by all')
        for table, column in columns
    }


@pytest.mark.long
def test_every_mart_is_the_same_to_the_cent(story: Story) -> None:
    """After it, after the next build, and after one that makes all anew."""
    story.run("build", "--no-tests")
    before = marts(story)
    assert (True,) in before["conversions.is_sent_by_us"], "nothing of it rests on the click"
    story.run("forget", PERSON)
    assert (story.hits(PERSON, CLICK), marts(story)) == ([], before)
    for more in ((), ("--full-refresh",)):
        story.run(*LOADS)
        story.run("build", *more)
        assert {name: one for name, one in marts(story).items() if one != before[name]} == {}
    assert story.hits(PERSON, CLICK) == []


@pytest.mark.parametrize(
    "share", [0.3, *(pytest.param(one / 12, marks=pytest.mark.long) for one in range(12))]
)
def test_killed_anywhere_it_can_be_run_again(story: Story, share: float, tmp_path: Path) -> None:
    """The warehouse is right in between, and nothing is left after the second run."""
    before, other = story.money(), Story(tmp_path / "counted", story.sandbox, story.forks)
    shutil.copytree(story.folder, other.folder)
    other.run("forget", PERSON, points=str(tmp_path / "points"))
    points = int((tmp_path / "points").read_text())
    story.run("forget", PERSON, at=max(1, int(points * share)))
    assert story.money() == before
    story.run("status")
    story.run("forget", PERSON)
    assert (story.hits(PERSON, CLICK), story.money()) == ([], before)
    assert not list(story.folder.glob(".*.new"))


@pytest.mark.long
def test_a_key_is_needed_and_stays_the_same(story: Story) -> None:
    """Without it, or with another one, nothing is forgotten, and later nothing loaded or sent."""
    story.settings["CONVERSYNC_PRIVACY_KEY"] = ""
    assert "privacy_key" in story.run("forget", PERSON, code=2).err
    assert story.hits(PERSON) != []
    del story.settings["CONVERSYNC_PRIVACY_KEY"]
    story.run("forget", PERSON)
    for key in ("", "another key of the tests, and no other"):
        story.settings["CONVERSYNC_PRIVACY_KEY"] = key
        assert "privacy_key" in story.run(*LOADS, code=2).err
        assert "privacy_key" in story.run("forget", OTHER, code=2).err
        assert "privacy_key" in story.run(*SEND, code=2).err
    assert story.hits(PERSON) == []


def test_what_is_in_doubt_is_settled_first(story: Story) -> None:
    """Nothing is forgotten, so that what may have gone out can still be asked for."""
    with duckdb.connect(str(story.path)) as connection:
        connection.execute("update sent.keitaro_conversions set status = 'in_doubt'")
    before = story.hits(PERSON)
    assert "is in doubt" in story.run("forget", PERSON, code=1).err
    assert story.hits(PERSON) == before
    with sqlite3.connect(next((story.folder / ".conversync").glob("journal-*.sqlite"))) as journal:
        journal.execute("update outcomes set status = 'in_doubt'")
    journal.close()
    assert "is in doubt" in story.run("forget", PERSON, code=1).err


@pytest.mark.long
def test_a_row_of_the_users_own_that_comes_back_is_not_sent(story: Story) -> None:
    """Who was forgotten is known again in an outbox, too, by the keyed fingerprint."""
    story.run("forget", PERSON)
    with duckdb.connect(str(story.path)) as connection:
        connection.execute(
            "create table main.own as select 'own-1' as send_key, ? as subid, 'sale' as status, 1.5 as payout, "
            "'t-1' as tid, date '2024-12-04' as occurred_on union all select 'own-2', 'c-2', 'sale', 2.5, 't-2', "
            "date '2024-12-04'",
            [PERSON.upper()],
        )
    sent = len(story.sandbox.keitaro.received)
    done = story.run("send", "keitaro.conversions", "--from", "main.own", "--since", "2024-12-01")
    assert "1 row of people who were forgotten: none goes" in done.out
    assert len(story.sandbox.keitaro.received) == sent + 1


def test_elsewhere_nobody_is_forgotten(story: Story) -> None:
    """What was deleted could stay in the files of a destination whose files we do not know."""
    story.settings["DESTINATION__DUCKLAKE__CREDENTIALS"] = "ducklake:///lake"
    done = story.run("forget", PERSON, "--destination", "ducklake", code=2)
    assert "is neither" in done.err

"""X25: old history goes only by a person's word; rows that come late go by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conversync.errors import SettingsError
from tests.send.support import KEITARO, Workspace, sales

COLUMNS = (
    "send_key varchar, subid varchar, status varchar, payout decimal(18, 6), currency varchar, tid varchar, "
    "occurred_on date"
)


def day(ago: int) -> str:
    """So many days before today."""
    return (datetime.now(UTC).date() - timedelta(days=ago)).isoformat()


def outbox(house: Workspace, ages: Sequence[int | None], column: str = "occurred_on") -> None:
    """Rows k0, k1, ... that are so many days old; None has no day."""
    house.change(f"create or replace table main.keitaro ({COLUMNS.replace('occurred_on', column)})")
    rows: list[tuple[Any, ...]] = [
        (*sale, None if ago is None else day(ago)) for sale, ago in zip(sales(len(ages)), ages, strict=True)
    ]
    house.change("insert into main.keitaro values (?, ?, ?, ?, ?, ?, ?)", rows)


@pytest.mark.more
def test_x25_a_first_send_of_old_rows_asks(house: Workspace) -> None:
    """The plan shows how old they are; without a word nothing goes, not even what is new."""
    outbox(house, [90, 40, 8, 7, 0])
    for arguments in (["--dry-run"], []):
        done = house.command("send", KEITARO, "--from", "main.keitaro", *arguments)
        assert done.code == 2
        assert f"the new rows are of {day(90)} to {day(0)}" in done.out
        assert "3 of the rows that would go are more than 7 days old" in done.err
        assert "send, once that is settled: 2 new" in done.out
        assert "3 rows more than 7 days old, and waiting for a word" in done.out
        assert "older than all that was sent" not in done.out
        assert f"--since {day(90)}" in done.err
        assert "--adopt" in done.err
    assert house.asked() == []
    assert house.query("select count(*) from duckdb_tables() where schema_name = 'sent'") == [(0,)]


def test_x25_the_plan_tells_the_days_of_what_goes(house: Workspace) -> None:
    """Rows that --since leaves out, or --adopt marks, are no part of them; they are told as what they are."""
    outbox(house, [90, 40, 8, 7, 0])
    plan = house.plan(KEITARO, since=day(8))
    assert plan.history is not None
    assert (plan.history.oldest, plan.history.newest, plan.left_out) == (day(8), day(0), 2)
    plan = house.plan(KEITARO, adopt=True)
    assert plan.history is not None
    assert (plan.history.oldest, plan.history.newest, plan.adopted) == (day(7), day(0), 3)
    plan = house.plan(KEITARO, since="2999-01-01")
    assert plan.history is not None
    assert (plan.history.oldest, plan.left_out) == (None, 5)


@pytest.mark.more
def test_x25_since_sends_what_is_younger_and_leaves_out_the_rest_for_good(house: Workspace) -> None:
    """Tonight, and every night after; until a person names an earlier day."""
    outbox(house, [90, 40, 8, 7, 0])
    report = house.send(KEITARO, since=day(40))
    assert (report.exit_code, report.sent.sent, report.plan.left_out) == (0, 4, 1)
    assert house.statuses(KEITARO) == {"k0": "left_out", **{f"k{n}": "sent" for n in range(1, 5)}}
    again = house.send(KEITARO)
    assert (again.exit_code, again.sent.requests, again.plan.left_out) == (0, 0, 1)
    house.change("update main.keitaro set payout = 9 where send_key = 'k0'")
    assert house.send(KEITARO).sent.requests == 0
    assert house.send(KEITARO, since=day(365)).sent.sent == 1
    assert house.statuses(KEITARO)["k0"] == "sent"


@pytest.mark.more
def test_x25_adopt_marks_old_rows_as_sent_without_sending(house: Workspace) -> None:
    """As where another program sent them: a later reversal follows as one; the ledger says how it knows."""
    outbox(house, [90, 8, 0])
    assert house.plan(KEITARO, adopt=True).adopted == 2
    report = house.send(KEITARO, adopt=True)
    assert (report.exit_code, report.sent.sent, len(house.asked())) == (0, 1, 1)
    assert house.ledger(KEITARO) == {"k0": ("sent", None, 0), "k1": ("sent", None, 0), "k2": ("sent", 200, 1)}
    assert house.query("select distinct reason from sent.keitaro_conversions where attempts = 0") == [
        ("marked as sent by --adopt; no request was made",)
    ]
    house.change("update main.keitaro set status = 'rejected' where send_key = 'k0'")
    assert house.send(KEITARO).sent.kinds == {"changed": 1}
    assert house.receiver.taken[-1]["status"] == "rejected"


def test_x25_a_setting_says_it_for_the_night(house: Workspace) -> None:
    """`send_since`, of the target or of all; one that is no day is refused."""
    outbox(house, [90, 0])
    house.settings["SEND_SINCE"] = day(90)
    assert house.send(KEITARO).sent.sent == 2
    house.settings["SEND_SINCE"] = "last year"
    with pytest.raises(SettingsError, match="send_since"):
        house.send(KEITARO)


def test_x25_rows_that_come_late_go_by_themselves(house: Workspace) -> None:
    """A player who is mapped today brings a sale of last month: it lies within what was sent before."""
    outbox(house, [40, 0])
    house.send(KEITARO, since=day(40))
    outbox(house, [40, 0, 30])
    report = house.send(KEITARO)
    assert (report.exit_code, report.sent.sent) == (0, 1)


@pytest.mark.more
def test_x25_a_backfill_asks_and_holds_up_nothing_else(house: Workspace) -> None:
    """Older than all that the books know: it waits, what is new goes, and the night says so (exit 3)."""
    outbox(house, [3, 0])
    house.send(KEITARO)
    outbox(house, [3, 0, 200, 9, 0])
    for sent in (1, 0):
        report = house.send(KEITARO)
        assert (report.exit_code, report.sent.sent) == (3, sent)
        assert "2 new rows are more than 7 days old" in report.plan.looks()[0]
    assert house.send(KEITARO, since=day(9)).exit_code == 0
    assert house.statuses(KEITARO) == {
        "k2": "left_out",
        **dict.fromkeys(("k0", "k1", "k3", "k4"), "sent"),
    }
    assert house.send(KEITARO).exit_code == 0


@pytest.mark.more
@pytest.mark.parametrize("column", ["occurred_on", "occurred_at", "date", "created_at"])
def test_x25_a_day_is_never_sent_and_never_a_change(house: Workspace, column: str) -> None:
    """It may be any of these columns."""
    outbox(house, [1, 0], column)
    house.send(KEITARO)
    assert all(column not in one.query for one in house.asked())
    house.change(f"update main.keitaro set {column} = {column} - 1")
    report = house.send(KEITARO)
    assert (report.plan.already, report.sent.requests) == (2, 0)
    days = house.query("select cast(occurred_on as varchar) from sent.keitaro_conversions order by send_key")
    assert days == [(day(1),), (day(0),)]


@pytest.mark.more
def test_x25_where_no_column_dates_the_rows_that_is_said(house: Workspace) -> None:
    house.outbox(KEITARO, sales(2))
    done = house.command("send", KEITARO, "--from", "main.keitaro")
    assert done.code == 0, done.err
    assert "how old these rows are is not known" in done.out
    outbox(house, [0, 0, None])
    assert "how old" not in house.command("send", KEITARO, "--from", "main.keitaro").out


@pytest.mark.more
def test_x25_a_row_without_a_day_is_counted(house: Workspace) -> None:
    outbox(house, [1, None])
    assert "; 1 row without a day" in house.command("send", KEITARO, "--from", "main.keitaro").out


@pytest.mark.more
@pytest.mark.quick(1)
@pytest.mark.parametrize(
    "expression",
    [
        "strftime(current_date - 30, '%d.%m.%Y') as occurred_on",
        "strftime(current_date - 30, '%m/%d/%Y') as date",
        "epoch(current_date - 30)::bigint as created_at",
        "'soon' as day, null as created_at",
    ],
)
def test_a_day_that_cannot_be_read_is_no_young_day(house: Workspace, expression: str) -> None:
    """Nobody knows whether such a new row is old history: exit 2 with the row and its value, also in a dry run."""
    house.outbox(KEITARO, sales(2))
    house.change(f"create table main.dated as select *, {expression} from main.keitaro")
    for arguments in (["--dry-run"], [], ["--since", day(3)]):
        done = house.command("send", KEITARO, "--from", "main.dated", *arguments)
        assert (done.code, house.asked()) == (2, [])
        assert "2 new rows whose day cannot be read: of k0" in done.err


@pytest.mark.parametrize("first", ["null::date", "''", "'27.10.2026'"])
def test_the_next_column_dates_a_row_whose_first_does_not(house: Workspace, first: str) -> None:
    """An empty day beside a good one: the good one counts, and old history asks."""
    house.outbox(KEITARO, sales(2))
    house.change(
        f"create table main.dated as select *, {first} as occurred_on, current_date - 30 as created_at "
        "from main.keitaro"
    )
    with pytest.raises(SettingsError, match="2 of the rows that would go are more than 7 days old"):
        house.send(KEITARO, source="main.dated")
    assert house.send(KEITARO, source="main.dated", since=day(30)).sent.sent == 2

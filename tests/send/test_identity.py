"""X20 to X22, X24: a sent conversion has one identity for life; what changes or leaves is undone, or told."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from conversync.errors import SettingsError
from conversync.send.reconcile import reconcile
from conversync.vendors import targets
from conversync.warehouse.warehouse import Warehouse
from tests.send.support import KEITARO, OPTIBASE, Workspace, sales, users
from tests.send.test_reconcile import tracker

# The columns that journal and ledger have since.
ADDED = ("identities", "occurred_on", "outbox", "epoch")


def row(
    key: str, subid: str, tid: str | None, status: str = "sale", payout: str | None = "1.50"
) -> tuple[Any, ...]:
    return (key, subid, status, payout, "USD", tid)


def stands(house: Workspace) -> dict[tuple[str, str], tuple[str, str]]:
    """At the receiver, by click and transaction: status and amount."""
    return {key: (one["status"], one.get("payout", "")) for key, one in house.receiver.conversions.items()}


def identities(house: Workspace, key: str) -> dict[str, str]:
    """By identity, its state in the ledger."""
    [(text,)] = house.query(f"select identities from sent.keitaro_conversions where send_key = '{key}'")
    return {one["identity"]: one["state"] for one in json.loads(text)}


@pytest.mark.more
@pytest.mark.parametrize(("subid", "tid"), [("click-0", "t9"), ("click-9", "t0"), ("click-9", "t9")])
def test_x20_what_was_sent_before_is_taken_back_first(house: Workspace, subid: str, tid: str) -> None:
    """Another click or transaction under the same key is another conversion there: one is to count, not two."""
    house.outbox(KEITARO, sales(2))
    assert house.send(KEITARO).exit_code == 0
    house.outbox(KEITARO, [row("k0", subid, tid), sales(2)[1]])
    dry = house.plan(KEITARO)
    assert (dry.moved, len(house.asked())) == (1, 2)
    assert "status=rejected" in dry.sample[0]
    report = house.send(KEITARO)
    assert (report.exit_code, report.sent.sent, report.sent.withdrawn) == (0, 1, 1)
    told = [(one["subid"], one["tid"], one["status"]) for one in house.receiver.taken[2:]]
    assert told == [("click-0", "t0", "rejected"), (subid, tid, "sale")]
    counting = {key for key, (status, _) in stands(house).items() if status != "rejected"}
    assert counting == {(subid, tid), ("click-1", "t1")}
    assert identities(house, "k0") == {
        '["click-0","t0"]': "withdrawn",
        json.dumps([subid, tid], separators=(",", ":")): "stands",
    }
    again = house.send(KEITARO)
    assert (again.exit_code, again.sent.requests, again.plan.already) == (0, 0, 2)


@pytest.mark.more
@pytest.mark.parametrize("book", ["ledger", "journal"])
def test_x20_a_row_of_an_older_version_is_known_by_what_was_sent(house: Workspace, book: str) -> None:
    """Journal or ledger without the new columns, as the version before left them, and no epoch."""
    house.outbox(KEITARO, sales(2))
    house.send(KEITARO)
    folder = house.folder / ".conversync"
    [journal] = folder.glob("journal-*.sqlite")
    if book == "ledger":
        journal.unlink()
        for column in ADDED:
            house.change(f"alter table sent.keitaro_conversions drop column {column}")
    else:
        house.change("drop schema sent cascade")
        with closing(sqlite3.connect(journal)) as connection:
            for table in ("outcomes", "intents"):
                for column in ADDED:
                    connection.execute(f"alter table {table} drop column {column}")
            connection.execute("drop table epochs")
            connection.commit()
    for path in folder.glob("epoch-*"):
        path.unlink()
    house.outbox(KEITARO, [row("k0", "click-0", "t9"), sales(2)[1]])
    plan = house.plan(KEITARO)
    assert (plan.moved, plan.already) == (1, 1)
    if book == "journal":
        report = house.send(KEITARO)
        assert (report.exit_code, report.sent.withdrawn, report.sent.requests) == (0, 1, 2)
        assert len(house.statuses(KEITARO)) == 2


@pytest.mark.more
def test_x20_rows_that_change_places_are_not_taken_back(house: Workspace) -> None:
    """What one row was sent as is another row's now: that one's own posting puts it right."""
    house.outbox(KEITARO, [row("a", "c1", "t1", payout="1"), row("b", "c2", "t2", payout="2")])
    house.send(KEITARO)
    house.outbox(KEITARO, [row("a", "c2", "t2", payout="1"), row("b", "c1", "t1", payout="2")])
    report = house.send(KEITARO)
    assert (report.exit_code, report.sent.sent, report.sent.withdrawn) == (0, 2, 0)
    assert stands(house) == {("c2", "t2"): ("sale", "1"), ("c1", "t1"): ("sale", "2")}
    house.outbox(KEITARO, [row("a", "c2", "t2", payout="1"), row("b", "c3", "t3", payout="2")])
    assert house.send(KEITARO).sent.withdrawn == 1
    assert stands(house)["c1", "t1"] == ("rejected", "2")
    assert stands(house)["c2", "t2"] == ("sale", "1")


@pytest.mark.more
def test_x20_a_reversal_is_not_taken_back_once_more(house: Workspace) -> None:
    """What the tracker has as rejected counts no more, whatever the row is called now."""
    house.outbox(KEITARO, [row("a", "c1", "t1")])
    house.send(KEITARO)
    house.outbox(KEITARO, [row("a", "c1", "t1", "rejected")])
    house.send(KEITARO)
    house.outbox(KEITARO, [row("a", "c1", "t2", "rejected")])
    assert house.send(KEITARO).sent.withdrawn == 0
    assert {status for status, _ in stands(house).values()} == {"rejected"}


@pytest.mark.more
@pytest.mark.parametrize("target", [KEITARO, OPTIBASE])
def test_x20_where_nothing_can_be_taken_back_nothing_goes(house: Workspace, target: str) -> None:
    """Exit 3 until a person takes note of it (--adopt); what was sent stands."""
    before: Any = [row("k0", "c1", None)] if target == KEITARO else users(1)
    after: Any = [row("k0", "c1", "t1")] if target == KEITARO else [("k0", "purchase", "somebody-else")]
    house.outbox(target, before)
    house.send(target)
    house.outbox(target, after)
    for _ in range(2):
        report = house.send(target)
        assert (report.exit_code, report.plan.unsupported, report.sent.requests) == (3, ["k0"], 0)
        assert "cannot take" in report.plan.looks()[0]
    assert house.send(target, adopt=True).exit_code == 0
    assert (house.send(target).exit_code, len(house.asked())) == (0, 1)


@pytest.mark.more
def test_x20_a_taking_back_that_is_refused_sends_nothing_new(house: Workspace) -> None:
    """One conversion counts, the old one; the row is rejected with the reason, and goes when a person says so."""
    house.outbox(KEITARO, sales(1))
    house.send(KEITARO)
    house.outbox(KEITARO, [row("k0", "click-0", "t9")])
    house.receiver.poisoned = lambda query: query["status"] == "rejected"
    report = house.send(KEITARO)
    assert (report.exit_code, report.sent.sent) == (3, 0)
    assert "could not be taken back" in report.sent.rejected["k0"]
    assert stands(house) == {("click-0", "t0"): ("sale", "1.5")}
    house.receiver.poisoned = lambda _: False
    assert house.send(KEITARO, retry_rejected=True).exit_code == 0
    assert stands(house) == {("click-0", "t0"): ("rejected", "1.5"), ("click-0", "t9"): ("sale", "1.5")}


def test_x20_reconcile_knows_every_identity_that_was_ever_sent(house: Workspace) -> None:
    """A tracker that did not hear the rejection has a conversion too many, and it is ours."""
    house.outbox(KEITARO, sales(1))
    house.send(KEITARO)
    house.outbox(KEITARO, [row("k0", "click-0", "t9")])
    house.send(KEITARO)
    new = ("click-0", "t9", "sale", Decimal("1.5"), "USD")
    tracker(house, [("click-0", "t0", "sale", Decimal("1.5"), "USD"), new])
    found = reconcile(Warehouse(house.path), "keitaro")
    assert [(one.send_key, one.what, one.there) for one in found.differences] == [
        ("k0", "still counts", "sale 1.5")
    ]
    assert (found.exit_code, found.notes) == (3, [])
    tracker(house, [("click-0", "t0", "rejected", Decimal("1.5"), "USD"), new])
    found = reconcile(Warehouse(house.path), "keitaro")
    assert (found.exit_code, found.agree, found.notes) == (0, 1, [])


@pytest.mark.parametrize(
    ("target", "query"),
    [
        (KEITARO, "select k as send_key, 'c' as subid, 't' as tid from (values ('a'), ('b')) as r(k)"),
        (
            KEITARO,
            "select k as send_key, 1 as subid, t as tid from (values ('a', 1.0), ('b', 1.00)) as r(k, t)",
        ),
        (KEITARO, "select k as send_key, 'c' as subid from (values ('a'), ('b')) as r(k)"),
        (
            "conductrics.goals",
            "select k as send_key, 'g' as code, k as name, '[]' as agents from (values ('a'), ('b')) as r(k)",
        ),
    ],
)
def test_x21_two_rows_for_one_thing_refuse_the_outbox(house: Workspace, target: str, query: str) -> None:
    """One of them would be lost; both are named, and nothing goes."""
    house.settings |= {"CONDUCTRICS_API_KEY": "api-HkqmBLSfSFMdY3", "CONDUCTRICS_ACCOUNT": "owner_7"}
    house.settings["CONDUCTRICS_URL"] = house.server.url
    house.change("create table main.any as select 1 as one")
    with pytest.raises(SettingsError, match=r'"a" and "b" for one and the same thing'):
        house.send(target, source=query)
    assert house.asked() == []


def test_x21_what_counts_each_time_may_stand_twice(house: Workspace) -> None:
    """Two conversions of one user are two where the vendor has no name for either."""
    house.outbox(OPTIBASE, [("a", "purchase", "user-1"), ("b", "purchase", "user-1")])
    assert house.send(OPTIBASE).sent.sent == 2
    assert {target for target, one in targets().items() if one.retractable} == {KEITARO, "conductrics.goals"}


@pytest.mark.more
def test_x22_an_amount_that_became_null_is_refused(house: Workspace) -> None:
    """Left out, the tracker would keep the 30: the row says so, nothing goes, and reconcile shows it."""
    house.outbox(KEITARO, [row("a", "c1", "t1", payout="30")])
    house.send(KEITARO)
    house.outbox(KEITARO, [row("a", "c1", "t1", payout=None)])
    report = house.send(KEITARO)
    assert (report.exit_code, report.sent.requests) == (3, 0)
    assert "payout was 30 when it was sent and is null now" in report.sent.rejected["a"]
    tracker(house, [("c1", "t1", "sale", Decimal(30), "USD")])
    found = reconcile(Warehouse(house.path), "keitaro")
    assert [(one.what, one.there) for one in found.differences] == [("refused since", "sale 30")]
    house.outbox(KEITARO, [row("a", "c1", "t1", payout="20")])
    assert house.send(KEITARO).exit_code == 0
    assert stands(house) == {("c1", "t1"): ("sale", "20")}


def test_x22_or_it_is_sent_as_0(house: Workspace) -> None:
    """By a setting; and what was sent is what reconcile compares."""
    house.settings["SEND_CLEARED_AMOUNTS"] = "zero"
    house.outbox(KEITARO, [row("a", "c1", "t1", payout="30"), row("b", "c2", "t2", payout=None)])
    house.send(KEITARO)
    house.outbox(KEITARO, [row("a", "c1", "t1", payout=None), row("b", "c2", "t2", payout=None)])
    report = house.send(KEITARO)
    assert (report.exit_code, report.sent.sent, report.plan.already) == (0, 1, 1)
    assert stands(house) == {("c1", "t1"): ("sale", "0"), ("c2", "t2"): ("sale", "")}
    assert house.send(KEITARO).sent.requests == 0
    tracker(house, [("c1", "t1", "sale", Decimal(30), "USD"), ("c2", "t2", "sale", Decimal(0), "USD")])
    found = reconcile(Warehouse(house.path), "keitaro")
    assert [(one.send_key, one.what) for one in found.differences] == [("a", "amount")]
    house.settings["SEND_CLEARED_AMOUNTS"] = "null"
    with pytest.raises(SettingsError, match="send_cleared_amounts"):
        house.send(KEITARO)


def test_x22_another_value_that_became_null_is_refused_whatever_the_setting(house: Workspace) -> None:
    """A currency has no 0. A reversal may leave out what it does not say."""
    house.settings["SEND_CLEARED_AMOUNTS"] = "zero"
    house.outbox(KEITARO, [row("a", "c1", "t1"), row("b", "c2", "t2")])
    house.send(KEITARO)
    house.outbox(
        KEITARO, [("a", "c1", "sale", "1.50", None, "t1"), ("b", "c2", "rejected", None, None, "t2")]
    )
    report = house.send(KEITARO)
    assert (report.sent.sent, list(report.sent.rejected)) == (1, ["a"])
    assert "currency was USD" in report.sent.rejected["a"]


@pytest.mark.more
def test_x24_a_row_without_a_tid_that_changed_wants_a_look(house: Workspace) -> None:
    house.outbox(KEITARO, [row("a", "c1", None)])
    assert house.send(KEITARO).exit_code == 0
    house.outbox(KEITARO, [row("a", "c1", None, payout="9")])
    done = house.command("send", KEITARO, "--from", "main.keitaro")
    assert (done.code, len(house.asked())) == (3, 1)
    assert "1 row changed since the send in a way that the vendor cannot take" in done.out
    dry = house.command("send", KEITARO, "--from", "main.keitaro", "--dry-run")
    assert "LOOK: 1 row changed since" in dry.out


@pytest.mark.more
@pytest.mark.parametrize(
    ("setting", "code", "counts"),
    [(None, 3, True), ("tell", 3, True), ("ignore", 0, True), ("take_back", 0, False)],
)
def test_x24_a_row_that_left_the_outbox(
    house: Workspace, setting: str | None, code: int, counts: bool
) -> None:
    """It still counts at the tracker: that wants a look, or a setting says what it means. Every night the same."""
    house.outbox(KEITARO, sales(3))
    house.send(KEITARO)
    if setting:
        house.settings["SEND_MISSING"] = setting
    house.outbox(KEITARO, sales(3)[:2])
    for night in range(2):
        report = house.send(KEITARO)
        assert report.exit_code == code, night
        assert (report.plan.gone, report.plan.left) == (1, ["k2"] if code else [])
    assert (stands(house)["click-2", "t2"] == ("sale", "1.5")) is counts
    assert len(house.asked()) == (3 if counts else 4)


def test_x24_what_is_taken_back_is_of_this_outbox_and_not_of_an_empty_one(house: Workspace) -> None:
    """A second outbox for the same target takes nothing of the first one back; nor does a table that was not loaded."""
    house.settings["SEND_MISSING"] = "take_back"
    house.outbox(KEITARO, sales(3))
    house.send(KEITARO)
    house.change("create table main.other as select 'x' as send_key, 'cx' as subid, 'tx' as tid")
    report = house.send(KEITARO, source="main.other")
    assert (report.exit_code, report.plan.elsewhere, report.plan.gone) == (0, 3, 0)
    house.change("delete from main.keitaro")
    with pytest.raises(SettingsError, match="is empty"):
        house.send(KEITARO)
    assert len(house.asked()) == 4


def test_x24_a_key_that_was_renamed_is_no_row_that_left(house: Workspace) -> None:
    """The conversion is in the outbox under another key: it is not taken back, and nothing wants a look."""
    house.settings["SEND_MISSING"] = "take_back"
    house.outbox(KEITARO, sales(1))
    house.send(KEITARO)
    house.outbox(KEITARO, [("renamed", *sales(1)[0][1:])])
    report = house.send(KEITARO)
    assert (report.exit_code, report.sent.withdrawn, report.plan.left) == (0, 0, [])
    assert stands(house) == {("click-0", "t0"): ("sale", "1.5")}


def test_x24_of_two_queries_nobody_knows_whether_they_are_one_outbox(house: Workspace) -> None:
    """What the second one lacks is told, and not taken back."""
    house.settings["SEND_MISSING"] = "take_back"
    house.outbox(KEITARO, sales(2))
    house.send(KEITARO, source="select * from main.keitaro")
    report = house.send(KEITARO, source="select * from main.keitaro where tid <> 't1'")
    assert (report.exit_code, report.plan.left, report.sent.requests) == (3, ["k1"], 0)


@pytest.mark.more
def test_x24_a_query_that_was_edited_is_the_same_outbox_once_its_rows_were_met(house: Workspace) -> None:
    """And what a taking back came to nothing for is told, and not tried every night."""
    house.settings["SEND_MISSING"] = "take_back"
    house.outbox(KEITARO, sales(2))
    first, edited = "select * from main.keitaro", "select * from main.keitaro where subid is not null"
    house.send(KEITARO, source=first)
    assert house.send(KEITARO, source=edited).sent.requests == 0
    house.outbox(KEITARO, sales(1))
    house.receiver.poisoned = lambda query: query["status"] == "rejected"
    assert house.send(KEITARO, source=edited).exit_code == 3
    report = house.send(KEITARO, source=edited)
    assert (report.exit_code, report.plan.left, report.sent.requests) == (3, ["k1"], 0)
    house.receiver.poisoned = lambda _: False
    report = house.send(KEITARO, source=edited, retry_rejected=True)
    assert (report.exit_code, report.sent.withdrawn) == (0, 1)
    assert stands(house)["click-1", "t1"] == ("rejected", "1.5")
    assert house.send(KEITARO, source=edited).exit_code == 0


def test_x20_what_another_row_has_now_stands_until_that_row_goes(house: Workspace) -> None:
    """The owner of the old identity is refused here: nobody took the conversion over, and reconcile shows it."""
    house.outbox(KEITARO, [row("a", "c1", "t1")])
    house.send(KEITARO)
    house.outbox(KEITARO, [row("a", "c2", "t2"), row("b", "c1", "t1", status="nonsense")])
    report = house.send(KEITARO)
    assert (report.exit_code, list(report.sent.rejected)) == (3, ["b"])
    one = Decimal("1.5")
    tracker(house, [("c1", "t1", "sale", one, "USD"), ("c2", "t2", "sale", one, "USD")])
    found = reconcile(Warehouse(house.path), "keitaro")
    assert [(difference.send_key, difference.what) for difference in found.differences] == [
        ("a", "still counts")
    ]


def test_what_goes_back_to_an_identity_that_was_taken_back_wants_a_look(house: Workspace) -> None:
    """t1, t2, and t1 again: after `rejected` a tracker may hear no sale, so that night ends with 3."""
    for tid in ("t1", "t2", "t1"):
        house.outbox(KEITARO, [row("a", "c1", tid)])
        report = house.send(KEITARO)
    assert (report.exit_code, report.plan.returned) == (3, ["a"])
    assert "the vendor may not take it any more" in report.plan.looks()[0]
    assert {key: status for key, (status, _) in stands(house).items()} == {
        ("c1", "t1"): "sale",
        ("c1", "t2"): "rejected",
    }
    assert house.send(KEITARO).exit_code == 0


@pytest.mark.parametrize(
    ("target", "before", "after"),
    [
        (OPTIBASE, "'7' as tested_user_external_id", "7 as tested_user_external_id"),
        (
            KEITARO,
            "'c' as subid, 1 as tid, '1.50' as payout",
            "'c' as subid, '1' as tid, 1.5::double as payout",
        ),
        (KEITARO, "'c' as subid, 't' as tid, 'x' as comment", "'c' as subid, 't' as tid, 'y' as comment"),
    ],
)
def test_another_type_that_says_the_same_is_no_change(
    house: Workspace, target: str, before: str, after: str
) -> None:
    """The request would be the same to the byte: nothing goes, nothing wants a look."""
    house.change("create table main.any as select 1 as one")
    begin = "select 'a' as send_key, " + ("'x' as conversion_id, " if target == OPTIBASE else "")
    assert house.send(target, source=begin + before).sent.sent == 1
    report = house.send(target, source=begin + after)
    assert (report.exit_code, report.plan.already, report.sent.requests) == (0, 1, 0)
    assert (
        house.send(target, source=begin + after.replace("'c'", "'d'").replace("7 as", "8 as")).plan.already
        == 0
    )

"""One identity, several rows: who stands on a conversion keeps it, and what nobody took over is taken back or told."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from conversync.send.reconcile import reconcile
from conversync.warehouse.warehouse import Warehouse
from tests.send.support import KEITARO, Workspace
from tests.send.test_identity import row, stands
from tests.send.test_reconcile import tracker


def other(house: Workspace, *rows: tuple[Any, ...]) -> None:
    """A second outbox for the tracker, main.other."""
    house.outbox(KEITARO, rows)
    house.change("create or replace table main.other as from main.keitaro")


def counting(house: Workspace) -> dict[tuple[str, str], str]:
    """What counts at the receiver, and its amount."""
    return {key: payout for key, (status, payout) in stands(house).items() if status != "rejected"}


@pytest.mark.more
def test_an_identity_that_stands_under_another_key_refuses_the_outbox(house: Workspace) -> None:
    """Exit 2 names both keys, in a dry run too; so it is for --adopt. What moved away from it leaves it free."""
    other(house, row("z", "c1", "t1", payout="9"))
    house.outbox(KEITARO, [row("a", "c1", "t1"), row("b", "c2", "t2")])
    house.send(KEITARO)
    for arguments in (["--dry-run"], [], ["--adopt"]):
        done = house.command("send", KEITARO, "--from", "main.other", *arguments)
        assert (done.code, len(house.asked())) == (2, 2)
        assert '"z" (which "a" of main.keitaro has' in done.err
    house.outbox(KEITARO, [row("a", "c1", "t9"), row("b", "c2", "t2")])
    house.send(KEITARO)
    assert house.send(KEITARO, source="main.other").sent.sent == 1


def shared(house: Workspace) -> None:
    """Two outboxes have sent one conversion, as an earlier version let them: the second one said 9."""
    other(house, row("z", "c1", "t8", payout="9"))
    house.outbox(KEITARO, [row("a", "c1", "t1"), row("b", "c2", "t2")])
    house.send(KEITARO)
    house.send(KEITARO, source="main.other")
    house.receiver.taken[-1]["tid"] = "t1"
    replace = "replace(replace(cast({0} as varchar), '\"t8\"', '\"t1\"'), '\\\"t8\\\"', '\\\"t1\\\"')"
    sets = ", ".join(f"{name} = {replace.format(name)}" for name in ("content", "identities"))
    house.change(f"update sent.keitaro_conversions set {sets} where send_key = 'z'")
    for path in house.folder.glob(".conversync/journal-*"):
        path.unlink()


@pytest.mark.more
@pytest.mark.parametrize("leaves", [False, True])
def test_what_another_row_stands_on_is_never_taken_back(house: Workspace, leaves: bool) -> None:
    """Neither for a correction nor for a row that left; reconcile compares with what was said of it last."""
    shared(house)
    house.settings["SEND_MISSING"] = "take_back"
    house.outbox(KEITARO, ([] if leaves else [row("a", "c1", "t9")]) + [row("b", "c2", "t2")])
    assert house.send(KEITARO).sent.withdrawn == 0
    assert counting(house)["c1", "t1"] == "9"
    there: list[tuple[object, ...]] = [("c2", "t2", "sale", Decimal("1.5"), "USD")]
    if not leaves:
        there.append(("c1", "t9", "sale", Decimal("1.5"), "USD"))
    tracker(house, [*there, ("c1", "t1", "sale", Decimal(9), "USD")])
    assert reconcile(Warehouse(house.path), "keitaro").differences == []
    tracker(house, [*there, ("c1", "t1", "rejected", Decimal(9), "USD")])
    found = reconcile(Warehouse(house.path), "keitaro")
    assert [(one.send_key, one.what, one.there) for one in found.differences] == [("z", "status", "rejected")]


def trade(house: Workspace, **asked: Any) -> Any:
    """`a` leaves t1, which `b` is called now."""
    house.outbox(KEITARO, [row("a", "c1", "t1"), row("b", "c2", "t2", payout="2")])
    house.send(KEITARO)
    house.outbox(KEITARO, [row("a", "c9", "t9"), row("b", "c1", "t1", payout="2")])
    return house.send(KEITARO, **asked)


@pytest.mark.more
def test_a_trade_whose_second_half_the_vendor_refuses_is_told_until_it_goes(house: Workspace) -> None:
    """Exit 3 at every send, and no silent double: 422 for the row that took the old identity over."""
    house.receiver.poisoned = lambda query: (query["tid"], query["payout"]) == ("t1", "2")
    assert trade(house).exit_code == 3
    assert counting(house)["c1", "t1"] == "1.5"
    for _ in range(2):
        report = house.send(KEITARO)
        assert (report.exit_code, report.plan.doubled, report.sent.requests) == (3, ["a"], 0)
        assert "counting twice" in report.plan.looks()[0]
    one = Decimal("1.5")
    tracker(house, [("c1", "t1", "sale", one, "USD"), ("c9", "t9", "sale", one, "USD")])
    assert ("a", "still counts") in [
        (one.send_key, one.what) for one in reconcile(Warehouse(house.path), "keitaro").differences
    ]
    house.receiver.poisoned = lambda _: False
    assert house.send(KEITARO, retry_rejected=True).exit_code == 0
    assert counting(house) == {("c9", "t9"): "1.5", ("c1", "t1"): "2"}
    report = house.send(KEITARO)
    assert (report.exit_code, report.plan.doubled, report.sent.requests) == (0, [], 0)


@pytest.mark.more
def test_a_trade_cut_by_a_limit_is_told_until_the_rest_goes(house: Workspace) -> None:
    """The first half is out, the second waits: exit 3, then all is well."""
    report = trade(house, limit=1)
    assert (report.exit_code, report.plan.doubled) == (3, ["a"])
    assert house.send(KEITARO).exit_code == 0
    assert counting(house) == {("c9", "t9"): "1.5", ("c1", "t1"): "2"}


@pytest.mark.more
@pytest.mark.parametrize("how", ["left the outbox", "left out"])
def test_what_nobody_is_to_go_as_any_more_is_taken_back_after_all(house: Workspace, how: str) -> None:
    """The row that had the old identity goes nowhere: the one that was sent as it takes it back, once."""
    old = [(*row("old", "c1", "t1", payout="9"), "2020-01-01")]
    young = "2999-01-01"
    make = "create or replace table main.keitaro (send_key text, subid text, status text, payout text, currency text, "
    house.change(f"{make} tid text, day date)")
    insert = "insert into main.keitaro values (?, ?, ?, ?, ?, ?, ?)"
    house.change(insert, [(*row("a", "c1", "t1"), young)])
    house.send(KEITARO)
    house.change("delete from main.keitaro")
    house.change(insert, [(*row("a", "c1", "t2"), young), *old])
    report = house.send(KEITARO)
    assert (report.exit_code, report.plan.doubled, len(counting(house))) == (3, ["a"], 2)
    if how == "left out":
        house.settings["SEND_SINCE"] = "2026-01-01"
    else:
        house.change("delete from main.keitaro where send_key = 'old'")
    report = house.send(KEITARO)
    assert (report.exit_code, report.sent.withdrawn) == (0, 1)
    assert counting(house) == {("c1", "t2"): "1.5"}
    report = house.send(KEITARO)
    assert (report.exit_code, report.sent.requests) == (0, 0)

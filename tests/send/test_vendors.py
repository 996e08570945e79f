"""Messages and goals through the whole of a send, to the sandbox: books, tables and what the vendor then holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from decimal import Decimal

import pytest

from conversync.sandbox import Fault, Sandbox, World
from tests.send.support import Workspace


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A small world."""
    with Sandbox(World(days=3)) as running:
        yield running


@pytest.fixture
def house(sandbox: Sandbox, house: Workspace) -> Workspace:
    """The warehouse sends to the sandbox."""
    house.settings = sandbox.settings()
    return house


def messages(house: Workspace, *rows: tuple[str, str]) -> None:
    """The outbox: a key and the addresses."""
    house.change(
        "create or replace table main.infobip "
        "(send_key varchar, sender_address varchar, address varchar, message varchar)"
    )
    house.change("insert into main.infobip values (?, 'INFOSMS', ?, 'Come back')", rows)


def test_prices_of_any_size_are_kept_as_money(sandbox: Sandbox, house: Workspace) -> None:
    """The first messages cost nothing; that must not decide what later ones may cost."""
    messages(house, ("m-1", "385981234567"))
    assert house.send("infobip.messages").exit_code == 0
    sandbox.infobip.variants = dataclasses.replace(sandbox.infobip.variants, price=Decimal("12.345678"))
    messages(house, ("m-1", "385981234567"), ("m-2", '["385981234568", "385981234569"]'))
    report = house.send("infobip.messages")
    assert (report.exit_code, report.plan.already, report.sent.requests) == (0, 1, 1)
    results = house.query(
        "select send_key, price, typeof(price) from sent.infobip_message_results order by send_key, address"
    )
    assert results == [
        ("m-1", Decimal(0), "DECIMAL(18,6)"),
        ("m-2", Decimal("12.345678"), "DECIMAL(18,6)"),
        ("m-2", Decimal("12.345678"), "DECIMAL(18,6)"),
    ]
    silent = (
        "select table_name, column_name from duckdb_columns() where schema_name = 'sent' and comment is null"
    )
    assert house.query(silent) == []


def test_only_the_addresses_that_failed_are_sent_again(sandbox: Sandbox, house: Workspace) -> None:
    """A message to three, one of whom cannot be reached: rejected with the count, and sent again to that one alone."""
    refused = frozenset({"385981234568"})
    sandbox.infobip.variants = dataclasses.replace(sandbox.infobip.variants, refused=refused)
    messages(house, ("m-1", '["385981234567", "385981234568", "385981234569"]'))
    assert house.send("infobip.messages").exit_code == 3
    assert house.statuses("infobip.messages") == {"m-1": "rejected"}
    sandbox.infobip.variants = dataclasses.replace(sandbox.infobip.variants, refused=frozenset())
    assert house.send("infobip.messages").sent.requests == 0
    assert house.send("infobip.messages", retry_rejected=True).exit_code == 0
    assert house.statuses("infobip.messages") == {"m-1": "sent"}
    told = [one.body["address"] for one in sandbox.infobip.received if one.what == "message"]
    assert [[one] if isinstance(one, str) else list(one) for one in told] == [
        ["385981234567", "385981234568", "385981234569"],
        ["385981234568"],
    ]


def test_goals_are_put_changed_and_deleted(sandbox: Sandbox, house: Workspace) -> None:
    """One goal of three has no name and is refused here; a change is sent as one; deleted means gone."""
    columns = (
        "send_key varchar, code varchar, name varchar, agents varchar, count_max integer, deleted boolean"
    )
    house.change(f"create table main.conductrics ({columns})")
    goals = [
        ("g-1", "spring/sale", "Spring sale", '["agent-1"]', 1, False),
        ("g-2", "signup", "Sign-up", "[]", None, False),
        ("g-3", "no name \u00e9", "x", "[]", None, False),
    ]
    house.change("insert into main.conductrics values (?, ?, ?, ?, ?, ?)", goals)
    before = set(sandbox.conductrics.oracle.goals())
    report = house.send("conductrics.goals")
    assert (report.exit_code, report.sent.requests) == (3, 2)
    assert house.statuses("conductrics.goals") == {"g-1": "sent", "g-2": "sent", "g-3": "rejected"}
    assert set(sandbox.conductrics.oracle.goals()) - before == {"spring/sale", "signup"}
    house.change("update main.conductrics set deleted = true where send_key = 'g-1'")
    house.change("update main.conductrics set name = 'Signed up' where send_key = 'g-2'")
    assert house.send("conductrics.goals").exit_code == 0
    assert set(sandbox.conductrics.oracle.goals()) - before == {"signup"}
    methods = [one.method for one in sandbox.conductrics.received]
    # Each send has several on their way at once.
    assert (methods[:2], sorted(methods[2:])) == (["PUT", "PUT"], ["DELETE", "PUT"])
    assert house.send("conductrics.goals").sent.requests == 0


def in_doubt(sandbox: Sandbox, house: Workspace) -> None:
    """Two messages went out and their answers were lost: one was taken, one never came."""
    messages(house, ("m-1", "385981234567"), ("m-2", '["00385981234568", "385981234569"]'))
    lost = [
        sandbox.faults.add(Fault(taken=True, close_before_answer=True, json={"address": "385981234567"})),
        sandbox.faults.add(Fault(close_before_answer=True)),
    ]
    house.settings["SEND_CONCURRENCY"] = "1"
    report = house.send("infobip.messages")
    assert (report.exit_code, sorted(report.sent.in_doubt)) == (3, ["m-1", "m-2"])
    assert [one.delivered for one in lost] == [1, 1]
    sandbox.faults.clear()
    house.settings.pop("SEND_CONCURRENCY")


@pytest.mark.more
def test_x28_what_became_of_a_message_in_doubt_can_be_asked(sandbox: Sandbox, house: Workspace) -> None:
    """By our own clientCorrelator: the one that arrived is sent, with its results; nothing goes a second time."""
    in_doubt(sandbox, house)
    [taken] = [one for one in sandbox.infobip.received if one.what == "message"]
    done = house.command("send", "infobip.messages", "--from", "main.infobip", "--resolve-in-doubt")
    assert done.code == 3
    assert "in doubt, and asked for: 1 arrived" in done.out
    assert "1 cannot be told yet (the vendor knows no such request" in done.out
    assert house.statuses("infobip.messages") == {"m-1": "sent", "m-2": "in_doubt"}
    results = house.query(
        "select address, accepted, message_status, client_correlator from sent.infobip_message_results"
    )
    assert results == [("385981234567", True, "DeliveredToTerminal", taken.body["clientCorrelator"])]
    assert len([one for one in sandbox.infobip.received if one.what == "message"]) == 1
    assert house.send("infobip.messages", resend_in_doubt=True).exit_code == 0
    assert house.statuses("infobip.messages") == {"m-1": "sent", "m-2": "sent"}


@pytest.mark.more
def test_x28_an_address_that_cannot_be_reached_is_a_rejection(sandbox: Sandbox, house: Workspace) -> None:
    """And where the vendor does not hear our correlator, the doubt stays."""
    kept = sandbox.infobip.variants
    sandbox.infobip.variants = dataclasses.replace(kept, refused=frozenset({"385981234567"}))
    in_doubt(sandbox, house)
    report = house.send("infobip.messages", resolve_in_doubt=True)
    assert report.exit_code == 3
    assert house.statuses("infobip.messages") == {"m-1": "rejected", "m-2": "in_doubt"}
    [(reason,)] = house.query("select reason from sent.infobip_messages where send_key = 'm-1'")
    assert "1 of 1 addresses failed" in reason


def test_x28_what_came_to_nothing_wants_a_look(sandbox: Sandbox, house: Workspace) -> None:
    """The one row in doubt turns out to be rejected: newly so, and exit 3, as wherever a row is."""
    sandbox.infobip.variants = dataclasses.replace(
        sandbox.infobip.variants, refused=frozenset({"385981234567"})
    )
    messages(house, ("m-1", "385981234567"))
    lost = sandbox.faults.add(Fault(taken=True, close_before_answer=True, times=1))
    assert house.send("infobip.messages").exit_code == 3
    assert lost.delivered == 1
    report = house.send("infobip.messages", resolve_in_doubt=True)
    assert (report.exit_code, list(report.resolved)) == (3, ["m-1"])
    assert house.statuses("infobip.messages") == {"m-1": "rejected"}
    assert house.send("infobip.messages").exit_code == 0


@pytest.mark.more
def test_x28_a_repeat_of_a_request_has_its_name_again(sandbox: Sandbox, house: Workspace) -> None:
    """A vendor that folds repeats then sends no second message; one that makes its own names leaves the doubt."""
    sandbox.infobip.variants = dataclasses.replace(sandbox.infobip.variants, correlators="folded")
    in_doubt(sandbox, house)
    assert house.send("infobip.messages", resend_in_doubt=True).exit_code == 0
    assert len([one for one in sandbox.infobip.received if one.what == "message"]) == 2
    sandbox.infobip.variants = dataclasses.replace(sandbox.infobip.variants, correlators="own")
    messages(house, ("m-3", "385981234570"))
    sandbox.faults.add(Fault(taken=True, close_before_answer=True, times=1))
    assert house.send("infobip.messages").exit_code == 3
    report = house.send("infobip.messages", resolve_in_doubt=True)
    assert (report.exit_code, report.plan.in_doubt) == (3, ["m-3"])


def test_x29_one_person_in_two_spellings_gets_no_message(sandbox: Sandbox, house: Workspace) -> None:
    """Refused here, with the reason; the other row goes."""
    messages(house, ("m-1", '["+49 171 5550100", "0049-171-5550100"]'), ("m-2", "491715550100"))
    report = house.send("infobip.messages")
    assert (report.exit_code, report.sent.sent, list(report.sent.rejected)) == (3, 1, ["m-1"])
    assert "one number twice" in report.sent.rejected["m-1"]
    assert len([one for one in sandbox.infobip.received if one.what == "message"]) == 1

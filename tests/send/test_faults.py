"""X01 to X06: what goes wrong on the way is waited out, sent again where that is harmless, or known to be in doubt."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import pytest

from conversync.errors import CredentialsError, InvalidResponseError, UnavailableError
from conversync.sandbox import Fault
from tests.send.receiver import ENDPOINT, POSTBACK
from tests.send.support import KEITARO, OPTIBASE, Workspace, sales, users


def of_user(number: int) -> dict[str, str]:
    return {"testedUserExternalId": f"user-{number}"}


def test_x05_a_401_in_the_middle_stops_all_and_rejects_none(house: Workspace) -> None:
    """What was sent before it is known as sent; with the credentials renewed the others follow, once each."""
    house.outbox(OPTIBASE, users(200))
    seen = []

    def later(_: object) -> bool:
        seen.append(1)
        return len(seen) > 60

    fault = house.server.faults.add(Fault(path=ENDPOINT, status=401, where=later))
    report = house.send(OPTIBASE)
    assert (report.exit_code, type(report.error)) == (5, CredentialsError)
    assert 1 <= fault.delivered <= 8
    assert len(house.asked()) <= 60 + 8
    assert (report.sent.rejected, report.sent.in_doubt) == ({}, {})
    assert set(house.statuses(OPTIBASE).values()) == {"sent"}
    assert len(house.statuses(OPTIBASE)) == len(house.receiver.taken) == 60
    house.server.faults.clear()
    assert house.send(OPTIBASE).sent.sent == 140
    assert (
        len({one["testedUserExternalId"] for one in house.receiver.taken}) == len(house.receiver.taken) == 200
    )


@pytest.mark.quick(1)
@pytest.mark.parametrize("target", [OPTIBASE, KEITARO])
@pytest.mark.parametrize("status", [429, 503])
def test_x06_a_vendor_that_turns_us_away_is_waited_for(house: Workspace, target: str, status: int) -> None:
    """For as long as it asks for; each row arrives once, and none is in doubt."""
    house.outbox(target, users(20) if target == OPTIBASE else sales(20))
    fault = house.server.faults.add(Fault(status=status, headers={"Retry-After": "1"}, times=3))
    began = time.monotonic()
    report = house.send(target)
    assert (report.exit_code, report.sent.sent, fault.delivered) == (0, 20, 3), report.error
    assert time.monotonic() - began >= 1
    assert len(house.receiver.taken) == 20
    for turned_away in [one for one in house.asked() if one.fault]:
        times = [
            one.time
            for one in house.asked()
            if (one.target, one.body) == (turned_away.target, turned_away.body)
        ]
        assert times[1] - times[0] >= 1


def test_x06_a_500_that_is_harmless_to_repeat_is_waited_out(house: Workspace) -> None:
    house.outbox(KEITARO, sales(10))
    fault = house.server.faults.add(Fault(path=POSTBACK, status=500, times=4))
    report = house.send(KEITARO)
    assert (report.exit_code, report.sent.sent, fault.delivered) == (0, 10, 4)
    assert len(house.receiver.conversions) == 10


def test_x06_a_500_may_have_counted_where_a_repeat_would(house: Workspace) -> None:
    """A conversion that the vendor failed at is in doubt there, and not sent again."""
    house.outbox(OPTIBASE, users(10))
    fault = house.server.faults.add(Fault(path=ENDPOINT, status=500, json=of_user(4)))
    report = house.send(OPTIBASE)
    assert (report.exit_code, report.sent.sent, list(report.sent.in_doubt)) == (3, 9, ["k4"])
    assert fault.delivered == 1


def test_x06_a_vendor_that_stays_away_ends_the_send(house: Workspace) -> None:
    """After the budget, with exit code 6; nothing is rejected, and the next send goes on."""
    house.settings["HTTP_BUDGET"] = "1"
    house.outbox(KEITARO, sales(10))
    fault = house.server.faults.add(Fault(path=POSTBACK, status=503))
    report = house.send(KEITARO)
    assert (report.exit_code, type(report.error)) == (6, UnavailableError)
    assert fault.delivered >= 2
    assert (report.sent.rejected, report.sent.in_doubt) == ({}, {})
    house.server.faults.clear()
    assert house.send(KEITARO).sent.sent == 10


@pytest.mark.quick(1)
@pytest.mark.parametrize("how", ["reset", "silence"])
def test_x02_taken_and_unheard_keitaro_is_sent_again(
    house: Workspace, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tracker knows the tid: one conversion, and nobody need look."""
    impatient(monkeypatch)
    house.outbox(KEITARO, sales(10))
    fault = house.server.faults.add(lost_answer(how, query={"tid": "t3"}))
    report = house.send(KEITARO)
    assert (report.exit_code, report.sent.sent, report.sent.in_doubt) == (0, 10, {})
    assert fault.delivered == 1
    assert [one["tid"] for one in house.receiver.taken].count("t3") == 2
    assert len(house.receiver.conversions) == 10
    assert house.ledger(KEITARO)["k3"] == ("sent", 200, 2)


@pytest.mark.quick(1)
@pytest.mark.parametrize("how", ["reset", "silence"])
def test_x02_taken_and_unheard_optibase_is_in_doubt(
    house: Workspace, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is listed, and stays until a person says that it may be sent again."""
    impatient(monkeypatch)
    house.outbox(OPTIBASE, users(10))
    fault = house.server.faults.add(lost_answer(how, json=of_user(3)))
    report = house.send(OPTIBASE)
    assert (report.exit_code, report.sent.sent, list(report.sent.in_doubt), fault.delivered) == (
        3,
        9,
        ["k3"],
        1,
    )
    assert house.query("select send_key from sent.optibase_conversions where status = 'in_doubt'") == [
        ("k3",)
    ]
    again = house.send(OPTIBASE)
    assert (again.exit_code, again.plan.in_doubt, again.sent.requests) == (3, ["k3"], 0)
    assert len(house.receiver.taken) == 10
    assert house.send(OPTIBASE, resend_in_doubt=True).sent.sent == 1
    assert house.ledger(OPTIBASE)["k3"] == ("sent", 200, 2)


@pytest.mark.more
def test_x02_a_row_that_the_vendor_always_breaks_off_delays_nobody(house: Workspace) -> None:
    """Also where a repeat is harmless: after five attempts the others are through, and it is in doubt."""
    house.outbox(KEITARO, sales(10))
    fault = house.server.faults.add(Fault(path=POSTBACK, query={"tid": "t3"}, status=500))
    report = house.send(KEITARO)
    assert (report.exit_code, report.sent.sent, list(report.sent.in_doubt)) == (3, 9, ["k3"])
    assert fault.delivered == 5
    house.server.faults.clear()
    assert house.send(KEITARO).sent.sent == 1


def test_x03_what_the_vendor_has_already_is_sent(house: Workspace) -> None:
    """409 means so."""
    house.outbox(OPTIBASE, users(3))
    fault = house.server.faults.add(
        Fault(path=ENDPOINT, status=409, body=b'{"error": "duplicate"}', json=of_user(1))
    )
    report = house.send(OPTIBASE)
    assert (report.exit_code, report.sent.sent, fault.delivered) == (0, 3, 1)


def test_x12_a_redirect_is_not_followed(house: Workspace) -> None:
    """Nor is a login page believed: what cannot be told is in doubt, and soon the send stops."""
    house.outbox(OPTIBASE, users(100))
    fault = house.server.faults.add(Fault(path=ENDPOINT, redirect=f"{house.server.url}/elsewhere"))
    report = house.send(OPTIBASE)
    assert (report.exit_code, type(report.error)) == (6, InvalidResponseError)
    assert fault.delivered == len(house.asked()) == len(report.sent.in_doubt) < 20
    assert not house.receiver.taken
    assert not [one for one in house.asked() if "elsewhere" in one.path]


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that wait half a second for an answer."""
    import dataclasses

    from conversync.http.client import Limits
    from sources.keitaro import target as keitaro
    from sources.optibase import target as optibase

    for module in (keitaro, optibase):

        def quick(*, http_budget: float) -> Limits:
            return dataclasses.replace(
                Limits(), http_budget=http_budget, read_timeout=0.5, request_deadline=1.0
            )

        monkeypatch.setattr(module, "Limits", quick)


def lost_answer(how: str, **which: dict[str, str]) -> Fault:
    """The request is taken, and its answer is lost."""
    if how == "reset":
        return Fault(reset_after=0, times=1, **which)  # type: ignore[arg-type]
    return Fault(stall_after=0, times=1, **which)  # type: ignore[arg-type]


@pytest.mark.more
@pytest.mark.parametrize(
    "answer",
    [
        {
            "status": 200,
            "headers": {"Content-Type": "text/html"},
            "body": b"<!DOCTYPE html><html>Welcome</html>",
        },
        {"status": 302, "headers": {"Location": "/elsewhere"}, "body": b""},
    ],
    ids=["page", "redirect"],
)
def test_answers_that_cannot_be_trusted_for_any_row_end_with_6(
    house: Workspace, answer: dict[str, Any]
) -> None:
    """Few rows or many: that is no row's matter. With one row of them taken it is, and ends with 3."""
    house.outbox(OPTIBASE, users(3))
    fault = house.server.faults.add(Fault(path=ENDPOINT, **answer))
    report = house.send(OPTIBASE)
    assert (report.exit_code, fault.delivered, len(report.sent.in_doubt)) == (6, 3, 3)
    house.server.faults.clear()
    assert house.send(OPTIBASE).exit_code == 3
    assert house.send(OPTIBASE, resend_in_doubt=True).exit_code == 0


@pytest.mark.more
@pytest.mark.parametrize("target", [KEITARO, OPTIBASE])
def test_l12_a_send_to_a_vendor_that_never_answers_ends_within_its_budget(
    house: Workspace, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """And a fair time for one request: what went out is in doubt, nothing twice; then all goes, what may go again."""
    from conversync.http.client import Limits
    from sources.keitaro import target as keitaro
    from sources.optibase import target as optibase

    for module in (keitaro, optibase):
        monkeypatch.setattr(module, "Limits", partial(Limits, least_patience=0.5))
    house.settings["HTTP_BUDGET"] = "1"
    house.outbox(target, users(30) if target == OPTIBASE else sales(30))
    house.server.faults.add(Fault(stall_after=0))
    began = time.monotonic()
    report = house.send(target)
    assert (report.exit_code, report.sent.sent) == (6, 0)
    assert time.monotonic() - began < 10
    assert len(house.asked()) < 20
    house.server.faults.clear()
    again = house.send(target)
    in_doubt = 0 if target == KEITARO else len(report.sent.in_doubt)
    assert (again.sent.sent, len(again.plan.in_doubt)) == (30 - in_doubt, in_doubt)

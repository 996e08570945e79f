"""Each row arrives once, exactly as it stands in the outbox; a row's trouble is that row's alone."""

from __future__ import annotations

import json

from conversync.sandbox import Fault
from tests.send.receiver import ENDPOINT, POSTBACK, PUBLIC_KEY
from tests.send.support import KEITARO, OPTIBASE, Workspace, sales, users


def test_a_thousand_rows_arrive_once_each_and_a_second_send_sends_none(house: Workspace) -> None:
    """With exact bodies, and all of it in the ledger."""
    house.outbox(OPTIBASE, users(1000))
    report = house.send(OPTIBASE)
    assert report.exit_code == 0, report.error
    assert report.sent.sent == report.sent.requests == len(house.asked()) == 1000
    bodies = sorted(
        (json.loads(one.body) for one in house.asked()), key=lambda one: int(one["testedUserExternalId"][5:])
    )
    assert bodies == [
        {
            "publicApiKey": PUBLIC_KEY,
            "userFriendlyConversionId": "purchase",
            "testedUserExternalId": f"user-{number}",
        }
        for number in range(1000)
    ]
    assert {(one.method, one.path) for one in house.asked()} == {("POST", ENDPOINT)}
    assert house.ledger(OPTIBASE) == {f"k{number}": ("sent", 200, 1) for number in range(1000)}
    again = house.send(OPTIBASE)
    assert (again.exit_code, again.sent.sent, again.plan.already) == (0, 0, 1000)
    assert len(house.asked()) == 1000


def test_money_arrives_as_it_is_written(house: Workspace) -> None:
    house.outbox(
        KEITARO, [("a", "c 1&x=2", "sale", "0.100000", "USD", "t/1"), ("b", "c2", None, None, None, "t2")]
    )
    assert house.send(KEITARO).exit_code == 0
    assert sorted(one.target for one in house.asked()) == [
        f"{POSTBACK}?subid=c+1%26x%3D2&status=sale&payout=0.1&currency=USD&tid=t%2F1",
        f"{POSTBACK}?subid=c2&tid=t2",
    ]


def test_one_poisoned_row_is_rejected_with_its_reason_and_delays_nobody(house: Workspace) -> None:
    """Its reason is the vendor's; it is not sent again until it changes, or a person says so."""
    house.outbox(OPTIBASE, users(50))
    house.receiver.poisoned = lambda body: body["testedUserExternalId"] == "user-7"
    report = house.send(OPTIBASE)
    assert (report.exit_code, report.sent.sent, list(report.sent.rejected)) == (3, 49, ["k7"])
    assert "unknown user" in report.sent.rejected["k7"]
    assert len(house.asked()) == 50
    assert house.query(
        "select send_key, response_code from sent.optibase_conversions where status = 'rejected'"
    ) == [("k7", 422)]
    again = house.send(OPTIBASE)
    assert (again.exit_code, again.plan.rejected, len(house.asked())) == (0, 1, 50)
    house.receiver.poisoned = lambda _: False
    assert house.send(OPTIBASE, retry_rejected=True).sent.sent == 1
    assert house.statuses(OPTIBASE)["k7"] == "sent"


def test_a_rejected_row_whose_content_changes_goes_again(house: Workspace) -> None:
    house.outbox(OPTIBASE, users(2))
    house.receiver.poisoned = lambda body: body["testedUserExternalId"] == "user-1"
    assert house.send(OPTIBASE).exit_code == 3
    house.outbox(OPTIBASE, [*users(1), ("k1", "purchase", "user-one")])
    assert house.send(OPTIBASE).sent.sent == 1
    assert house.statuses(OPTIBASE) == {"k0": "sent", "k1": "sent"}


def test_a_row_that_can_become_no_request_is_rejected_without_one(house: Workspace) -> None:
    """X10: no tested user, no request."""
    house.outbox(OPTIBASE, [("a", "purchase", None), ("b", "purchase", "user-b")])
    report = house.send(OPTIBASE)
    assert (report.exit_code, report.sent.sent, len(house.asked())) == (3, 1, 1)
    assert "missing" in report.sent.rejected["a"]
    assert house.ledger(OPTIBASE)["a"] == ("rejected", None, 0)


def test_a_reversal_follows_as_rejected_and_a_partial_one_as_what_is_left(house: Workspace) -> None:
    """X09: the same tid, so the tracker holds one conversion in its last state."""
    house.outbox(KEITARO, sales(3))
    assert house.send(KEITARO).sent.kinds == {"new": 3}
    changed = [
        ("k0", "click-0", "rejected", "1.50", "USD", "t0"),
        ("k1", "click-1", "sale", "0.75", "USD", "t1"),
    ]
    house.outbox(KEITARO, [*changed, sales(3)[2]])
    assert house.send(KEITARO).sent.kinds == {"changed": 2}
    stands = {one["tid"]: (one["status"], one["payout"]) for one in house.receiver.conversions.values()}
    assert stands == {"t0": ("rejected", "1.5"), "t1": ("sale", "0.75"), "t2": ("sale", "1.5")}
    assert house.send(KEITARO).sent.requests == 0


def test_a_change_that_the_vendor_cannot_take_is_told_and_never_sent(house: Workspace) -> None:
    """X09 for all others."""
    house.outbox(OPTIBASE, users(3))
    house.send(OPTIBASE)
    house.outbox(OPTIBASE, [("k0", "refund", "user-0"), *users(3)[1:]])
    for _ in range(2):
        report = house.send(OPTIBASE)
        assert (report.exit_code, report.plan.unsupported, report.sent.requests) == (3, ["k0"], 0)


def test_rows_of_one_group_go_in_the_outboxs_order(house: Workspace) -> None:
    """What becomes of one click is told in its order, also where the vendor dawdles; others go on meanwhile."""
    fault = house.server.faults.add(Fault(path=POSTBACK, query={"tid": "t0"}, delay=0.5))
    rows = [(f"k{n}", f"click-{n % 3}", "sale", "1", "USD", f"t{n}") for n in range(90)]
    house.outbox(KEITARO, rows)
    report = house.send(
        KEITARO, source="select * from main.keitaro order by cast(substr(send_key, 2) as int)"
    )
    assert (report.sent.sent, fault.delivered) == (90, 1)
    for click in range(3):
        tids = [one["tid"] for one in house.receiver.taken if one["subid"] == f"click-{click}"]
        assert tids == [f"t{n}" for n in range(90) if n % 3 == click]
    assert house.receiver.taken[0]["subid"] != "click-0"


def test_the_rate_holds_where_the_requests_arrive(house: Workspace) -> None:
    """X06: in no second more than asked for, also with eight at work."""
    house.outbox(KEITARO, sales(25))
    report = house.send(KEITARO, rate="20/s")
    assert report.sent.sent == 25
    times = sorted(one.time for one in house.asked())
    assert all(later - first > 1.0 for first, later in zip(times, times[20:], strict=False))
    assert times[-1] - times[0] < 3

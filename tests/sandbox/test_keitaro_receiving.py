"""What is sent to the tracker: postbacks, and the conversions that the document's node creates."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest

from conversync.sandbox import Sandbox, World
from conversync.sandbox.keitaro import Event, Variants
from tests.sandbox.asking import Reply, call, keitaro


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A tracker that holds nothing but what is sent to it."""
    with Sandbox(World(days=3)) as running:
        running.keitaro.rows = []
        yield running


def postback(sandbox: Sandbox, **query: object) -> Reply:
    sandbox.world.advance(minutes=1)
    return call(sandbox, "GET", f"/{sandbox.keitaro.postback_key}/postback?{urlencode(query)}", {})


def log(sandbox: Sandbox) -> list[dict[str, Any]]:
    columns = ["event_id", "sub_id", "tid", "status", "revenue", "version"]
    rows: list[dict[str, Any]] = keitaro(sandbox, "conversions/log", {"columns": columns}).json()["rows"]
    return sorted(rows, key=lambda row: str(row["tid"]))


def test_a_repeated_postback_updates_in_place(sandbox: Sandbox) -> None:
    """The same subid and tid is the same conversion: one id, a higher version, the last payout."""
    first = {
        "subid": "s1",
        "status": "lead",
        "payout": "1.50",
        "currency": "USD",
        "tid": "7",
        "sub_id_3": "x",
    }
    assert postback(sandbox, **first).body == b"Success"
    [before] = log(sandbox)
    postback(sandbox, **{**first, "status": "sale", "payout": "2.25"})
    [after] = log(sandbox)
    assert after["event_id"] == before["event_id"]
    assert (after["status"], after["revenue"], after["version"]) == ("sale", Decimal("2.25"), 2)
    one = sandbox.keitaro.received[0]
    assert (one.by, one.sub_id, one.tid, one.currency, one.fields["sub_id_3"]) == (
        "postback",
        "s1",
        "7",
        "USD",
        "x",
    )


def test_without_a_status_it_is_a_sale_and_without_a_payout_the_last_one(sandbox: Sandbox) -> None:
    """A rejection need not repeat the amount."""
    postback(sandbox, subid="s1", tid="7", payout="3")
    assert log(sandbox)[0]["status"] == "sale"
    postback(sandbox, subid="s1", tid="7", status="rejected")
    assert (log(sandbox)[0]["status"], log(sandbox)[0]["revenue"]) == ("rejected", 3)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["lead", "sale"], "sale"),
        (["lead", "rejected"], "rejected"),
        (["sale", "rejected"], "rejected"),
        (["sale", "lead"], "sale"),
        (["rejected", "sale"], "rejected"),
        (["rejected", "lead"], "rejected"),
        (["sale", "rebill"], "sale"),
        (["rebill", "rejected"], "rebill"),
        (["registration", "deposit", "trash"], "trash"),
    ],
)
def test_transitions(sandbox: Sandbox, statuses: list[str], expected: str) -> None:
    """What may not follow is answered alike and changes nothing."""
    for status in statuses:
        assert postback(sandbox, subid="s1", tid="7", payout="1", status=status).status == 200
    assert [row["status"] for row in log(sandbox)] == [expected]
    assert len(sandbox.keitaro.received) == len(statuses)


def test_another_tid_is_another_conversion(sandbox: Sandbox) -> None:
    """As a rebill needs it; without a tid the click alone is the key."""
    for tid, status in (("7", "sale"), ("8", "rebill")):
        postback(sandbox, subid="s1", tid=tid, payout="1", status=status)
    for _ in range(2):
        postback(sandbox, subid="s2", payout="1")
    assert [(row["tid"], row["version"]) for row in log(sandbox)] == [("", 2), ("7", 1), ("8", 1)]


def test_a_wrong_postback(sandbox: Sandbox) -> None:
    """No subid, no such status, no number: refused; another key is nobody's."""
    assert postback(sandbox, tid="7").json() == {"subid": ["This field is required"]}
    assert postback(sandbox, subid="s", status="bought").status == 406
    assert postback(sandbox, subid="s", payout="1,5").status == 406
    assert call(sandbox, "GET", "/other/postback?subid=s", {}).status == 404
    assert sandbox.keitaro.received == []


def test_a_click_the_tracker_does_not_know_may_be_ignored(sandbox: Sandbox) -> None:
    """Answered alike, remembered by the sandbox, and in no log."""
    sandbox.keitaro.variants = Variants(unknown_subid="ignored")
    assert postback(sandbox, subid="nobody", tid="7", payout="1").status == 200
    assert (log(sandbox), len(sandbox.keitaro.received)) == ([], 1)


def test_the_nodes_json(sandbox: Sandbox) -> None:
    """The document's first use: a JSON object with click_id, status and revenue; the conversion comes back."""
    created = keitaro(sandbox, "conversions", {"click_id": "c1", "status": "lead", "revenue": 10.5})
    assert created.status == 200
    told = created.json()
    assert (told["click_id"], told["status"], told["revenue"]) == ("c1", "lead", Decimal("10.5"))
    assert [row["event_id"] for row in log(sandbox)] == [told["id"]]


def test_the_nodes_simple_form(sandbox: Sandbox) -> None:
    """The second use: click id, status, revenue, currency, transaction id and comment; a repeat updates."""
    simple = {
        "click_id": "c1",
        "status": "sale",
        "revenue": 10.5,
        "currency": "USD",
        "transaction_id": "tr-1",
        "comment": "by hand",
    }
    first = keitaro(sandbox, "conversions", simple).json()
    second = keitaro(sandbox, "conversions", {**simple, "status": "rejected"}).json()
    assert {name: first[name] for name in simple} == simple | {"revenue": Decimal("10.5")}
    assert (second["id"], second["status"]) == (first["id"], "rejected")
    assert [one.fields.get("comment") for one in sandbox.keitaro.received] == ["by hand", "by hand"]


def test_a_missing_click_id_causes_an_error(sandbox: Sandbox) -> None:
    """As the document's troubleshooting says; so does a body that is no object."""
    reply = keitaro(sandbox, "conversions", {"status": "sale", "revenue": 1})
    assert (reply.status, reply.json()) == (406, {"click_id": ["This field is required"]})
    assert keitaro(sandbox, "conversions", "[1]").status == 400
    assert call(sandbox, "POST", "/admin_api/v1/conversions", {}, {"click_id": "c"}).status == 401


def test_a_posting_meets_a_conversion_of_the_world(sandbox: Sandbox) -> None:
    """Sent for a click and tid that the tracker has, it moves that conversion, and the oracle knows."""
    sandbox.keitaro.rows = None
    event: Event = next(one for one in sandbox.keitaro.oracle.events().values() if one.status == "sale")
    postback(sandbox, subid=event.sub_id, tid=event.tid, status="rejected")
    after = sandbox.keitaro.oracle.events()[event.conversion_id]
    assert (after.status, after.revenue, after.version) == ("rejected", event.revenue, event.version + 1)
    assert after.at > event.at

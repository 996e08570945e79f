"""Keitaro: a conversion by postback, or by the Admin API as the document's node does it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from conversync.errors import (
    CredentialsError,
    InvalidResponseError,
    RequestRejectedError,
    UnavailableError,
    VendorError,
)
from conversync.sandbox import Fault
from conversync.sandbox.keitaro import Variants
from conversync.send.target import RowRefusedError
from conversync.vendors import targets
from tests.targets.sending import Post, settings_of

TARGET = "keitaro.conversions"
FULL = {
    "subid": "2o6kvp5m3c3a1b",
    "status": "sale",
    "payout": Decimal("10.50"),
    "currency": "USD",
    "tid": "45415",
    "cost": Decimal("0.010000"),
    "sub_id_1": "player 1",
    "sub_id_15": "a&b=c/é",
}


@pytest.fixture
def by_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEITARO_TRANSPORT", "admin_api")


def revenue(post: Post) -> dict[str, tuple[str, Decimal]]:
    """By tid, status and revenue as the tracker has them."""
    events = post.sandbox.keitaro.oracle.events().values()
    return {event.tid: (event.status, event.revenue) for event in events if event.sub_id == FULL["subid"]}


def test_the_postback_has_every_documented_parameter(post: Post) -> None:
    """subid, status, payout, currency, tid, cost, sub_id_N; the key in the path, and no credential elsewhere."""
    assert post.send(TARGET, **FULL).status == "sent"
    key = post.sandbox.keitaro.postback_key
    assert (post.last.method, post.last.body, urlsplit(post.last.target).path) == (
        "GET",
        b"",
        f"/{key}/postback",
    )
    assert parse_qsl(urlsplit(post.last.target).query, strict_parsing=True) == [
        ("subid", "2o6kvp5m3c3a1b"),
        ("status", "sale"),
        ("payout", "10.5"),
        ("currency", "USD"),
        ("tid", "45415"),
        ("cost", "0.01"),
        ("sub_id_1", "player 1"),
        ("sub_id_15", "a&b=c/é"),
    ]
    assert "api-key" not in post.last.headers
    [received] = post.sandbox.keitaro.received
    assert (received.by, received.sub_id, received.tid, received.revenue) == (
        "postback",
        "2o6kvp5m3c3a1b",
        "45415",
        Decimal("10.5"),
    )


def test_what_is_null_is_left_out(post: Post) -> None:
    """The tracker's own defaults hold: it is a sale. A comment goes by the Admin API only."""
    post.send(TARGET, subid="s", status=None, payout=None, tid=7, comment="x")
    assert post.last.query == {"subid": "s", "tid": "7"}


@pytest.mark.usefixtures("by_api")
def test_the_nodes_simple_form(post: Post) -> None:
    """click_id, status, revenue, currency, transaction_id, comment: exactly these, as one JSON object."""
    row = {name: FULL[name] for name in ("subid", "status", "payout", "currency", "tid")}
    outcome = post.send(TARGET, **row, comment="by hand")
    assert (post.last.method, post.last.target) == ("POST", "/admin_api/v1/conversions")
    assert post.last.body == (
        b'{"click_id":"2o6kvp5m3c3a1b","status":"sale","revenue":10.5,"currency":"USD",'
        b'"transaction_id":"45415","comment":"by hand"}'
    )
    assert post.last.headers["api-key"] == post.sandbox.keitaro.api_key
    [event] = [one for one in post.sandbox.keitaro.oracle.events().values() if one.sub_id == "2o6kvp5m3c3a1b"]
    assert (outcome.status, outcome.answer) == ("sent", {"conversion_id": event.conversion_id})


@pytest.mark.usefixtures("by_api")
def test_the_nodes_json(post: Post) -> None:
    """An object "with click_id, status, and revenue" and whatever else the row has; click_id alone is enough."""
    post.send(TARGET, subid="c1", status="lead", payout=10, sub_id_2="x", cost="0.50")
    assert post.last.body == b'{"click_id":"c1","status":"lead","revenue":10,"cost":0.5,"sub_id_2":"x"}'
    post.send(TARGET, subid="c2")
    assert post.last.body == b'{"click_id":"c2"}'


@pytest.mark.usefixtures("by_api")
def test_the_apis_address_is_a_setting(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody publishes it."""
    post.sandbox.keitaro.variants = Variants(conversions_path="conversions/add")
    monkeypatch.setenv("KEITARO_CONVERSIONS_PATH", "/admin_api/v1/conversions/add")
    assert post.send(TARGET, subid="c1").status == "sent"


@pytest.mark.parametrize("transport", ["postback", "admin_api"])
def test_a_reversal_is_the_same_tid_with_another_status(
    post: Post, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    """A whole one rejected, a partial one as a sale with the net payout; one conversion all the while."""
    monkeypatch.setenv("KEITARO_TRANSPORT", transport)
    post.send(TARGET, **FULL)
    post.send(TARGET, **{**FULL, "payout": Decimal("4.25")})
    assert revenue(post) == {"45415": ("sale", Decimal("4.25"))}
    post.sandbox.world.advance(minutes=1)
    post.send(TARGET, **{**FULL, "status": "rejected"})
    assert revenue(post) == {"45415": ("rejected", Decimal("10.5"))}


@pytest.mark.usefixtures("post")
def test_only_a_tid_makes_sending_safe() -> None:
    """With one a repeat updates in place; without one nothing may be sent again, and the plan says so."""
    target, settings = targets()[TARGET], settings_of(TARGET)
    for tid, safe in (("45415", True), (45415, True), (None, False), ("", False), ("  ", False)):
        row: dict[str, Any] = {"subid": "s", "tid": tid}
        assert target.is_idempotent(row, settings) is target.is_updatable(row, settings) is safe
        assert bool(target.warnings(row, {})) is not safe
    assert [target.group({"subid": one}) for one in ("s", 7, None)] == ["s", "7", None]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"subid": None}, "subid is missing"),
        ({"subid": " "}, "subid is blank"),
        ({"tid": ""}, "tid is blank"),
        (
            {"status": "bought"},
            "status is none of lead, sale, rejected, rebill, registration, deposit, trash",
        ),
        ({"status": "rebill"}, "tid is missing: a rebill needs one of its own"),
        ({"payout": "1,5"}, "payout is no number"),
        ({"payout": "1e3"}, "payout is no number"),
        ({"payout": Decimal("NaN")}, "payout is no number"),
        ({"payout": float("inf")}, "payout is an inexact number"),
        ({"payout": 0.1 + 0.2}, r"payout is an inexact number .*cast it to decimal"),
        ({"cost": True}, "cost is no number"),
        ({"tid": 1.0}, "tid is a floating-point number"),
    ],
)
@pytest.mark.parametrize("transport", ["postback", "admin_api"])
def test_what_cannot_be_meant_is_refused_here(
    post: Post, monkeypatch: pytest.MonkeyPatch, transport: str, row: dict[str, Any], why: str
) -> None:
    """With the reason, and without a request."""
    monkeypatch.setenv("KEITARO_TRANSPORT", transport)
    with pytest.raises(RowRefusedError, match=why):
        post.send(TARGET, **{"subid": "s", **row})
    assert post.sandbox.requests == []


@pytest.mark.parametrize("status", ["lead", "sale", "rejected", "rebill", "registration", "deposit", "trash"])
def test_every_known_status_goes(post: Post, status: str) -> None:
    """Those of newer trackers too."""
    assert post.send(TARGET, subid="s", tid="1", status=status).status == "sent"
    assert post.last.query["status"] == status


@pytest.mark.parametrize("transport", ["postback", "admin_api"])
@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (400, b'{"error":"Click not found"}', "refused (400): Click not found"),
        (406, b'{"status":["Unknown status x","y"]}', "refused (406): status: Unknown status x, y"),
        (404, b'{"error":"Not found"}', "refused (404): Not found"),
        (422, b"", "refused (422)"),
        (400, b"Bad\r\n\x00 request\x1b[31m", "refused (400): Bad request [31m"),
        (400, b"<html>firewall</html>", "refused (400)"),
        (200, b'{"status":"error","message":"no click"}', "refused (200): no click"),
    ],
)
def test_a_refusal_is_the_rows_reason(
    post: Post, monkeypatch: pytest.MonkeyPatch, transport: str, status: int, body: bytes, why: str
) -> None:
    """In the tracker's own words, one printable line."""
    monkeypatch.setenv("KEITARO_TRANSPORT", transport)
    post.sandbox.faults.add(Fault(status=status, body=body))
    outcome = post.send(TARGET, **FULL)
    assert (outcome.status, outcome.reason) == ("rejected", why)


@pytest.mark.parametrize("transport", ["postback", "admin_api"])
def test_a_reason_is_short_and_holds_no_key(
    post: Post, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    """Not even where the tracker quotes it, or a line break stands in the middle."""
    monkeypatch.setenv("KEITARO_TRANSPORT", transport)
    keys = {"postback": "K%y/1", "admin_api": "sandbox key+2"}
    monkeypatch.setenv("KEITARO_POSTBACK_KEY", keys["postback"])
    monkeypatch.setenv("KEITARO_API_KEY", keys["admin_api"].replace(" ", "-"))
    key = keys["postback"] if transport == "postback" else "sandbox-key+2"
    said = f"path /{quote(key, safe='')}/postback of {key} is unknown, " + "very " * 60
    post.sandbox.faults.add(Fault(status=400, body=said.encode()))
    reason = post.send(TARGET, **FULL).reason
    assert reason is not None
    assert len(reason) <= 160
    assert reason.startswith("refused (400): path /***/postback of *** is unknown, very")
    shown = post.request(TARGET, **FULL).shown()
    assert key not in shown
    assert quote(key, safe="") not in shown


def test_the_postback_key_is_in_no_sentence(post: Post) -> None:
    """It can only travel in the path; `label` stands for it."""
    request = post.request(TARGET, **FULL)
    key = post.sandbox.keitaro.postback_key
    assert key in request.path
    assert request.shown().startswith("GET /***/postback?subid=2o6kvp5m3c3a1b&status=sale&payout=10.5")
    assert key not in request.shown()
    assert key not in post.request(TARGET, **FULL, sub_id_2=f"x{key}").shown()
    post.sandbox.faults.add(Fault(status=500))
    with pytest.raises(UnavailableError, match=r"/\*\*\*/postback") as caught:
        post.send(TARGET, **FULL)
    assert key not in str(caught.value)


@pytest.mark.usefixtures("by_api")
def test_an_edition_without_the_api_stops(post: Post) -> None:
    """It is not about the row, and the sentence knows the way out."""
    post.sandbox.keitaro.variants = Variants(edition="no_api")
    with pytest.raises(RequestRejectedError, match="send by postback"):
        post.send(TARGET, **FULL)


@pytest.mark.parametrize(
    ("front", "transport"),
    [("html_200", "admin_api"), ("html_404", "admin_api"), ("html_404", "postback")],
)
def test_a_page_is_a_wrong_address(
    post: Post, monkeypatch: pytest.MonkeyPatch, front: Any, transport: str
) -> None:
    """Wrong domain, or a bot challenge: no row is rejected for it. One that came with 404 was surely not taken."""
    monkeypatch.setenv("KEITARO_TRANSPORT", transport)
    post.sandbox.faults.add(Fault(html=True, status=404 if front == "html_404" else None))
    with pytest.raises(InvalidResponseError, match="web page") as caught:
        post.send(TARGET, **FULL)
    assert caught.value.in_doubt is (front == "html_200")


@pytest.mark.parametrize("transport", ["postback", "admin_api"])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, CredentialsError),
        (403, CredentialsError),
        (408, UnavailableError),
        (429, UnavailableError),
        (503, UnavailableError),
    ],
)
def test_what_is_not_about_the_row_rejects_none(
    post: Post, monkeypatch: pytest.MonkeyPatch, transport: str, status: int, error: type[VendorError]
) -> None:
    """And 401 names the setting of the transport."""
    monkeypatch.setenv("KEITARO_TRANSPORT", transport)
    post.sandbox.faults.add(Fault(status=status))
    with pytest.raises(error) as caught:
        post.send(TARGET, **FULL)
    if error is CredentialsError:
        setting = "keitaro_postback_key" if transport == "postback" else "keitaro_api_key"
        assert setting in str(caught.value)


@pytest.mark.parametrize("reply", ["text", "json", "empty"])
def test_any_2xx_is_accepted(post: Post, reply: Any) -> None:
    """`Success`, JSON, or nothing."""
    post.sandbox.keitaro.variants = Variants(postback_reply=reply)
    assert post.send(TARGET, **FULL).status == "sent"


def test_a_lost_answer_is_in_doubt_and_a_repeat_harmless(post: Post) -> None:
    """The tracker took it; sent again it is still one conversion."""
    post.sandbox.faults.add(Fault(taken=True, close_before_answer=True, times=1))
    with pytest.raises(UnavailableError) as caught:
        post.send(TARGET, **FULL)
    assert caught.value.in_doubt
    post.send(TARGET, **FULL)
    assert revenue(post) == {"45415": ("sale", Decimal("10.5"))}
    assert len(post.sandbox.keitaro.received) == 2

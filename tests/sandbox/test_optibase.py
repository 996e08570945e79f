"""Optibase takes conversions, as its document says; what the document leaves open is a variant each."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any

import pytest

from conversync.sandbox import Fault, Sandbox, World
from conversync.sandbox.optibase import ENDPOINT, Variants
from tests.sandbox.asking import Reply, call, control

# The document's samples, blanks and all.
SAMPLE = """{
  "publicApiKey": "clv3047v70dsat664sgrzwotq",
  "userFriendlyConversionId": "serverside_conversion",
  "testedUserId": "clr6hq6y70001qv4jpwag4asd"
}"""
EXTERNAL = """{
  "publicApiKey": "clv3047v70dsat664sgrzwotq",
  "userFriendlyConversionId": "serverside_conversion",
  "testedUserExternalId": "id123"
}"""
BODY = {"publicApiKey": "clv3047v70dsat664sgrzwotq", "userFriendlyConversionId": "c", "testedUserId": "u"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(days=1)) as running:
        yield running


def post(sandbox: Sandbox, body: object, **headers: str) -> Reply:
    return call(sandbox, "POST", ENDPOINT, {"Content-Type": "application/json", **headers}, body)


def test_the_documents_samples_are_taken_and_remembered_to_the_letter(sandbox: Sandbox) -> None:
    """In order, body and all; the totals are by conversion and by visitor."""
    assert [post(sandbox, body).status for body in (SAMPLE, EXTERNAL)] == [200, 200]
    assert [one.body for one in sandbox.optibase.received] == [SAMPLE, EXTERNAL]
    first, second = sandbox.optibase.received
    assert (first.tested_user_id, second.tested_user_external_id) == ("clr6hq6y70001qv4jpwag4asd", "id123")
    assert sandbox.optibase.oracle.conversions() == {"serverside_conversion": 2}
    assert sandbox.optibase.oracle.visitors() == {"serverside_conversion": 2}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"publicApiKey": "other"}, 401),
        ({"publicApiKey": None}, 401),
        ({"userFriendlyConversionId": None}, 400),
        ({"testedUserId": None}, 400),
        ({"testedUserId": 7}, 400),
        ({"testedUserExternalId": "x"}, 400),
        ({"testedUserId": None, "testedUserExternalId": "x"}, 200),
        ({"more": 1}, 200),
    ],
)
def test_what_is_taken_and_what_is_not(sandbox: Sandbox, changes: dict[str, Any], status: int) -> None:
    """One key, one conversion, exactly one of the two ids."""
    reply = post(sandbox, {name: value for name, value in {**BODY, **changes}.items() if value is not None})
    assert reply.status == status
    assert len(sandbox.optibase.received) == (status == 200)
    assert (reply.json() == {"success": True}) is (status == 200)


def test_how_it_must_be_asked(sandbox: Sandbox) -> None:
    """POST, JSON, an object."""
    assert call(sandbox, "GET", ENDPOINT, {}).status == 405
    assert post(sandbox, BODY, **{"Content-Type": "text/plain"}).status == 415
    assert post(sandbox, "[1]").status == post(sandbox, "{").status == 400


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("json", (200, b'{"success":true}')),
        ("text", (200, b"OK")),
        ("empty", (200, b"")),
        ("no_content", (204, b"")),
    ],
)
def test_replies(sandbox: Sandbox, reply: Any, expected: tuple[int, bytes]) -> None:
    """The document shows none."""
    sandbox.optibase.variants = Variants(reply=reply)
    answer = post(sandbox, BODY)
    assert (answer.status, answer.body) == expected


@pytest.mark.parametrize(
    ("repeats", "statuses", "counted", "received"),
    [
        ("counted", [200, 200], 2, 2),
        ("ignored", [200, 200], 1, 2),
        ("conflict", [200, 409], 1, 1),
    ],
)
def test_repeats(sandbox: Sandbox, repeats: Any, statuses: list[int], counted: int, received: int) -> None:
    """Counted twice, or the conversion is one per visitor."""
    sandbox.optibase.variants = Variants(repeats=repeats)
    assert [post(sandbox, BODY).status for _ in range(2)] == statuses
    assert sandbox.optibase.oracle.conversions() == {"c": counted}
    assert sandbox.optibase.oracle.visitors() == {"c": 1}
    assert sandbox.optibase.oracle.repeats() == received - 1


def test_errors_of_every_kind(sandbox: Sandbox) -> None:
    """An unknown user or conversion, another status for the key, and all of it with 200."""
    unknown = frozenset({"u"})
    sandbox.optibase.variants = Variants(unknown_users=unknown, unknown_status="422", wrong_key="403")
    assert post(sandbox, BODY).status == 422
    assert post(sandbox, {**BODY, "publicApiKey": "x"}).status == 403
    sandbox.optibase.variants = Variants(conversions=frozenset({"other"}), errors="body")
    answer = post(sandbox, BODY)
    assert (answer.status, answer.json()) == (200, {"error": "Conversion not found"})
    assert sandbox.optibase.received == []


def test_another_process_may_script_it_and_ask_it(sandbox: Sandbox) -> None:
    """Its variants in, what it received and its totals out; it tells no rows."""
    control(sandbox, "variants", {"optibase": ["repeats=ignored", "reply=text"]})
    for _ in range(2):
        assert post(sandbox, SAMPLE).body == b"OK"
    told = control(sandbox, "received")["optibase"]
    assert [(one["body"], one["counted"]) for one in told] == [(SAMPLE, True), (SAMPLE, False)]
    assert control(sandbox, "oracle")["optibase"] == {
        "conversions": {"serverside_conversion": 1},
        "visitors": {"serverside_conversion": 1},
        "repeats": 1,
    }


@pytest.mark.parametrize(
    ("how", "received"),
    [
        ({"close_before_answer": True}, 0),
        ({"close_before_answer": True, "taken": True}, 1),
        ({"reset_after": 0}, 1),
        ({"reset_after": 0, "status": 200, "taken": True}, 1),
    ],
)
def test_a_request_may_be_taken_and_its_answer_lost(
    sandbox: Sandbox, how: dict[str, Any], received: int
) -> None:
    """Or be lost itself: the client sees the same."""
    fault = sandbox.faults.add(Fault(path=ENDPOINT, times=1, **how))
    with pytest.raises((http.client.HTTPException, OSError)):
        post(sandbox, BODY)
    assert (fault.delivered, len(sandbox.optibase.received)) == (1, received)


def test_a_request_may_be_taken_and_answered_with_an_error(sandbox: Sandbox) -> None:
    """503 after the fact; or late, when the client is no longer there."""
    sandbox.faults.add(Fault(path=ENDPOINT, times=1, status=503, taken=True))
    assert post(sandbox, BODY).status == 503
    assert len(sandbox.optibase.received) == 1
    counts: list[int] = []

    def note(document: Any, _: object) -> Any:
        counts.append(len(sandbox.optibase.received))
        return document

    sandbox.faults.add(Fault(path=ENDPOINT, delay=0.05, taken=True, mutate=note))
    assert post(sandbox, BODY).status == 200
    assert counts == [2]


@pytest.mark.parametrize("taken", [True, False])
def test_a_fault_of_another_process_may_take_the_request(sandbox: Sandbox, taken: bool) -> None:
    """As JSON says it."""
    control(sandbox, "faults", {"path": ENDPOINT, "status": 500, "taken": taken})
    assert post(sandbox, BODY).status == 500
    assert len(sandbox.optibase.received) == taken

"""Optibase: one conversion of one tested user, as the document's samples have it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conversync.errors import (
    CredentialsError,
    InvalidResponseError,
    SettingsError,
    UnavailableError,
    VendorError,
)
from conversync.sandbox import Fault
from conversync.sandbox.optibase import ENDPOINT, Variants
from conversync.send.target import RowRefusedError
from conversync.vendors import targets
from tests.targets.sending import Post, settings_of

TARGET = "optibase.conversions"
ROW = {"conversion_id": "serverside_conversion", "tested_user_id": "clr6hq6y70001qv4jpwag4asd"}
# The document's samples, to the letter.
BY_ID = """{
  "publicApiKey": "clv3047v70dsat664sgrzwotq",
  "userFriendlyConversionId": "serverside_conversion",
  "testedUserId": "clr6hq6y70001qv4jpwag4asd"
}"""
BY_EXTERNAL_ID = """{
  "publicApiKey": "clv3047v70dsat664sgrzwotq",
  "userFriendlyConversionId": "serverside_conversion",
  "testedUserExternalId": "id123"
}"""


@pytest.mark.parametrize(
    ("row", "sample"),
    [
        (ROW, BY_ID),
        ({"conversion_id": "serverside_conversion", "tested_user_external_id": "id123"}, BY_EXTERNAL_ID),
    ],
)
def test_the_documents_samples(post: Post, row: dict[str, Any], sample: str) -> None:
    """The same members in the same order, by POST as JSON, and nothing else; nobody is told of a key in a header."""
    assert post.send(TARGET, **row).status == "sent"
    assert (post.last.method, post.last.target) == ("POST", ENDPOINT)
    assert post.last.body.decode() == json.dumps(json.loads(sample), separators=(",", ":"))
    assert post.last.headers["content-type"] == "application/json"
    assert "authorization" not in post.last.headers
    [received] = post.sandbox.optibase.received
    assert received.body == post.last.body.decode()


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({}, "both missing"),
        ({"tested_user_id": "", "tested_user_external_id": "  "}, "tested_user_id is blank"),
        ({"tested_user_id": "a", "tested_user_external_id": "b"}, "both given"),
        ({"conversion_id": None, "tested_user_id": "a"}, "conversion_id is missing"),
        ({"tested_user_id": 1.5}, "tested_user_id is a floating-point number: cast it to text"),
        ({"tested_user_id": True}, "tested_user_id is true or false"),
    ],
)
def test_a_row_that_names_no_one_user_is_refused(post: Post, row: dict[str, Any], why: str) -> None:
    """With the reason, and without a request."""
    with pytest.raises(RowRefusedError, match=why):
        post.send(TARGET, **{"conversion_id": "c", **row})
    assert post.sandbox.requests == []


def test_a_database_id_is_text(post: Post) -> None:
    """The external id "is usually the ID in your database": a number becomes its digits."""
    post.send(TARGET, conversion_id="c", tested_user_external_id=4711)
    assert post.body["testedUserExternalId"] == "4711"


@pytest.mark.parametrize("reply", ["json", "text", "empty", "no_content"])
def test_any_2xx_is_accepted(post: Post, reply: Any) -> None:
    """The document shows no answer."""
    post.sandbox.optibase.variants = Variants(reply=reply)
    outcome = post.send(TARGET, **ROW)
    assert (outcome.status, outcome.reason, outcome.answer) == ("sent", None, {})


def test_a_repeat_may_count_twice_so_none_is_made(post: Post) -> None:
    """Whether it does is a matter of the conversion's set-up; 409 says that it is there."""
    target, settings = targets()[TARGET], settings_of(TARGET)
    assert not target.is_idempotent(ROW, settings)
    assert not target.is_updatable(ROW, settings)
    for repeats, counted in (("counted", 2), ("ignored", 1), ("conflict", 1)):
        post.sandbox.optibase.received.clear()
        post.sandbox.optibase.variants = Variants(repeats=repeats)  # type: ignore[arg-type]
        outcomes = [post.send(TARGET, **ROW) for _ in range(2)]
        assert [one.status for one in outcomes] == ["sent", "sent"]
        assert post.sandbox.optibase.oracle.conversions() == {"serverside_conversion": counted}
    assert outcomes[1].reason == "the vendor had it already (409)"


@pytest.mark.parametrize("errors", ["http", "body"])
@pytest.mark.parametrize("status", ["404", "400", "422"])
def test_an_unknown_user_is_that_rows_affair(post: Post, status: Any, errors: Any) -> None:
    """Rejected with the vendor's words, also where they come with 200."""
    unknown = frozenset({"nobody"})
    post.sandbox.optibase.variants = Variants(unknown_users=unknown, unknown_status=status, errors=errors)
    outcome = post.send(TARGET, conversion_id="c", tested_user_id="nobody")
    code = status if errors == "http" else "200"
    assert (outcome.status, outcome.reason) == ("rejected", f"refused ({code}): Tested user not found")


@pytest.mark.parametrize("status", ["401", "403"])
def test_a_wrong_key_stops(post: Post, monkeypatch: pytest.MonkeyPatch, status: Any) -> None:
    """It is not about the row."""
    post.sandbox.optibase.variants = Variants(wrong_key=status)
    monkeypatch.setenv("OPTIBASE_PUBLIC_API_KEY", "clwrong")
    with pytest.raises(CredentialsError, match="optibase_public_api_key") as caught:
        post.send(TARGET, **ROW)
    assert "clwrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"error":"no such user"}', "refused (200): no such user"),
        (b'{"success":false}', "refused (200)"),
        (b'{"success":false,"message":"gone"}', "refused (200): gone"),
        (b'{"errors":[{"message":"a"},{"message":"b"}]}', "refused (200): a, b"),
        (b'{"status":"error","reason":"x"}', "refused (200): x"),
        (b'{"statusCode":404,"message":["a","b"],"error":"Not Found"}', "refused (404): Not Found: a, b"),
        (b'{"error":{"code":"E1","message":"no\\u0000user"}}', "refused (200): no user"),
    ],
)
def test_200_that_plainly_says_error_is_a_rejection(post: Post, body: bytes, why: str) -> None:
    """With its reason."""
    fault = post.sandbox.faults.add(Fault(path=ENDPOINT, body=body))
    outcome = post.send(TARGET, **ROW)
    assert (fault.delivered, outcome.status, outcome.reason) == (1, "rejected", why)


@pytest.mark.parametrize(
    "body", [b'{"error":null,"success":true}', b"[]", b'"ok"', b'{"cut', b'{"id":"x","status":"active"}']
)
def test_200_that_says_nothing_of_an_error_is_accepted(post: Post, body: bytes) -> None:
    """Whatever else it says."""
    post.sandbox.faults.add(Fault(path=ENDPOINT, body=body))
    assert post.send(TARGET, **ROW).status == "sent"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"statusCode":401,"message":"Unauthorized"}', CredentialsError),
        (b'{"statusCode":"403"}', CredentialsError),
        (b'{"statusCode":429,"message":"Slow down"}', UnavailableError),
        (b'{"status":503}', UnavailableError),
    ],
)
def test_200_that_is_not_about_the_row_rejects_none(
    post: Post, body: bytes, error: type[VendorError]
) -> None:
    """The body's own status counts as HTTP's does."""
    post.sandbox.faults.add(Fault(path=ENDPOINT, body=body))
    with pytest.raises(error):
        post.send(TARGET, **ROW)


@pytest.mark.parametrize(
    "key", ["sk_live_abc", "sk-abc", "secret_abc", "my-SECRET-key", "Private_abc", "cl secret"]
)
def test_x14_the_secret_key_is_refused_where_it_can_be_told(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """Before any request, and without showing it."""
    monkeypatch.setenv("OPTIBASE_PUBLIC_API_KEY", key)
    with pytest.raises(SettingsError, match="optibase_public_api_key") as caught:
        settings_of(TARGET)
    assert key not in str(caught.value)


def test_the_public_key_is_not_shown(post: Post) -> None:
    """It is public, but it is a key."""
    shown = post.request(TARGET, **ROW).shown()
    assert post.sandbox.optibase.public_api_key not in shown
    assert shown == (
        f'POST {ENDPOINT} {{"publicApiKey":"***","userFriendlyConversionId":"serverside_conversion",'
        '"testedUserId":"clr6hq6y70001qv4jpwag4asd"}'
    )


def test_what_was_taken_and_not_answered_is_in_doubt(post: Post) -> None:
    """The connection broke, or a web page came: the vendor may have it."""
    lost = Fault(path=ENDPOINT, taken=True, close_before_answer=True, times=1)
    post.sandbox.faults.add(lost, Fault(path=ENDPOINT, html=True, taken=True))
    for number, error in ((1, UnavailableError), (2, InvalidResponseError)):
        with pytest.raises(error) as caught:
            post.send(TARGET, **ROW)
        assert caught.value.in_doubt
        assert len(post.sandbox.optibase.received) == number


def test_a_redirect_is_not_followed(post: Post) -> None:
    """Not even to the same host: a redirect turns a POST into a GET."""
    post.sandbox.faults.add(Fault(path=ENDPOINT, redirect=f"{post.sandbox.url}/elsewhere"))
    with pytest.raises(InvalidResponseError, match="redirect"):
        post.send(TARGET, **ROW)
    assert [one.path for one in post.sandbox.requests] == [ENDPOINT]

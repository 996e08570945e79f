"""Infobip: processes, tags and logs, as the document's samples have them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conversync.errors import CredentialsError, InvalidResponseError, UnavailableError, VendorError
from conversync.sandbox import Fault
from conversync.sandbox.infobip import Variants, error_body
from conversync.send.target import RowRefusedError
from conversync.vendors import targets
from tests.targets.sending import Post, settings_of, told

PROCESS = {"name": "Sign-up tracking", "description": "My awesome Sign-up tracking"}
KEY = "47A3614FB229EBEA88ED45E72BB07D3E"
TAG = {
    "process_key": KEY,
    "name": "START",
    "description": "Signup start",
    "process_tag_type": "START_TAG",
}
LOG = {
    "process_key": "95578456D6F794703FB6C9418AF6AA97",
    "process_log_key": "7c32d5fc-6870-4c33-8222-44d477b0671c",
    "process_tag_key": "AC175A3A7D4AE68FE358C053630ED926",
    "country_code": "US",
    "os_type": "ANDROID",
}
# The document's samples: what a row becomes, path and body.
REQUESTS = {
    "infobip.processes": (
        PROCESS,
        "/1/conversion-rate/process",
        '{ "name": "Sign-up tracking", "description": "My awesome Sign-up tracking" }',
    ),
    # The sample's own path lacks the /1 of its endpoint line.
    "infobip.tags": (
        TAG,
        f"/1/conversion-rate/process/{KEY}/tag",
        '{ "name": "START", "description": "Signup start", "processTagType": "START_TAG" }',
    ),
    "infobip.logs": (
        LOG,
        "/1/conversion-rate/process/95578456D6F794703FB6C9418AF6AA97/log",
        """{ "processLogKey": "7c32d5fc-6870-4c33-8222-44d477b0671c",
             "processTagKey": "AC175A3A7D4AE68FE358C053630ED926", "countryCode": "US", "osType": "ANDROID" }""",
    ),
}
MADE_PROCESS = """{ "key": "47A3614FB229EBEA88ED45E72BB07D3E", "name": "Sign-up tracking",
 "timeAdded": "2015-03-19T09:21:57.934+0100", "processType": "USER_DEFINED",
 "description": "My awesome Sign-up tracking" }"""
MADE_TAG = """{ "key": "742CEC5DEF6025218E5A0407B029D02D", "name": "START", "description": "Signup start",
 "processTagType": "START_TAG" }"""
MADE_LOG = """{ "processKey": "95578456D6F794703FB6C9418AF6AA97", "accountKey": "3C3EFB2D307CA4FEFB2B5282E51E36EE",
 "key": "7c32d5fc-6870-4c33-8222-44d477b0671c", "tag": null, "processTagKey": "AC175A3A7D4AE68FE358C053630ED926",
 "timeAdded": "2014-10-10T15:54:59.443+0200", "countryCode": "US", "osType": "ANDROID", "addCount": 1 }"""


@pytest.mark.parametrize("name", REQUESTS)
def test_the_documents_requests(post: Post, name: str) -> None:
    """POST, JSON, the same members in the same order; username and password in the header alone."""
    row, path, sample = REQUESTS[name]
    request = post.request(name, **row)
    assert (request.method, request.path, request.params) == ("POST", path, ())
    assert json.dumps(request.json) == json.dumps(json.loads(sample))
    post.send("infobip.processes", **PROCESS)
    header = base64.b64encode(b"Aladdin:open sesame").decode()
    assert post.last.headers["authorization"] == f"Basic {header}" == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert post.last.headers["content-type"] == "application/json"


@pytest.mark.usefixtures("post")
def test_the_documents_answers() -> None:
    """Keys, types and times are kept; processes and tags become rows of the tables that the source has."""
    process = told("infobip.processes", PROCESS, MADE_PROCESS)
    assert (process.status, process.reason) == ("sent", None)
    assert process.answer == {
        "key": KEY,
        "name": "Sign-up tracking",
        "description": "My awesome Sign-up tracking",
        "process_type": "USER_DEFINED",
        "time_added": "2015-03-19T09:21:57.934+0100",
    }
    added = datetime(2015, 3, 19, 8, 21, 57, 934000, UTC)
    row = {**process.answer, "time_added": added, "extra": None}
    assert process.tables == {"infobip.processes": [row]}
    assert process.tables["infobip.processes"][0]["time_added"].utcoffset() == timedelta(0)
    tag = told("infobip.tags", TAG, MADE_TAG)
    assert tag.answer == {**TAG, "key": "742CEC5DEF6025218E5A0407B029D02D"}
    assert tag.tables == {"infobip.tags": [{**tag.answer, "extra": None}]}
    log = told("infobip.logs", LOG, MADE_LOG)
    assert (log.status, log.reason, log.answer["add_count"], log.answer["duplicate"]) == (
        "sent",
        None,
        1,
        False,
    )
    assert log.answer["key"] == LOG["process_log_key"]


@pytest.mark.usefixtures("post")
def test_the_rows_fit_the_sources_tables() -> None:
    """`infobip.processes` and `infobip.tags` have one shape, whoever fills them, and one key."""
    from sources.infobip.tables import PROCESSES, TAGS

    for name, table, row, answer in (
        ("infobip.processes", PROCESSES, PROCESS, MADE_PROCESS),
        ("infobip.tags", TAGS, TAG, MADE_TAG),
    ):
        [made] = told(name, row, answer).tables[name]
        assert sorted(made) == sorted(table.schema.names)
        required = {field.name for field in table.schema if not field.nullable}
        assert set(targets()[name].keys[name]) == required


def test_a_process_its_tags_and_its_logs(post: Post) -> None:
    """Each made with the key that the one before returned; the sandbox counts them."""
    process = post.send("infobip.processes", **PROCESS).answer["key"]
    tags = {
        kind: post.send("infobip.tags", process_key=process, name=kind, process_tag_type=word).answer["key"]
        for kind, word in (("START", "Start tag"), ("END", "END_TAG"))
    }
    types = [post.sandbox.infobip.oracle.tags()[key].tag_type for key in tags.values()]
    assert types == ["START_TAG", "END_TAG"]
    for tag in tags.values():
        outcome = post.send(
            "infobip.logs",
            process_key=process,
            process_tag_key=tag,
            process_log_key="k",
            os_type="Windows Phone",
        )
        assert outcome.answer["add_count"] == 1
    assert post.body["osType"] == "WINDOWS_PHONE"
    today = post.sandbox.world.now.date()
    rates = post.sandbox.infobip.oracle.rates((process, "START", "END"), today, today)
    assert (rates[today].start_count, rates[today].end_count) == (1, 1)


def test_x11_a_log_twice_is_a_duplicate_and_says_so(post: Post) -> None:
    """`addCount` above 1: it stands, and it is kept that it is one."""
    key = post.sandbox.infobip.pairs[0]["process_key"]
    outcomes = [post.send("infobip.logs", process_key=key, process_log_key="mine") for _ in range(3)]
    assert [one.status for one in outcomes] == ["sent"] * 3
    assert [one.answer["add_count"] for one in outcomes] == [1, 2, 3]
    assert [one.answer["duplicate"] for one in outcomes] == [False, True, True]
    assert outcomes[1].reason == "a duplicate at the vendor: addCount is 2"


def test_what_is_optional_is_left_out(post: Post) -> None:
    """A tag without anything, a log without anything: the vendor makes the key of the subscriber."""
    key = post.sandbox.infobip.pairs[0]["process_key"]
    assert post.send("infobip.tags", process_key=key, name=None).status == "sent"
    assert post.last.body == b"{}"
    outcome = post.send("infobip.logs", process_key=key)
    assert post.last.body == b"{}"
    assert outcome.answer["key"]


@pytest.mark.parametrize(
    ("name", "row", "why"),
    [
        ("infobip.processes", {"name": "x"}, "description is missing"),
        ("infobip.processes", {"description": "x", "name": " "}, "name is missing"),
        ("infobip.tags", {"name": "x"}, "process_key is missing"),
        ("infobip.tags", {"process_key": ".."}, "process_key is no key"),
        ("infobip.logs", {"process_key": None}, "process_key is missing"),
        (
            "infobip.logs",
            {"process_key": "k", "os_type": "BeOS"},
            "os_type is none of Unknown, Windows, Linux",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_here(post: Post, name: str, row: dict[str, Any], why: str) -> None:
    """With the reason, and without a request."""
    with pytest.raises(RowRefusedError, match=why):
        post.send(name, **row)
    assert post.sandbox.requests == []


def test_a_key_is_encoded_whole(post: Post) -> None:
    """Whatever it holds, it is one part of the path."""
    assert (
        post.request("infobip.tags", process_key="a/b?c").path == "/1/conversion-rate/process/a%2Fb%3Fc/tag"
    )


def test_a_refusal_is_the_rows_reason(post: Post) -> None:
    """requestError: its id, its text and what it is about."""
    outcome = post.send("infobip.tags", process_key="NOBODY", name="x")
    assert (outcome.status, outcome.reason) == (
        "rejected",
        "refused (404): RESOURCE_NOT_FOUND, Process not found, [NOBODY]",
    )
    body = error_body("SVC0002", "Invalid value for %1.", "name", "open sesame", policy=True)
    for status in (400, 200):
        post.sandbox.faults.clear()
        post.sandbox.faults.add(Fault(status=status, body=json.dumps(body).encode()))
        outcome = post.send("infobip.processes", **PROCESS)
        assert outcome.status == "rejected"
        assert outcome.reason == f"refused ({status}): SVC0002, Invalid value for name, [***]"


@pytest.mark.parametrize(
    ("message_id", "error"),
    [("UNAUTHORIZED", CredentialsError), ("TOO_MANY_REQUESTS", UnavailableError)],
)
def test_200_that_is_not_about_the_row_rejects_none(
    post: Post, message_id: str, error: type[VendorError]
) -> None:
    """A requestError with 200 is read like one with its own status."""
    body = json.dumps(error_body(message_id, "x")).encode()
    post.sandbox.faults.add(Fault(body=body))
    with pytest.raises(error) as caught:
        post.send("infobip.processes", **PROCESS)
    assert not caught.value.in_doubt


def test_refused_credentials_stop(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """And show neither name nor password."""
    monkeypatch.setenv("INFOBIP_PASSWORD", "close sesame")
    with pytest.raises(CredentialsError, match="infobip_username and infobip_password") as caught:
        post.send("infobip.processes", **PROCESS)
    assert "close sesame" not in str(caught.value)


def test_a_password_with_blanks_is_in_no_reason(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor what is left of it once a sentence has single blanks, nor the header's form of it."""
    monkeypatch.setenv("INFOBIP_PASSWORD", "open  sesame")
    header = base64.b64encode(b"Aladdin:open  sesame").decode()
    said = f"bad login Aladdin open  sesame Basic {header}"
    post.sandbox.faults.add(Fault(status=400, body=said.encode()))
    assert post.send("infobip.processes", **PROCESS).reason == "refused (400): bad login *** *** Basic ***"


@pytest.mark.parametrize(
    "body", [b"", b"OK", b"[]", b'{"name":"x"}', b'{"key":null}', b"<html></html>", b'{"key":']
)
def test_an_answer_without_the_key_is_in_doubt(post: Post, body: bytes) -> None:
    """Something was made, and nobody knows what it is called: a person has to look."""
    post.sandbox.faults.add(Fault(body=body))
    with pytest.raises(InvalidResponseError) as caught:
        post.send("infobip.processes", **PROCESS)
    assert caught.value.in_doubt


@pytest.mark.usefixtures("post")
def test_nothing_is_safe_to_repeat() -> None:
    """Each request makes something of its own, in any order."""
    for name, (row, _, _) in REQUESTS.items():
        target = targets()[name]
        assert not target.is_idempotent(row, settings_of(name))
        assert not target.is_updatable(row, settings_of(name))
        assert target.group(row) is None


@pytest.mark.parametrize("enums", ["constants", "words"])
def test_types_are_kept_as_they_came(post: Post, enums: Any) -> None:
    """The samples have constants, the tables words."""
    post.sandbox.infobip.variants = Variants(enums=enums)
    made = post.send("infobip.processes", **PROCESS).answer
    expected = {"constants": "USER_DEFINED", "words": "User defined process"}[enums]
    assert made["process_type"] == expected

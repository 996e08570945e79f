"""A vendor's own words: refusals whose bodies are read, single documents, and what credentials are called."""

from __future__ import annotations

import gzip
import json
from typing import Any, NoReturn

import pytest

from conversync.errors import CredentialsError, InvalidResponseError, RequestRejectedError, UnavailableError
from conversync.http.client import Client, Response
from conversync.http.rejection import said
from tests.http.conftest import TINY, TOKEN, MakeClient
from tests.http.server import Server, Step, head, raw, reply


def refuse(answer: Response) -> NoReturn:
    raise RequestRejectedError(
        f"Besitos refused it ({answer.json()['error']}): change it.", status=answer.status
    )


def test_a_refusal_in_the_vendors_words_is_final(make_client: MakeClient) -> None:
    """With `accept`, the decoder reads the body of a 400; what it raises is not asked for again."""
    with Server(reply(b'{"error": "no such day"}', 400)) as server:
        with pytest.raises(RequestRejectedError, match="no such day") as caught:
            make_client(server.origin).request("GET", "/", decode=refuse, accept=(400,))
        assert (caught.value.status, caught.value.exit_code, len(server.asked)) == (400, 6, 1)


LARAVEL = {
    "message": "The per page field must not be greater than 500. (and 1 more error)",
    "errors": {"per_page": ["The per page field must not be greater than 500."], "to_date": ["Too far."]},
}
BY_FIELD = "per_page: The per page field must not be greater than 500.; to_date: Too far"
INFOBIP = {"messageId": "BAD", "text": "No such process %1.", "variables": ["K", "x"]}


@pytest.mark.parametrize(
    ("body", "said", "fields"),
    [
        pytest.param(LARAVEL, BY_FIELD, ("per_page", "to_date"), id="b05-laravel"),
        pytest.param(
            {"message": "The given data was invalid.", "errors": {"page": "no"}},
            "The given data was invalid: page: no",
            ("page",),
            id="laravel-before-9",
        ),
        pytest.param({"error": "no such day"}, "no such day", (), id="error"),
        pytest.param({"message": "Too wide."}, "Too wide", (), id="message"),
        pytest.param({"error": {"code": 7, "message": "no"}}, "no", (), id="error-object"),
        pytest.param({"status": 400, "error": "a", "message": "b"}, "a: b", (), id="conductrics"),
        pytest.param({"limit": ["at most 500"], "range": "long"}, "limit: at most 500; range: long", ("limit", "range"),
                     id="keitaro"),
        pytest.param({"requestError": {"serviceException": INFOBIP}}, "BAD, No such process K, [x]", (), id="infobip"),
        pytest.param({"requestError": {"policyException": INFOBIP}}, "BAD, No such process K, [x]", (),
                     id="infobip-policy"),
        pytest.param({"errors": [{"field": "page", "message": "no"}]}, "no", ("page",), id="list-of-objects"),
        pytest.param(["no", "way"], "no, way", (), id="list"),
        pytest.param({}, "", (), id="nothing"),
    ],
)  # fmt: skip
def test_a_refusal_tells_the_vendors_words_and_fields(
    make_client: MakeClient, body: Any, said: str, fields: tuple[str, ...]
) -> None:
    """Whatever form a vendor gives them: a person reads them in the sentence, code in `said` and `fields`."""
    with Server(reply(json.dumps(body).encode(), 422)) as server:
        with pytest.raises(RequestRejectedError) as caught:
            make_client(server.origin).get("/v1", {"page": "1"}, lambda answer: answer.json())
        why = f"422: {said}" if said else "422"
        assert str(caught.value) == (
            f"Besitos refused GET /v1 ({why}): what was asked does not suit it; check its settings."
        )
        assert (caught.value.said, caught.value.fields) == (said, fields)
        assert (caught.value.status, caught.value.exit_code, len(server.asked)) == (422, 6, 1)


def test_words_are_cut_cleaned_and_without_secrets(make_client: MakeClient) -> None:
    """Escape sequences, changes of direction and line breaks go; a sentence stays a sentence; the token is masked."""
    text = f"\x1b[2J\u202ebad\r\ntoken {TOKEN} " + "very " * 2000
    with Server(reply(json.dumps({"message": text}).encode(), 400)) as server:
        with pytest.raises(RequestRejectedError) as caught:
            make_client(server.origin).get("/v1", {}, lambda answer: answer.json())
        sentence, said = str(caught.value), caught.value.said
        assert sentence.startswith("Besitos refused GET /v1 (400: [2J bad token *** very very")
        assert len(sentence) < 300
        assert len(said) == 4000
        assert sentence.isprintable()
        assert said.isprintable()
        assert TOKEN not in sentence + said


@pytest.mark.parametrize(
    "step",
    [
        reply(b"<html>no such page</html>", 400),
        reply(b"zzz", 400, Content_Encoding="gzip"),
        raw(head(400, Content_Length=99) + b"{", "reset"),
        raw(head(400, Content_Length=99) + b"{", "hang"),
    ],
    ids=["page", "lying-gzip", "cut", "silent"],
)
def test_a_refusal_whose_words_cannot_be_had_is_one_all_the_same(make_client: MakeClient, step: Step) -> None:
    """The status says enough; nothing is asked for again."""
    with Server(step) as server:
        with pytest.raises(RequestRejectedError) as caught:
            make_client(server.origin).get("/v1", {}, lambda answer: answer.json())
        assert str(caught.value).startswith("Besitos refused GET /v1 (400): ")
        assert (caught.value.said, len(server.asked)) == ("", 1)


@pytest.mark.parametrize(
    ("status", "error", "sentence"),
    [
        (401, CredentialsError, "Besitos refused the token (401: Unauthenticated). Check besitos_token"),
        (403, CredentialsError, "Besitos refused the token (403: Unauthenticated). Check besitos_token"),
        (
            404,
            InvalidResponseError,
            "Besitos does not know GET /v1 (404: Unauthenticated): check besitos_url.",
        ),
        (429, UnavailableError, "Besitos is limiting our rate (429: Unauthenticated): try again later"),
        (425, UnavailableError, "Besitos failed at GET /v1 (425: Unauthenticated): try again later."),
        (500, UnavailableError, "Besitos failed at GET /v1 (500: Unauthenticated): try again later."),
    ],
)
def test_every_status_has_the_vendors_words(
    make_client: MakeClient, status: int, error: type[Exception], sentence: str
) -> None:
    """A 403 that says which address it does not know helps more than any sentence of ours."""
    with Server(reply(b'{"message": "Unauthenticated."}', status)) as server:
        with pytest.raises(error) as caught:
            make_client(server.origin, http_budget=0).get("/v1", {}, lambda answer: answer.json())
        assert str(caught.value).startswith(sentence)


def test_credentials_are_called_what_they_are() -> None:
    """A person looks for a password, not for a token."""
    hint = "Check infobip_password."
    with (
        Server(reply(b"", 401)) as server,
        Client(
            server.origin,
            vendor="Infobip",
            headers={"Authorization": "Basic eA=="},
            credentials_hint=hint,
            credential="username and password",
            limits=TINY,
        ) as client,
        pytest.raises(CredentialsError) as caught,
    ):
        client.get("/", {}, lambda answer: answer.body)
    assert str(caught.value) == f"Infobip refused the username and password (401). {hint}"


def test_a_document_is_a_row_with_its_fault() -> None:
    """Sound, it gives its value; wrong inside, it keeps its text and says why."""
    assert Response(200, {}, b'\xef\xbb\xbf {"a": 1} ').row().sound() == {"a": 1}
    twice = Response(200, {}, b'{"a": 1, "a": 2}').row()
    assert twice.raw == '{"a": 1, "a": 2}'
    with pytest.raises(ValueError, match="stands twice"):
        twice.sound()


@pytest.mark.parametrize("body", [b"", b" ", b"{", b"1, 2", b"{}], [{}", b"<html>"])
def test_what_is_not_one_document_is_no_row(body: bytes) -> None:
    """Nothing that only looks like one is read."""
    with pytest.raises(InvalidResponseError):
        Response(200, {}, body).row()


def _long(*, packed: bool, chunked: bool) -> Step:
    trace = b'"' + b'{\\"frame\\": 1},' * 200_000 + b'"'
    body = (
        b'{"message": "No such day.", "errors": {"from_date": ["must be after 2024"]}, "trace": '
        + trace
        + b"}"
    )
    assert len(body) > 2_500_000
    sent = gzip.compress(body, 1) if packed else body
    headers: dict[str, object] = {"Content_Encoding": "gzip"} if packed else {}
    return reply(sent, 422, **headers) if not chunked else raw(head(422, **headers) + sent)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "until-close"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_refusal_of_megabytes_keeps_its_words(
    make_client: MakeClient, *, packed: bool, chunked: bool
) -> None:
    """A bounded beginning of it is read; the next request has a connection of its own."""
    with Server(_long(packed=packed, chunked=chunked), reply(b"1")) as server:
        client = make_client(server.origin, read_timeout=5, request_deadline=5)
        with pytest.raises(
            RequestRejectedError, match="422: No such day: from_date: must be after 2024"
        ) as caught:
            client.get("/v1", {}, lambda answer: answer.body)
        assert caught.value.fields == ("from_date",)
        assert client.get("/v1", {}, lambda answer: answer.body) == b"1"


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        ('{"message": "Too ma', "Too ma"),
        ('{"message": "Too many", "err', "Too many"),
        ('{"message": "Too many", "errors": {"a": ["one", "tw', "Too many: a: one, tw"),
        ('{"message": "Too many", "errors": {"a": ["one"], "b": [', "Too many: a: one"),
        ("No such day. " * 40_000, "No such day. " * 307 + "No such…"),
        ('{"message": "a \\"quote\\" \\u00', 'a "quote"'),
        ('{"message": "back\\\\', "back\\"),
        ('{"code": 12, "message": "x", "at": 3', "x"),
    ],
)
def test_a_refusal_that_was_cut_off_is_read_to_its_end(cut: str, words: str) -> None:
    """Wherever the cut is, within a text or between two."""
    assert said(Response(422, {}, cut.encode())).text == words.strip()


@pytest.mark.parametrize("deep", ["[1,", '{"a":[', '["x",{"b":'])
def test_l04_a_refusal_that_opens_brackets_for_ever_is_read_once(deep: str) -> None:
    """However deep it is where it was cut off: what comes first in it is told. It took minutes of CPU."""
    body = '{"message": "no such range", "errors": ' + deep * 40_000
    assert "no such range" in said(Response(422, {}, body.encode())).text

"""K03: a secret is in no sentence, no traceback, no log and no repr, whatever goes wrong."""

from __future__ import annotations

import base64
import logging
import traceback
from urllib.parse import quote

import pytest

from conversync.errors import ConversyncError, InvalidResponseError
from conversync.http.client import Response
from tests.http.conftest import TOKEN, MakeClient
from tests.http.server import Server, Step, head, raw, reply

QUERY = "jane@example.com"
PATH_KEY = "postback-9c1d"

OUTCOMES = {
    "ok": reply(),
    "401": reply(b"", 401),
    "404": reply(b"", 404),
    "429": reply(b"", 429),
    "500": reply(b"", 500),
    "redirect": reply(b"", 302, Location=f"https://other.example/?key={TOKEN}"),
    "reset": raw(head(Content_Length=99), "reset"),
    "silence": raw(b"", "hang"),
    "junk": raw(b"\x00\xff junk\r\n"),
    "odd-header": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon here\r\n\r\n{}"),
    "echo-html": reply(f"<html>{TOKEN} {QUERY}".encode()),
    "echo-json": reply(f'{{"data": "{TOKEN} {QUERY}", }}'.encode()),
    "lying-gzip": reply(TOKEN.encode(), Content_Encoding="gzip"),
}


def forms(secret: str) -> list[str]:
    return [secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")]


def chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


@pytest.mark.parametrize("step", OUTCOMES.values(), ids=OUTCOMES.keys())
def test_k03_nothing_tells_a_secret(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture, step: Step
) -> None:
    """Every logger at DEBUG, urllib3's too: neither token, nor query, nor a path that holds a key."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    told: list[str] = []

    def decode(answer: Response) -> None:
        told.append(repr(answer))
        answer.rows("data")

    with Server(step) as server:
        client = make_client(server.origin, http_budget=0.1)
        try:
            client.request(
                "GET",
                f"/{PATH_KEY}/postback",
                params={"user": QUERY},
                decode=decode,
                label="/<key>/postback",
            )
        except ConversyncError as error:
            told += [repr(error), *traceback.format_exception(error)]
            told += [repr(vars(one)) + repr(one.args) for one in chain(error)]
        told.append(repr(client))
        assert server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    text = "\n".join(told) + caplog.text
    for secret in (TOKEN, QUERY, PATH_KEY):
        assert not [form for form in forms(secret) if form in text]


def test_k03_a_decoders_error_leaves_its_cause_behind(make_client: MakeClient) -> None:
    """The libraries' errors quote what they could not read."""

    def decode(answer: Response) -> None:
        try:
            int(answer.body)
        except ValueError as error:
            raise InvalidResponseError("Besitos sent no number.") from error

    with Server(reply(TOKEN.encode())) as server:
        with pytest.raises(InvalidResponseError) as caught:
            make_client(server.origin).get("/", {}, decode)
        assert chain(caught.value) == [caught.value]


def test_the_log_tells_what_was_asked_and_what_came(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Method, path, status, bytes and time, on `conversync.wire` at DEBUG."""
    caplog.set_level(logging.DEBUG, "conversync.wire")

    def size(answer: Response) -> int:
        return len(answer.body)

    with Server(reply(b"", 503), reply(b"12345")) as server:
        make_client(server.origin).get("/v1/conversions", {"user": QUERY}, size)
    lines = [record.getMessage() for record in caplog.records if record.name == "conversync.wire"]
    assert lines[0].startswith("Besitos: GET /v1/conversions 503, 0 bytes, ")
    assert lines[1].startswith("Besitos: GET /v1/conversions 200, 5 bytes, ")
    assert lines[1].endswith(" ms")

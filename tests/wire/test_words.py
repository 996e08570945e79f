"""A vendor's own words: refusals whose bodies are read, single documents, and what credentials are called."""

from __future__ import annotations

from typing import NoReturn

import pytest

from tests.wire.conftest import TINY, MakeClient
from tests.wire.server import Server, reply
from wire.client import Answer, Client
from wire.errors import CredentialsError, RefusedError, UntrustedAnswerError


def refuse(answer: Answer) -> NoReturn:
    raise RefusedError(f"Besitos refused it ({answer.json()['error']}): change it.", status=answer.status)


def test_a_refusal_in_the_vendors_words_is_final(make_client: MakeClient) -> None:
    """With `accept`, the decoder reads the body of a 400; what it raises is not asked for again."""
    with Server(reply(b'{"error": "no such day"}', 400)) as server:
        with pytest.raises(RefusedError, match="no such day") as caught:
            make_client(server.origin).request("GET", "/", decode=refuse, accept=(400,))
        assert (caught.value.status, caught.value.exit_code, len(server.asked)) == (400, 6, 1)


def test_without_accept_no_body_is_read(make_client: MakeClient) -> None:
    """The decoder is not called, and the sentence is ours."""
    with Server(reply(b'{"error": "no such day"}', 400)) as server:
        with pytest.raises(UntrustedAnswerError) as caught:
            make_client(server.origin).request("GET", "/", decode=refuse)
        assert "no such day" not in str(caught.value)


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
    assert Answer(200, {}, b'\xef\xbb\xbf {"a": 1} ').row().sound() == {"a": 1}
    twice = Answer(200, {}, b'{"a": 1, "a": 2}').row()
    assert twice.raw == '{"a": 1, "a": 2}'
    with pytest.raises(ValueError, match="stands twice"):
        twice.sound()


@pytest.mark.parametrize("body", [b"", b" ", b"{", b"1, 2", b"{}], [{}", b"<html>"])
def test_what_is_not_one_document_is_no_row(body: bytes) -> None:
    """Nothing that only looks like one is read."""
    with pytest.raises(UntrustedAnswerError):
        Answer(200, {}, body).row()

"""How the other receivers may answer what is sent to them, where their documents do not say."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from conversync.sandbox import Sandbox, World, conductrics, infobip, keitaro
from tests.sandbox import asking


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(days=1)) as running:
        running.keitaro.rows = []
        yield running


@pytest.mark.parametrize(
    ("reply", "body"), [("text", b"Success"), ("json", b'{"status":"success"}'), ("empty", b"")]
)
def test_a_postbacks_reply(sandbox: Sandbox, reply: Any, body: bytes) -> None:
    """A word, JSON or nothing; the posting is taken."""
    sandbox.keitaro.variants = keitaro.Variants(postback_reply=reply)
    answer = asking.call(sandbox, "GET", f"/{sandbox.keitaro.postback_key}/postback?subid=s", {})
    assert (answer.status, answer.body, len(sandbox.keitaro.received)) == (200, body, 1)


def test_where_the_api_takes_conversions(sandbox: Sandbox) -> None:
    """There, and nowhere else."""
    sandbox.keitaro.variants = keitaro.Variants(conversions_path="clicks/conversions")
    assert asking.keitaro(sandbox, "conversions", {"click_id": "c"}).status == 404
    assert asking.keitaro(sandbox, "clicks/conversions", {"click_id": "c"}).status == 200


@pytest.mark.parametrize(
    ("written", "put", "deleted"),
    [
        ("goal", b'{"status":200,"data":{"code":"g"', b'{"status":200,"data":{"code":"g"}}'),
        ("status", b'{"status":200}', b'{"status":200}'),
        ("empty", b"", b""),
    ],
)
def test_what_a_put_and_a_delete_are_answered_with(
    sandbox: Sandbox, written: Any, put: bytes, deleted: bytes
) -> None:
    """The goal, the status or nothing; a list is answered as ever."""
    sandbox.conductrics.variants = conductrics.Variants(written=written)
    goal = {"code": "g", "name": "n", "agents": []}
    answer = asking.conductrics(sandbox, "goals/goal/g", "PUT", goal)
    assert answer.status == 200
    assert answer.body.startswith(put)
    assert asking.conductrics(sandbox, "goals/goal/g", "DELETE").body == deleted
    assert "data" in asking.conductrics(sandbox, "goals").json()
    assert [one.method for one in sandbox.conductrics.received] == ["PUT", "DELETE"]


def test_results_of_messages(sandbox: Sandbox) -> None:
    """With an error or a status alone, without the address, or none at all."""
    message = {"senderAddress": "INFOSMS", "address": ["1", "2"]}
    refused = frozenset({"2"})

    def results(**variants: Any) -> Any:
        sandbox.infobip.variants = infobip.Variants(refused=refused, **variants)
        answer = asking.infobip(sandbox, "/1/smsmessaging/outbound/INFOSMS/requests", message).json()
        return answer.get("sendMessageResults")

    assert results()[1]["errorMessageId"] == "EC_INVALID_DESTINATION_ADDRESS"
    plain = results(refused_as="status")
    assert [one["errorMessageId"] for one in plain] == [None, None]
    assert [one["messageStatus"] for one in plain] == ["MessageAccepted", "MessageNotSent"]
    assert not any("destinationAddress" in one for one in results(results="nameless"))
    assert results(results="absent") is None


def test_a_request_whose_sender_died_before_it_was_whole_is_taken_by_nobody() -> None:
    """As a killed sender leaves it: the headers announce a body, half of which comes."""
    with Sandbox(World(days=1)) as sandbox:
        address = urlsplit(sandbox.url)
        with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
            head = f"POST /api/script/conversionEvent HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 40\r\n\r\n"
            connection.sendall(head.encode() + b'{"publicApiKey"')
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""
        assert sandbox.optibase.received == []
        assert sandbox.requests == []

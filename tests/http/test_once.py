"""A request that must not go out twice goes out once, and its error tells how far it came."""

from __future__ import annotations

import socket
import time
from decimal import Decimal
from typing import Any

import pytest

from conversync.errors import InvalidResponseError, RequestRejectedError, UnavailableError, VendorError
from conversync.http.client import Client, Response
from tests.http.conftest import MakeClient
from tests.http.server import Server, Step, head, raw, reply


def status(answer: Response) -> int:
    return answer.status


def post(client: Client, **options: Any) -> int:
    return client.request("POST", "/track", json={"id": 1}, decode=status, retry=False, **options)


FAILURES = {
    "X02-silence": (raw(b"", "hang"), UnavailableError, None, True),
    "H05-reset": (raw(b"", "reset"), UnavailableError, None, True),
    "H27-closed": (raw(b""), UnavailableError, None, True),
    "H06-cut-answer": (raw(head(Content_Length=10) + b"{"), UnavailableError, None, True),
    "H08-lying-answer": (reply(b"{}", Content_Encoding="gzip"), InvalidResponseError, 200, True),
    "X06-503": (reply(b"", 503, Retry_After="0.1"), UnavailableError, 503, True),
    "X06-429": (reply(b"", 429, Retry_After="0.1"), UnavailableError, 429, False),
    "X04-422": (reply(b"", 422), RequestRejectedError, 422, False),
    "X12-302": (reply(b"", 302, Location="/other"), InvalidResponseError, 302, True),
}


@pytest.mark.parametrize(("step", "kind", "code", "in_doubt"), FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_is_never_sent_again_by_itself(
    make_client: MakeClient, step: Step, kind: type[VendorError], code: int | None, *, in_doubt: bool
) -> None:
    """One request at the server; the caller learns its status, and whether it may have taken effect."""
    with Server(step) as server:
        with pytest.raises(kind) as caught:
            post(make_client(server.origin))
        time.sleep(0.05)
        assert len(server.asked) == 1
        assert caught.value.sent
        assert caught.value.status == code
        assert caught.value.in_doubt is in_doubt
        assert caught.value.retry_after == (0.1 if code in (429, 503) else None)


def test_x06_what_the_vendor_asked_for_holds_for_the_next_request(make_client: MakeClient) -> None:
    """A sender need not count seconds: the next request waits at the gate by itself."""
    with Server(reply(b"", 429, Retry_After="0.2"), reply()) as server:
        client = make_client(server.origin)
        with pytest.raises(UnavailableError):
            post(client)
        assert post(client) == 200
        assert server.asked[1].at - server.asked[0].at >= 0.2


def test_a_refused_connection_is_surely_not_sent(make_client: MakeClient) -> None:
    """Such a request may be sent again without asking anybody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnavailableError) as caught:
        post(make_client(f"http://127.0.0.1:{port}"))
    assert not caught.value.sent
    assert not caught.value.in_doubt


def test_an_untrusted_answer_to_a_single_request_is_in_doubt(make_client: MakeClient) -> None:
    """A web page with status 200 says nothing about what happened to the conversion."""
    with Server(reply(b"<html>")) as server:
        with pytest.raises(InvalidResponseError) as caught:
            make_client(server.origin).request(
                "POST", "/", json={}, decode=lambda answer: answer.json(), retry=False
            )
        assert caught.value.in_doubt
        assert len(server.asked) == 1


def test_a_long_idle_connection_is_not_trusted_with_a_single_request(make_client: MakeClient) -> None:
    """The vendor may be closing it at this moment, which would leave the request in doubt for nothing."""
    with Server(reply()) as server:
        client = make_client(server.origin, once_idle=0.05)
        assert [post(client), post(client)] == [200, 200]
        time.sleep(0.1)
        assert post(client) == 200
        assert [asked.connection for asked in server.asked] == [1, 1, 2]


def test_statuses_that_the_caller_accepts_reach_its_decoder(make_client: MakeClient) -> None:
    """409 may mean "known already": the sender reads the body and decides."""
    with Server(reply(b'{"code": "duplicate"}', 409)) as server:
        client = make_client(server.origin)
        answer = client.request("POST", "/", json={}, decode=lambda it: it.json(), retry=False, accept=[409])
        assert answer == {"code": "duplicate"}


def test_a_body_is_sent_exactly(make_client: MakeClient) -> None:
    """Money leaves as it is written in the table: no float in between, no exponent for plain amounts."""
    with Server(reply()) as server:
        client = make_client(server.origin)
        payload = {"payout": Decimal("11.050000"), "note": "ünï"}
        client.request("PUT", "/goal", json=payload, decode=status, headers={"X-Request": "7"})
        client.request("POST", "/raw", body=b"a=1", decode=status)
        assert server.asked[0].body == '{"payout":11.050000,"note":"ünï"}'.encode()
        assert server.asked[0].headers["content-type"] == "application/json"
        assert server.asked[0].headers["x-request"] == "7"
        assert server.asked[1].body == b"a=1"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")])
def test_not_a_number_is_never_sent(make_client: MakeClient, value: object) -> None:
    """It would arrive as null, or as no JSON at all."""
    with Server(reply()) as server:
        with pytest.raises(ValueError, match="NaN and Infinity"):
            make_client(server.origin).request("POST", "/", json={"a": [value]}, decode=status)
        assert server.connections == 0


def test_parameters_arrive_in_order_and_escaped(make_client: MakeClient) -> None:
    """Repeated names too."""
    with Server(reply()) as server:
        make_client(server.origin + "/api/v2/").get("/x", [("a", "1 &=?ü"), ("b", ""), ("a", "2")], status)
        assert server.asked[0].target == "/api/v2/x?a=1+%26%3D%3F%C3%BC&b=&a=2"

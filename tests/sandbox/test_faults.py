"""Each fault reaches the client as what it says it is, as often as it was scripted, and is counted."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import time
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from conversync.sandbox import Fault, Raw, Sandbox, blackhole, refused_url
from tests.sandbox.asking import CONVERSIONS, ask, connect, send


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Four rows, two a page."""
    with Sandbox() as running:
        running.besitos.rows = [{"transaction_id": number, "note": "x" * 100} for number in range(4)]
        yield running


def page(number: int) -> str:
    return f"{CONVERSIONS}?per_page=2&page={number}"


def raw(sandbox: Sandbox, target: str) -> bytes:
    """All bytes of one answer, until the server closes or is silent for half a second."""
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=0.5) as connection:
        headers = f"Host: x\r\nConnection: close\r\nAuthorization: Bearer {sandbox.token}\r\n"
        connection.sendall(f"GET {target} HTTP/1.1\r\n{headers}\r\n".encode())
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except TimeoutError:
            pass
        return received


def test_a_status_for_so_many_attempts_of_one_page(sandbox: Sandbox) -> None:
    """Page 2 fails at its first two attempts, and is right at the third; no other page is touched."""
    fault = sandbox.faults.add(
        Fault(path=CONVERSIONS, page=2, attempts=range(1, 3), status=503, headers={"Retry-After": "1"})
    )
    replies = [ask(sandbox, page(number)) for number in (1, 2, 2, 2, 3)]
    assert [reply.status for reply in replies] == [200, 503, 503, 200, 200]
    assert replies[1].headers["Retry-After"] == "1"
    assert replies[1].json() == {"message": "Service Unavailable"}
    assert fault.delivered == 2
    assert [request.fault for request in sandbox.requests] == [False, True, True, False, False]


def test_times_bounds_all_deliveries(sandbox: Sandbox) -> None:
    """`times` counts over all pages together; then the next fault in line has its turn."""
    first = sandbox.faults.add(Fault(times=2, status=500))
    second = sandbox.faults.add(Fault(path="/data/*", times=1, status=429))
    assert [ask(sandbox, page(number)).status for number in (1, 2, 1, 2)] == [500, 500, 429, 200]
    assert (first.delivered, second.delivered) == (2, 1)


def test_conditions_of_a_fault(sandbox: Sandbox) -> None:
    """Query, method and any test of the request; `clear` ends all."""
    sandbox.faults.add(Fault(query={"is_reverse": "true"}, status=500))
    sandbox.faults.add(Fault(where=lambda request: "x-odd" in request.headers, status=502))
    sandbox.faults.add(Fault(method="POST", status=504))
    assert ask(sandbox, f"{CONVERSIONS}?is_reverse=true").status == 500
    assert ask(sandbox, page(1), **{"X-Odd": "1"}).status == 502
    assert ask(sandbox, page(1)).status == 200
    sandbox.faults.clear()
    assert ask(sandbox, f"{CONVERSIONS}?is_reverse=true").status == 200


def test_login_page_body_and_redirect(sandbox: Sandbox) -> None:
    """HTML with 200, scripted bytes with 200, an empty 204, a Location elsewhere."""
    sandbox.faults.add(Fault(page=1, html=True), Fault(page=2, body=b'{"error":"x"}'))
    sandbox.faults.add(Fault(page=3, redirect="http://127.0.0.2/"), Fault(page=4, status=204, body=b""))
    html, error, moved, nothing = (ask(sandbox, page(number)) for number in (1, 2, 3, 4))
    assert (html.status, html.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
    assert (error.status, error.json()) == (200, {"error": "x"})
    assert (moved.status, moved.headers["Location"]) == (302, "http://127.0.0.2/")
    assert (nothing.status, nothing.body) == (204, b"")


def test_mutation_of_a_right_page(sandbox: Sandbox) -> None:
    """The document may be changed, its rows replaced by verbatim text, or other bytes returned."""

    def lie(document: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
        document["meta"]["last_page"] = query["per_page"]
        document["data"][0] = Raw('{"transaction_id":1.50}')
        document["data"][1]["note"] = None
        return document

    fault = sandbox.faults.add(Fault(page=1, times=1, mutate=lie, status=500))
    sandbox.faults.add(Fault(page=2, mutate=lambda document, _: json.dumps(document["data"]).encode()))
    changed, bytes_, right = (ask(sandbox, page(number)) for number in (1, 2, 1))
    assert changed.status == 500
    assert changed.text.startswith('{"data":[{"transaction_id":1.50},{"transaction_id":1,"note":null}],')
    assert changed.json()["meta"]["last_page"] == "2"
    assert [row["transaction_id"] for row in bytes_.json()] == [2, 3]
    assert right.json()["data"][0]["transaction_id"] == 0
    assert fault.delivered == 1


def test_an_action_before_a_page(sandbox: Sandbox) -> None:
    """Rows can vanish between two pages: the third row is on no page."""

    def remove_first() -> None:
        sandbox.besitos.rows = (sandbox.besitos.rows or ())[1:]

    sandbox.faults.add(Fault(page=2, action=remove_first))
    pages = [ask(sandbox, page(number)).json()["data"] for number in (1, 2)]
    assert [row["transaction_id"] for rows in pages for row in rows] == [0, 1, 3]


def test_reset_stall_and_close(sandbox: Sandbox) -> None:
    """RST within the body, silence within the body, no answer at all: three ways to lose a page."""
    reset = sandbox.faults.add(Fault(page=1, times=1, reset_after=50))
    with pytest.raises(ConnectionResetError):
        ask(sandbox, page(1))
    sandbox.faults.add(Fault(page=1, times=1, close_before_answer=True))
    with pytest.raises(http.client.RemoteDisconnected):
        ask(sandbox, page(1))
    sandbox.faults.add(Fault(page=1, times=1, stall_after=7))
    head, _, body = raw(sandbox, page(1)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert len(body) == 7
    assert ask(sandbox, page(1)).status == 200
    assert reset.delivered == 1


def test_lengths_that_lie(sandbox: Sandbox) -> None:
    """Too long a Content-Length is an incomplete read; a cut body is complete on the wire."""
    sandbox.faults.add(Fault(page=1, extra_content_length=10), Fault(page=2, truncate_to=20))
    with pytest.raises(http.client.IncompleteRead):
        ask(sandbox, page(1))
    assert len(ask(sandbox, page(2)).body) == 20


def test_gzip_right_truncated_lying_and_bomb(sandbox: Sandbox) -> None:
    """Each with the header that claims gzip; the bomb is about 1000:1."""
    sandbox.faults.add(
        Fault(page=1, gzip="right"), Fault(page=2, gzip="truncated"), Fault(page=3, gzip="lie")
    )
    sandbox.faults.add(Fault(page=4, gzip="bomb", bomb_bytes=8 * 1024 * 1024))
    right, truncated, lie, bomb = (ask(sandbox, page(number)) for number in (1, 2, 3, 4))
    assert {reply.headers["Content-Encoding"] for reply in (right, truncated, lie, bomb)} == {"gzip"}
    assert json.loads(gzip.decompress(right.body))["meta"]["total"] == 4
    with pytest.raises(EOFError):
        gzip.decompress(truncated.body)
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(lie.body)
    assert len(zlib.decompress(bomb.body, 31)) == 8 * 1024 * 1024 + len(b'{"data":[]}')
    assert len(bomb.body) * 900 < 8 * 1024 * 1024


def test_chunks_right_and_junk(sandbox: Sandbox) -> None:
    """Chunked is understood by any client; a junk size ends in an error."""
    sandbox.faults.add(Fault(page=1, chunked="right"), Fault(page=2, chunked="junk"))
    assert ask(sandbox, page(1)).json()["meta"]["total"] == 4
    with pytest.raises(http.client.IncompleteRead):
        ask(sandbox, page(2))


def test_odd_heads(sandbox: Sandbox) -> None:
    """A 103 first, a header twice, a header replaced, bytes that are no HTTP at all."""
    sandbox.faults.add(Fault(page=1, preface=b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"))
    sandbox.faults.add(Fault(page=2, headers=[("Content-Type", "text/plain")]))
    sandbox.faults.add(Fault(page=3, headers={"content-type": "text/csv"}), Fault(page=4, raw=b"SSH-2.0\r\n"))
    assert raw(sandbox, page(1)).startswith(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert raw(sandbox, page(2)).count(b"Content-Type:") == 2
    assert raw(sandbox, page(3)).lower().count(b"content-type:") == 1
    assert raw(sandbox, page(4)) == b"SSH-2.0\r\n"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(delay=0.3),
        Fault(slow_bytes_per_second=2000),
        Fault(slow_headers_per_second=300),
    ],
)
def test_slow_answers_arrive_whole(sandbox: Sandbox, fault: Fault) -> None:
    """Late, or dripping, but right."""
    sandbox.faults.add(fault)
    begun = time.monotonic()
    assert ask(sandbox, page(1)).json()["meta"]["total"] == 4
    assert 0.2 < time.monotonic() - begun < 3
    assert fault.delivered == 1


def test_the_connection_is_kept_unless_a_fault_closes_it(sandbox: Sandbox) -> None:
    """Two pages on one connection; the second page's `close_after` ends it without a word."""
    sandbox.faults.add(Fault(page=2, close_after=True))
    connection = connect(sandbox)
    assert send(connection, sandbox, page(1)).status == 200
    kept = connection.sock
    assert send(connection, sandbox, page(2)).status == 200
    assert connection.sock is kept
    assert kept is not None
    assert kept.recv(1) == b""
    connection.close()


def test_where_nobody_answers() -> None:
    """A refused port refuses; a blackhole never even connects."""
    port = int(refused_url().rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    with blackhole() as url, pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=0.3)


def test_a_fault_that_cannot_be_delivered_is_loud() -> None:
    """An exception in the sandbox is a 500 to the client, and raised at the end of the `with` block."""

    def provoke() -> None:
        with Sandbox() as broken:
            broken.faults.add(Fault(action=lambda: 1 // 0))
            assert ask(broken, CONVERSIONS).status == 500

    with pytest.raises(ZeroDivisionError):
        provoke()

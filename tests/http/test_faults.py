"""Whatever the wire does to an answer, a page comes whole, or the request ends with one sentence, in time."""

from __future__ import annotations

import gzip
import socket
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversync.errors import ConversyncError, InvalidResponseError, UnavailableError
from conversync.http.client import Client, Response
from tests.http.conftest import MakeClient
from tests.http.server import Server, Step, Talk, drip, head, raw, reply

PAGE = b'{"data": [{"transaction_id": 2601266}]}'
GZIPPED = gzip.compress(PAGE)


def body(answer: Response) -> bytes:
    """A decoder that believes everything."""
    return answer.body


def get(client: Client) -> bytes:
    return client.get("/v1/conversions", {"page": "7"}, body)


def chunked(*chunks: bytes, end: bool = True) -> bytes:
    parts = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head(Transfer_Encoding="chunked") + parts + (b"0\r\n\r\n" if end else b"")


def flood(talk: Talk) -> None:
    """100 Continue, for ever."""
    while not talk.stopped.is_set():
        talk.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 50)
        time.sleep(0.001)


HEALING = {
    "H02-silence-after-headers": raw(head(Content_Length=len(PAGE)), "hang"),
    "H05-reset-in-the-body": raw(head(Content_Length=len(PAGE)) + PAGE[:9], "reset"),
    "H06-length-beyond-the-body": raw(head(Content_Length=len(PAGE) + 1) + PAGE),
    "H06-short-chunk": raw(chunked(PAGE, end=False)[:-7]),
    "H06-no-last-chunk": raw(chunked(PAGE, end=False)),
    "H07-cut-gzip": reply(GZIPPED[:-5], Content_Encoding="gzip"),
    "H07-cut-deflate": reply(zlib.compress(PAGE)[:-2], Content_Encoding="deflate"),
    "H08-says-gzip-is-plain": reply(PAGE, Content_Encoding="gzip"),
    "H08-says-deflate-is-plain": reply(PAGE, Content_Encoding="deflate"),
    "H08-gzip-with-rubbish-behind": reply(GZIPPED + b"rubbish", Content_Encoding="gzip"),
    "H08-encoding-never-asked-for": reply(PAGE, Content_Encoding="br"),
    "H08-gzip-twice": reply(gzip.compress(GZIPPED), Content_Encoding="gzip, gzip"),
    "H26-no-http": raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "H26-two-lengths": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 39\r\n\r\n" + PAGE),
    "H26-chunked-junk": raw(head(Transfer_Encoding="chunked") + b"zz\r\n" + PAGE),
    "H26-early-hints-only": raw(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "H26-a-part-of-the-page": reply(PAGE[:9], 206, Content_Range="bytes 0-8/39"),
    "H26-200-headers": raw(head(**{f"X_{number}": number for number in range(200)}) + PAGE),
    "H26-endless-header": raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000),
    "H26-cut-status-line": raw(b"HTTP/1.1 2"),
    "H27-closed-without-a-word": raw(b""),
}


@pytest.mark.parametrize("fault", HEALING.values(), ids=HEALING.keys())
def test_a_broken_answer_is_asked_for_again_whole(make_client: MakeClient, fault: Step) -> None:
    """One broken answer costs one more request, and nothing of the broken one is used."""
    with Server(fault, reply(PAGE)) as server:
        assert get(make_client(server.origin)) == PAGE
        assert [asked.target for asked in server.asked] == ["/v1/conversions?page=7"] * 2


@pytest.mark.parametrize("fault", HEALING.values(), ids=HEALING.keys())
def test_an_answer_that_stays_broken_is_an_error_and_no_storm(make_client: MakeClient, fault: Step) -> None:
    """It ends with one sentence that names the vendor, within the budgets; the chain holds no other error."""
    with Server(fault) as server:
        start = time.monotonic()
        with pytest.raises(
            (UnavailableError, InvalidResponseError), match=r"^Besitos.*GET /v1/conv"
        ) as caught:
            get(make_client(server.origin, distrust_attempts=2, http_budget=0.5))
        assert time.monotonic() - start < 2
        assert len(server.asked) >= 2
        if isinstance(caught.value, InvalidResponseError):
            assert len(server.asked) == 3
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


SLOW = {
    "H03-body": drip(head(Content_Length=1000), b"x" * 1000, 0.02),
    "H03-chunked-body": drip(head(Transfer_Encoding="chunked"), b"3e8\r\n" + b"x" * 1000, 0.02),
    "H04-status-line": drip(b"", b"HTTP/1.1 200 " + b"O" * 1000, 0.02),
    "H04-headers": drip(b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 1000, 0.02),
    "H26-endless-100-continue": flood,
}


@pytest.mark.parametrize("fault", SLOW.values(), ids=SLOW.keys())
def test_a_byte_a_second_does_not_hang_a_request(make_client: MakeClient, fault: Step) -> None:
    """The deadline covers the whole request, even where every single read is quick enough."""
    with Server(fault) as server:
        client = make_client(server.origin, request_deadline=0.3, read_timeout=0.2)
        start = time.monotonic()
        with pytest.raises(UnavailableError, match="did not answer GET / in time"):
            client.request("GET", "/", decode=body, retry=False)
        assert 0.25 < time.monotonic() - start < 0.8


def test_h01_a_port_that_never_answers_ends_within_the_budget(make_client: MakeClient) -> None:
    """A full backlog drops connections, as a firewall does: the error says that nothing was sent."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent:
        address = silent.getsockname()
        waiting = [socket.socket() for _ in range(8)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(address)
        start = time.monotonic()
        with pytest.raises(UnavailableError, match=r"no connection within 0\.1 s") as caught:
            get(make_client(f"http://127.0.0.1:{address[1]}", connect_timeout=0.1))
        assert 0.3 < time.monotonic() - start < 1
        assert not caught.value.sent
        for sock in waiting:
            sock.close()


def test_h01_a_dead_vendor_ends_within_its_budget_for_all_requests_together(make_client: MakeClient) -> None:
    """Refused connections are tried again for a while; once that is over, the next request fails at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    client = make_client(origin)
    start = time.monotonic()
    with pytest.raises(
        UnavailableError, match=r"cannot be reached \(connection refused\): check besitos_url"
    ):
        get(client)
    assert 0.35 < time.monotonic() - start < 0.7
    start = time.monotonic()
    with pytest.raises(UnavailableError):
        get(client)
    assert time.monotonic() - start < 0.1


def test_h01_a_name_that_nobody_knows_is_said_so(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt host is a matter of the setting, and the sentence says so."""

    def resolver(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with pytest.raises(UnavailableError, match=r"its name is not known\): check besitos_url") as caught:
        get(make_client("https://nobody.invalid"))
    assert not caught.value.sent


def test_h01_a_vendor_that_comes_back_in_time_is_answered(make_client: MakeClient) -> None:
    """A restart at the vendor's side costs nothing: the same request, begun while nobody listened, gets its page."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    client = make_client(f"http://127.0.0.1:{port}", refused_budget=20, backoff=0.05, backoff_cap=0.05)
    with pytest.raises(UnavailableError, match="connection refused"):
        client.request("GET", "/", decode=body, retry=False)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(get, client)
        time.sleep(0.2)
        assert not waiting.done()
        with Server(reply(PAGE), port=port) as server:
            assert waiting.result(10) == PAGE
            assert len(server.asked) == 1


@pytest.mark.parametrize(("restart", "budget", "least"), [(0.0, 0.3, 0.3), (0.6, 0.0, 0.6)])
def test_h01_the_budget_holds_for_a_vendor_that_cannot_be_reached(
    make_client: MakeClient, restart: float, budget: float, least: float
) -> None:
    """A small `http_budget` ends the wait for a dead vendor, too; a restart is waited for all the same."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    client = make_client(
        f"http://127.0.0.1:{port}", refused_budget=20, http_budget=budget, restart=restart, backoff_cap=0.05
    )
    began = time.monotonic()
    with pytest.raises(UnavailableError, match="connection refused"):
        get(client)
    assert least <= time.monotonic() - began < 10


@pytest.mark.parametrize(
    "answer",
    [
        reply(GZIPPED, Content_Encoding="gzip"),
        reply(gzip.compress(PAGE[:9]) + gzip.compress(PAGE[9:]), Content_Encoding="GZip"),
        reply(zlib.compress(PAGE), Content_Encoding="deflate"),
        reply(zlib.compress(PAGE)[2:-4], Content_Encoding="deflate"),
        reply(PAGE, Content_Encoding="identity"),
        raw(chunked(PAGE[:5], PAGE[5:])),
        raw(head() + PAGE),
        raw(b"HTTP/1.1 100 Continue\r\n\r\n" + head(Content_Length=len(PAGE)) + PAGE),
    ],
    ids=["gzip", "members", "deflate", "raw-deflate", "identity", "chunked", "until-close", "100-continue"],
)
def test_every_honest_encoding_is_read(make_client: MakeClient, answer: Step) -> None:
    """What servers really send for gzip and deflate, the two that we ask for."""
    with Server(answer) as server:
        assert get(make_client(server.origin)) == PAGE
        assert server.asked[0].headers["accept-encoding"] == "gzip, deflate"


def test_h09_a_bomb_is_refused_long_before_it_is_unpacked(make_client: MakeClient) -> None:
    """A megabyte that unpacks to a gigabyte costs neither the memory nor a second request."""
    bomb = gzip.compress(bytes(16 << 20)) * 64
    assert len(bomb) < 1_100_000
    with Server(reply(bomb, Content_Encoding="gzip")) as server:
        tracemalloc.start()
        with pytest.raises(InvalidResponseError, match="more than 24 MB"):
            get(make_client(server.origin, read_timeout=5, request_deadline=5))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(server.asked) == 1
    assert peak < 32 << 20


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_h09_a_body_past_the_cap_is_refused(make_client: MakeClient, encoding: str) -> None:
    """Whatever Content-Length claims: what counts is what came."""
    page = bytes(range(256)) * 8192
    sent = gzip.compress(page) if encoding == "gzip" else page
    with Server(reply(sent, Content_Encoding=encoding)) as server:
        with pytest.raises(InvalidResponseError, match="more than 1 MB: ask for smaller pages"):
            get(make_client(server.origin, body_bytes=1 << 20, read_timeout=5))
        assert len(server.asked) == 1


def test_h10_an_honest_page_of_10_mb_is_read(make_client: MakeClient) -> None:
    """Ten times the buffer, and larger than the floor of the ratio check."""
    page = b'{"data": [' + b",".join(b'{"id": %d, "note": "%060d"}' % (n, n) for n in range(120_000)) + b"]}"
    assert len(page) > 10_000_000
    limits = {"read_timeout": 10, "request_deadline": 10}
    with Server(reply(page), reply(gzip.compress(page, 1), Content_Encoding="gzip")) as server:
        client = make_client(server.origin, **limits)
        assert get(client) == page
        assert get(client) == page


def test_h27_a_connection_closed_between_pages_costs_no_waiting(make_client: MakeClient) -> None:
    """Page 1, then the server closes as page 2 is asked for: page 2 is asked for again at once."""
    with Server(reply(b"1"), raw(b""), reply(b"2"), reply(b"3")) as server:
        client = make_client(server.origin, http_budget=0, backoff=60, backoff_cap=60)
        assert [get(client) for _ in range(3)] == [b"1", b"2", b"3"]
        assert [asked.connection for asked in server.asked] == [1, 1, 2, 2]


def test_a_kept_connection_is_used_again(make_client: MakeClient) -> None:
    """A hundred pages are one connection."""
    with Server(reply(PAGE)) as server:
        client = make_client(server.origin)
        for _ in range(100):
            get(client)
        assert server.connections == 1


LINES = [
    *(
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 302 Found\r\n",
        b"HTTP/9 999\r\n",
        b"\r\n",
        b" folded\r\n",
        b": \r\n",
    ),
    *(b"Content-Length: 5\r\n", b"Content-Length: -1\r\n", b"Content-Length: 1, 2\r\n", b"\x00: \x00\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n", b"Content-Type: \xff\r\n"),
    *(b"Location: http://[\r\n", b"Location: //x@y:z\r\n", b"Retry-After: \xff\r\n", b"Set-Cookie: a=b\r\n"),
    *(b"5\r\n", b"0\r\n\r\n", b"hello", b"\xff\xfe", GZIPPED),
]
ANSWERS = st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(LINES), max_size=12).map(b"".join))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=ANSWERS)
def test_h26_no_bytes_make_anything_but_our_errors(make_client: MakeClient, data: bytes) -> None:
    """Whatever comes back, a caller sees bytes or one of our sentences."""
    with Server(raw(data)) as server:
        client = make_client(server.origin)
        with suppress(ConversyncError):
            assert isinstance(client.request("GET", "/", decode=body, retry=False), bytes)
        client.close()

"""K26: a proxy in the environment is told and not taken; one in the settings leads to the vendor, and nowhere else."""

from __future__ import annotations

import base64
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest
import trustme

from conversync.errors import InvalidResponseError, SettingsError, UnavailableError
from conversync.http import proxy
from conversync.http.client import Response
from conversync.http.origin import parse_origin
from tests.http.conftest import TOKEN, MakeClient
from tests.http.server import Server, reply


class Tunnels:
    """A proxy on loopback that knows CONNECT: `heads` are the questions it got. `answer`: what it says instead."""

    def __init__(self, answer: bytes = b"") -> None:
        self.heads: list[str] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._socks: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for sock in self._socks:
            sock.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._socks.append(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n") and (more := sock.recv(1)):
            head += more
        self.heads.append(head.decode())
        if self._answer:
            sock.sendall(self._answer)
            sock.close()
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        far = socket.create_connection((host, int(port)))
        self._socks.append(far)
        sock.sendall(b"HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n")
        threading.Thread(target=_pump, args=(far, sock), daemon=True).start()
        _pump(sock, far)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of this machine, and nothing told yet."""
    for name in ("HTTPS_PROXY", "ALL_PROXY", "HTTP_PROXY", "NO_PROXY", proxy.VARIABLE):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(proxy, "_told", False)


@pytest.fixture
def vendor(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """Speaks TLS, with a certificate that is trusted."""
    del make_client  # it clears SSL_CERT_FILE
    authority, made = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(made)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with Server(reply(b"1"), tls=made) as server:
        yield server


def body(answer: Response) -> bytes:
    return answer.body


def test_k26_requests_go_through_the_proxy_of_the_settings(
    make_client: MakeClient, vendor: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One tunnel for all of a thread's requests; the proxy sees host and port, and neither token nor path."""
    with Tunnels() as tunnels:
        monkeypatch.setenv(proxy.VARIABLE, f"http://127.0.0.1:{tunnels.port}")
        client = make_client(vendor.origin)
        assert [client.get("/v1", {}, body) for _ in range(3)] == [b"1"] * 3
        [head] = tunnels.heads
        assert head == f"CONNECT 127.0.0.1:{vendor.port} HTTP/1.1\r\nHost: 127.0.0.1:{vendor.port}\r\n\r\n"
        assert vendor.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
        assert "proxy-authorization" not in vendor.asked[0].headers


def test_k26_a_dropped_tunnel_is_opened_anew(
    make_client: MakeClient, vendor: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never a connection past the proxy."""
    with Tunnels() as tunnels:
        monkeypatch.setenv(proxy.VARIABLE, f"http://127.0.0.1:{tunnels.port}")
        client = make_client(vendor.origin, once_idle=0)
        for _ in range(3):
            client.request("GET", "/", decode=body, retry=False)
        assert (len(tunnels.heads), vendor.connections) == (3, 3)


def test_k26_its_user_name_and_password_are_for_the_proxy_alone(
    make_client: MakeClient, vendor: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In its header and nowhere else: not at the vendor, not in a log, not in what represents it."""
    caplog.set_level(logging.DEBUG)
    with Tunnels() as tunnels:
        address = f"http://jane:pass%20word-7f@127.0.0.1:{tunnels.port}"
        monkeypatch.setenv(proxy.VARIABLE, address)
        client = make_client(vendor.origin)
        assert client.get("/v1", {}, body) == b"1"
        pair = base64.b64encode(b"jane:pass word-7f").decode()
        assert f"\r\nProxy-Authorization: Basic {pair}\r\n" in tunnels.heads[0]
        told = caplog.text + repr(vendor.asked) + repr(client) + repr(proxy.parse(address, "x"))
        assert "word-7f" not in told
        assert pair not in told


@pytest.mark.parametrize(
    ("answer", "reason", "tries"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "it wants another user name and password, 407",
            1,
        ),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "it refused the way, 403", 1),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "it does not answer like a proxy", 1),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "it refused the way, 502", 2),
        (b"HTTP/1.1 2", "it broke off", 2),
    ],
    ids=["407", "403", "ssh", "502", "cut"],
)
def test_k26_a_proxy_that_opens_no_way_is_told(
    make_client: MakeClient,
    vendor: Server,
    monkeypatch: pytest.MonkeyPatch,
    answer: bytes,
    reason: str,
    tries: int,
) -> None:
    """With its place and its reason; what it may still open is asked for again. The vendor hears nothing."""
    with Tunnels(answer) as tunnels:
        monkeypatch.setenv(proxy.VARIABLE, f"http://jane:canary-1a2b@127.0.0.1:{tunnels.port}")
        with pytest.raises(UnavailableError) as caught:
            make_client(vendor.origin).get("/v1", {}, body)
        assert str(caught.value) == (
            f"Besitos cannot be reached through the proxy at 127.0.0.1:{tunnels.port} ({reason}): "
            "check CONVERSYNC_PROXY, or proxy in .dlt/."
        )
        assert not caught.value.sent
        assert (len(tunnels.heads) > 1) is (tries > 1)
        assert vendor.connections == 0


def test_k26_a_proxy_that_is_not_there_is_told(
    make_client: MakeClient, vendor: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing goes past it."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    monkeypatch.setenv(proxy.VARIABLE, f"127.0.0.1:{port}")
    with pytest.raises(UnavailableError, match=rf"the proxy at 127.0.0.1:{port} \(connection refused\)"):
        make_client(vendor.origin).get("/v1", {}, body)
    assert vendor.connections == 0


def test_k26_a_proxy_proves_nothing_for_the_vendor(
    make_client: MakeClient, vendor: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """TLS is spoken with the vendor itself: one without a trusted certificate is refused behind a proxy, too."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
    with Tunnels() as tunnels:
        monkeypatch.setenv(proxy.VARIABLE, f"http://127.0.0.1:{tunnels.port}")
        with pytest.raises(UnavailableError, match="did not prove who it is"):
            make_client(vendor.origin).get("/v1", {}, body)
        assert vendor.asked == []


def test_k26_a_proxy_in_the_environment_is_told_once_and_not_taken(
    make_client: MakeClient, vendor: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By the variable's name; its value may hold a password."""
    with Tunnels() as tunnels:
        monkeypatch.setenv("HTTPS_PROXY", f"http://jane:canary@127.0.0.1:{tunnels.port}")
        for _ in range(2):
            assert make_client(vendor.origin).get("/v1", {}, body) == b"1"
        assert tunnels.heads == []
    [line] = [record for record in caplog.records if record.name == "conversync.proxy"]
    assert line.getMessage().startswith(
        "HTTPS_PROXY is set, and is not used: the vendors are asked directly."
    )
    assert "CONVERSYNC_PROXY=env" in line.getMessage()
    assert "canary" not in line.getMessage()


@pytest.mark.parametrize(
    ("setting", "no_proxy", "tunnels_used", "lines"),
    [
        ("env", "", 1, 0),
        ("none", "", 0, 0),
        ("env", "example.com,127.0.0.1", 0, 0),
        ("env", "127.0.0.0/8", 0, 0),
        ("", "127.0.0.1", 0, 0),
    ],
)
def test_k26_the_setting_says_whether_the_environments_proxy_counts(
    make_client: MakeClient,
    vendor: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    setting: str,
    no_proxy: str,
    tunnels_used: int,
    lines: int,
) -> None:
    """ "env" takes it, "none" is silent; NO_PROXY is heeded in any case."""
    with Tunnels() as tunnels:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{tunnels.port}")
        monkeypatch.setenv("NO_PROXY", no_proxy)
        monkeypatch.setenv(proxy.VARIABLE, setting)
        assert make_client(vendor.origin).get("/v1", {}, body) == b"1"
        assert len(tunnels.heads) == tunnels_used
    assert len([record for record in caplog.records if record.name == "conversync.proxy"]) == lines


def test_k26_no_other_place_is_asked_through_it(
    make_client: MakeClient, vendor: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a redirect nor plain http on this machine."""
    vendor.script(reply(b"", 302, Location="https://elsewhere.example/x"))
    with Tunnels() as tunnels, Server(reply(b"2")) as near:
        monkeypatch.setenv(proxy.VARIABLE, f"http://127.0.0.1:{tunnels.port}")
        with pytest.raises(InvalidResponseError, match="redirects are not followed"):
            make_client(vendor.origin).get("/v1", {}, body)
        assert make_client(near.origin).get("/", {}, body) == b"2"
        assert [head.split()[1] for head in tunnels.heads] == [f"127.0.0.1:{vendor.port}"]


@pytest.mark.parametrize(
    "address",
    [
        "https://proxy:443",
        "socks5://jane:canary@proxy:1080",
        "http://",
        "http://pro xy",
        "http://proxy:x",
        "http://p/x",
    ],
)
def test_k26_a_proxy_that_cannot_be_used_is_refused_unseen(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Before any request, by the setting's name."""
    monkeypatch.setenv(proxy.VARIABLE, address)
    with pytest.raises(SettingsError, match=r"^CONVERSYNC_PROXY ") as caught:
        proxy.way_to(parse_origin("https://wall.besitos.ai", "besitos_url"))
    assert "canary" not in str(caught.value)

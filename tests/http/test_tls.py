"""H22, H24: who cannot prove who it is hears nothing, and no setting or argument changes that."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from conversync.errors import InvalidResponseError, SettingsError, UnavailableError
from conversync.http.client import Response
from tests.http.conftest import MakeClient
from tests.http.server import Server, drip, raw, reply

HTTP = Path(__file__).parents[2] / "conversync" / "http"


def body(answer: Response) -> bytes:
    return answer.body


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """The one authority that the clients of this module trust."""
    return trustme.CA()


@pytest.fixture
def bundle(
    authority: trustme.CA, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Path:
    """SSL_CERT_FILE names that authority, set after `make_client` has cleared the environment."""
    del make_client
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return path


def context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(made)
    return made


@pytest.fixture
def sound(authority: trustme.CA) -> ssl.SSLContext:
    return context(authority.issue_cert("127.0.0.1"))


@pytest.mark.usefixtures("bundle")
def test_a_proven_vendor_is_read_over_one_connection(make_client: MakeClient, sound: ssl.SSLContext) -> None:
    """An authority of the company's own is honoured where SSL_CERT_FILE names it."""
    with Server(reply(b"1"), tls=sound) as server:
        client = make_client(server.origin)
        assert [client.get("/", {}, body) for _ in range(5)] == [b"1"] * 5
        assert server.connections == 1


def test_requests_own_variable_is_honoured_too(
    make_client: MakeClient, sound: ssl.SSLContext, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REQUESTS_CA_BUNDLE, which other Python programs on the machine may need already."""
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with Server(reply(b"1"), tls=sound) as server:
        assert make_client(server.origin).get("/", {}, body) == b"1"


def expired(authority: trustme.CA) -> ssl.SSLContext:
    past = datetime.now(UTC) - timedelta(days=1)
    return context(authority.issue_cert("127.0.0.1", not_before=past - timedelta(days=9), not_after=past))


def wrong_host(authority: trustme.CA) -> ssl.SSLContext:
    return context(authority.issue_cert("besitos.example"))


def foreign_authority(_: trustme.CA) -> ssl.SSLContext:
    return context(trustme.CA().issue_cert("127.0.0.1"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def old_tls(authority: trustme.CA) -> ssl.SSLContext:
    made = context(authority.issue_cert("127.0.0.1"))
    made.set_ciphers("DEFAULT@SECLEVEL=0")
    made.minimum_version = made.maximum_version = ssl.TLSVersion.TLSv1
    return made


@pytest.mark.usefixtures("bundle")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(expired, "certificate has expired", id="H24-expired"),
        pytest.param(wrong_host, "IP address mismatch", id="H24-wrong-host"),
        pytest.param(foreign_authority, "unable to get local issuer", id="H24-self-signed"),
        pytest.param(old_tls, "protocol", id="H24-tls-1.0"),
    ],
)
def test_a_vendor_that_cannot_prove_itself_hears_nothing(
    make_client: MakeClient, authority: trustme.CA, make: object, reason: str
) -> None:
    """Refused at the first handshake: no header, no second try."""
    assert callable(make)
    with Server(tls=make(authority)) as server:
        with pytest.raises(
            UnavailableError, match=rf"^Besitos did not prove who it is \(.*{reason}"
        ) as caught:
            make_client(server.origin).get("/", {}, body)
        assert "besitos_url" in str(caught.value)
        assert not caught.value.sent
        assert (server.asked, server.connections) == ([], 1)


def test_h24_an_authority_that_nobody_named_is_not_trusted(
    make_client: MakeClient, sound: ssl.SSLContext
) -> None:
    """Without SSL_CERT_FILE the public list counts."""
    with Server(tls=sound) as server:
        with pytest.raises(UnavailableError, match="did not prove who it is"):
            make_client(server.origin).get("/", {}, body)
        assert server.asked == []


def test_h24_there_is_no_way_to_switch_verification_off() -> None:
    """No module of ours says so; the adapter takes no `verify` either."""
    for path in HTTP.glob("*.py"):
        text = path.read_text()
        assert "CERT_NONE" not in text
        assert "_create_unverified" not in text
        assert "verify=" not in text.replace(" ", "")
        assert "check_hostname=" not in text.replace(" ", "")


@pytest.mark.usefixtures("bundle")
def test_h22_a_redirect_to_plain_http_is_refused(make_client: MakeClient, sound: ssl.SSLContext) -> None:
    """The same host, in the clear: nothing is sent there."""
    with Server() as plain, Server(reply(b"", 301, Location=plain.origin), tls=sound) as server:
        with pytest.raises(InvalidResponseError, match=r"redirects GET / to 127.0.0.1 \(301\)"):
            make_client(server.origin).get("/", {}, body)
        assert plain.connections == 0


@pytest.mark.usefixtures("bundle")
@pytest.mark.parametrize("status_line", [True, False], ids=["H04", "H03"])
def test_slow_bytes_over_tls_end_at_the_deadline(
    make_client: MakeClient, sound: ssl.SSLContext, *, status_line: bool
) -> None:
    """One encrypted byte at a time is no way around it."""
    start_of_answer = b"" if status_line else b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"
    slow = drip(start_of_answer, b"HTTP/1.1 200 O" + b"K" * 999, 0.02)
    with Server(slow, tls=sound) as server:
        client = make_client(server.origin, request_deadline=0.3, read_timeout=0.2)
        start = time.monotonic()
        with pytest.raises(UnavailableError, match="in time"):
            client.request("GET", "/", decode=body, retry=False)
        assert 0.25 < time.monotonic() - start < 0.9


@pytest.mark.usefixtures("bundle")
def test_closing_the_client_ends_a_read_over_tls(make_client: MakeClient, sound: ssl.SSLContext) -> None:
    """And the ciphertext that may still come is never taken for an answer."""
    with Server(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "hang"), tls=sound) as server:
        client = make_client(server.origin, read_timeout=30, request_deadline=30)
        threading.Timer(0.2, client.close).start()
        start = time.monotonic()
        with pytest.raises(UnavailableError, match="stopped"):
            client.get("/", {}, body)
        assert time.monotonic() - start < 0.9


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            r"did not prove who it is \(wrong version number\): check besitos_url",
        ),
        (b"", r"cannot be reached \(the TLS handshake broke off\): check besitos_url"),
    ],
)
def test_a_server_without_tls_is_said_so(make_client: MakeClient, answer: bytes, sentence: str) -> None:
    """https to a port that speaks http: the setting is wrong, and the sentence names it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as sock:
                sock.recv(4096)
                sock.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        client = make_client(f"https://127.0.0.1:{listener.getsockname()[1]}", connect_timeout=2)
        with pytest.raises(UnavailableError, match=sentence):
            client.request("GET", "/", decode=body, retry=False)
        thread.join(5)


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "junk"])
def test_a_bundle_that_cannot_be_read_is_a_setting_to_correct(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    """It is never passed over in silence for the public list."""
    path = tmp_path / "bundle.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(SettingsError, match="SSL_CERT_FILE names a file that holds no readable certificates"):
        make_client("https://wall.besitos.ai")

"""Answers that must not be used, and places that must not be asked."""

from __future__ import annotations

import pytest
import requests

from conversync.errors import CredentialsError, InvalidResponseError, RequestRejectedError, VendorError
from conversync.http.client import Response
from conversync.http.origin import parse_origin
from conversync.http.strictjson import Row
from conversync.http.transport import OriginAdapter
from conversync.http.wait_budget import Patience
from tests.http.conftest import HINT, TOKEN, MakeClient
from tests.http.server import Server, Step, reply


def rows(answer: Response) -> list[Row]:
    return answer.rows("data")[1]


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        (b"<!DOCTYPE html><title>Sign in</title>", "application/json"),
        (b"\xef\xbb\xbf\r\n <html>", "text/plain"),
        (b"Please sign in", "text/html; charset=utf-8"),
    ],
)
def test_h11_a_web_page_is_named_as_login_or_wrong_address(
    make_client: MakeClient, page: bytes, kind: str
) -> None:
    """The sentence names both causes, and nothing of the page."""
    with Server(reply(page, Content_Type=kind)) as server:
        with pytest.raises(InvalidResponseError) as caught:
            make_client(server.origin).get("/", {}, rows)
        assert str(caught.value) == (
            "Besitos answered with a web page instead of data: the address may be wrong (besitos_url), "
            "or a login or bot check stands before it."
        )
        assert len(server.asked) == 4
        assert caught.value.status == 200


def test_json_that_calls_itself_html_is_json(make_client: MakeClient) -> None:
    """Many a PHP server never sets the type."""
    with Server(reply(b' {"data": [{"a": 1}]}', Content_Type="text/html")) as server:
        assert make_client(server.origin).get("/", {}, rows)[0].value == {"a": 1}


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        pytest.param(b'{"error": "no such token"}', "no list of rows under 'data'", id="H12"),
        pytest.param(b'{"data": null}', "no list of rows under 'data'", id="H13-null"),
        pytest.param(b'{"data": {}}', "no list of rows under 'data'", id="H13-object"),
        pytest.param(b"{}", "no list of rows under 'data'", id="H13-absent"),
        pytest.param(b"", "it is empty", id="H14"),
    ],
)
def test_no_rows_are_never_taken_for_none(make_client: MakeClient, page: bytes, sentence: str) -> None:
    """Only `"data": []` says that there is nothing; all else is an error without a word of the body."""
    with Server(reply(page)) as server:
        with pytest.raises(InvalidResponseError, match=f"^Besitos sent .*{sentence}") as caught:
            make_client(server.origin).get("/", {}, rows)
        assert "such token" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


def test_h12_the_envelope_is_the_callers_to_judge(make_client: MakeClient) -> None:
    """Conductrics reports failures inside a 200."""
    with Server(reply(b'{"status": 401, "data": []}')) as server:
        envelope, found = make_client(server.origin).get("/", {}, lambda answer: answer.rows("data"))
        assert (envelope, found) == ({"status": 401}, [])


def test_h14_no_content_is_the_decoders_to_judge(make_client: MakeClient) -> None:
    """A sender takes 204 for success, a reader does not."""
    with Server(reply(b"", 204)) as server:
        client = make_client(server.origin)
        assert client.get("/", {}, lambda answer: answer.status) == 204
        with pytest.raises(InvalidResponseError, match="it is empty"):
            client.get("/", {}, rows)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (404, "Besitos does not know GET /v1/conversions (404): check besitos_url."),
        (
            422,
            "Besitos refused GET /v1/conversions (422): what was asked does not suit it; check its settings.",
        ),
    ],
)
def test_h16_a_refused_request_is_not_repeated(make_client: MakeClient, status: int, sentence: str) -> None:
    """The sentence has the path, never the query."""
    with Server(reply(b"{}", status)) as server:
        with pytest.raises(VendorError) as caught:
            make_client(server.origin).get("/v1/conversions", {"user_id": "jane@example.com"}, rows)
        assert type(caught.value) is (InvalidResponseError if status == 404 else RequestRejectedError)
        assert str(caught.value) == sentence
        assert caught.value.status == status
        assert len(server.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_h21_a_redirect_to_another_host_is_refused(make_client: MakeClient, status: int) -> None:
    """The second host hears nothing at all; the sentence names it, without path and query."""
    with (
        Server() as other,
        Server(reply(b"", status, Location=f"http://user:pw@127.0.0.1:{other.port}/take?token=x")) as server,
    ):
        with pytest.raises(InvalidResponseError) as caught:
            make_client(server.origin).get("/v1", {}, rows)
        assert str(caught.value) == (
            f"Besitos redirects GET /v1 to 127.0.0.1 ({status}), and redirects are not followed: "
            "check besitos_url."
        )
        assert len(server.asked) == 1
        assert other.connections == 0


def test_h21_where_a_redirect_on_the_same_host_leads_is_told(make_client: MakeClient) -> None:
    """Its path, which is what is to be set right; not its query, nor what a terminal would obey."""
    with Server(reply(b"", 301, Location="/v1/%1b[2J/?token=x")) as server:
        with pytest.raises(InvalidResponseError) as caught:
            make_client(server.origin).get("/v1", {}, rows)
        assert str(caught.value) == (
            "Besitos redirects GET /v1 to /v1/%1b[2J/ (301), and redirects are not followed: check besitos_url."
        )


@pytest.mark.parametrize(
    "location",
    ["/again", "//127.0.0.1:1/x", "http://[", "http://\x01\x02", "", "javascript:alert(1)", "x" * 9000],
)
def test_h23_a_redirect_in_a_circle_is_one_request(make_client: MakeClient, location: str) -> None:
    """Whatever stands in Location, it is not followed, and the sentence stays readable."""
    with Server(reply(b"", 302, Location=location)) as server:
        with pytest.raises(InvalidResponseError, match="redirects are not followed") as caught:
            make_client(server.origin).get("/", {}, rows)
        assert len(server.asked) == 1
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "location",
    [
        *(
            "/login",
            "/admin/login.php?next=/v1",
            "/users/sign_in",
            "/wp-login.php",
            "/SignIn",
            "/auth/realms/x",
        ),
        *(
            "/oauth2/authorize?client_id=x",
            "https://login.other.example/",
            "//sso.other.example/x",
            "/sign-on",
        ),
    ],
)
def test_f07_a_way_to_a_login_page_is_a_refused_token(make_client: MakeClient, location: str) -> None:
    """Exit 5, one request; host only, for a redirect may carry a secret."""
    with Server(reply(b"", 302, Location=location)) as server:
        with pytest.raises(CredentialsError) as caught:
            make_client(server.origin).get("/v1", {}, rows)
        host = location.split("/")[2] if "//" in location else "127.0.0.1"
        assert str(caught.value) == (
            f"Besitos sends GET /v1 to a login page at {host} (302): the token was not taken. {HINT}"
        )
        assert (caught.value.exit_code, len(server.asked)) == (5, 1)


@pytest.mark.parametrize(
    "location",
    [
        "/author",
        "/v1/blogin",
        "/design-inspiration",
        "/authors/1",
        "/?next=/login",
        "https://catalog.example/",
    ],
)
def test_f07_other_ways_are_a_wrong_address(make_client: MakeClient, location: str) -> None:
    """Words that only hold such a word, and what stands in a query, are no login."""
    with (
        Server(reply(b"", 302, Location=location)) as server,
        pytest.raises(InvalidResponseError, match="check besitos_url"),
    ):
        make_client(server.origin).get("/v1", {}, rows)


@pytest.mark.parametrize(
    ("headers", "guard"),
    [
        ({"CF_RAY": "8f-FRA"}, "Cloudflare"),
        ({"Server": "AkamaiGHost"}, "Akamai"),
        ({}, "a bot check or a firewall"),
    ],
)
def test_f11_a_page_that_forbids_is_a_block_on_the_way(
    make_client: MakeClient, headers: dict[str, str], guard: str
) -> None:
    """Exit 6, not 5: a bot check never looked at the token. One request, and its name where it gives one."""
    page = b"<!DOCTYPE html><title>Just a moment...</title>"
    with Server(reply(page, 403, Content_Type="text/html", **headers)) as server:
        with pytest.raises(InvalidResponseError) as caught:
            make_client(server.origin).get("/v1", {}, rows)
        assert str(caught.value) == (
            f"GET /v1 was blocked on the way to Besitos (403, a web page of {guard}), whatever the token: "
            "ask Besitos to let this machine's address in, or check besitos_url."
        )
        assert (caught.value.exit_code, caught.value.status, len(server.asked)) == (6, 403, 1)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (reply(b'{"message": "Forbidden"}', 403, Server="cloudflare"), "403: Forbidden"),
        (reply(b"", 403), "403"),
        (reply(b"<html>", 401, Content_Type="text/html"), "401"),
    ],
    ids=["json", "empty", "401-page"],
)
def test_f11_any_other_403_is_a_refused_token(make_client: MakeClient, step: Step, words: str) -> None:
    """In JSON or without a word the vendor's program spoke; and 401 is about credentials whoever says it."""
    with Server(step) as server:
        with pytest.raises(CredentialsError) as caught:
            make_client(server.origin).get("/v1", {}, rows)
        assert str(caught.value) == f"Besitos refused the token ({words}). {HINT}"


@pytest.mark.parametrize(
    "path", ["https://evil.example/", "v1", "", "@evil.example", "/a?b", "/a#b", "/a/../b", "/%2e%2E/b"]
)
def test_a_path_cannot_leave_the_configured_address(make_client: MakeClient, path: str) -> None:
    """What is no plain path is a mistake of ours, found before any request."""
    with Server() as server:
        with pytest.raises(ValueError, match="a path begins with '/'"):
            make_client(server.origin).get(path, {}, rows)
        assert server.connections == 0


@pytest.mark.parametrize(
    "path", ["//evil.example/x", "/@evil.example", "/\\evil.example", "/:80@evil.example/"]
)
def test_an_odd_path_still_goes_to_the_configured_address(make_client: MakeClient, path: str) -> None:
    """Slashes, at signs and colons in a path name no host."""
    with Server() as server:
        assert make_client(server.origin).get(path, {}, rows) == []
        assert server.asked[0].headers["host"] == f"127.0.0.1:{server.port}"


def test_h25_proxies_and_netrc_are_not_looked_at(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Neither may see the credentials or replace them."""
    netrc = tmp_path_factory.mktemp("home") / ".netrc"
    netrc.write_text("machine 127.0.0.1 login mallory password stolen\n")
    with Server() as proxy, Server() as server:
        monkeypatch.setenv("NETRC", str(netrc))
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.origin)
        make_client(server.origin).get("/", {}, rows)
        assert server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
        assert proxy.connections == 0


def test_the_transport_itself_refuses_any_other_origin() -> None:
    """Whatever is built above it: a foreign host, port or scheme is refused before a connection is made."""
    with Server() as server, Server() as other:
        adapter = OriginAdapter(parse_origin(server.origin, "besitos_url"), None, Patience(0.3, 0.3, 0.6))
        for url in (other.origin, f"https://127.0.0.1:{server.port}", f"http://localhost:{server.port}"):
            request = requests.Request("GET", url + "/?token=x").prepare()
            with pytest.raises(InvalidResponseError, match=r"^A request to [a-z0-9.]+ was refused") as caught:
                adapter.send(request)
            assert not caught.value.sent
        assert (server.connections, other.connections) == (0, 0)
        adapter.close()


def test_cookies_are_not_kept(make_client: MakeClient) -> None:
    """A vendor cannot mark us: every request is the same as the first."""
    with Server(reply(Set_Cookie="id=1; Path=/")) as server:
        client = make_client(server.origin)
        client.get("/", {}, rows)
        client.get("/", {}, rows)
        assert server.asked[0].headers == server.asked[1].headers

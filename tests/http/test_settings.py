"""K06, K07: an address or a secret that cannot be used is refused before any request, naming its setting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversync.errors import ConversyncError, SettingsError
from conversync.http.client import Client, Response
from conversync.http.origin import check_headers, parse_origin
from tests.http.conftest import HINT, MakeClient
from tests.http.server import Server


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("https://wall.besitos.ai", "https://wall.besitos.ai"),
        ("https://wall.besitos.ai/", "https://wall.besitos.ai"),
        ("HTTPS://Wall.Besitos.AI:443", "https://wall.besitos.ai"),
        ("https://tracker.example:8443/keitaro/", "https://tracker.example:8443/keitaro"),
        ("https://10.0.0.7/admin_api", "https://10.0.0.7/admin_api"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
    ],
)
def test_an_address_is_kept_with_its_path(url: str, root: str) -> None:
    """A tracker may live below a path; http is fine on this machine."""
    assert parse_origin(url, "besitos_url").root == root


@pytest.mark.parametrize(
    "url",
    [
        *("", " ", "besitos", "//wall.besitos.ai", "ftp://wall.besitos.ai", "file:///etc/passwd", "https://"),
        *("http://wall.besitos.ai", "http://10.0.0.7", "http://192.168.1.1", "http://169.254.169.254"),
        *("http://0.0.0.0", "http://[::]", "http://[::ffff:10.0.0.1]", "http://localhost.evil.example"),
        *("https://user:pw@wall.besitos.ai", "https://token@wall.besitos.ai", "https://@wall.besitos.ai"),
        *("https://wall.besitos.ai?x=1", "https://wall.besitos.ai/#f", "https://wall.besitos.ai?"),
        *("https://a b", "https://wall.besitos.ai/a b"),
        *("https://wall.besitos.ai:0", "https://wall.besitos.ai:99999", "https://wall.besitos.ai:x", "https://["),
        *("https://wall.besitos.ai/../x", "https://wall.besitos.ai/%2e%2e/x", "https://x\\@evil.example"),
        *("https://wall.besitos.ai\n", "https://wäll.example", "https://-x.example"),
        *("https://a..b", "https://" + "a" * 70),
        *("https://[fe80::1%25eth0]", "https://wall.besitos.ai/{x}", "http://2130706433"),
    ],
)  # fmt: skip
def test_k06_an_address_that_could_leak_or_mislead_is_refused(url: str) -> None:
    """The sentence names the setting, and shows nothing of a user name or password in it."""
    with pytest.raises(SettingsError, match=r"^besitos_url ") as caught:
        parse_origin(url, "besitos_url")
    assert "pw" not in str(caught.value)
    assert "token@" not in str(caught.value)
    assert caught.value.__context__ is None


@given(url=st.text(max_size=40) | st.text(max_size=30).map("https://{}".format))
def test_k06_any_text_is_an_address_or_a_settings_error(url: str) -> None:
    """Nothing else comes out, and what is accepted is https."""
    try:
        origin = parse_origin(url, "besitos_url")
    except ConversyncError:
        return
    assert origin.scheme == "https"
    assert origin.holds(origin.root + "/x?y=1")


@pytest.mark.parametrize(
    "secret",
    [
        "abc\r\nX-Evil: 1",
        "abc\n",
        "a\tb",
        "a\x00b",
        "a\x7fb",
        "a\x85b",
        "abc ",
        " abc",
        "",
        "токен",
        "a\u2028b",
    ],
)
def test_k07_a_secret_that_no_header_can_carry_is_refused_unseen(secret: str) -> None:
    """A pasted line break or a trailing space: the sentence says what and where, never the value."""
    with pytest.raises(
        SettingsError, match=r"^The value for the header Authorization .*besitos_token"
    ) as caught:
        Client(
            "https://x.example", vendor="Besitos", headers={"Authorization": secret}, credentials_hint=HINT
        )
    assert not secret.strip() or secret not in str(caught.value)
    assert "abc" not in str(caught.value)


@given(value=st.text(max_size=20))
def test_k07_what_is_accepted_is_one_line_of_latin_1(value: str) -> None:
    """No header can be injected, whatever the secret is."""
    try:
        check_headers({"X-Key": value}, HINT)
    except SettingsError:
        return
    assert value.encode("latin-1").decode("latin-1").isprintable()
    assert value == value.strip() != ""


def test_k07_a_secret_in_latin_1_arrives_as_it_is(make_client: MakeClient) -> None:
    """Rare, but a header can carry it."""
    with Server() as server:
        client = make_client(server.origin)
        client.request("GET", "/", decode=lambda answer: answer.status, headers={"X-Key": "pä§"})
        assert server.asked[0].headers["x-key"] == "pä§"


@pytest.mark.parametrize("name", ["", "X Key", "X:Key", "X\nKey", "Schlüssel"])
def test_a_header_name_that_is_none_is_our_mistake(name: str) -> None:
    """Names are in the code, not in the settings."""
    with pytest.raises(ValueError, match="HTTP token"):
        check_headers({name: "x"}, HINT)


def test_the_prefix_of_an_address_comes_before_every_path(make_client: MakeClient) -> None:
    """A tracker below /keitaro is asked there."""

    def status(answer: Response) -> int:
        return answer.status

    with Server() as server:
        make_client(server.origin + "/keitaro/").get("/admin_api/v1/offers", {}, status)
        assert server.asked[0].target == "/keitaro/admin_api/v1/offers"

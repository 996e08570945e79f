"""K22: a secret that others quote is masked in every form that it may take, wherever their words are shown."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversync.errors import RequestRejectedError
from conversync.http.client import Client, Response
from conversync.http.redact import MASK, one_line, quoted, redact
from conversync.send.response_words import ResponseReader
from conversync.send.target import Request
from tests.http.conftest import TINY
from tests.http.server import Server, reply

SECRET = "tok/en+\"7<a>&b'é=Zz9"


def percent(text: str) -> str:
    """Percent escapes in lower case, as some servers write them."""
    first, *others = quote(text, safe="").split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in others)])


FORMS = {
    "raw": SECRET,
    "upper": SECRET.upper(),
    "url": quote(SECRET, safe=""),
    "url-path": quote(SECRET),
    "url-lower": percent(SECRET),
    "url-plus": quote_plus("a b" + SECRET)[3:],
    "url-twice": quote(quote(SECRET, safe=""), safe=""),
    "json": json.dumps(SECRET)[1:-1],
    "json-unicode": json.dumps(SECRET, ensure_ascii=False)[1:-1],
    "json-slashes": json.dumps(SECRET)[1:-1].replace("/", "\\/"),
    "html": html.escape(SECRET),
    "html-php": html.escape(SECRET).replace("&#x27;", "&#039;"),
    "html-loose": html.escape(SECRET, quote=False),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64-url": base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    "basic": base64.b64encode(f"user:{SECRET}".encode()).decode(),
    "cut": SECRET[:14],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_k22_a_secret_is_masked_in_every_form(form: str) -> None:
    """In a vendor's words, whole or cut off; what stands around it stays readable."""
    shown = redact(f"the key ({form}) is unknown", SECRET)
    assert MASK in shown
    assert SECRET[:12].lower() not in shown.lower()
    assert form not in shown
    assert shown.startswith("the key (")
    assert shown.endswith(" is unknown")


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_k22_it_is_the_same_function_in_ledgers_and_plans(form: str) -> None:
    """A reason that is kept for ever, and the sample of requests that a plan shows."""
    body = json.dumps({"error": f"no such key: {form}"}).encode()
    outcome = ResponseReader("Keitaro", "", (SECRET,)).rejection(Response(400, {}, body))
    assert outcome is not None
    shown = Request("POST", "/x", json={"note": form}, secrets=(SECRET,)).shown()
    for text in (outcome.reason, shown):
        assert text is not None
        assert form not in text
        assert MASK in text


@pytest.mark.parametrize("form", ["raw", "url-lower", "json-slashes", "html-php", "basic"])
def test_k22_what_a_header_carries_is_never_quoted(form: str) -> None:
    """The client knows what it sends: nobody need tell it what to mask."""
    token = "tok/en+\"7<a>&b'=Zz9"
    told = FORMS[form] if form != "raw" else token
    secret = SECRET if form != "raw" else token
    with (
        Server(reply(json.dumps({"message": f"bad {told}"}).encode(), 422)) as server,
        Client(
            server.origin,
            vendor="Besitos",
            headers={"Authorization": f"Bearer {secret}"},
            credentials_hint="",
            limits=TINY,
        ) as client,
    ):
        with pytest.raises(RequestRejectedError) as caught:
            client.get("/", {}, lambda answer: answer.json())
        assert told not in str(caught.value) + caught.value.said
        assert MASK in str(caught.value)


@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=255), min_size=8, max_size=40),
    around=st.text(max_size=20),
)
def test_k22_no_form_of_any_secret_is_left(secret: str, around: str) -> None:
    """Whatever stands around it, in whichever form."""
    for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], html.escape(secret)):
        shown = redact(f"{around}{form}{around}", secret)
        assert secret.lower() not in shown.lower() or secret in MASK
        assert form not in shown or form in MASK


def test_k22_forms_that_overlap_leave_nothing_over() -> None:
    """One secret inside of another, or the end of one the beginning of the next."""
    assert redact("x abcdefghij y", "abcdefgh", "cdefghij") == "x *** y"
    assert redact("user:passw0rd!", "user", "user:passw0rd!") == "***"


def test_k22_words_stay_words() -> None:
    """What only begins a little like a secret is not masked, and a short secret masks only itself."""
    assert redact("besitos and conversync", "besitos-4f2a9c", "abc") == "besitos and conversync"
    assert redact("abc abd", "abc") == "*** abd"


def test_quoted_words_are_one_clean_line() -> None:
    """Escape sequences and changes of direction go, and what is cut says so."""
    assert one_line("a\r\n\x1b[2J\u202eb\tc") == "a [2J b c"
    assert quoted("Too long. ", 160) == "Too long"
    assert quoted("x" * 200, 10) == "x" * 9 + "…"

"""K07, K23: what cannot be a secret is refused before any request, in one sentence that never shows it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversync.errors import SettingsError
from conversync.http.origin import check_headers
from conversync.http.secret import check_secret
from conversync.settings.lookup import resolve
from conversync.vendors import targets, vendors
from tests.houses import forget_settings

WRONG = {
    "k23-angle": ("<from your account manager>", "still holds a placeholder"),
    "k23-changeme": ("changeme", "still holds a placeholder"),
    "k23-change-me": ("CHANGE_ME", "still holds a placeholder"),
    "k23-xxx": ("xxx", "still holds a placeholder"),
    "k23-your-token-here": ("your-token-here", "still holds a placeholder"),
    "k23-token-here": ("insert token here", "still holds a placeholder"),
    "k23-my-token": ("my_api_key", "still holds a placeholder"),
    "k23-braces": ("${BESITOS_TOKEN}", "still holds a placeholder"),
    "k23-default": ("${BESITOS_TOKEN:-}", "still holds a placeholder"),
    "k23-dollar": ("$BESITOS_TOKEN", "still holds a placeholder"),
    "k23-percent": ("%BESITOS_TOKEN%", "still holds a placeholder"),
    "k23-command": ("$(cat token)", "still holds a placeholder"),
    "k23-template": ("{{ besitos_token }}", "still holds a placeholder"),
    "k23-dots": ("...", "still holds a placeholder"),
    "k23-none": ("None", "still holds a placeholder"),
    "k23-quoted-placeholder": ('"changeme"', "still holds a placeholder"),
    "k23-double-quotes": ('"canary-77"', "stands in quotes"),
    "k23-single-quotes": ("'canary-77'", "stands in quotes"),
    "k23-typographic": ("“canary-77”", "stands in quotes"),
    "k23-leading-blank": (" canary-77", "begins or ends with a blank"),
    "k23-own-name": ("{NAME}=canary-77", "holds its own name"),
    "k23-scheme": ("Bearer canary-77", 'begins with "Bearer"'),
    "k07-newline": ("canary-77\n", "begins or ends with a blank or a line break"),
    "k07-crlf": ("canary-77\r\n", "begins or ends with a blank or a line break"),
    "k07-injection": ("canary-77\r\nX-Evil: 1", "holds a line break"),
    "k07-trailing": ("canary-77 ", "begins or ends with a blank"),
    "k07-null": ("canary\0-77", "cannot be seen"),
    "k07-zero-width": ("canary\u200b-77", "cannot be seen"),
    "k07-bom": ("\ufeffcanary-77", "cannot be seen"),
    "k07-empty-quotes": ('""', "is empty"),
    "k07-empty": (" \n", "is empty"),
}

# Everything that sources and targets need besides the secret that is looked at.
OTHERS = {
    "BESITOS_TOKEN": "sound-1",
    "INFOBIP_USERNAME": "Aladdin",
    "INFOBIP_PASSWORD": "open sesame",
    "INFOBIP_PAIRS": '[{"process_key": "K"}]',
    "CONDUCTRICS_API_KEY": "sound-2",
    "CONDUCTRICS_ACCOUNT": "acc",
    "KEITARO_URL": "https://tracker.example.com",
    "KEITARO_API_KEY": "sound-3",
    "KEITARO_POSTBACK_KEY": "sound-4",
    "OPTIBASE_PUBLIC_API_KEY": "clv3047v70dsat664sgrzwotq",
}
READERS: list[tuple[str, str, type[Any]]] = [
    (vendor, name, vendors()[vendor].settings)
    for vendor, name in (
        ("besitos", "besitos_token"),
        ("infobip", "infobip_username"),
        ("infobip", "infobip_password"),
        ("conductrics", "conductrics_api_key"),
        ("keitaro", "keitaro_api_key"),
    )
] + [
    (target.partition(".")[0], name, targets()[target].settings)
    for target, name in (
        ("keitaro.conversions", "keitaro_postback_key"),
        ("infobip.messages", "infobip_password"),
        ("conductrics.goals", "conductrics_api_key"),
        ("optibase.conversions", "optibase_public_api_key"),
    )
]


@pytest.mark.parametrize(("value", "problem"), WRONG.values(), ids=WRONG.keys())
def test_k23_k07_what_cannot_be_a_secret_is_refused_unseen(value: str, problem: str) -> None:
    """The sentence says what is wrong with it and where it belongs."""
    with pytest.raises(SettingsError) as caught:
        check_secret("besitos_token", value.replace("{NAME}", "BESITOS_TOKEN"))
    said = str(caught.value)
    assert said.startswith("besitos_token ")
    assert problem in said
    assert said.endswith(
        ": write besitos_token into .dlt/secrets.toml, or set BESITOS_TOKEN in the environment."
    )
    assert "canary" not in said
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("vendor", "name", "settings"), READERS)
@pytest.mark.parametrize("wrong", ["${X}", "'canary-77'", "canary-77\r\nX: 1", " canary-77"])
def test_k23_every_vendor_and_every_target_looks_at_its_secrets(
    monkeypatch: pytest.MonkeyPatch, vendor: str, name: str, settings: type[Any], wrong: str
) -> None:
    """Read and sent with alike; the sound settings resolve, so it is the secret that is refused."""
    forget_settings(monkeypatch)
    for variable, value in OTHERS.items():
        monkeypatch.setenv(variable, value)
    resolve(settings, vendor)
    monkeypatch.setenv(name.upper(), wrong)
    with pytest.raises(SettingsError, match=f"^{name} ") as caught:
        resolve(settings, vendor)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        "tok_4f2a9c",
        "open sesame",
        'a"b',
        "x",
        "pa$$word",
        "Zx<3>y",
        "eyJhbGciOiJIUzI1NiJ9.e30.x",
        "token-9f3",
        "pä§s",
    ],
)
def test_what_may_be_a_secret_is_taken(value: str) -> None:
    """Blanks, quotes and signs inside of it are its own."""
    check_secret("besitos_token", value)


@given(value=st.text(max_size=20))
def test_k07_what_is_taken_can_break_no_header(value: str) -> None:
    """One printable line, or a sentence; and in a header one of Latin-1."""
    try:
        check_secret("besitos_token", value)
        check_headers({"Authorization": f"Bearer {value}"}, "")
    except SettingsError:
        return
    assert value.isprintable()
    assert value == value.strip() != ""

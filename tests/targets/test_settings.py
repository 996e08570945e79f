"""Settings: what is missing or cannot be meant is told by name, before any request, and no secret is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversync.errors import SettingsError
from conversync.sandbox import Sandbox
from conversync.vendors import targets
from tests.targets.sending import Post, settings_of

VENDORS = ["optibase.conversions", "keitaro.conversions", "infobip.messages", "conductrics.goals"]


@pytest.mark.usefixtures("post")
@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("optibase.conversions", "OPTIBASE_PUBLIC_API_KEY"),
        ("keitaro.conversions", "KEITARO_URL"),
        ("keitaro.conversions", "KEITARO_POSTBACK_KEY"),
        ("infobip.processes", "INFOBIP_USERNAME"),
        ("infobip.tags", "INFOBIP_PASSWORD"),
        ("conductrics.goals", "CONDUCTRICS_API_KEY"),
        ("conductrics.goals", "CONDUCTRICS_ACCOUNT"),
    ],
)
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, name: str, missing: str) -> None:
    """With where it can stand; without the rest of it nothing else is wrong."""
    settings_of(name)
    monkeypatch.delenv(missing)
    with pytest.raises(SettingsError, match=f"{missing.lower()} is not set: .*{missing} in the environment"):
        settings_of(name)


def test_a_transport_needs_its_own_key_only(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The postback key by default, the API key for the Admin API."""
    monkeypatch.setenv("KEITARO_URL", sandbox.url)
    monkeypatch.setenv("KEITARO_POSTBACK_KEY", "5eb63bb")
    assert settings_of("keitaro.conversions").key() == "5eb63bb"
    monkeypatch.setenv("KEITARO_TRANSPORT", "admin_api")
    with pytest.raises(SettingsError, match="keitaro_api_key is not set"):
        settings_of("keitaro.conversions")
    monkeypatch.setenv("KEITARO_API_KEY", "abc")
    monkeypatch.delenv("KEITARO_POSTBACK_KEY")
    assert settings_of("keitaro.conversions").key() == "abc"


@pytest.mark.parametrize(
    ("name", "setting", "value", "why"),
    [
        ("optibase.conversions", "OPTIBASE_URL", "https://app.optibase.io", "give the whole endpoint"),
        ("optibase.conversions", "OPTIBASE_URL", "http://app.optibase.io/x", "plain http"),
        ("optibase.conversions", "OPTIBASE_URL", "https://a.b/x?key=1", "a query"),
        ("optibase.conversions", "OPTIBASE_PUBLIC_API_KEY", "<the key>", "placeholder"),
        ("optibase.conversions", "OPTIBASE_PUBLIC_API_KEY", "clv3\nx", "line break"),
        ("optibase.conversions", "HTTP_BUDGET", "-1", "at least 0"),
        ("keitaro.conversions", "KEITARO_URL", "http://tracker.example.com", "plain http"),
        ("keitaro.conversions", "KEITARO_TRANSPORT", "smoke", "must be postback or admin_api"),
        ("keitaro.conversions", "KEITARO_POSTBACK_KEY", "a b", "blank"),
        ("keitaro.conversions", "KEITARO_CONVERSIONS_PATH", "admin_api", "must begin"),
        ("keitaro.conversions", "KEITARO_CONVERSIONS_PATH", "/a/../b", "not plain"),
        ("keitaro.conversions", "KEITARO_CONVERSIONS_PATH", "/a?b=c", "a query"),
        ("infobip.messages", "INFOBIP_USERNAME", "a:b", "colon"),
        ("infobip.messages", "INFOBIP_PASSWORD", "<your password>", "placeholder"),
        ("infobip.messages", "INFOBIP_URL", "ftp://x", "no https address"),
        ("conductrics.goals", "CONDUCTRICS_ACCOUNT", "..", "is empty"),
        ("conductrics.goals", "CONDUCTRICS_API_KEY", "admin key", "blank"),
        ("conductrics.goals", "CONDUCTRICS_URL", "https://u:p@x", "user name or a password"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    post: Post, monkeypatch: pytest.MonkeyPatch, name: str, setting: str, value: str, why: str
) -> None:
    """By the setting's name, and without a request."""
    monkeypatch.setenv(setting, value)
    with pytest.raises(SettingsError, match=why) as caught:
        settings_of(name)
    assert setting.lower() in str(caught.value)
    assert post.sandbox.requests == []


@pytest.mark.parametrize("name", VENDORS)
def test_no_secret_is_in_a_repr_or_a_client(post: Post, name: str) -> None:
    """What a traceback would show of them."""
    secrets = {
        "optibase.conversions": post.sandbox.optibase.public_api_key,
        "keitaro.conversions": post.sandbox.keitaro.postback_key,
        "infobip.messages": post.sandbox.infobip.password,
        "conductrics.goals": post.sandbox.conductrics.api_key,
    }
    with targets()[name].client(settings_of(name)) as client:
        assert secrets[name] not in repr(client)


def test_the_documented_addresses_are_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracker has its own; the others' stand in their documents."""
    given = {
        "OPTIBASE_PUBLIC_API_KEY": "clv3047v70dsat664sgrzwotq",
        "INFOBIP_USERNAME": "Aladdin",
        "INFOBIP_PASSWORD": "open sesame",
        "CONDUCTRICS_API_KEY": "admin-abc",
        "CONDUCTRICS_ACCOUNT": "acc-abc",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert settings_of("optibase.conversions").optibase_url == (
        "https://app.optibase.io/api/script/conversionEvent"
    )
    assert settings_of("infobip.messages").infobip_url == "https://oneapi.infobip.com"
    assert settings_of("conductrics.goals").conductrics_url == "https://api-v3.conductrics.com"


@pytest.mark.parametrize("name", sorted(targets()))
def test_every_setting_stands_in_the_example_files(name: str) -> None:
    """So that nobody has to read the code to find it."""
    folder = Path(__file__).parents[2] / ".dlt"
    written = "".join((folder / file).read_text() for file in ("config.toml", "example.secrets.toml"))
    missing = [one for one in targets()[name].settings.get_resolvable_fields() if f"{one} = " not in written]
    assert missing == []


@pytest.mark.parametrize("vendor", ["keitaro", "optibase"])
def test_the_files_sections_are_read(vendor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in `[sources.<vendor>]` is found, as the environment's name for it shows."""
    names = {"keitaro": "KEITARO_POSTBACK_KEY", "optibase": "OPTIBASE_PUBLIC_API_KEY"}
    monkeypatch.setenv("KEITARO_URL", "https://tracker.example.com")
    monkeypatch.setenv(f"SOURCES__{vendor.upper()}__{names[vendor]}", "clv3047")
    assert settings_of(f"{vendor}.conversions")[names[vendor].lower()] == "clv3047"

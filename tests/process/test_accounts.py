"""D07: a dataset holds one account's rows. Another's are refused before any request; a move is accepted when told."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from conversync.sandbox import Sandbox
from conversync.vendors import vendors
from conversync.warehouse import dataset_owner
from tests.process.nights import two_nights
from tests.process.support import Place


@pytest.mark.more
def test_d07_another_address_under_the_same_dataset(place: Place) -> None:
    """Exit 2 with both addresses and the way out, nothing asked or changed; the old address goes on as before."""
    place.loaded()
    held, url = place.held(), place.env["BESITOS_URL"]
    place.env["BESITOS_URL"] = "https://wall.besitos.example"
    for options in ((), ("--dry-run",)):
        done = place.load(*options)
        done.refused(
            2, "was read from this machine", "is now wall.besitos.example", "--warehouse", "--same-account"
        )
    assert place.held() == held
    place.env["BESITOS_URL"] = url
    place.loaded()


@pytest.mark.more
def test_d07_another_account_at_the_same_address(place: Place) -> None:
    """The account's name is another: refused before any request; said to be the same, it is read, from then on, too."""
    place.env["BESITOS_PARTNER_ID"] = "first"
    place.loaded()
    place.env["BESITOS_PARTNER_ID"] = "second"
    asked = len(place.sandbox.requests)
    done = place.load()
    done.refused(2, "was read from another besitos_partner_id", "--same-account")
    assert "first" not in done.told
    assert len(place.sandbox.requests) == asked
    place.loaded("--same-account")
    assert len(place.sandbox.requests) > asked
    place.loaded()
    assert place.held() == place.expected()
    place.env["BESITOS_PARTNER_ID"] = "first"
    place.load().refused(2, "was read from another besitos_partner_id")


@pytest.mark.more
def test_d07_a_renewed_token_and_a_first_name_are_the_same_account(place: Place) -> None:
    """The token changes, a partner id is set for the first time, the sandbox's port is another: exact, exit 0."""
    place.loaded()
    place.sandbox.besitos.token = place.env["BESITOS_TOKEN"] = "renewed-for-the-second-year"
    place.env["BESITOS_PARTNER_ID"] = "first"
    place.loaded()
    assert place.sandbox.requests[-1].headers["authorization"].endswith("second-year")
    with Sandbox(two_nights()) as another:
        place.env |= {"BESITOS_URL": another.url, "BESITOS_TOKEN": another.token}
        done = place.load()
        assert done.code == 0
        assert another.requests != []
        ports = f"is port {another.port} of this machine, and was port {place.sandbox.port} at the last load"
        assert done.out.count(ports) == 1
        assert "at the last load" not in place.load().out


def test_another_zone_is_refused_and_nothing_is_restated(place: Place) -> None:
    """By a dry run, too, and whoever's account it is; the zone that the rows were loaded in goes on."""
    place.loaded()
    before = place.held()
    place.env["BESITOS_ZONE"] = "Pacific/Honolulu"
    for more in ((), ("--dry-run",), ("--same-account",)):
        place.run("load", "besitos", *more).refused(
            2, "loaded with besitos_zone EST", "Set besitos_zone to EST again", "--warehouse"
        )
    assert place.held() == before
    place.env["BESITOS_ZONE"] = "EST"
    place.loaded()


@pytest.mark.more
def test_d07_the_others_still_load(place: Place) -> None:
    """One source's dataset is another account's: it is told, exit 2, and Besitos is loaded."""
    sandbox = place.sandbox
    place.env |= {
        "CONDUCTRICS_URL": sandbox.url,
        "CONDUCTRICS_API_KEY": sandbox.conductrics.api_key,
        "CONDUCTRICS_ACCOUNT": sandbox.conductrics.account,
        "BESITOS_START_DATE": str(sandbox.world.day(-1).date()),
    }
    assert place.run("load", "conductrics").code == 0
    place.env["CONDUCTRICS_ACCOUNT"] = "acc-of-somebody-else"
    place.run("load").refused(
        2, "conductrics: The dataset conductrics was read from another conductrics_account"
    )
    assert place.query("select count(*) from besitos.conversion_events") != [(0,)]


class Case(NamedTuple):
    one: str
    other: str
    same: bool


ADDRESSES = [
    Case("https://t.example.com", "https://T.example.com/", True),
    Case("https://t.example.com:443", "https://t.example.com.", True),
    Case("http://127.0.0.1:8080", "http://localhost:9999", True),
    Case("http://[::1]:1/", "https://127.0.0.1", True),
    Case("https://t.example.com", "https://u.example.com", False),
    Case("https://t.example.com", "https://t.example.com:8443", False),
    Case("https://t.example.com/one", "https://t.example.com/two", False),
    Case("https://t.example.com", "http://127.0.0.1:8080", False),
]


@pytest.mark.parametrize("case", ADDRESSES, ids=lambda case: f"{case.one} {case.other}")
def test_d07_what_is_the_same_address(case: Case) -> None:
    """A slash, capitals, the usual port, and all of this machine are; another host, port or path are not."""
    one, other = (dataset_owner.address(url, "keitaro_url") for url in (case.one, case.other))
    assert (one == other) == case.same


def test_d07_no_secret_tells_accounts_apart() -> None:
    """So that every one of them can be renewed."""
    from dlt.common.configuration.specs.base_configuration import is_secret_hint

    for vendor in vendors().values():
        hints = vendor.settings.get_resolvable_fields()
        assert f"{vendor.name}_url" in hints
        assert not any(is_secret_hint(hints[name]) for name in vendor.account)

"""Several accounts of one vendor load side by side, each into a dataset of its own, and none is taken for another."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from tests.accounts.support import OWN, Accounts


def test_both_load_side_by_side_and_the_same_id_is_two_conversions(accounts: Accounts) -> None:
    """`load` takes both; each dataset has what its own oracle wants, and one id in both is one row in each."""
    done = accounts.loaded_both()
    assert done.code == 0, done.told
    assert accounts.events("besitos") == accounts.wanted(accounts.sandbox)
    assert accounts.events("besitos_eu") == accounts.wanted(accounts.second)
    assert accounts.transactions("besitos") & accounts.transactions("besitos_eu")
    assert {one.headers["authorization"] for one in accounts.second.requests} == {
        f"Bearer {accounts.second.token}"
    }
    assert {one.headers["authorization"] for one in accounts.sandbox.requests} == {
        f"Bearer {accounts.sandbox.token}"
    }


@pytest.mark.more
def test_status_verify_and_check_take_all_accounts_or_the_one_that_is_named(accounts: Accounts) -> None:
    """Each says which account it speaks of, and neither shows a secret."""
    assert accounts.loaded_both().code == 0
    days = [
        "--from",
        str(accounts.sandbox.world.day(2).date()),
        "--to",
        str(accounts.sandbox.world.day(4).date()),
    ]
    for names, told in (((), ["besitos", "besitos:eu"]), (("besitos:eu",), ["besitos:eu"])):
        status = accounts.run("status", *names, "--json")
        assert [one["source"] for one in json.loads(status.out)["sources"]] == told
        verified = accounts.run("verify", *names, *days, "--json")
        assert (verified.code, [one["source"] for one in json.loads(verified.out)["sources"]]) == (0, told)
        checked = accounts.run("check", *names)
        assert checked.code == 0, checked.told
        assert [name for name in ("besitos", "besitos:eu") if f"ok   {name}: " in checked.out] == told
        assert accounts.second.token not in status.told + verified.told + checked.told
    assert f"{OWN}BESITOS_TOKEN)" in re.sub(r"\s+", "", checked.out)


def test_one_account_fails_and_the_other_loads(accounts: Accounts) -> None:
    """The credentials of one are refused: exit 5, told of it alone, and the other is loaded whole."""
    accounts.env[f"{OWN}BESITOS_TOKEN"] = "of-somebody-else-altogether"
    done = accounts.loaded_both()
    assert done.code == 5
    assert "besitos_eu: " in done.told
    assert "Those of besitos:eu stand in [sources.besitos.accounts.eu]" in done.told
    assert "of-somebody-else-altogether" not in done.told
    assert accounts.events("besitos") == accounts.wanted(accounts.sandbox)


def test_an_account_in_files_takes_what_it_lacks_from_its_vendor_but_no_credentials(
    accounts: Accounts,
) -> None:
    """Its zone is the vendor's, wherever that stands; its own lookback counts over the environment's.

    Its token is asked for, though the vendor has one.
    """
    accounts.in_files()
    accounts.env |= {"BESITOS_ZONE": "Europe/Berlin", "BESITOS_LOOKBACK_DAYS": "9"}
    text = (accounts.folder / ".dlt" / "config.toml").read_text()
    accounts.write("config.toml", f"{text}besitos_lookback_days = 3\n")
    shown = accounts.run("check", "besitos:eu").out
    assert "Europe/Berlin" in shown
    assert re.search(r"besitos_lookback_days +3 ", shown)
    assert "[sources.besitos.accounts.eu] of" in shown
    accounts.write("secrets.toml", "")
    asked = len(accounts.sandbox.requests)
    accounts.loaded_both("besitos:eu").refused(
        2,
        "besitos_token is not set",
        "[sources.besitos.accounts.eu] of .dlt/secrets.toml",
        f"{OWN}BESITOS_TOKEN",
    )
    assert len(accounts.sandbox.requests) == asked


WRONG = [
    (
        ["load", "besitos:ue"],
        {},
        "",
        'There is no source "besitos:ue"',
        "besitos:eu? An account of that name has its settings under [sources.besitos.accounts.ue]",
    ),
    (["load"], {f"{OWN}BESITOS_TOKN": "x"}, "", f"{OWN}BESITOS_TOKN", f"{OWN}BESITOS_TOKEN is"),
    (
        ["load"],
        {},
        "[sources.besitos.accounts.eu]\nbesitos_lookbak_days = 3",
        "besitos_lookbak_days",
        "besitos_lookback_days is",
    ),
    (
        ["load"],
        {},
        "[sources.besitos.acounts.eu]\nbesitos_zone = 'EST'",
        "acounts",
        "[sources.besitos.accounts] is",
    ),
    (["load"], {}, "[sources.besitos.accounts.EU-1]\nbesitos_zone = 'EST'", "EU-1", "lower case"),
    (["load"], {}, "[sources.besitos.accounts.staging]\nbesitos_zone = 'EST'", "staging", "rows wait"),
    (
        ["load"],
        {},
        "[sources.besitos.accounts.eu]\nkeitaro_zone = 'UTC'",
        "keitaro_zone",
        "[sources.keitaro]",
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=lambda case: f"{case[3]} {case[4]}")
def test_what_names_no_account_or_no_setting_of_it_is_refused(
    accounts: Accounts, case: tuple[list[str], dict[str, str], str, str, str]
) -> None:
    """Exit 2 with what was probably meant, before anything is asked or written."""
    command, environment, text, *told = case
    accounts.env |= environment
    (accounts.folder / ".dlt").mkdir()
    accounts.write("config.toml", text)
    accounts.run(*command).refused(2, *told)
    assert not accounts.sandbox.requests + accounts.second.requests
    assert not accounts.warehouse.exists()


@pytest.mark.parametrize(
    "written",
    [str, "{}/".format, lambda url: url.replace("http:", "HTTP:").replace("127.0.0.1", "LocalHost")],
)
def test_two_accounts_with_the_same_credentials_are_refused(
    accounts: Accounts, written: Callable[[str], str]
) -> None:
    """They are one account under two names, however the address is written: all would be counted twice."""
    address = written(accounts.sandbox.url)
    accounts.env |= {f"{OWN}BESITOS_TOKEN": accounts.sandbox.token, f"{OWN}BESITOS_URL": address}
    for names in ((), ("besitos:eu",)):
        accounts.loaded_both(*names).refused(2, "have the same address and credentials", "counted twice")
    assert not accounts.sandbox.requests


def test_a_dataset_refuses_another_account(accounts: Accounts) -> None:
    """Another partner id is another account: exit 2 before any request; the account without a name goes on."""
    accounts.env[f"{OWN}BESITOS_PARTNER_ID"] = "first"
    assert accounts.loaded_both().code == 0
    held, asked = accounts.events("besitos_eu"), len(accounts.second.requests)
    accounts.env[f"{OWN}BESITOS_PARTNER_ID"] = "second"
    done = accounts.loaded_both()
    assert done.code == 2
    assert "The dataset besitos_eu was read from another besitos_partner_id" in done.told
    assert "[sources.besitos.accounts.NAME]" in done.told
    assert (accounts.events("besitos_eu"), len(accounts.second.requests)) == (held, asked)
    assert accounts.loaded_both("besitos").code == 0


@pytest.mark.more
def test_an_account_without_a_name_that_is_not_set_up_names_the_others(accounts: Accounts) -> None:
    """`load` takes those that are; `load besitos` says which these are."""
    del accounts.env["BESITOS_TOKEN"]
    assert accounts.loaded_both().code == 0
    assert accounts.events("besitos_eu") == accounts.wanted(accounts.second)
    accounts.loaded_both("besitos").refused(2, "besitos_token is not set", "with one there is besitos:eu")

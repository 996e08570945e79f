"""What is of one account is not taken for another's: under a new name, at another address, by an id that both have."""

from __future__ import annotations

import pytest

from conversync.vendors import is_of_another, known, of_dataset
from tests.accounts.support import OWN, Accounts, Trackers


def test_an_account_under_a_new_name_is_not_read_a_second_time(accounts: Accounts) -> None:
    """All of it would count twice; a person may say that it is another one."""
    assert accounts.loaded_both().code == 0
    for name in [name for name in accounts.env if name.startswith(OWN)]:
        accounts.env[name.replace("__EU__", "__EUROPE__")] = accounts.env.pop(name)
    for words in (["--dry-run"], []):
        accounts.loaded_both("besitos:europe", *words).refused(
            2, "The dataset besitos_eu has rows", "call it besitos:eu again", "--new-account"
        )
    assert accounts.query("select count(*) from duckdb_tables() where schema_name = 'besitos_europe'") == [
        (0,)
    ]
    assert accounts.loaded_both("besitos").code == 0, "the other account is read as ever"
    assert accounts.loaded_both("besitos:europe", "--new-account").code == 0
    assert accounts.loaded_both("besitos:europe").code == 0
    assert accounts.events("besitos_europe") == accounts.wanted(accounts.second)


def test_nothing_is_sent_where_the_account_was_not_read(trackers: Trackers) -> None:
    """What went to the one tracker would count as sent to the other."""
    target = "keitaro:eu.conversions"
    assert trackers.run("load", "keitaro:eu").code == 0
    assert trackers.send(target).code == 0
    trackers.env[trackers.own("KEITARO_URL")] = "https://tracker.example"
    trackers.sales(range(5))
    for words in (["--dry-run"], []):
        trackers.send(target, *words).refused(
            2, "keitaro_eu was read from this machine", "keitaro_url is now tracker.example", "--same-account"
        )
    assert trackers.there() == ([], ["t0", "t1", "t2"])


def test_a_key_of_a_ready_made_outbox_tells_whose_it_is() -> None:
    """Another vendor's, and a person's own keys, are nobody's else."""
    first, second = known()["besitos"], of_dataset("besitos_eu")
    assert second is not None
    assert [is_of_another("besitos_eu-7", one) for one in (first, second)] == [True, False]
    assert [is_of_another("besitos-7", one) for one in (first, second)] == [False, True]
    assert not any(
        is_of_another(key, one) for key in ("keitaro-7", "7", "sale-7", "") for one in (first, second)
    )


@pytest.mark.more
def test_what_was_sent_of_one_account_is_nothing_against_the_other(accounts: Accounts) -> None:
    """Where both have an id: the load of the other can be taken back, and `explain` shows its own sends."""
    assert accounts.loaded_both().code == 0
    both = accounts.transactions("besitos") & accounts.transactions("besitos_eu")
    assert both
    keitaro = accounts.sandbox.settings()
    accounts.env |= {name: text for name, text in keitaro.items() if name.startswith("KEITARO_")}
    accounts.env["SEND_PLAYER_IDS"] = "user_id"
    sent = accounts.run("send", "keitaro.conversions", "--from", "besitos", "--since", "2024-11-01")
    assert sent.code in (0, 3), sent.told
    name = str(min(both))
    assert "sent.keitaro_conversions" in accounts.run("explain", name, "--vendor", "besitos").told
    assert "sent.keitaro_conversions" not in accounts.run("explain", name, "--vendor", "besitos:eu").told
    undo = ("undo", "--last", "--dry-run", "--vendor")
    refused = accounts.run(*undo, "besitos")
    assert (refused.code, "went to sent.keitaro_conversions" in refused.told) == (1, True)
    assert accounts.run(*undo, "besitos:eu").code == 0

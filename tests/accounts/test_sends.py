"""Each account of an offerwall is an outbox of its own."""

from __future__ import annotations

import pytest

from tests.accounts.support import Accounts


@pytest.mark.more
def test_each_account_is_an_outbox_of_its_own(accounts: Accounts) -> None:
    """One id in both accounts goes twice, under two keys; the plan of one says that the other is not in it."""
    assert accounts.loaded_both().code == 0
    keitaro = accounts.sandbox.settings()
    accounts.env |= {name: text for name, text in keitaro.items() if name.startswith("KEITARO_")}
    accounts.env["SEND_PLAYER_IDS"] = "main.player_ids"
    accounts.change(
        "create table main.player_ids as select distinct user_key, 'click-' || user_key as subid, "
        "user_key as tested_user_external_id from (from besitos.conversions union all from besitos_eu.conversions)"
    )
    send = ("send", "keitaro.conversions", "--since", "2024-11-01", "--max-rows", "100000")
    both = accounts.transactions("besitos") & accounts.transactions("besitos_eu")
    assert both
    for source, other, dataset in (
        ("besitos", "besitos:eu", "besitos"),
        ("besitos:eu", "besitos", "besitos_eu"),
    ):
        told = accounts.run(*send, "--from", source)
        assert told.code in (0, 3), told.told
        assert f"No row of {other} is in this outbox" in told.told
        sent = accounts.query(
            f"select count(*) from sent.keitaro_conversions where starts_with(send_key, '{dataset}-')"
        )
        assert sent == accounts.query(f"select count(*) from {dataset}.conversions where not is_orphan")
    keys = [
        key
        for one in both
        for (key,) in accounts.query(
            f"select send_key from sent.keitaro_conversions where send_key like '%-{one}' order by 1"
        )
    ]
    assert len(keys) == 2 * len(both)
    accounts.run(*send, "--from", "besitos:ue").refused(2, 'There is no source "besitos:ue"', "besitos:eu")

"""The models, the report and the books tell the accounts of a vendor apart, and count every one."""

from __future__ import annotations

from tests.accounts.support import OWN, Accounts

SUMS = "select sum(net_payout), count(*) from {}.conversions"


def test_marts_hold_every_account_once(accounts: Accounts) -> None:
    """One id in both is two conversions; every mart says whose a row is, and a copy that somebody made is nobody's."""
    accounts.env[f"{OWN}BESITOS_ZONE"] = "UTC"
    assert accounts.loaded_both().code == 0
    accounts.change(
        "create schema besitos_backup; create table besitos_backup.windows as from besitos.windows;"
        "create table besitos_backup.days as from besitos.days;"
        "create table besitos_backup.conversions as from besitos.conversions;"
        "create table besitos_backup._dlt_pipeline_state as from besitos._dlt_pipeline_state;"
        "create table besitos_backup._dlt_loads as from besitos._dlt_loads"
    )
    done = accounts.run("build")
    assert done.code == 0, done.told
    for account in ("besitos", "besitos_eu"):
        [(revenue, rows)] = accounts.query(SUMS.format(account))
        for mart, counted in (
            ("conversions", "count(*)"),
            ("conversions_daily", "sum(conversions + orphans)"),
        ):
            found = accounts.query(
                f"select sum(net_revenue), {counted} from marts.{mart} where account = '{account}'"
            )
            assert found == [(revenue, rows)], mart
        assert accounts.query(f"select count(*) from marts.days where account = '{account}'") != [(0,)]
    both = accounts.transactions("besitos") & accounts.transactions("besitos_eu")
    [(rows,)] = accounts.query(
        f"select count(*) from marts.conversions where transaction_id = '{min(both)}' and vendor = 'besitos'"
    )
    assert rows == 2
    assert accounts.query("select distinct vendor, account from marts.conversions order by account") == [
        ("besitos", "besitos"),
        ("besitos", "besitos_eu"),
    ]
    assert accounts.query(
        "select count(*), count(distinct (account, transaction_id)) from marts.reconciliation"
    ) == (accounts.query("select count(*), count(*) from marts.conversions where not is_orphan"))
    [(total,)] = accounts.query(
        "select sum(net_revenue) from marts.conversions_as_of('9999-01-01'::timestamptz)"
    )
    assert [(total,)] == accounts.query("select sum(net_revenue) from marts.conversions")

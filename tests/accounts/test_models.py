"""The models, the report and the books tell the accounts of a vendor apart, and count every one."""

from __future__ import annotations

import json
import re

import pytest

from tests.accounts.support import OWN, Accounts

SUMS = "select sum(net_payout), count(*) from {}.conversions"


@pytest.mark.more
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
    done = accounts.run("report")
    assert done.code == 0, done.told
    page = re.sub(r"<[^>]*>", " ", (accounts.folder / "published" / "report.html").read_text())
    for account in ("besitos", "besitos_eu"):
        [(net,)] = accounts.query(
            f"select sum(net_revenue) from marts.conversions_daily where account = '{account}'"
        )
        assert f"{net:,.2f}" in page
    assert "Besitos (eu), USD" in page


@pytest.mark.more
def test_books_are_kept_by_account(accounts: Accounts) -> None:
    """One command seals the month of both, each under its own name; one account alone can be opened again."""
    assert accounts.loaded_both().code == 0
    done = accounts.run("close", "2024-12", "--force", "--why", "a test")
    assert done.code == 0, done.told
    found = accounts.query("select vendor, account from books.periods order by account")
    assert found == [("besitos", "besitos"), ("besitos", "besitos_eu")]
    for account in ("besitos", "besitos_eu"):
        reported = accounts.query(f"select sum(net_revenue) from books.reported where account = '{account}'")
        assert reported == accounts.query(
            f"select sum(net_payout) from {account}.conversions where occurred_on >= '2024-12-01'"
        )
    kept = {name: accounts.env.pop(name) for name in list(accounts.env) if name.startswith(OWN)}
    shown = json.loads(accounts.run("books", "--json").out)
    assert {one["account"] for one in shown} == {"besitos", "besitos_eu"}, "also of one that no settings name"
    told = json.loads(accounts.run("status", "--json").out)["sources"]
    assert [(one["source"], one["expected"]) for one in told] == [("besitos", True), ("besitos:eu", False)]
    assert "besitos:eu" in accounts.run("status").out
    accounts.env |= kept
    done = accounts.run("reopen", "2024-12", "--vendor", "besitos:eu", "--why", "a test")
    assert done.code == 0, done.told
    assert "2024-12 of besitos:eu is open again" in done.out
    found = accounts.query("select account from books.periods where reopened_at is null")
    assert found == [("besitos",)]
    balance = accounts.run("books", "--json")
    assert balance.code == 0, balance.told
    life = accounts.run(
        "explain", str(min(accounts.transactions("besitos") & accounts.transactions("besitos_eu")))
    )
    assert "besitos:eu " in life.out

"""Several accounts on a PostgreSQL: everything that tells them apart on a DuckDB file does so there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conversync.sandbox import Sandbox
from tests.accounts.conftest import world
from tests.accounts.support import OWN, Accounts
from tests.dbt.cluster import Cluster, binary
from tests.process.support import Done, ProcessPool

pytestmark = [
    pytest.mark.more,
    pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here"),
]


class OnServer(Accounts):
    """Both accounts in one database."""

    def __init__(
        self, folder: Path, first: Sandbox, second: Sandbox, nursery: ProcessPool, database: Cluster
    ) -> None:
        super().__init__(folder, first, second, nursery)
        self.database = database
        self.env["DESTINATION__POSTGRES__CREDENTIALS"] = database.url

    def run(self, *argv: str, **wish: Any) -> Done:
        """Any command on the server, to its end."""
        return super().run(*argv, "--destination", "postgres", **wish)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a question to the server."""
        return self.database.ask(sql)

    def change(self, sql: str) -> None:
        """Statements of somebody else's."""
        self.database.outside(*sql.split(";"))


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, nursery: ProcessPool, database: Cluster
) -> Iterator[OnServer]:
    """Both are loaded, and a dataset that somebody copied is nobody's."""
    with Sandbox(world(7)) as first, Sandbox(world(8)) as second:
        second.besitos.token = "token-of-the-second-account"
        made = OnServer(tmp_path_factory.mktemp("server"), first, second, nursery, database)
        done = made.loaded_both()
        assert done.code == 0, done.told
        made.change(
            "create schema besitos_backup;"
            "create table besitos_backup.windows as select * from besitos.windows;"
            "create table besitos_backup.days as select * from besitos.days;"
            "create table besitos_backup.conversions as select * from besitos.conversions;"
            "create table besitos_backup._dlt_pipeline_state as select * from besitos._dlt_pipeline_state;"
            "create table besitos_backup._dlt_loads as select * from besitos._dlt_loads"
        )
        yield made


def test_each_account_is_loaded_looked_at_and_verified(server: OnServer) -> None:
    """Each has what its own oracle wants; `status` shows both, `verify` finds nothing, and neither shows a secret."""
    assert server.events("besitos") == server.wanted(server.sandbox)
    assert server.events("besitos_eu") == server.wanted(server.second)
    world = server.sandbox.world
    days = ["--from", str(world.day(2).date()), "--to", str(world.day(4).date())]
    for names, told in (((), ["besitos", "besitos:eu"]), (("besitos:eu",), ["besitos:eu"])):
        status = server.run("status", *names, "--json")
        assert [one["source"] for one in json.loads(status.out)["sources"]] == told
        verified = server.run("verify", *names, *days, "--json")
        assert (verified.code, [one["source"] for one in json.loads(verified.out)["sources"]]) == (0, told)
        checked = server.run("check", *names)
        assert checked.code == 0, checked.told
        assert server.second.token not in status.told + verified.told + checked.told


def test_marts_and_page_hold_every_account_once(server: OnServer) -> None:
    """One id in both is two conversions; the page shows each account by itself."""
    done = server.run("build")
    assert done.code == 0, done.told
    for account in ("besitos", "besitos_eu"):
        sums = server.query(f"select sum(net_payout), count(*) from {account}.conversions")
        assert sums == server.query(
            f"select sum(net_revenue), count(*) from marts.conversions where account = '{account}'"
        )
    assert server.query("select distinct vendor, account from marts.conversions order by account") == [
        ("besitos", "besitos"),
        ("besitos", "besitos_eu"),
    ]
    as_of = server.query("select sum(net_revenue) from marts.conversions_as_of('9999-01-01'::timestamptz)")
    assert as_of == server.query("select sum(net_revenue) from marts.conversions")
    done = server.run("report")
    assert done.code == 0, done.told
    page = re.sub(r"<[^>]*>", " ", (server.folder / "published" / "report.html").read_text())
    for account in ("besitos", "besitos_eu"):
        [(net,)] = server.query(
            f"select sum(net_revenue) from marts.conversions_daily where account = '{account}'"
        )
        assert f"{net:,.2f}" in page
    assert "Besitos (eu), USD" in page


def test_books_and_undo_are_of_one_account(server: OnServer) -> None:
    """Closed together, shown also where no settings name one, explained, opened one by one; a page of the month.

    What is open again can be taken back, and the next load brings it; the other account's rows stay.
    """
    done = server.run("close", "2024-12", "--force", "--why", "a test")
    assert done.code == 0, done.told
    for account in ("besitos", "besitos_eu"):
        assert server.query(f"select sum(net_revenue) from books.reported where account = '{account}'") == (
            server.query(
                f"select sum(net_payout) from {account}.conversions where occurred_on >= '2024-12-01'"
            )
        )
    period = server.run("report", "--period", "2024-12")
    assert period.code == 0, period.told
    page = (server.folder / "published" / "report-2024-12.html").read_bytes()
    kept = {name: server.env.pop(name) for name in list(server.env) if name.startswith(OWN)}
    try:
        shown = json.loads(server.run("books", "--json").out)
        assert {one["account"] for one in shown} == {"besitos", "besitos_eu"}
        told = json.loads(server.run("status", "--json").out)["sources"]
        assert [(one["source"], one["expected"]) for one in told] == [
            ("besitos", True),
            ("besitos:eu", False),
        ]
        assert "besitos:eu" in server.run("status").out
    finally:
        server.env |= kept
    twice = min(server.transactions("besitos") & server.transactions("besitos_eu"))
    assert "besitos:eu " in server.run("explain", str(twice)).out
    done = server.run("reopen", "2024-12", "--vendor", "besitos:eu", "--why", "a test")
    assert done.code == 0, done.told
    assert server.query("select account from books.periods where reopened_at is null") == [("besitos",)]
    assert server.run("report", "--period", "2024-12").code == 0
    assert (server.folder / "published" / "report-2024-12.html").read_bytes() != page
    before = {name: server.events(name) for name in ("besitos", "besitos_eu")}
    refused = server.run("undo", "--last", "--vendor", "besitos")
    assert refused.code != 0, "what was reported is not taken back"
    done = server.run("undo", "--last", "--vendor", "besitos:eu")
    assert done.code == 0, done.told
    assert server.events("besitos") == before["besitos"]
    assert server.events("besitos_eu") == set()
    assert server.loaded_both("besitos:eu").code == 0
    assert server.events("besitos_eu") == before["besitos_eu"]

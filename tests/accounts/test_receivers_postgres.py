"""Sends to two accounts out of one PostgreSQL: each has a right, a ledger and tables of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.accounts.support import Trackers
from tests.accounts.test_receivers import FIRST, SECOND
from tests.dbt.cluster import Cluster, binary, cluster
from tests.process.support import Done

pytestmark = [
    pytest.mark.more,
    pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here"),
]
SALES = (
    "select send_key, subid, 'sale' as status, cast(1.5 as decimal(18, 6)) as payout, tid from (values "
    "('k0', 'click-0', 't0'), ('k1', 'click-1', 't1')) as t(send_key, subid, tid)"
)


@pytest.fixture(scope="module")
def database() -> Iterator[Cluster]:
    """A cluster of its own."""
    with cluster() as running:
        yield running


def test_two_accounts_are_two_books_of_one_server(trackers: Trackers, database: Cluster) -> None:
    """Sent, sent again, loaded, compared; what an answer makes is the account's; undo knows every ledger."""
    trackers.env |= {"DESTINATION__POSTGRES__CREDENTIALS": database.url, "SEND_MISSING": "ignore"}

    def run(code: int, *words: str) -> Done:
        done = trackers.run(*words, "--destination", "postgres")
        assert done.code == code, done.told
        return done

    for box in (trackers.sandbox, trackers.second):
        box.keitaro.rows = []
    for target in (FIRST, SECOND, SECOND, FIRST):
        run(0, "send", target, "--from", SALES)
    assert trackers.there() == (["t0", "t1"], ["t0", "t1"])
    for table in ("keitaro_conversions", "keitaro_eu_conversions"):
        assert database.ask(f"select send_key, status from sent.{table} order by 1") == [
            ("k0", "sent"),
            ("k1", "sent"),
        ]
    assert database.ask("select target, epoch, is_over from sent.sends order by 1") == [
        (FIRST, 1, True),
        (SECOND, 1, True),
    ]
    days = ["--from", "2024-12-01", "--to", "2024-12-13", "--window", "400d"]
    for box in (trackers.sandbox, trackers.second):
        box.world.advance(hours=1)
    run(0, "load", "keitaro", "keitaro:eu", *days)
    for source in ("keitaro", "keitaro:eu"):
        assert f"{source}: 2 sent, 2 there as sent, 0 differences" in run(0, "reconcile", source).out
    made = "select 'p' as send_key, 'Checkout' as name, 'a test' as description"
    run(0, "send", "infobip:eu.processes", "--from", made)
    assert database.ask("select count(*) from infobip_eu.processes") == [(1,)]
    assert database.ask("select to_regclass('infobip.processes') is null") == [(True,)]
    run(0, "load", "besitos", *days)
    [(key,)] = database.ask("select min(transaction_id) from besitos.conversions where not is_orphan")
    run(0, "send", SECOND, "--from", f"select 'besitos-{key}' as send_key, 'c' as subid, 't9' as tid")
    trackers.env = {name: text for name, text in trackers.env.items() if "__ACCOUNTS__EU__" not in name}
    told = run(1, "undo", "--last", "--vendor", "besitos", "--dry-run").told
    assert f"went to sent.keitaro_eu_conversions: besitos-{key}" in told
    assert "sent.keitaro_eu_conversions" in run(0, "explain", str(key)).out

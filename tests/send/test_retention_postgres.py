"""L11 on PostgreSQL: the same days, in tables that are not a file's."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from conversync.sandbox import Sandbox, World
from conversync.send.journal import Journal, journal_path
from conversync.send.options import options
from conversync.send.run import SendReport, send
from conversync.vendors import targets
from conversync.warehouse.warehouse import Warehouse
from tests.besitos.rows import row
from tests.dbt.cluster import Cluster, binary
from tests.houses import environment
from tests.support import command

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here"),
]
TARGET, PHONE = "infobip.messages", "491715550007"


def aged(database: Cluster, journal: Path) -> None:
    """As if all of it had been sent 181 days earlier, in both books."""
    moved = "update sent.infobip_messages set sent_at = sent_at - interval '181 days' returning 1"
    assert database.ask(moved) == [(1,)]
    with sqlite3.connect(journal) as db:
        at = "replace(datetime(substr(sent_at, 1, 19), '-181 days'), ' ', 'T') || substr(sent_at, 20)"
        assert db.execute(f"update outcomes set sent_at = {at}").rowcount == 1
    db.close()


def test_l11_texts_and_numbers_go_from_postgres(database: Cluster, tmp_path: Path) -> None:
    """Out of ledger, results, journal and quarantine; statuses and hashes stay, and nothing goes twice."""
    place = Warehouse(tmp_path / "warehouse.duckdb", "postgres")
    with Sandbox(World(days=2)) as sandbox:
        sandbox.besitos.rows = [row(1, reward="much", note=PHONE), row(2)]
        own = {"DESTINATION__POSTGRES__CREDENTIALS": database.url, "CONVERSYNC_WAREHOUSE": str(place.path)}
        settings = {**sandbox.settings(), **own}
        days = ("load", "besitos", "--destination", "postgres", "--from", "2024-12-01", "--to", "2024-12-08")
        assert command(*days, cwd=tmp_path, environment=settings).code == 3
        query = f"select 'k' as send_key, 'INFOSMS' as sender_address, '{PHONE}' as address, 'Code 8841' as message"

        def sent() -> SendReport:
            with environment(settings):
                asked = options(TARGET, outbox=query)
                return send(place, targets()[TARGET], asked, lambda _: None, lambda _: None)

        assert sent().sent.sent == 1
        kept = "select send_key, status, content_hash, first_sent_at from sent.infobip_messages"
        before = database.ask(kept)
        assert PHONE in str(database.ask("select content, answer from sent.infobip_messages"))
        aged(database, journal_path(place))
        report = sent()
        assert (report.sent.requests, len(report.said)) == (0, 1)
        assert PHONE not in str(database.ask("select * from sent.infobip_messages"))
        assert PHONE not in str(database.ask("select * from sent.infobip_message_results"))
        assert database.ask(kept) == before
        with Journal(journal_path(place), TARGET, read_only=True) as journal:
            assert PHONE not in str(list(journal.records()))
        sandbox.besitos.rows = [row(1), row(2)]
        assert command(*days, cwd=tmp_path, environment=settings).code == 0
        old = "update besitos.rejected_rows set resolved_at = resolved_at - interval '91 days' returning 1"
        assert database.ask(old) == [(1,)]
        done = command(*days, cwd=tmp_path, environment=settings)
        assert "the text of 1 row set aside and long resolved was removed" in done.out
        assert database.ask("select raw, reason is not null from besitos.rejected_rows") == [(None, True)]

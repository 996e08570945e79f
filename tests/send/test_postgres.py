"""Sending out of a PostgreSQL: as from a file; a query only reads, and runs as one statement."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.dbt.cluster import Cluster, binary, cluster
from tests.houses import environment, forget_settings
from tests.send.receiver import Receiver, serve
from tests.send.support import KEITARO, Workspace
from tests.support import Quiet

# isort: split
from conversync.errors import ConversyncError, SettingsError
from conversync.load import load
from conversync.sandbox import Sandbox, World
from conversync.send.options import options
from conversync.send.plan import Plan
from conversync.send.reconcile import reconcile
from conversync.send.run import SendReport, dry_run, send
from conversync.vendors import LoadRequest, targets, vendors
from conversync.warehouse.warehouse import Warehouse

pytestmark = pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here")
ROLE = "conversync"


@dataclass
class Remote(Workspace):
    """A house whose tables are on a server."""

    database: Cluster = None  # type: ignore[assignment] # the fixture gives it

    @property
    def environment(self) -> dict[str, str]:
        """As a role that is no superuser."""
        url = self.database.url.replace("postgres:none@", f"{ROLE}:none@")
        return {"DESTINATION__POSTGRES__CREDENTIALS": url, **super().environment}

    @property
    def warehouse(self) -> Warehouse:
        """What is sent from."""
        return Warehouse(self.path, "postgres")

    def go(self, target: str, source: str) -> SendReport:
        """One send, as it ended."""
        with self.set():
            asked = options(target, outbox=source)
            return send(self.warehouse, targets()[target], asked, lambda _: None, lambda _: None)

    def look(self, target: str, source: str) -> Plan:
        """A dry run."""
        with self.set():
            return dry_run(self.warehouse, targets()[target], options(target, outbox=source))


@pytest.fixture(scope="module")
def database() -> Iterator[Cluster]:
    """A cluster of its own, with a role for us."""
    with cluster() as running:
        running.ask(
            f"create role {ROLE} login; grant create on database postgres to {ROLE}; "
            f"grant all on schema public to {ROLE}; select 1"
        )
        yield running


@pytest.fixture
def remote(database: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    """Two sales in public.sales; nothing was sent yet."""
    forget_settings(monkeypatch)
    database.ask(
        "create table public.sales "
        "(send_key text primary key, subid text, status text, payout numeric(18, 6), tid text); "
        f"alter table public.sales owner to {ROLE}; "
        "insert into public.sales values ('k0', 'c0', 'sale', 1.50, 't0'), ('k1', 'c1', 'sale', 2, 't1'); select 1"
    )
    receiver = Receiver()
    with serve(receiver) as server:
        yield Remote(tmp_path, server, receiver, database=database)
    database.ask(
        "drop table public.sales cascade; drop schema if exists sent cascade; "
        "drop schema if exists sent_staging cascade; select 1"
    )


def test_a_send_out_of_postgres_sends_each_row_once(remote: Remote) -> None:
    """What changed goes again, what vanished is told; the ledger has it all."""
    report = remote.go(KEITARO, "public.sales")
    assert (report.exit_code, report.sent.sent) == (0, 2), report.error
    again = remote.go(KEITARO, "public.sales")
    assert (again.exit_code, again.sent.sent, again.plan.already) == (0, 0, 2), again.error
    remote.database.ask("update public.sales set payout = 9 where send_key = 'k1'; select 1")
    changed = remote.go(KEITARO, "public.sales")
    assert (changed.exit_code, changed.sent.sent) == (0, 1), changed.error
    assert remote.receiver.conversions["c1", "t1"]["payout"] == "9"
    rows = remote.database.ask("select send_key, status, attempts from sent.keitaro_conversions order by 1")
    assert rows == [("k0", "sent", 1), ("k1", "sent", 1)]


def test_a_send_that_may_not_stage_its_outcomes_sends_nothing(remote: Remote) -> None:
    """The schema beside the ledger's is somebody else's: told before the first request, and nothing is noted."""
    remote.database.ask("create schema sent_staging; select 1")
    with pytest.raises(SettingsError, match=r"what is needed .*the schema sent_staging and to create in it"):
        remote.go(KEITARO, "public.sales")
    assert remote.receiver.conversions == {}
    assert remote.database.ask("select to_regclass('sent.sends') is null") == [(True,)]
    remote.database.ask(f"grant all on schema sent_staging to {ROLE}; select 1")
    report = remote.go(KEITARO, "public.sales")
    assert (report.exit_code, report.sent.sent) == (0, 2), report.error


def test_a_send_that_finds_no_session_free_sends_nothing(remote: Remote) -> None:
    """It needs three, and has them all before its first request."""
    try:
        remote.database.ask(f"alter role {ROLE} connection limit 1; select 1")
        with pytest.raises(ConversyncError, match=r"too many connections for role .* needs three"):
            remote.go(KEITARO, "public.sales")
        assert remote.receiver.conversions == {}
        remote.database.ask(f"alter role {ROLE} connection limit 6; select 1")
        report = remote.go(KEITARO, "public.sales")
        assert (report.exit_code, report.sent.sent) == (0, 2), report.error
    finally:
        remote.database.ask(f"alter role {ROLE} connection limit -1; select 1")


def test_a_server_that_goes_at_the_end_of_a_send_is_told_as_that(remote: Remote) -> None:
    """All was sent, the journal has it, and the next send brings it into the ledger."""

    def gone(through: int) -> None:
        if through == len(remote.receiver.conversions) == 2:
            remote.database.stop(signal.SIGQUIT)

    with remote.set():
        asked = options(KEITARO, outbox="public.sales")
        report = send(remote.warehouse, targets()[KEITARO], asked, lambda _: None, gone)
    remote.database.start()
    assert report.sent.sent == 2
    assert "cannot be reached" in str(report.error)
    assert "All is in the journal; the next send loads it into sent.keitaro_conversions" in str(report.error)
    assert "window" not in str(report.error)
    again = remote.go(KEITARO, "public.sales")
    assert (again.exit_code, again.sent.sent, again.plan.already) == (0, 0, 2), again.error
    assert remote.database.ask("select status from sent.keitaro_conversions") == [("sent",), ("sent",)]


def test_a_lost_journal_is_filled_from_the_ledger_on_postgres(remote: Remote) -> None:
    """Another machine, which has no journal: nothing goes again, and what changes is known as a change."""
    assert remote.go(KEITARO, "public.sales").sent.sent == 2
    shutil.rmtree(remote.folder / ".conversync")
    plan = remote.look(KEITARO, "public.sales")
    assert (plan.already, plan.rows) == (2, [])
    again = remote.go(KEITARO, "public.sales")
    assert (again.exit_code, again.sent.sent, again.plan.already) == (0, 0, 2), again.error
    assert any("there was no journal" in note for note in again.plan.notes)
    remote.database.ask("update public.sales set subid = 'c9' where send_key = 'k1'; select 1")
    moved = remote.go(KEITARO, "public.sales")
    assert moved.error is None
    assert remote.receiver.conversions["c1", "t1"]["status"] == "rejected"
    assert remote.receiver.conversions["c9", "t1"]["payout"] == "2"


def test_a_row_that_is_refused_stands_in_the_ledger_on_postgres(remote: Remote) -> None:
    """With its reason; it goes again when somebody says so."""
    remote.receiver.poisoned = lambda row: row["subid"] == "c1"
    report = remote.go(KEITARO, "public.sales")
    assert (report.exit_code, list(report.sent.rejected)) == (3, ["k1"]), report.error
    [(status, code, reason)] = remote.database.ask(
        "select status, response_code, reason from sent.keitaro_conversions where send_key = 'k1'"
    )
    assert (status, code) == ("rejected", 422)
    assert "unknown user" in reason
    remote.receiver.poisoned = lambda _: False
    with remote.set():
        asked = options(KEITARO, outbox="public.sales", retry_rejected=True)
        retried = send(remote.warehouse, targets()[KEITARO], asked, lambda _: None, lambda _: None)
    assert (retried.exit_code, retried.sent.sent) == (0, 1), retried.error
    rows = remote.database.ask("select send_key, status, attempts from sent.keitaro_conversions order by 1")
    assert rows == [("k0", "sent", 1), ("k1", "sent", 2)]


ROWS = "send_key, subid, tid from public.sales"
WIPE = """
    create or replace function public.wipe() returns text volatile language plpgsql as
    $$ begin delete from public.sales; return 'x'; end $$;
    create or replace view public.trap as select send_key, public.wipe() as subid, tid from public.sales;
    alter function public.wipe() owner to conversync; alter view public.trap owner to conversync;
    create or replace view public.peek as select pg_read_file('/etc/passwd') as send_key, 'x' as subid;
    alter view public.peek owner to conversync; select 1
"""
REACHING = {
    "several": (f"select {ROWS}; delete from public.sales", "cannot be read"),
    "out-of-its-transaction": (f"select 1; commit; delete from public.sales; select {ROWS}", "cannot be read"),
    "delete": ("with gone as (delete from public.sales returning *) select send_key, subid from gone", "read-only"),
    "into": ("select send_key, subid, tid into public.other from public.sales", "cannot be read"),
    "a-function": ("select send_key, public.wipe() as subid, tid from public.sales", "read-only"),
    "a-view": ("public.trap", "read-only"),
    "another-mode": (
        "select set_config('transaction_read_only', 'off', false) as send_key, public.wipe() as subid", "cannot be read"
    ),
    "the-servers-files": ("select pg_read_file('/etc/passwd') as send_key, 'x' as subid", "calls pg_read_file"),
    "a-file-to-the-server": ("select \"lo_export\" (1, '/tmp/x')::text as send_key, 'x' as subid", "calls lo_export"),
    "a-lock": ("select PG_ADVISORY_LOCK /* mine */ (1)::text as send_key, 'x' as subid", "calls pg_advisory_lock"),
    "others-sessions": (
        "select pg_terminate_backend(pid)::text as send_key, 'x' as subid from pg_stat_activity", "calls pg_terminate"
    ),
    "asleep": ("select pg_catalog.pg_sleep(60)::text as send_key, 'c' as subid", "calls pg_sleep"),
    "files-by-a-view": ("public.peek", "permission denied"),
    "out-of-the-text": (f"select {ROWS} $conversync$ end; delete from public.sales; $conversync$", "cannot be read"),
}  # fmt: skip


@pytest.mark.more
@pytest.mark.parametrize("name", REACHING)
def test_l02_a_query_of_postgres_only_reads(remote: Remote, name: str) -> None:
    """Whatever it is, nothing is written, nothing is sent, and a sentence says why: exit 2."""
    remote.database.ask(WIPE)
    query, words = REACHING[name]
    for ask in (remote.look, remote.go):
        with pytest.raises(SettingsError, match=words):
            ask(KEITARO, query)
        assert remote.database.ask("select count(*) from public.sales") == [(2,)]
    assert remote.asked() == []
    assert remote.database.ask("select to_regclass('public.other')") == [(None,)]


# Somebody's own functions, which may call what a query may not.
SLEEP = """
    create or replace function public.asleep(seconds double precision) returns text volatile language sql as
    $$ select pg_sleep(seconds)::text $$;
    create or replace function public.without_limit() returns text volatile language sql as
    $$ select set_config('statement_timeout', '0', false) $$; select 1
"""
SLOW = {
    "asleep": "select public.asleep(60) as send_key, 'c' as subid",
    "without-its-limit": "select public.without_limit() || n as send_key, "
    "public.asleep(0.3) || n as subid, n::text as tid from generate_series(1, 1000) as n",
    "a-product": "select max(a::bigint * b)::text as send_key, 'c' as subid from generate_series(1, 100000) as a, "
    "generate_series(1, 1000000) as b",
}


@pytest.mark.parametrize("name", SLOW)
def test_l02_a_query_of_postgres_ends_when_its_time_is_over(remote: Remote, name: str) -> None:
    """Also where it lifts the server's own limit; nothing of it goes on at the server."""
    remote.database.ask(SLEEP)
    remote.settings["SEND_QUERY_SECONDS"] = "1"
    with pytest.raises(SettingsError, match="took longer than 1 seconds"):
        remote.look(KEITARO, SLOW[name])
    busy = "select count(*) from pg_stat_activity where usename = 'conversync' and state = 'active'"
    assert remote.database.ask(busy) == [(0,)]


GOOD = {
    "a-table": "public.sales",
    "with": f"with mine as (select {ROWS}) select * from mine",
    "a-comment-and-its-end": f"select {ROWS} /* ; drop */ where subid like 'c%'; -- all; of them",
}


@pytest.mark.parametrize("name", GOOD)
def test_what_a_query_of_postgres_could_always_do_it_can_do(remote: Remote, name: str) -> None:
    """Both rows go."""
    report = remote.go(KEITARO, GOOD[name])
    assert (report.exit_code, report.sent.sent) == (0, 2), report.error


def test_l02_a_role_that_may_do_more_is_told(remote: Remote) -> None:
    """Nothing keeps a superuser's query from the server's files: the plan says so; of our own role it says nothing."""
    assert not [note for note in remote.look(KEITARO, "public.sales").notes if "role" in note]
    remote.settings["DESTINATION__POSTGRES__CREDENTIALS"] = remote.database.url
    [note] = [note for note in remote.look(KEITARO, "public.sales").notes if "role" in note]
    assert "the role postgres" in note


def test_l02_a_session_that_reads_writes_nothing_even_after_an_error(remote: Remote, tmp_path: Path) -> None:
    """What status, verify and reconcile read through: dlt resets a session after each error."""
    from dlt.destinations.exceptions import DatabaseException

    from conversync.load import pipeline_for
    from conversync.warehouse import confined_sql

    remote.database.ask(WIPE)
    with remote.set(), confined_sql.reading(pipeline_for("sent", "postgres", tmp_path / "work")) as client:
        for query in ("select * from public.nowhere", "select public.wipe()", "select * from public.trap"):
            with pytest.raises(DatabaseException):
                client.execute_sql(query)
    assert remote.database.ask("select count(*) from public.sales") == [(2,)]


@pytest.mark.long
def test_what_answers_leave_stands_on_postgres_too(
    database: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys of processes that were made, beside what the loads keep there, whichever came first."""
    forget_settings(monkeypatch)
    with Sandbox(World(days=10, players=20, conversions_a_day=5)) as sandbox:
        settings = {"DESTINATION__POSTGRES__CREDENTIALS": database.url, **sandbox.settings()}
        warehouse = Warehouse(tmp_path / "warehouse.duckdb", "postgres")
        days = LoadRequest(str(sandbox.world.day(5).date()), str(sandbox.world.day(6).date()))
        query = "select 'p1' as send_key, 'Checkout' as name, 'from the test' as description"
        with environment(settings):
            asked = options("infobip.processes", outbox=query)
            report = send(warehouse, targets()["infobip.processes"], asked, lambda _: None, lambda _: None)
            assert (report.exit_code, report.sent.sent) == (0, 1), report.error
            [loaded] = load(warehouse, [vendors()["infobip"]], days, Quiet())
            assert loaded.exit_code == 0, loaded.error
        [(key,)] = database.ask("select key from infobip.processes where name = 'Checkout'")
        assert database.ask("select answer ->> 'key' from sent.infobip_processes") == [(key,)]
        assert database.ask(
            "select count(*) from infobip.processes where name is distinct from 'Checkout'"
        ) > [(0,)]
    database.ask("drop schema infobip cascade; drop schema sent cascade; select 1")


@pytest.mark.long
def test_reconcile_reads_a_postgres(
    database: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent to a tracker, and loaded from it, is there as it was sent."""
    forget_settings(monkeypatch)
    with Sandbox(World(days=10, players=20, conversions_a_day=5)) as sandbox:
        settings = {"DESTINATION__POSTGRES__CREDENTIALS": database.url, **sandbox.settings()}
        warehouse = Warehouse(tmp_path / "warehouse.duckdb", "postgres")
        days = LoadRequest(str(sandbox.world.day(0).date()), window_days=400)
        with environment(settings):
            [loaded] = load(warehouse, [vendors()["keitaro"]], days, Quiet())
            assert loaded.exit_code in (0, 3), loaded.error
            [(click,)] = database.ask("select sub_id from keitaro.conversions order by 1 limit 1")
            query = f"select 's1' as send_key, '{click}' as subid, 'sale' as status, 1.5 as payout, 'ours1' as tid"
            asked = options(KEITARO, outbox=query)
            report = send(warehouse, targets()[KEITARO], asked, lambda _: None, lambda _: None)
            assert (report.exit_code, report.sent.sent) == (0, 1), report.error
            [loaded] = load(warehouse, [vendors()["keitaro"]], days, Quiet())
            assert loaded.exit_code in (0, 3), loaded.error
            found = reconcile(warehouse, "keitaro")
        assert (found.sent, found.unread) == (1, False), found
        assert found.agree + found.too_early >= 1
    database.ask("drop schema keitaro cascade; drop schema sent cascade; select 1")

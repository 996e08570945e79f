"""`status`, `verify` and `verify --repair` of tables on a PostgreSQL: what a file's would say and mend."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conversync.dlt_errors import translate_errors
from conversync.errors import LockedError
from conversync.monitor.overview import look
from conversync.monitor.source import Tables
from conversync.sandbox import Fault, Sandbox, World
from conversync.vendors import vendors
from conversync.warehouse import sessions, write_lock
from conversync.warehouse.warehouse import Warehouse
from tests.besitos.rows import reversal, row, text
from tests.dbt.cluster import Cluster, binary
from tests.houses import environment
from tests.process.support import Done, Place, ProcessPool, Wish
from tests.send.receiver import PUBLIC_KEY

pytestmark = pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here")
DAYS = ("--from", "2024-12-03", "--to", "2024-12-06")
TWICE = (
    "insert into besitos.conversion_events "
    "select * from besitos.conversion_events where valid_to is null and transaction_id in (1, 3)"
)
STANDING = (
    "select event_key, payout::float from besitos.conversion_events where valid_to is null order by 1, 2"
)
EVENTS = "select * from besitos.conversion_events order by event_key, valid_from, _dlt_load_id"
SAID = [
    ("1:original", 11.05),
    ("2:original", 0.1),
    ("3:original", 11.05),
    ("3:reversal:2024-12-06 09:00:00:40.000000", 11.05),
]


class Remote(Place):
    """A place whose tables are on a server."""

    def do(self, *argv: str, **settings: str) -> Done:
        """A command, as it ended."""
        wish = Wish([*argv, "--destination", "postgres"], {**self.env, **settings}, str(self.folder))
        return self.nursery.start(wish).wait()


@pytest.fixture
def remote(database: Cluster, tmp_path: Path, nursery: ProcessPool) -> Iterator[Remote]:
    """Three conversions and a reversal, loaded."""
    with Sandbox(World(days=1)) as sandbox:
        place = Remote(tmp_path, sandbox, nursery)
        place.env["DESTINATION__POSTGRES__CREDENTIALS"] = database.url
        sandbox.besitos.rows = [row(1), row(2, payout=0.1), row(3), reversal(3)]
        done = place.do("load", "besitos", "--from", "2024-12-01", "--to", "2024-12-08", "--window", "400d")
        assert done.code == 0, done.told
        yield place
        database.ask("drop schema besitos cascade; drop schema besitos_staging cascade; select 1")


@contextmanager
def exclusive(database: Cluster, table: str) -> Iterator[None]:
    """Somebody changes the table, and thinks about it for twenty seconds."""
    import psycopg2  # type: ignore[import-untyped] # its stubs are a package of their own

    connection = psycopg2.connect(database.url, application_name="notebook")
    goes = threading.Timer(20, connection.close)
    goes.start()
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"lock table {table} in access exclusive mode")
            yield
    finally:
        goes.cancel()
        connection.close()


QUERY = (
    "select event_key as send_key, user_key as tested_user_external_id, 'x' as conversion_id "
    "from besitos.conversion_events"
)


@pytest.mark.quick(2)
@pytest.mark.parametrize(
    ("command", "table"),
    [
        (["status"], "conversion_events"),
        (["send", "optibase.conversions", "--from", QUERY, "--dry-run"], "conversion_events"),
        (["status"], "_dlt_version"),
        (["verify", "besitos", *DAYS], "conversion_events"),
        (["verify", "besitos", *DAYS, "--repair"], "conversion_events"),
        (["load", "besitos", "--dry-run"], "_dlt_version"),
        (["load", "besitos", *DAYS], "conversion_events"),
    ],
)
def test_d01_who_holds_what_is_read_is_named(
    remote: Remote, database: Cluster, command: list[str], table: str
) -> None:
    """Exit 4 and who it is, instead of a wait without end, and the same a moment later ends well."""
    settings = {
        "DESTINATION__POSTGRES__CREDENTIALS": f"{database.url}?options=-clock_timeout%3D300",
        "OPTIBASE_URL": f"{remote.sandbox.url}/event",
        "OPTIBASE_PUBLIC_API_KEY": PUBLIC_KEY,
    }
    with exclusive(database, f"besitos.{table}"):
        done = remote.do(*command, **settings)
    done.refused(4, "Somebody holds a table", "(postgres notebook pid ", "End that session, and run it again")
    again = remote.do(*command, **settings)
    assert again.code == 0, again.told


def test_d01_no_session_that_reads_waits_without_end(
    database: Cluster, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its own accord; whoever connects."""
    monkeypatch.setattr(sessions, "PATIENCE", 0.3)
    place = Warehouse(remote.warehouse, "postgres")
    with (
        environment({"DESTINATION__POSTGRES__CREDENTIALS": database.url}),
        exclusive(database, "besitos.conversion_events"),
        pytest.raises(LockedError, match="notebook"),
        translate_errors(),
    ):
        look(place, [vendors()["besitos"]], tmp_path / "work")


def test_status_goes_on_without_a_view_that_is_dropped_meanwhile(
    database: Cluster, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where it is missing from the beginning: what it would tell is not known, and the tables are told."""
    has = Tables.has

    def then_dropped(tables: Tables, name: str, column: str) -> bool:
        found = has(tables, name, column)
        if name in ("days", "lateness", "conversions"):
            database.ask(f"drop view if exists besitos.{name} cascade; select 1")
        return found

    monkeypatch.setattr(Tables, "has", then_dropped)
    with environment({"DESTINATION__POSTGRES__CREDENTIALS": database.url}), translate_errors():
        health = look(Warehouse(remote.warehouse, "postgres"), [vendors()["besitos"]], tmp_path / "work")
    [found] = health.sources
    assert (found.are_days_known, found.lateness, found.withdrawn) == (False, None, 0)
    assert {one.table: one.rows for one in found.tables}["conversion_events"] == 4


@pytest.mark.parametrize(
    ("host", "names", "told"),
    [
        ("vm", ["besitos"], "conversync load besitos (vm, shop, pid 1234)"),
        (
            "vm",
            ["besitos", "conductrics", "infobip"],
            "conversync load besitos, conductrics, ... (vm, shop, pid 1234)",
        ),
        (
            "a-host-of-a-long-name",
            ["besitos", "keitaro"],
            "conversync load besitos, ... (a-host-of-a-long-nam, pid 1234)",
        ),
        ("a-host-of-a-long-name", ["a" * 26], f"conversync load {'a' * 26} (a-host-o, pid 1234)"),
        ("a-host-of-a-long-name", ["a" * 27], f"conversync load {'a' * 23}... (a-host-o, pid 1234)"),
    ],
)
def test_d01_who_holds_a_right_is_named_as_far_as_there_is_room(
    database: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, names: list[str], told: str
) -> None:
    """Whole names, then that there are more; the folder tells two projects of one machine apart."""
    monkeypatch.setattr("socket.gethostname", lambda: host)
    monkeypatch.setattr("os.getpid", lambda: 1234)
    (tmp_path / "shop").mkdir()
    monkeypatch.setenv("DLT_PROJECT_DIR", str(tmp_path / "shop"))
    query = "select application_name from pg_stat_activity where application_name like 'conversync %'"
    with (
        environment({"DESTINATION__POSTGRES__CREDENTIALS": database.url}),
        write_lock.taken("postgres", names, "load", 0),
    ):
        assert database.ask(query) == [(told,)]


@pytest.mark.more
def test_repair_on_postgres_mends_what_verify_finds(remote: Remote, database: Cluster) -> None:
    """Doubled and missing statements, a view that is gone; then both say the same, and so does the next load."""
    assert remote.do("verify", "besitos", *DAYS).code == 0
    database.ask(
        f"{TWICE}; delete from besitos.conversion_events where transaction_id = 2; "
        "drop view besitos.conversions cascade; select 1"
    )
    found = remote.do("verify", "besitos", *DAYS)
    assert found.code == 3
    assert "several times here" in found.out
    mended = remote.do("verify", "besitos", *DAYS, "--repair")
    assert mended.code == 0, mended.told
    assert "had several open rows" in mended.out
    assert "for 1 rows that were missing" in mended.out
    assert database.ask(STANDING) == SAID
    assert remote.do("verify", "besitos", *DAYS).code == 0
    assert remote.do("load", "besitos", "--from", "2024-12-01", "--to", "2024-12-08").code == 0
    assert database.ask(STANDING) == SAID
    assert database.ask("select count(*) from besitos.conversions") == [(3,)]


@pytest.mark.long
def test_repair_on_postgres_that_fails_is_told_and_made_up_for_by_the_next(
    remote: Remote, database: Cluster
) -> None:
    """The vendor fails meanwhile: exit 6 and a sentence; the tables are readable, and the next repair ends well."""
    database.ask(f"{TWICE}; delete from besitos.conversion_events where transaction_id = 2; select 1")
    asked = len(remote.sandbox.requests)
    remote.do("verify", "besitos", *DAYS)
    once = len(remote.sandbox.requests) - asked
    fault = remote.sandbox.faults.add(
        Fault(status=500, where=lambda _: len(remote.sandbox.requests) > asked + 2 * once)
    )
    remote.do("verify", "besitos", *DAYS, "--repair", HTTP_BUDGET="0").refused(6, "Besitos failed at")
    assert fault.delivered
    remote.sandbox.faults.clear()
    assert remote.do("verify", "besitos", *DAYS, "--repair").code == 0
    assert database.ask(STANDING) == SAID


@pytest.mark.more
def test_l02_status_only_reads_a_postgres(remote: Remote, database: Cluster) -> None:
    """A view of somebody's that would write when it is read is refused, and told."""
    database.ask(
        "create table if not exists public.noted (x int); truncate public.noted; "
        "create or replace function public.note() returns boolean volatile language plpgsql as "
        "$$ begin insert into public.noted values (1); return true; end $$; "
        "create table besitos.kept_days as select * from besitos.days; drop view besitos.days cascade; "
        "create view besitos.days as select * from besitos.kept_days where public.note(); select 1"
    )
    database.ask("select count(*) from besitos.days")
    [[before]] = database.ask("select count(*) from public.noted")
    assert before > 0
    remote.do("status").refused(1, "The destination only lets it read", "drop it")
    assert database.ask("select count(*) from public.noted") == [(before,)]


@pytest.mark.more
def test_j13_a_server_takes_what_it_could_not_store(remote: Remote, database: Cluster) -> None:
    """A NUL and half a pair, in a name and in a field that no document knows: replaced, kept as escapes, and loaded."""
    remote.sandbox.besitos.rows = [row(1), text(4, note='"a\\u0000b"', bonus='["\\u0000","\\ud83d"]')]
    done = remote.do("load", "besitos", "--from", "2024-12-01", "--to", "2024-12-08")
    assert done.code == 0, done.told
    query = "select note, extra::text, payout::float from besitos.conversion_events where transaction_id = 4"
    assert database.ask(query) == [
        ("a\ufffdb", '{"note": "a\\\\u0000b", "bonus": ["\\\\u0000", "\\\\ud83d"]}', 11.05)
    ]


@pytest.mark.more
def test_an_empty_text_is_none_on_a_server(remote: Remote, database: Cluster) -> None:
    """dlt's CSV does not tell them apart; so what is compared with it does not either, but tells any other text."""
    remote.sandbox.besitos.rows = [
        row(1, note="", offer_name=""),
        row(2, payout=0.1, note=""),
        row(3),
        reversal(3),
    ]
    assert remote.do("load", "besitos", "--from", "2024-12-01", "--to", "2024-12-08").code == 0
    held = (
        "select transaction_id, note from besitos.conversion_events where valid_to is null order by 1 limit 2"
    )
    assert database.ask(held) == [(1, None), (2, None)]
    done = remote.do("verify", "besitos", *DAYS)
    assert done.code == 0, done.told
    database.ask("update besitos.conversion_events set note = 'x' where transaction_id = 2; select 1")
    found = remote.do("verify", "besitos", *DAYS)
    assert found.code == 3
    assert "note" in found.told


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("create schema besitos_staging", "to use the schema besitos_staging and to create in it"),
        ("revoke create on database postgres from ours", "to create the schema besitos_staging"),
    ],
)
def test_d01_a_load_that_may_not_stage_asks_nobody(
    remote: Remote, database: Cluster, before: str, said: str
) -> None:
    """A role that may write in the dataset, and not in the schema beside it: exit 2 and its name."""
    database.ask(
        "drop schema besitos cascade; drop schema besitos_staging cascade; create role ours login; "
        "grant create on database postgres to ours; create schema besitos authorization ours; "
        f"{before}; select 1"
    )
    theirs = database.url.replace("postgres:none@", "ours:none@")
    argv = ("load", "besitos", "--from", "2024-12-01", "--to", "2024-12-08", "--window", "400d")
    try:
        asked = len(remote.sandbox.requests)
        done = remote.do(*argv, DESTINATION__POSTGRES__CREDENTIALS=theirs)
        done.refused(2, "does not allow this user what is needed", said)
        assert len(remote.sandbox.requests) == asked
        database.ask(
            "create schema if not exists besitos_staging; grant all on schema besitos_staging to ours; select 1"
        )
        done = remote.do(*argv, DESTINATION__POSTGRES__CREDENTIALS=theirs)
        assert done.code == 0, done.told
    finally:
        database.ask("drop owned by ours; drop role ours; create schema if not exists besitos; select 1")
        database.ask("create schema if not exists besitos_staging; select 1")


@pytest.mark.quick(1)
@pytest.mark.parametrize("limit", ["role narrow", "database postgres"])
def test_d01_a_load_that_finds_no_session_free_says_so(remote: Remote, database: Cluster, limit: str) -> None:
    """A limit of the role or of the database: it says how many it needs. (One that ended may count for a moment.)"""
    database.ask("create role narrow login; grant postgres to narrow; select 1")
    narrow = database.url.replace("postgres:none@", "narrow:none@")
    try:
        for count in (0, 1):
            database.ask(f"alter {limit} connection limit {count}; select 1")
            done = remote.do("load", "besitos", *DAYS, DESTINATION__POSTGRES__CREDENTIALS=narrow)
            done.refused(4, f"too many connections for {limit.split()[0]}", "needs three")
        database.ask(f"alter {limit} connection limit 6; select 1")
        done = remote.do("load", "besitos", *DAYS, DESTINATION__POSTGRES__CREDENTIALS=narrow)
        assert done.code == 0, done.told
    finally:
        database.ask(
            f"alter {limit} connection limit -1; drop owned by narrow cascade; drop role narrow; select 1"
        )


@pytest.mark.more
def test_a_dataset_of_somebody_elses_is_told(remote: Remote, database: Cluster) -> None:
    """Exit 2, the right that is missing, and whose it may be: without any right, and with that to read alone."""
    database.ask("create role ours login; select 1")
    theirs = database.url.replace("postgres:none@", "ours:none@")
    try:
        for command in (["load", "besitos", *DAYS], ["status"], ["verify", "besitos", *DAYS]):
            done = remote.do(*command, DESTINATION__POSTGRES__CREDENTIALS=theirs)
            done.refused(2, "permission denied for schema besitos", "may belong to somebody else")
        database.ask("grant usage on schema besitos to ours; select 1")
        database.ask("grant select on all tables in schema besitos to ours; select 1")
        done = remote.do("load", "besitos", *DAYS, DESTINATION__POSTGRES__CREDENTIALS=theirs)
        done.refused(2, "to use the schema besitos_staging", "may belong to somebody else")
        database.ask("grant usage, create on schema besitos_staging to ours; select 1")
        done = remote.do("load", "besitos", *DAYS, DESTINATION__POSTGRES__CREDENTIALS=theirs)
        done.refused(2, "must be owner of", "may belong to somebody else")
        assert database.ask(STANDING) == SAID
        assert remote.do("verify", "besitos", *DAYS, DESTINATION__POSTGRES__CREDENTIALS=theirs).code == 0
    finally:
        database.ask("drop owned by ours; drop role ours; select 1")

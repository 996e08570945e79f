"""L02: a person's query is one SELECT over the warehouse's tables; it reads no file, writes none and asks nobody."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest

from conversync.errors import SettingsError
from conversync.warehouse import query_process
from tests.process.support import CONVERSYNC
from tests.send.support import KEITARO, OPTIBASE, Workspace, sales, users

SECRET = "canary-of-the-settings"
AS_ROW = "'k' as send_key, 'purchase' as conversion_id, {what} as tested_user_external_id"
ONE = "select " + AS_ROW.format(what="'u'")


def row(what: str, rest: str = "") -> str:
    """A query of one good row for Optibase, the value of a person's id being this expression."""
    return f"select {AS_ROW.format(what=what)} {rest}"


CLOSED, NO_SELECT = "no file and no address", "must be one SELECT"
# What somebody may write into --from or config.toml, and what is said of it.
REACHING = {
    "a-file-as-text": (row("content", "from read_text('{secret}')"), CLOSED),
    "a-file-as-bytes": (row("content::varchar", "from read_blob('{secret}')"), CLOSED),
    "a-file-as-table": (row("x", "from read_csv('{secret}', names = ['x'], header = false)"), CLOSED),
    "a-file-by-its-name": (row("x", "from '{csv}'"), "cannot be read"),
    "a-file-in-a-subquery": (row("(select content from read_text('{secret}'))"), CLOSED),
    "a-file-in-another-text": (
        row("content", "from query('select content from read_text(''{secret}'')')"),
        "may only read",
    ),
    "names-of-files": (row("file", "from glob('{folder}/*.toml')"), CLOSED),
    "what-a-file-looks-like": (row("Columns::varchar", "from sniff_csv('{csv}')"), CLOSED),
    "somebodys-view": (row("x", "from main.planted"), CLOSED),
    "somebodys-macro": (row("main.peek('{secret}')"), CLOSED),
    "another-database": (row("x", "from read_duckdb('{other}', table_name = 't')"), CLOSED),
    "an-address": (row("content", "from read_text('{url}')"), CLOSED),
    "an-address-as-table": (row("x", "from read_csv('{url}', names = ['x'], header = false)"), CLOSED),
    "copy": (ONE + "; copy (select 1) to '{out}'", NO_SELECT),
    "copy-before": ("from (values (1)); copy (select 1) to '{out}'; " + ONE, NO_SELECT),
    "attach": ("select 1; attach '{out}' as other; " + ONE, NO_SELECT),
    "export": (ONE + "; export database '{out}'", NO_SELECT),
    "install": (ONE + "; install httpfs from '{url}'", NO_SELECT),
    "load": (ONE + "; load '{secret}'", NO_SELECT),
    "set": ("select 1; set enable_external_access = true; " + ONE, NO_SELECT),
    "pragma": (ONE + "; pragma database_list", NO_SELECT),
    "import": ("select 1 as a; import database '{folder}'", NO_SELECT),
    "import-by-another-name": ("select 1; /* a */ pragma import_database('{folder}')", NO_SELECT),
    "import-of-an-address": ("select 1; -- a\nPRAGMA import_database('{url}')", NO_SELECT),
    "pragma-of-the-file": ("select 1; pragma database_list", NO_SELECT),
    "call": (ONE + "; call pragma_version()", NO_SELECT),
    "checkpoint": (ONE + "; checkpoint", NO_SELECT),
    "several": ("select 1; " + ONE, NO_SELECT),
    "insert": ("with x as (select 1) insert into main.optibase select 'a', 'b', 'c' from x", NO_SELECT),
    "what-duckdb-logs": (row("'u'", "from enable_logging(storage = 'file', storage_path = '{out}')"), "may only read"),
    "what-duckdb-measures": (
        row("'u'", "from \"enable_profiling\"(format = 'json', save_location = '{out}.json')"), "may only read"
    ),
    "what-duckdb-is-set-to": (row("current_setting('home_directory')"), "may only read"),
    "all-that-it-is-set-to": (row("value", "from duckdb_settings()"), "may only read"),
    "as-a-view": (row("setting", "from pg_catalog.pg_settings"), "may only read"),
    "in-a-text": (row("value", "from query('select * from duckdb_settings()')"), "may only read"),
    "of-the-file-itself": (
        row("octet_length(content)::varchar", "from read_blob('warehouse.duckdb')"),
        CLOSED,
    ),
    "what-it-keeps-secret": (row("secret_string", "from /* all */ duckdb_secrets /* of them */ ()"), "may only read"),
    "a-line-in-its-log": (row("\"write_log\"('u')::varchar"), "may only read"),
    "a-sleep": (row("sleep_ms(100000)::varchar"), "may only read"),
    "a-sleep-of-postgres": (row("pg_sleep(100)::varchar"), "may only read"),
}  # fmt: skip


@dataclass
class Listener:
    """Notes who asks."""

    url: str = ""
    asked: list[bytes] = field(default_factory=list)


@contextmanager
def listening() -> Iterator[Listener]:
    """On loopback; answers nobody."""
    found = Listener()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    found.asked.append(connection.recv(1000))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        found.url = f"http://127.0.0.1:{server.getsockname()[1]}/x.csv"
        yield found
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    """One for a test."""
    with listening() as found:
        yield found


@pytest.fixture
def tempting(house: Workspace, listener: Listener) -> dict[str, str]:
    """A warehouse with files beside it that an outbox has no business with, and where each is."""
    places = {
        "folder": str(house.folder),
        "secret": str(house.folder / "secrets.toml"),
        "csv": str(house.folder / "people.csv"),
        "other": str(house.folder / "other.duckdb"),
        "out": str(house.folder / "out"),
        "url": listener.url,
    }
    for path in (places["secret"], places["csv"], house.folder / "schema.sql", house.folder / "load.sql"):
        Path(path).write_text(f"x\n{SECRET}\n", encoding="utf-8")
    with duckdb.connect(places["other"]) as other:
        other.execute(f"create table t as select '{SECRET}' as x")
    house.outbox(OPTIBASE, users(1))
    house.change(f"create view main.planted as select content as x from read_text('{places['secret']}')")
    house.change("create macro main.peek(path) as (select content from read_text(path))")
    return places


def left_alone(house: Workspace, before: set[Path], told: str) -> None:
    """Nothing was sent, told, written or asked."""
    assert house.receiver.taken == []
    assert SECRET not in told
    ours = {house.folder / ".conversync"}
    assert set(house.folder.iterdir()) - before <= ours
    assert house.query("select count(*) from main.optibase") == [(1,)]


@pytest.mark.more
@pytest.mark.quick(6)
@pytest.mark.parametrize("name", REACHING)
def test_l02_a_query_reads_the_warehouse_and_nothing_else(
    house: Workspace, tempting: dict[str, str], listener: Listener, name: str
) -> None:
    """Whatever it reaches for, send and dry run end with 2 and a sentence, before any request; nothing was touched."""
    query, words = REACHING[name]
    before = set(house.folder.iterdir())
    for ask in (house.plan, house.send):
        with pytest.raises(SettingsError) as told:
            ask(OPTIBASE, source=query.format(**tempting))
        assert words in str(told.value)
        left_alone(house, before, str(told.value))
    assert listener.asked == []


@pytest.mark.more
def test_l02_the_query_of_the_settings_reaches_no_further(house: Workspace, tempting: dict[str, str]) -> None:
    """Out of config.toml, by the command: exit 2 and a sentence, for a file and for a second statement."""
    settings = house.folder / ".dlt" / "config.toml"
    settings.parent.mkdir()
    before = set(house.folder.iterdir())
    for query in (REACHING["a-file-as-text"][0], REACHING["copy"][0]):
        settings.write_text(
            f'[send.optibase.conversions]\nquery = "{query.format(**tempting)}"\n', encoding="utf-8"
        )
        for more in ((), ("--dry-run",)):
            ended = house.command("send", OPTIBASE, *more)
            assert ended.code == 2, ended.err
            assert "cannot be read" in ended.err
            left_alone(house, before, ended.out + ended.err)


GOOD = {
    "a-table": "main.optibase",
    "a-view": "main.both",
    "from-first": "from main.optibase",
    "with": "with mine as (from main.optibase), more as (select * from mine) select * from more",
    "a-comment-and-its-end": "select * /* ; copy */ from main.optibase; -- as it was; done",
    "a-join-across-schemas": "select o.* from main.optibase as o inner join other.names using (send_key)",
    "a-macro": "select * replace (main.called(conversion_id) as conversion_id) from main.optibase",
    "a-table-macro": "select * from main.those()",
    "a-pivot": "select send_key, purchase as conversion_id, tested_user_external_id from "
    "(pivot (select *, conversion_id as what from main.optibase) on what using first(conversion_id))",
    "a-union": "select * from main.optibase union by name select * from main.optibase where false",
    "a-comment-first": "-- of today\n /* all; of * them **/ select * from main.optibase",
    "a-bracket-first": "(select * from main.optibase) limit 1",
    "a-table-that-is-called-one": "Table main.optibase",
    "a-table-of-that-name": "values",
    "a-pivot-first": "pivot (select send_key, tested_user_external_id, 'conversion_id' as what, conversion_id as name "
    "from main.optibase) on what using first(name)",
    "an-unpivot-first": "unpivot (select send_key, tested_user_external_id as purchase from main.optibase) "
    "on purchase into name conversion_id value tested_user_external_id",
    "text-that-looks-like-more": "select send_key, 'purchase' as conversion_id, "
    "replace('user;-0', ';', '') as tested_user_external_id from main.optibase",
}


@pytest.mark.quick(1)
@pytest.mark.parametrize("name", GOOD)
def test_what_a_query_could_always_do_it_can_do(house: Workspace, name: str) -> None:
    """One row goes, whichever way it is asked for."""
    house.outbox(OPTIBASE, users(1))
    house.change('create view "values" as select * from main.optibase')
    house.change("create schema other")
    house.change("create table other.names as select send_key from main.optibase")
    house.change("create macro main.called(name) as upper(name).lower()")
    house.change("create macro main.those() as table select * from main.optibase")
    house.change(
        "create view main.both as select o.* from main.optibase as o join other.names using (send_key)"
    )
    report = house.send(OPTIBASE, source=GOOD[name])
    assert (report.exit_code, report.sent.sent) == (0, 1)
    [taken] = house.receiver.taken
    assert (taken["userFriendlyConversionId"], taken["testedUserExternalId"]) == ("purchase", "user-0")


def test_l02_a_query_runs_within_bounds_that_it_cannot_move(house: Workspace) -> None:
    """Little memory, one thread, a bounded spill, no file, no extension; the configuration is locked."""
    house.outbox(KEITARO, sales(1))
    names = [
        "memory_limit", "threads", "max_temp_directory_size", "enable_external_access", "lock_configuration",
        "autoload_known_extensions", "allow_persistent_secrets", "python_enable_replacements",
    ]  # fmt: skip
    house.change("create macro main.told(name) as current_setting(name)::varchar")
    told = " || ' ' || ".join(f"main.told('{name}')" for name in names)
    report = house.send(KEITARO, source=f"select send_key, subid, {told} as tid from main.keitaro")
    assert report.exit_code == 0
    [taken] = house.receiver.taken
    assert taken["tid"] == "143.0 MiB 1 3.7 GiB false true false false false"


PRODUCTS = {
    "silent": "select max(a.range * b.range)::varchar as send_key, 'c' as subid, null as tid "
    "from range(100000000) as a, range(100000000) as b",
    "without-end": "select a.range || '-' || b.range as send_key, 'c' as subid, a.range || '-' || b.range as tid "
    "from range(100000) as b, range(100000) as a",
}


@pytest.mark.more
@pytest.mark.parametrize("name", PRODUCTS)
def test_l02_a_product_of_all_with_all_ends_with_a_sentence(house: Workspace, name: str) -> None:
    """By the time that it may take, whether it works in silence or gives rows without end; by the number of rows."""
    house.outbox(KEITARO, sales(1))
    house.settings["SEND_QUERY_SECONDS"] = "0.5"
    with pytest.raises(SettingsError, match=r"took longer than 0.5 seconds.*send_query_seconds"):
        house.plan(KEITARO, source=PRODUCTS[name])
    house.settings |= {"SEND_QUERY_SECONDS": "60", "SEND_MAX_OUTBOX": "1000"}
    with pytest.raises(SettingsError, match=r"more than 1,000 rows.*send_max_outbox"):
        house.plan(KEITARO, source=PRODUCTS["without-end"])
    assert house.asked() == []


NESTED = ", ".join(
    f"c{n} as not materialized (select x.a from c{n - 1} as x join c{n - 1} as y using (a))"
    for n in range(1, 25)
)
# What DuckDB does in one step, and so does not end when it is asked to.
ONE_STEP = {
    "of-long-texts": "levenshtein(repeat('a', 300000), repeat('b', 300000))::varchar as send_key, 'c' as subid",
    "its-plan": f"a::varchar as send_key, 'c' as subid from (with c0 as not materialized (select 1 as a), {NESTED} "
    "select a from c24)",
}


@pytest.mark.more
@pytest.mark.parametrize("name", ONE_STEP)
def test_l02_a_query_that_cannot_be_interrupted_ends_with_a_sentence(house: Workspace, name: str) -> None:
    """By the command: in time, exit 2, nothing sent; the lock is free, and what is to go goes with the next send."""
    house.outbox(KEITARO, sales(1))
    house.settings["SEND_QUERY_SECONDS"] = "1"
    begun = time.monotonic()
    ended = house.command("send", KEITARO, "--from", f"select {ONE_STEP[name]}")
    assert (ended.code, time.monotonic() - begun < 20) == (2, True)
    assert "took longer than 1 seconds and was ended" in ended.err
    assert house.asked() == []
    report = house.send(KEITARO)
    assert (report.exit_code, report.sent.sent) == (0, 1)


HUGE = {
    "a-list": "len(range(1000000000))::varchar as send_key, 'c' as subid",
    "a-list-of-ours": "list(range::varchar) as send_key, 'c' as subid from range(300000000)",
    "texts": "repeat('x', 1000000) || range as send_key, 'c' as subid from range(1000)",
    "one-text": "repeat('x', 40000000) as send_key, 'c' as subid",
}


@pytest.mark.more
@pytest.mark.parametrize("name", HUGE)
def test_l04_a_query_stays_within_its_memory(house: Workspace, name: str) -> None:
    """Long lists and texts end it with a sentence; nothing is sent."""
    house.outbox(KEITARO, sales(1))
    with pytest.raises(SettingsError, match="takes more memory than it may"):
        house.plan(KEITARO, source=f"select {HUGE[name]}")
    assert house.asked() == []


VALUES = """
    1::hugeint, 1.50::decimal(18, 3), 1.5::double, true, date '2024-01-01', timestamp '2024-01-01 01:02:03.5',
    timestamptz '2024-07-01 01:02:03+00', time '01:02:03', interval '1 day', 'ab'::blob, [1, 2], {'a': 1}, null,
    uuid 'd9428888-122b-11e1-b85c-61cd3cbb3210', map {'a': 1}, 'a'::enum('a', 'b'), timetz '01:02:03+02', '101'::bit
"""


def test_what_a_query_gives_is_what_duckdb_gives(house: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Value for value and kind for kind, in the machine's zone: a row that was sent is not taken for another one."""
    monkeypatch.setenv("TZ", "America/New_York")
    house.outbox(KEITARO, sales(1))
    with duckdb.connect(str(house.path), read_only=True) as connection:
        zone = connection.execute("select current_setting('TimeZone')").fetchone()
        told = connection.execute(f"select {VALUES}").fetchall()
    settings = {"TimeZone": zone[0] if zone else None, "threads": 1}
    with query_process.asked(str(house.path), settings, f"select {VALUES}", time.monotonic() + 60) as cursor:
        found = cursor.fetchmany(10)
    assert found == told
    assert [list(map(repr, row)) for row in found] == [list(map(repr, row)) for row in told]


def children_of(process: int) -> list[str]:
    """The numbers of the programs that one has started."""
    return Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8").split()


def at_work(process: str) -> bool:
    """Whether there is such a program, and it has not ended."""
    try:
        told = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return told.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.more
def test_l02_the_program_that_asks_ends_with_us(house: Workspace) -> None:
    """Killed in the middle of a query, a send leaves nobody at work, and the warehouse free."""
    house.outbox(KEITARO, sales(1))
    query = f"select {ONE_STEP['of-long-texts']}"
    begin = [str(CONVERSYNC), "send", KEITARO, "--from", query, "--dry-run"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(house.folder), **house.environment}
    with subprocess.Popen(begin, cwd=house.folder, env=environment, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not (askers := children_of(process.pid)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
    while any(map(at_work, askers)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    house.change("create table main.free as select 1")

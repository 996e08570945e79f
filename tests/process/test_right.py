"""D01: two machines and one PostgreSQL. The right to write lies there: who comes second waits or is turned away."""

from __future__ import annotations

import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path

import pytest

from conversync.dlt_errors import translate_errors
from conversync.errors import ConversyncError, LockedError, SettingsError
from conversync.load import pipeline_for
from conversync.sandbox import Sandbox, World
from conversync.warehouse import lock_session, write_lock
from conversync.warehouse.warehouse import Warehouse
from tests.besitos.rows import row
from tests.dbt.cluster import Cluster, binary
from tests.houses import environment
from tests.process.gate import Gate
from tests.process.support import Done, Forked, Place, ProcessPool, Wish

pytestmark = pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here")

EARLY, LATE = ("2024-12-01", "2024-12-10"), ("2024-12-11", "2024-12-20")
ROWS = [
    row(number, date_time=f"2024-12-{1 + number % 20:02} 10:00:00", payout=number) for number in range(1, 401)
]


class Machine(Place):
    """A project folder of its own, whose tables are on a server that others share."""

    def night(self, days: tuple[str, str], *more: str) -> Forked:
        """A load of these days that has begun."""
        argv = ["load", "besitos", "--from", days[0], "--to", days[1], "--window", "400d"]
        wish = Wish([*argv, "--destination", "postgres", *more], self.env, str(self.folder))
        return self.nursery.start(wish)


@pytest.fixture
def machines(database: Cluster, tmp_path: Path, nursery: ProcessPool) -> Iterator[list[Machine]]:
    """Two, and nothing is loaded yet."""
    with Sandbox(World(days=1)) as sandbox:
        sandbox.besitos.rows = ROWS
        found = []
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            machine = Machine(tmp_path / name, sandbox, nursery)
            machine.env["DESTINATION__POSTGRES__CREDENTIALS"] = database.url
            found.append(machine)
        yield found
        sandbox.faults.clear()
        forget(database)


def forget(database: Cluster) -> None:
    database.ask(
        "drop schema if exists besitos cascade; drop schema if exists besitos_staging cascade; select 1"
    )


def standing(database: Cluster) -> Counter[str]:
    """The open statements, by event."""
    query = "select event_key, count(*) from besitos.conversion_events where valid_to is null group by 1"
    return Counter({str(key): int(count) for key, count in database.ask(query)})


def wanted(*days: tuple[str, str]) -> Counter[str]:
    """The day after the last one is asked for, too."""
    asked = [(start, str(date.fromisoformat(end) + timedelta(days=1))) for start, end in days]
    within = [one for one in ROWS if any(start <= one["date_time"][:10] <= end for start, end in asked)]
    return Counter(f"{one['transaction_id']}:original" for one in within)


def turned_away(done: Done) -> None:
    done.refused(4, "Another run holds besitos on postgres", "--wait")
    assert done.told.count("\n") == 1, "one sentence"


@pytest.fixture
def gate(machines: list[Machine]) -> Iterator[Gate]:
    """Opened at the latest when the test is over."""
    gate = Gate(machines[0].sandbox)
    yield gate
    gate.open()


HOLDERS = "from pg_stat_activity where application_name like 'conversync %'"


def holder(database: Cluster) -> tuple[str, bool]:
    """Of the only session that holds a right: its name, and whether it keeps old rows from being cleared away."""
    [(name, keeps)] = database.ask(f"select application_name, backend_xmin is not null {HOLDERS}")
    return str(name), bool(keeps)


def told_as(machine: Machine, run: Forked) -> str:
    """As what it is told to others, with its folder where that has room."""
    host = socket.gethostname()[:20]
    where = [
        f"conversync load besitos ({host}, {more}pid {run.pid})" for more in (f"{machine.folder.name}, ", "")
    ]
    return next(name for name in where if len(name) <= 63)


def cut(database: Cluster) -> None:
    """The server ends the session that holds the right."""
    assert database.ask(f"select pg_terminate_backend(pid) {HOLDERS}") == [(True,)]
    until = time.monotonic() + 10
    while database.ask(f"select 1 {HOLDERS}"):
        assert time.monotonic() < until
        time.sleep(0.01)


def rounds(machines: list[Machine], database: Cluster, count: int) -> None:
    """Different days from two folders at the same time: what is loaded is exact, and who was turned away said so."""
    for _ in range(count):
        runs = [(days, machine.night(days)) for days, machine in zip((EARLY, LATE), machines, strict=True)]
        done = [(days, run.wait()) for days, run in runs]
        loaded = [days for days, one in done if one.code == 0]
        assert loaded, [one.told for _, one in done]
        for _, one in done:
            if one.code:
                turned_away(one)
        assert standing(database) == wanted(*loaded)
        forget(database)


def test_d01_two_loads_at_once_are_exact_or_one_is_turned_away(
    machines: list[Machine], database: Cluster
) -> None:
    """Three rounds, each into nothing."""
    rounds(machines, database, 3)


@pytest.mark.more
def test_d01_twenty_times_two_loads_at_once(machines: list[Machine], database: Cluster) -> None:
    """The same."""
    rounds(machines, database, 20)


def test_d01_who_waits_loads_when_the_other_has_ended(machines: list[Machine], database: Cluster) -> None:
    """Both, at once: all days are there, each once."""
    runs = [
        machine.night(days, "--wait", "2m") for days, machine in zip((EARLY, LATE), machines, strict=True)
    ]
    done = [run.wait() for run in runs]
    assert [one.code for one in done] == [0, 0], [one.told for one in done]
    assert standing(database) == wanted(EARLY, LATE)
    assert database.ask("select count(*) from besitos._dlt_loads where status <> 0") == [(0,)]


def test_d01_who_is_turned_away_learns_by_whom(
    machines: list[Machine], database: Cluster, gate: Gate
) -> None:
    """At once, with one sentence: which command of which machine holds it, from where, since when.

    The session that holds it keeps no vacuum from its work, and holds up no index that is made meanwhile.
    """
    first = machines[0].night(EARLY)
    gate.reached()
    name, keeps = holder(database)
    assert (name, keeps) == (told_as(machines[0], first), False)
    second = machines[1].night(LATE).wait()
    turned_away(second)
    assert f": {name}, from 127.0.0.1, since 20" in second.told
    assert second.seconds < 2
    days = ("--from", LATE[0], "--to", LATE[1], "--destination", "postgres")
    turned_away(machines[1].run("verify", "besitos", "--repair", *days))
    assert machines[1].sandbox.besitos.reads == [], "the vendor was not asked"
    database.outside("create table public.other (x int)", "create index concurrently on public.other (x)")
    database.ask("drop table public.other; select 1")
    gate.open()
    assert first.wait().code == 0
    assert standing(database) == wanted(EARLY)


def test_d01_a_killed_run_holds_up_nobody(machines: list[Machine], database: Cluster, gate: Gate) -> None:
    """The server learns of it by the end of its session."""
    first = machines[0].night(EARLY)
    gate.reached()
    first.signal(signal.SIGKILL)
    assert first.wait().code == -signal.SIGKILL
    gate.open()
    done = machines[1].night(LATE, "--wait", "10s").wait()
    assert done.code == 0, done.told
    assert standing(database) == wanted(LATE)


@pytest.mark.quick(1)
@pytest.mark.parametrize("how", ["alone", "while another loads"])
def test_d01_a_run_that_lost_its_right_commits_nothing_more(
    machines: list[Machine], database: Cluster, gate: Gate, how: str
) -> None:
    """Exit 4 and a sentence, whether somebody else has the right by then or not; the next run loads it."""
    first = machines[0].night(EARLY)
    gate.reached()
    cut(database)
    loaded = []
    if how != "alone":
        done = machines[1].night(LATE).wait()
        assert done.code == 0, done.told
        loaded = [LATE]
    gate.open()
    first.wait().refused(4, "The right to write was lost", "Run it again")
    if loaded:
        assert standing(database) == wanted(LATE)
    else:
        assert database.ask("select to_regclass('besitos.conversion_events') is null") == [(True,)]
    assert machines[0].night(EARLY).wait().code == 0
    assert standing(database) == wanted(EARLY, *loaded)


@pytest.mark.more
def test_d01_a_right_that_is_lost_within_a_commit_ends_it(machines: list[Machine], database: Cluster) -> None:
    """Its rows are staged already; what merges them is refused, and nothing of the window is there."""
    assert machines[0].night(EARLY).wait().code == 0
    database.ask(
        "create function wait() returns trigger as $$ begin perform pg_sleep(2); return null; end $$ language plpgsql;"
        "create trigger wait after insert on besitos_staging.conversion_events for each statement "
        "execute function wait(); select 1"
    )
    run = machines[0].night(LATE)
    until = time.monotonic() + 60
    while not database.ask("select 1 from pg_stat_activity where wait_event = 'PgSleep'"):
        assert time.monotonic() < until
    cut(database)
    run.wait().refused(4, "The right to write was lost")
    assert standing(database) == wanted(EARLY)
    database.ask("drop function wait cascade; select 1")
    assert machines[1].night(LATE).wait().code == 0
    assert standing(database) == wanted(EARLY, LATE)


def test_d01_who_takes_a_lost_right_waits_for_what_goes_on_under_it(
    database: Cluster, tmp_path: Path
) -> None:
    """A transaction that passed its fence may end; nobody else begins before, and none passes after."""
    with environment({"DESTINATION__POSTGRES__CREDENTIALS": database.url}):
        place = Warehouse(tmp_path / "warehouse.duckdb", "postgres")
        with place.locked(0, "load", ["besitos"]) as folder:
            pipeline = pipeline_for("besitos", place.dlt_destination(["besitos"]), folder)
            with pipeline.sql_client() as client:
                with client.begin_transaction():
                    cut(database)
                    with (
                        pytest.raises(LockedError, match="is not over yet; try again"),
                        write_lock.taken("postgres", ["besitos"], "load", 0),
                    ):
                        pass
                    client.execute_sql("create table public.late (x int)")
                with write_lock.taken("postgres", ["besitos"], "load", 0):
                    for refused in (client.execute_sql, lambda sql: client.execute_many([sql, sql])):
                        with pytest.raises(LockedError, match="was lost"), translate_errors():
                            refused("drop table public.late")
                    with pytest.raises(LockedError), translate_errors(), client.begin_transaction():
                        client.native_connection.cursor().execute("drop table public.late")
    database.ask("drop table public.late; select 1")


def test_d01_other_datasets_and_databases_are_rights_of_their_own(database: Cluster) -> None:
    """A load of one vendor holds up no other's, nor the same one's in another database; a send only its target's."""
    database.outside("create database another")
    other = f"{database.url.rpartition('/')[0]}/another"
    held = ["besitos", "sent/keitaro.conversions"]
    free = [["keitaro"], ["besitos_eu"], ["sent"], ["sent/optibase.conversions"]]
    with environment({"DESTINATION__POSTGRES__CREDENTIALS": database.url}):
        with write_lock.taken("postgres", held, "load", 0):
            for names in free:
                with write_lock.taken("postgres", names, "load", 0) as taken:
                    taken.check()
            for name in held:
                with pytest.raises(LockedError), write_lock.taken("postgres", ["keitaro", name], "load", 0):
                    pass
            with (
                environment({"DESTINATION__POSTGRES__CREDENTIALS": other}),
                write_lock.taken("postgres", held, "load", 0) as taken,
            ):
                taken.check()
        # What could not be had whole left nothing behind. A server that ends sessions which do nothing spares this one.
        database.outside("alter database postgres set idle_in_transaction_session_timeout = '100ms'")
        with write_lock.taken("postgres", [*held, "keitaro"], "load", 0) as taken:
            taken.check()
            time.sleep(0.5)
            assert taken.lost() == []
            cut(database)
            assert taken.lost() == sorted([*held, "keitaro"])
            with pytest.raises(LockedError, match="was lost"):
                taken.check()
    database.outside(
        "alter database postgres reset idle_in_transaction_session_timeout", "drop database another"
    )


def test_d01_a_server_that_does_not_answer_is_not_waited_for(
    database: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something between us and it takes what we say and passes on nothing: the right is lost, after a time."""
    monkeypatch.setattr(lock_session, "ANSWERED", 0.5)
    with wire(database.port) as (port, is_cut):
        url = database.url.replace(str(database.port), str(port))
        with environment({"DESTINATION__POSTGRES__CREDENTIALS": url}):
            with write_lock.taken("postgres", ["besitos"], "load", 0) as taken:
                time.sleep(1.2)
                taken.check()
                is_cut.set()
                time.sleep(1.2)
                began = time.monotonic()
                with pytest.raises(LockedError, match="was lost"):
                    taken.check()
                assert time.monotonic() - began < 2
            with (
                pytest.raises(ConversyncError, match="cannot be reached"),
                translate_errors(),
                write_lock.taken("postgres", ["besitos"], "load", 0),
            ):
                pass


def test_d01_the_package_for_it_is_named_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, database: Cluster
) -> None:
    """As for any destination that lacks one."""
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with (
        environment({"DESTINATION__POSTGRES__CREDENTIALS": database.url}),
        pytest.raises(SettingsError, match=r"pip install dlt\[postgres\]"),
        translate_errors(),
        write_lock.taken("postgres", ["besitos"], "load", 0),
    ):
        pass


@contextmanager
def wire(port: int) -> Iterator[tuple[int, threading.Event]]:
    """A port that leads to another one, until it is cut: then it takes everything and tells nothing."""
    is_cut, ends = threading.Event(), list[socket.socket]()

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not is_cut.is_set():
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", port))
                ends.extend((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1], is_cut
        listener.shutdown(socket.SHUT_RDWR)
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@pytest.mark.parametrize(
    ("destination", "said"),
    [("postgres", "several machines may write there"), ("ducklake", "only one machine may write there")],
)
def test_d01_check_says_how_many_machines_may_write(place: Place, destination: str, said: str) -> None:
    """Of a destination whose lock is only a file beside the project, too."""
    done = place.run("check", "besitos", "--destination", destination)
    assert f"note {destination}: {said}" in " ".join(done.out.split())

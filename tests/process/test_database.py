"""C14: the database goes away in the middle of a load. Exit 4 and a sentence, nothing half done; the next run heals."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest

from conversync.dlt_errors import sentence
from conversync.sandbox import Fault, Sandbox, World
from tests.besitos.rows import reversal, row
from tests.dbt.cluster import Cluster, binary, cluster
from tests.process.support import Done, Place, ProcessPool, Wish

pytestmark = pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here")

STANDING = "select event_key, payout from besitos.conversion_events where valid_to is null order by 1"
ROWS = [row(number, payout=number) for number in range(1, 40)]


class Remote(Place):
    """A place whose tables are on a server."""

    def night(self, *more: str) -> Done:
        """The days of the rows."""
        days = ("--from", "2024-12-01", "--to", "2024-12-20", "--window", "400d")
        argv = ["load", "besitos", *days, "--destination", "postgres", *more]
        return self.nursery.start(Wish(argv, self.env, str(self.folder))).wait()


@pytest.fixture
def remote(database: Cluster, tmp_path: Path, nursery: ProcessPool) -> Iterator[Remote]:
    """Forty events were loaded, and one of them is restated and reversed now."""
    with Sandbox(World(days=1)) as sandbox:
        place = Remote(tmp_path, sandbox, nursery)
        place.env["DESTINATION__POSTGRES__CREDENTIALS"] = database.url
        sandbox.besitos.rows = ROWS
        done = place.night()
        assert done.code == 0, done.told
        sandbox.besitos.rows = [row(1, payout=99), *ROWS[1:], reversal(1), row(40, payout=40)]
        yield place
        sandbox.faults.clear()
        database.ask("drop schema besitos cascade; drop schema besitos_staging cascade; select 1")


AFTER = {f"{number}:original": float(number) for number in range(2, 41)} | {
    "1:original": 99,
    "1:reversal:2024-12-06 09:00:00:40.000000": 11.05,
}


def standing(database: Cluster) -> dict[str, float]:
    """The open statements' payouts by event, each once."""
    rows = database.ask(STANDING)
    assert len({key for key, _ in rows}) == len(rows)
    return {key: float(payout) for key, payout in rows}


def healed(remote: Remote, database: Cluster) -> None:
    """The next run alone makes all right."""
    done = remote.night()
    assert done.code == 0, done.told
    expected = {f"{number}:original": number for number in range(2, 41)} | {
        "1:original": 99,
        "1:reversal:2024-12-06 09:00:00:40.000000": 11.05,
    }
    assert {key: float(payout) for key, payout in database.ask(STANDING)} == expected


def test_c14_the_database_is_gone_when_the_rows_are_there(remote: Remote, database: Cluster) -> None:
    """It crashes while the vendor answers, and is up again for the next night."""
    before = standing(database)
    fault = remote.sandbox.faults.add(Fault(times=1, action=lambda: database.stop(signal.SIGQUIT)))
    remote.night().refused(4, "The destination cannot be reached", "run it again")
    assert fault.delivered
    database.start()
    assert standing(database) == before
    healed(remote, database)


def interrupted(database: Cluster, words: str, done: threading.Event) -> Callable[[], None]:
    """Ends the first session that is busy with such a statement."""

    def wait() -> None:
        query = (
            "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() "
            f"and state <> 'idle' and query ilike '%{words}%'"
        )
        until = time.monotonic() + 60
        while time.monotonic() < until and not done.is_set():
            if database.ask(query):
                done.set()

    return wait


SLOW = """
    create or replace function wait() returns trigger as $$ begin perform pg_sleep(0.5); return null; end $$
    language plpgsql;
    create or replace trigger wait {when} on {table} for each statement execute function wait();
    select 1
"""
MOMENTS: dict[str, Any] = {
    "truncate": ("before truncate", "besitos_staging.conversion_events", "truncate%staging"),
    "merge": ("after insert", "besitos.conversion_events", "insert into%conversion_events"),
    "end": ("before insert", "besitos._dlt_loads", "insert into%_dlt_loads"),
    "staging": ("before insert", "besitos_staging.conversion_events", "besitos_staging"),
}


@pytest.mark.long
@pytest.mark.parametrize("moment", MOMENTS)
def test_c14_the_connection_is_cut_in_the_middle_of_a_load(
    remote: Remote, database: Cluster, moment: str
) -> None:
    """In the staging table, in the merge, before the load counts as whole: tried again, or exit 4 with a sentence."""
    when, table, words = MOMENTS[moment]
    before, cut = standing(database), threading.Event()
    database.ask(SLOW.format(when=when, table=table))
    thread = threading.Thread(target=interrupted(database, words, cut))
    thread.start()
    done = remote.night()
    was_cut = cut.is_set()
    cut.set()
    thread.join()
    assert was_cut, "nothing was cut"
    database.ask(f"drop trigger wait on {table}; select 1")
    if done.code:
        done.refused(4, "The destination cannot be reached")
        assert standing(database) in (before, AFTER)
    healed(remote, database)


def test_c14_every_way_to_lose_a_connection_has_its_sentence() -> None:
    """A server that shuts down has an error of its own kind; DuckDB's of the same name is about a file."""
    import duckdb
    import psycopg2.errors  # type: ignore[import-untyped] # its stubs are a package of their own

    for error in (psycopg2.errors.AdminShutdown(), psycopg2.InterfaceError(), psycopg2.OperationalError()):
        assert "The destination cannot be reached" in str(sentence(error))
    assert sentence(duckdb.IOException("a file")) is None


@pytest.fixture
def guarded() -> Iterator[Cluster]:
    """A server that asks for a password, which is "none"."""
    with NamedTemporaryFile("w") as file:
        file.write("none")
        file.flush()
        # It is another user who reads it.
        Path(file.name).chmod(0o644)
        with cluster("--auth", "scram-sha-256", "--pwfile", file.name) as running:
            yield running


def test_who_is_not_let_in_is_told_otherwise_than_that_the_server_is_away(
    guarded: Cluster, tmp_path: Path, sandbox: Sandbox, nursery: ProcessPool
) -> None:
    """Exit 2 with the server's words where the password, the user or the database is wrong; 4 where none listens."""
    place = Remote(tmp_path, sandbox, nursery)

    def night(was: str, now: str) -> Done:
        place.env["DESTINATION__POSTGRES__CREDENTIALS"] = guarded.url.replace(was, now)
        return place.night()

    wrong = night(":none@", ":hidden@")
    wrong.refused(
        2, 'does not let this user in (password authentication failed for user "postgres")', "run it"
    )
    assert "hidden" not in wrong.told
    night("//postgres:", "//nobody:").refused(2, 'failed for user "nobody")', "Check user, password")
    night(f"{guarded.port}/postgres", f"{guarded.port}/nothing").refused(
        2, 'database "nothing" does not exist'
    )
    night(f":{guarded.port}/", ":9/").refused(
        4, "cannot be reached. Check its address in [destination.postgres.credentials]", "run it again"
    )

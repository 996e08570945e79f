"""D05: views on a PostgreSQL are people's, too: what they may read, and what they built on them, outlives a load."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conversync.dlt_errors import translate_errors
from conversync.errors import LockedError
from conversync.load import pipeline_for
from conversync.sandbox import Sandbox, World
from conversync.warehouse import postgres_views, sessions, write_lock
from tests.besitos.rows import row
from tests.dbt.cluster import Cluster, binary
from tests.houses import environment
from tests.process.support import Done, Place, ProcessPool, Wish

pytestmark = pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here")
VIEW = "besitos.conversions"


class Remote(Place):
    """A place whose tables are on a server."""

    def night(self) -> Done:
        """A load."""
        argv = ["load", "besitos", "--from", "2024-12-01", "--to", "2024-12-08", "--window", "400d"]
        wish = Wish([*argv, "--destination", "postgres"], self.env, str(self.folder))
        return self.nursery.start(wish).wait()

    def well(self) -> None:
        """One that ends well."""
        done = self.night()
        assert done.code == 0, done.told


@pytest.fixture
def remote(database: Cluster, tmp_path: Path, nursery: ProcessPool) -> Iterator[Remote]:
    """Loaded once; an analyst may read a view, and has one of their own that reads it."""
    with Sandbox(World(days=1)) as sandbox:
        sandbox.besitos.rows = [row(number) for number in range(1, 4)]
        place = Remote(tmp_path, sandbox, nursery)
        place.env["DESTINATION__POSTGRES__CREDENTIALS"] = database.url
        place.well()
        database.ask(f"create role analyst; grant select on {VIEW} to analyst with grant option; select 1")
        database.ask(f"create view public.mine as select transaction_id, payout from {VIEW}; select 1")
        yield place
        database.ask(
            "drop view if exists public.mine; drop schema besitos cascade; drop schema besitos_staging cascade; "
            "drop role analyst; select 1"
        )


def columns(database: Cluster) -> list[str]:
    """The view's, in their order."""
    query = (
        f"select attname from pg_attribute where attrelid = '{VIEW}'::regclass and attnum > 0 order by attnum"
    )
    return [str(name) for (name,) in database.ask(query)]


def may_read(database: Cluster) -> bool:
    """Whether the analyst may, and may let others."""
    [[may]] = database.ask(f"select has_table_privilege('analyst', '{VIEW}', 'select with grant option')")
    return bool(may)


def number(database: Cluster) -> int:
    """By which the server knows the view; another one if it was made anew."""
    [[found]] = database.ask(f"select '{VIEW}'::regclass::oid::bigint")
    return int(found)


def of_an_earlier_version(database: Cluster, change: Callable[[list[str]], list[str]]) -> list[str]:
    """The view as if it had had other columns; what they are now."""
    held = columns(database)
    [[text]] = database.ask(f"select pg_get_viewdef('{VIEW}'::regclass)")
    chosen = ", ".join(f'"{name}"' for name in change(held))
    database.ask(
        f"drop view {VIEW} cascade; create view {VIEW} as select {chosen} from ({text.rstrip(';')}) as now; "
        f"grant select on {VIEW} to analyst with grant option; select 1"
    )
    return held


@contextmanager
def reader(database: Cluster) -> Iterator[None]:
    """Somebody who read the view, and whose transaction stays open."""
    import psycopg2  # type: ignore[import-untyped] # its stubs are a package of their own

    connection = psycopg2.connect(database.url, application_name="notebook")
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"select count(*) from {VIEW}")
            yield
    finally:
        connection.close()


def test_d05_a_view_that_is_as_it_should_be_is_left_alone(remote: Remote, database: Cluster) -> None:
    """Rights to it stay, a person's view stays, and a reader whose transaction stays open holds up no load."""
    before = number(database)
    remote.sandbox.besitos.rows = [row(number) for number in range(1, 5)]
    with reader(database):
        remote.well()
    assert number(database) == before
    assert may_read(database)
    assert database.ask("select count(*) from public.mine") == [(4,)]


def test_d05_columns_that_come_last_are_added_in_place(remote: Remote, database: Cluster) -> None:
    """As by a new version: rights and a person's view stay."""
    now = of_an_earlier_version(database, lambda held: held[:-2])
    database.ask(f"create view public.mine as select transaction_id, payout from {VIEW}; select 1")
    before = number(database)
    remote.well()
    assert columns(database) == now
    assert number(database) == before
    assert may_read(database)
    assert database.ask("select count(*) from public.mine") == [(3,)]


def test_d05_a_view_that_must_be_made_anew_keeps_its_rights(remote: Remote, database: Cluster) -> None:
    """But not while a person's view depends on it: that one is named, and nothing is dropped."""
    now = of_an_earlier_version(database, lambda held: held[::-1])
    database.ask(f"create view public.mine as select transaction_id, payout from {VIEW}; select 1")
    remote.night().refused(
        1, "The view besitos.conversions has other columns", "and mine depends on it", "load again"
    )
    assert database.ask("select count(*) from public.mine") == [(3,)]
    assert columns(database) == now[::-1]
    database.ask("drop view public.mine; select 1")
    remote.well()
    assert columns(database) == now
    assert may_read(database)


@pytest.fixture
def client(remote: Remote, database: Cluster, tmp_path: Path) -> Iterator[Any]:
    """A session of a load's."""
    del remote
    with (
        environment({"DESTINATION__POSTGRES__CREDENTIALS": database.url}),
        write_lock.taken("postgres", ["besitos"], "load", 0) as taken,
        pipeline_for(
            "besitos", write_lock.fenced("postgres", taken), tmp_path / "work"
        ).sql_client() as client,
    ):
        yield client


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is waited for as long as they are."""
    monkeypatch.setattr(postgres_views, "PATIENCE", 0.3)
    monkeypatch.setattr(sessions, "PATIENCE", 0.3)


def test_d05_who_has_a_view_open_that_changes_is_named(
    impatient: None, database: Cluster, client: Any
) -> None:
    """It is waited for, then told; the view is as it was, and is another when the reader has gone."""
    del impatient
    held = columns(database)
    database.ask("drop view public.mine; select 1")
    with (
        reader(database),
        pytest.raises(LockedError, match=r"within 0.3 s: postgres notebook pid \d+"),
        translate_errors(),
    ):
        postgres_views.make(client, "conversions", "select 1 as one")
    assert columns(database) == held
    postgres_views.make(client, "conversions", "select 1 as one")
    assert columns(database) == ["one"]


def test_d05_a_column_that_is_added_waits_for_no_reader_without_end(
    impatient: None, database: Cluster, client: Any
) -> None:
    """Whose transaction holds the table: a sentence, instead of a load that never ends."""
    del impatient
    added = "alter table besitos.conversion_events add column new_one text"
    with reader(database), pytest.raises(LockedError, match="waited for it in vain"), translate_errors():
        client.execute_sql(added)
    client.execute_sql(added)

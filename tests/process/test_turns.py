"""Who holds one PostgreSQL together with others writes in turns, and works in a folder that is told apart."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from conversync.dlt_errors import translate_errors
from conversync.errors import LockedError
from conversync.load import pipeline_for
from conversync.types import SqlClient
from conversync.warehouse import write_lock
from conversync.warehouse.warehouse import Warehouse
from conversync.warehouse.working_folder import WorkingFolder
from tests.dbt.cluster import Cluster, binary
from tests.houses import environment

pytestmark = pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here")


def test_only_who_has_the_turn_may_write(database: Cluster, tmp_path: Path) -> None:
    """The others wait for its end; who lost the right writes nothing, and what it began is waited for."""
    with environment({"DESTINATION__POSTGRES__CREDENTIALS": database.url}):
        place, other = (Warehouse(tmp_path / name / "warehouse.duckdb", "postgres") for name in "ab")
        with (
            place.locked(0, "load 1/2", ["besitos"], together=True) as folder,
            other.locked(0, "load 2/2", ["besitos"], together=True),
        ):
            pipeline = pipeline_for("besitos", place.dlt_destination(["besitos"]), folder)
            with pipeline.sql_client() as client:
                with pytest.raises(LockedError, match="was lost"), translate_errors():
                    client.execute_sql("create table public.early (x int)")
                with turn(place):
                    client.execute_sql("create table public.mine (x int)")
                    assert not is_free(other)
                assert is_free(other)
                with pytest.raises(LockedError, match="was lost"), turn(place):
                    lose(place, other, client, database)
            assert is_free(other)
    assert database.ask("select to_regclass('public.mine') is null") == [(True,)]


def test_who_waits_long_for_a_turn_says_for_whose_and_leaves_nothing_on_the_server(
    database: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It asks again and again, for as long as a commit takes: no savepoint of a try is kept."""
    monkeypatch.setattr(write_lock, "LONG_TURN", 0.0)
    with environment({"DESTINATION__POSTGRES__CREDENTIALS": database.url}):
        place, other = (Warehouse(tmp_path / name / "warehouse.duckdb", "postgres") for name in "ab")
        with (
            place.locked(0, "load 1/2", ["besitos"], together=True),
            other.locked(0, "load 2/2", ["besitos"], together=True),
        ):
            with turn(place):
                assert not is_free(other)
            [told] = caplog.messages
            assert told.startswith(
                "besitos: waiting for the turn of another shard: conversync load 1/2 besitos ("
            )
            assert is_free(other)
            [session] = other.right._sessions  # noqa: SLF001 - PostgreSQL tells of savepoints in the session alone
            with pytest.raises(Exception, match='savepoint "turn" does not exist'):
                session._ask("release savepoint turn")  # noqa: SLF001 - as above


def test_what_a_killed_shard_left_goes_beside_others(tmp_path: Path) -> None:
    """And what others work in stays, and what has no mark yet; who is alone takes all."""
    runs = tmp_path / "runs-postgres"
    with WorkingFolder(runs, together=True) as first:
        shutil.copytree(first.path, runs / "killed")
        (runs / "begun").mkdir()
        with WorkingFolder(runs, together=True) as second:
            assert {one.name for one in runs.iterdir()} == {first.path.name, second.path.name, "begun"}
        assert first.path.is_dir()
    with WorkingFolder(runs, together=False) as alone:
        assert list(runs.iterdir()) == [alone.path]
    assert not runs.exists()


def turn(place: Warehouse) -> AbstractContextManager[None]:
    """The turn, if it is free; TimeoutError."""

    def moment() -> None:
        raise TimeoutError

    return place.right.turn("besitos", moment)


def is_free(place: Warehouse) -> bool:
    try:
        with turn(place):
            return True
    except TimeoutError:
        return False


def lose(place: Warehouse, other: Warehouse, client: SqlClient, database: Cluster) -> None:
    """In a transaction the session that holds the right ends: that one may end, and is waited for."""
    with client.begin_transaction():
        client.execute_sql("drop table public.mine")
        query = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like '% 1/2 %'"
        assert database.ask(query) == [(True,)]
        assert not is_free(other)
    place.right.check()

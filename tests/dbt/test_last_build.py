"""Where nothing was written since the last build, nothing is built; whatever else may be, everything is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from conversync.build import build, inputs_of, relations
from conversync.build.last import Inputs, Note, days_now, digest_of, mark
from conversync.cli import output
from conversync.types import Document
from conversync.warehouse.publish import publish
from conversync.warehouse.query import of_duckdb
from conversync.warehouse.stored import look
from conversync.warehouse.warehouse import Warehouse
from tests.dbt.nights import ask, marts

REPORT = {"models": 3, "warnings": ["A day is short."]}


def inputs(path: Path) -> Inputs:
    """What a build would be made of now."""
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = of_duckdb(connection)
        return inputs_of(rows, relations(rows), [])


def keep(note: Note, inputs: Inputs, *, tested: bool) -> None:
    """Notes a build that left the file as it is."""
    with duckdb.connect(str(note.warehouse), read_only=True) as connection:
        left = look(connection, note.warehouse)
    note.keep(inputs, left, [], REPORT, tested=tested)


def told(note: Note, found: str | None, inputs: Inputs, *, tested: bool = True) -> Document | None:
    """What is told of the last build, to one of the file of this mark and made of this."""
    last = note.last()
    return last.same(found, inputs, tested=tested) if last else None


@pytest.fixture
def noted(offerwall: Path, tmp_path: Path) -> Note:
    """A warehouse of which a build was noted, with its tests."""
    path = tmp_path / "warehouse.duckdb"
    shutil.copy(offerwall, path)
    note = Note(tmp_path / "warehouse.built", path)
    keep(note, inputs(path), tested=True)
    assert same(note) == REPORT
    return note


def same(note: Note, *, tested: bool = True) -> dict[str, object] | None:
    """What is told of the last build."""
    found = mark(note.warehouse)
    return told(note, found, inputs(note.warehouse), tested=tested)


@pytest.mark.more
def test_nothing_is_built_where_nothing_was_written(
    offerwall: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file stays as it is to the byte, also when it was published meanwhile; a full refresh says the same."""
    path = tmp_path / "warehouse.duckdb"
    shutil.copy(offerwall, path)
    first = build(path, run_tests=False)
    assert (first.failures, first.is_unchanged) == ([], False)
    publish(Warehouse(path))
    before, held = path.read_bytes(), marts(path)
    again = build(path, run_tests=False)
    assert again == replace(first, is_unchanged=True, seconds=again.seconds)
    assert path.read_bytes() == before
    output.built(again)
    assert f"Nothing was written since the last build: its {first.models} models" in capsys.readouterr().out
    refreshed = build(path, full_refresh=True, run_tests=False)
    assert (refreshed.is_unchanged, marts(path)) == (False, held)
    with duckdb.connect(str(path)) as connection:
        connection.execute("delete from marts.conversions")
    assert not build(path, run_tests=False).is_unchanged
    assert marts(path) == held


@pytest.mark.parametrize(
    "statement",
    [
        "insert into besitos.windows select * from besitos.windows limit 1",
        "update besitos.conversion_events set payout = payout + 1 where valid_to is null",
        "delete from marts.conversions_daily",
        "drop table marts.days",
        "comment on table marts.days is 'mine'",
        "create or replace view besitos.lateness as select 1 as one",
    ],
)
def test_whatever_is_written_is_seen(noted: Note, statement: str) -> None:
    """By a load or by hand, to what models read or to what they made; also where the file keeps its time."""
    before = noted.warehouse.stat()
    with duckdb.connect(str(noted.warehouse)) as connection:
        connection.execute(statement)
    os.utime(noted.warehouse, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert same(noted) is None


def test_a_file_that_was_put_there_is_another(noted: Note) -> None:
    """A copy of before, upon which as much was written as here, may have the same headers."""
    os.utime(noted.warehouse)
    assert same(noted) is None


def test_what_was_not_taken_over_yet_is_seen(noted: Note) -> None:
    """A session that died left what it had committed in DuckDB's log."""
    dies = (
        f"import duckdb, os; c = duckdb.connect({str(noted.warehouse)!r}); "
        "c.execute('delete from marts.days'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", dies], check=True)
    assert mark(noted.warehouse) is None
    found = inputs(noted.warehouse)
    assert told(noted, None, found) is None
    keep(noted, found, tested=True)
    assert told(noted, None, found) is None, "what cannot be known is not the same"


def test_reading_is_no_writing(noted: Note) -> None:
    """A reader, or a session that could have written."""
    ask(noted.warehouse, "select count(*) from marts.conversions")
    with duckdb.connect(str(noted.warehouse)) as connection:
        connection.execute("create temp table mine as select * from marts.days")
    assert same(noted) == REPORT


@pytest.mark.parametrize(
    "change",
    [
        lambda now: replace(now, project="another version of the models"),
        lambda now: replace(now, variables={**now.variables, "besitos_zone": "UTC"}),
        lambda now: replace(now, days={**now.days, "besitos": [(1, "2")]}),
        lambda now: replace(now, days=None),
    ],
)
def test_another_build_is_another(noted: Note, change: Callable[[Inputs], Inputs]) -> None:
    """Of other models, with other settings, on another day, or on one that nobody knows."""
    found, now = mark(noted.warehouse), inputs(noted.warehouse)
    assert told(noted, found, now) == REPORT
    assert told(noted, found, change(now)) is None


def test_a_build_without_tests_tests_nothing_for_the_next(noted: Note) -> None:
    """One with tests stands for one without; the other way round it does not."""
    assert same(noted, tested=False) == REPORT
    keep(noted, inputs(noted.warehouse), tested=False)
    assert (same(noted, tested=False), same(noted)) == (REPORT, None)


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"mark": "?"}'])
def test_a_note_that_cannot_be_read_is_none(noted: Note, text: str | None) -> None:
    """One that is gone, or was cut short."""
    noted.path.unlink()
    if text is not None:
        noted.path.write_text(text)
    assert same(noted) is None


def test_what_changes_with_the_clock_is_asked_each_time() -> None:
    """Days come without a load, too; and where they cannot be read, nobody knows."""
    with duckdb.connect() as connection:
        connection.execute("create schema besitos; create view besitos.days as select now() as day")
        rows = of_duckdb(connection)
        first, second = (days_now(rows, ["besitos", "keitaro"], {"besitos.days"}) for _ in range(2))
        assert first
        assert second
        assert first != second
        connection.execute("create or replace view besitos.days as select error('no days') as day")
        assert days_now(rows, ["besitos"], {"besitos.days"}) is None


def test_each_file_of_the_project_counts(tmp_path: Path) -> None:
    """Its name and its text; what dbt leaves there does not."""
    (tmp_path / "models").mkdir()
    model = tmp_path / "models" / "one.sql"
    model.write_text("select 1")
    seen = {digest_of(tmp_path)}
    model.write_text("select 2")
    seen.add(digest_of(tmp_path))
    model.rename(model.with_name("two.sql"))
    seen.add(digest_of(tmp_path))
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "manifest.json").write_text("{}")
    assert digest_of(tmp_path) in seen
    assert len(seen) == 3

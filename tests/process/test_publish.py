"""The published copy: readers and loads never hold each other up, and a copy is whole or is not there."""

from __future__ import annotations

import signal
from pathlib import Path

import duckdb
import pytest

from tests.process.nights import Nights
from tests.process.support import Place
from tests.process.test_locks import reader

EVENTS = "select * exclude (valid_from, valid_to, _dlt_load_id) from besitos.conversion_events order by all"


def copy_of(place: Place) -> Path:
    """Where a load publishes to."""
    return place.folder / "published" / "warehouse.duckdb"


def asked(file: Path, query: str = EVENTS) -> list[tuple[object, ...]]:
    """What a reader of the file sees."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_after_a_load_the_copy_is_the_warehouse(place: Place) -> None:
    """To the byte, with nothing left in a write-ahead log, and no other file beside it."""
    done = place.load()
    assert done.code == 0
    assert str(copy_of(place)) in done.out
    assert copy_of(place).read_bytes() == place.warehouse.read_bytes()
    assert place.leftovers() == []


def test_a_reader_of_the_copy_and_a_load_do_not_see_each_other(nights: Nights) -> None:
    """The load ends as ever; the reader goes on with what it opened, and sees the new copy when it opens that."""
    place = nights.place(nights.first)
    assert place.run("publish").code == 0
    before = asked(copy_of(place))
    with duckdb.connect(str(copy_of(place)), read_only=True) as session:
        place.loaded()
        assert session.execute(EVENTS).fetchall() == before
    assert asked(copy_of(place)) == asked(place.warehouse) != before


@pytest.mark.more
def test_a_kill_while_publishing_leaves_the_copy_before_or_the_new_one(nights: Nights) -> None:
    """kill -9 at points of `publish`: the copy can be read, is one or the other, and the next run cleans up."""
    place = nights.place(nights.first)
    assert place.run("publish").code == 0
    before = asked(copy_of(place))
    place.loaded()
    after = asked(place.warehouse)
    assert before != after
    assert place.run("publish", points=str(place.folder / "tmp" / "points")).code == 0
    points = int((place.folder / "tmp" / "points").read_text())
    (place.folder / "tmp" / "points").unlink()
    for point in range(1, points, max(1, points // 8)):
        copy_of(place).write_bytes(nights.first.warehouse.read_bytes())
        assert place.run("publish", at=point).code == -signal.SIGKILL, f"not killed at {point} of {points}"
        assert asked(copy_of(place)) in (before, after)
        assert asked(place.warehouse) == after
    assert place.run("publish").code == 0
    assert asked(copy_of(place)) == after
    assert place.leftovers() == []


def test_a_copy_that_cannot_be_written_costs_no_row(nights: Nights) -> None:
    """The place closes while the load reads: what is loaded stays; exit 1 and a sentence with place and setting."""
    place = nights.place()
    closed = place.folder / "closed"
    place.env["CONVERSYNC_PUBLISHED"] = str(closed / "copy.duckdb")
    closed.mkdir()
    asked_before = len(place.sandbox.requests)
    run = place.begin(privileged=False)
    while len(place.sandbox.requests) == asked_before and not run.ended(0.005):
        pass
    closed.chmod(0o555)
    done = run.wait()
    closed.chmod(0o755)
    assert done.code == 1
    assert "closed/copy.duckdb cannot be written (Permission denied)" in done.err
    assert "`published`" in done.err
    assert place.held() == nights.alone


@pytest.mark.parametrize(
    ("command", "published", "reason"),
    [
        ("load", "closed/new/copy.duckdb", "Permission denied"),
        ("nightly", "file/copy.duckdb", "Not a directory"),
        ("publish", "closed", "Is a directory"),
    ],
)
def test_k25_a_place_for_the_copy_that_cannot_work_is_told_first(
    place: Place, command: str, published: str, reason: str
) -> None:
    """Exit 2 before any request, with the place and the setting; no warehouse, and nothing in its way is touched."""
    (place.folder / "closed").mkdir(mode=0o555)
    (place.folder / "file").write_text("mine")
    place.env["CONVERSYNC_PUBLISHED"] = str(place.folder / published)
    done = place.run(command, privileged=False)
    done.refused(2, f"{published} cannot be written ({reason})", "`published`")
    assert place.sandbox.requests == []
    assert place.leftovers() == ["closed", "file"]
    assert (place.folder / "file").read_text() == "mine"


@pytest.mark.quick(1)
@pytest.mark.parametrize("how", ["off", "the warehouse"])
def test_settings_of_the_copy(loaded: Place, how: str) -> None:
    """ "off" publishes nothing; the warehouse itself is refused before any request."""
    loaded.env["CONVERSYNC_PUBLISHED"] = "off" if how == "off" else str(loaded.warehouse)
    requests = len(loaded.sandbox.requests)
    done = loaded.load()
    if how == "off":
        assert done.code == 0
        assert not copy_of(loaded).exists()
    else:
        done.refused(2, "may not be the warehouse itself")
        assert len(loaded.sandbox.requests) == requests


def test_compact_keeps_every_row_view_and_comment(nights: Nights) -> None:
    """It only leaves out what deleted rows still take."""
    place = nights.place(nights.second)
    place.change("create table main.big as from range(300_000); drop table main.big")
    assert place.run("publish", "--compact").code == 0
    described = (
        "select schema_name, table_name, column_name, comment from duckdb_columns() where not internal"
    )
    described += " order by all"
    for query in (EVENTS, "from besitos.conversions order by all", described):
        assert asked(copy_of(place), query) == asked(place.warehouse, query)
    assert copy_of(place).stat().st_size < place.warehouse.stat().st_size


def test_a_load_that_waits_for_a_reader_of_the_live_file_says_so(loaded: Place) -> None:
    """One line when it begins to wait, one when it gives up; nothing is lost."""
    before = loaded.held()
    with reader(loaded, read_only=True):
        done = loaded.load("--wait", "1s")
    assert done.code == 4
    assert f"Somebody has {loaded.warehouse} open; waiting for it, up to 1 seconds." in done.err
    assert loaded.held() == before


def test_every_table_view_and_column_says_what_it_is(loaded: Place) -> None:
    """Also after the view was made anew, and in the tables that dlt keeps."""
    loaded.loaded()
    nothing = "comment is null and not internal"
    assert asked(loaded.warehouse, f"select table_name from duckdb_tables() where {nothing}") == []
    assert asked(loaded.warehouse, f"select view_name from duckdb_views() where {nothing}") == []
    assert (
        asked(loaded.warehouse, f"select table_name, column_name from duckdb_columns() where {nothing}") == []
    )
    [[said]] = asked(
        copy_of(loaded),
        "select comment from duckdb_columns() where schema_name = 'besitos' and table_name = 'conversions' "
        "and column_name = 'net_payout'",
    )
    assert "in `currency`" in str(said)

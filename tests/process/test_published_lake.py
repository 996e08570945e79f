"""The published copy as tables of a lake: exact, whole or not there, and nothing of anybody who is forgotten."""

from __future__ import annotations

import grp
import shutil
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pytest

from conversync.errors import ConversyncError
from conversync.warehouse import published_lake
from conversync.warehouse.publish import Readers
from tests.houses import environment
from tests.process.lakes import TABLES, Lake
from tests.process.nights import Nights
from tests.process.support import Place, Wish

PACKAGES = {"delta": "deltalake", "iceberg": "pyiceberg"}
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
EVENTS = "besitos.conversion_events"
PERSONAL = "4917155500"


@pytest.fixture(params=list(PACKAGES))
def lake(request: pytest.FixtureRequest, loaded: Place) -> Lake:
    """Of the first night's warehouse, and not published yet."""
    return Lake(loaded, str(request.param))


def test_every_table_is_there_as_in_the_copy(lake: Lake) -> None:
    """Rows, types, the sentences of tables and columns; an empty table is one, and dlt's own are not there."""
    lake.publish()
    lake.is_the_copy()
    assert lake.rows("besitos.rejected_rows") == []
    types = {one.name: one.type for one in lake.table(EVENTS).schema}
    assert types["payout"] == pa.decimal128(18, 6)
    assert types["occurred_at"] == types["valid_to"] == pa.timestamp("us", "UTC")
    assert (types["occurred_on"], types["transaction_id"]) == (pa.date32(), pa.int64())
    assert (types["is_reversal"], types["extra"]) == (pa.bool_(), pa.string())
    for name, comment in lake.copy(TABLES):
        columns = "select column_name, comment from duckdb_columns() where comment is not null and "
        columns += f"schema_name || '.' || table_name = '{name}'"
        assert lake.said(name) == (comment or "", dict(lake.copy(columns)))
    assert all(path.stat().st_mode & 0o077 == 0 for path in lake.folder.rglob("*")), "it is ours alone"


def test_only_what_changed_is_written(lake: Lake, nights: Nights) -> None:
    """A second publish writes nothing; a night the tables that it changed, and readers see it at once."""
    lake.publish()
    names = [name for name, _ in lake.copy(TABLES)]
    before, files = {name: lake.version(name) for name in names}, lake.files()
    lake.publish()
    assert ({name: lake.version(name) for name in names}, lake.files()) == (before, files)
    nights.stand_at(2)
    lake.place.loaded()
    lake.is_the_copy()
    changed = {name for name in names if lake.version(name) != before[name]}
    assert EVENTS in changed
    assert "besitos.rejected_rows" not in changed


def test_types_and_columns_follow_the_copy(lake: Lake) -> None:
    """Of a table of anybody's: large whole numbers stay exact, what has parts is JSON; columns come, go and change."""
    lake.place.change(
        "create table main.mine as select 170141183460469231731687303715884105::hugeint as big, 7::tinyint as small, "
        "18446744073709551615::ubigint as whole, [1, 2] as list, {'a': 1} as parts, 1.5::float as real, "
        "timestamp '2024-12-05 06:25:36.000001' as plain, interval 1 day as span, 'x'::blob as bytes"
    )
    lake.publish()
    [row] = lake.rows("main.mine", "select * replace (decode(bytes) as bytes) from found")
    assert [str(one) for one in row] == [
        *("170141183460469231731687303715884105", "7", "18446744073709551615", "[1,2]", '{"a":1}', "1.5"),
        *("2024-12-05 06:25:36.000001", "1 day", "x"),
    ]
    lake.place.change(
        "alter table main.mine drop list; alter table main.mine alter small type varchar; "
        "alter table main.mine add column late timestamp; comment on table main.mine is 'Of mine.'"
    )
    lake.publish()
    assert lake.table("main.mine").schema.names == [
        *("big", "small", "whole", "parts", "real", "plain", "span", "bytes", "late"),
    ]
    assert lake.rows("main.mine", "select small, late from found") == [("7", None)]
    assert lake.said("main.mine") == ("Of mine.", {})
    lake.place.change("create table main.later as select 1 as x; delete from main.mine")
    lake.publish()
    lake.place.change(
        "alter table main.later add column seen timestamp; update main.later set seen = '2024-12-05'"
    )
    lake.publish()
    assert lake.rows("main.mine") == []
    lake.is_the_copy()


def test_a_table_that_left_the_copy_leaves_the_lake(lake: Lake) -> None:
    """But one that somebody else has there stays, and is not written over; what has no name for a lake is told."""
    lake.place.change('create table main.mine as select 1 as x; create table main.odd as select 1 as "a b"')
    assert "main.odd (a b)" in lake.publish().err
    assert "main.mine" in lake.names()
    lake.place.change("drop table main.mine; drop table main.odd")
    lake.publish()
    lake.is_the_copy()
    assert not (lake.folder / "main" / "mine").exists()


def test_somebody_elses_table_is_not_written_over(lake: Lake) -> None:
    """Exit 1 and its name; the copy is published nonetheless."""
    lake.stranger("main.mine", pa.table({"theirs": [7]}))
    lake.publish()
    lake.place.change("create table main.mine as select 1 as x")
    done = lake.place.run("publish")
    assert done.code == 1, done.told
    assert "did not write" in done.err
    assert lake.rows("main.mine") == [(7,)]
    assert lake.copy("from main.mine") == [(1,)]


def test_a_table_that_cannot_be_written_holds_up_no_other(lake: Lake) -> None:
    """Exit 1 and its name; all others are there, and nothing of what was begun of it is left."""
    lake.place.change(
        "create table besitos.huge as select range as n, 1::hugeint as big from range(200000) union all "
        "select 0, 170141183460469231731687303715884105727"
    )
    done = lake.place.run("publish")
    assert done.code == 1, done.told
    assert "besitos.huge is as it was" in done.err
    assert lake.names() == {name for name, _ in lake.copy(TABLES)} - {"besitos.huge"}
    assert lake.files_of("besitos.huge", "*.parquet") == []


def test_a_store_that_does_not_answer_is_not_asked_for_each_table(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else may write the warehouse meanwhile, and each would take minutes."""
    lake.place.change("create table besitos.huge as select 170141183460469231731687303715884105727 as big")
    assert lake.place.run("publish").code == 1
    shutil.rmtree(lake.folder)
    monkeypatch.setattr(published_lake, "PATIENCE", 0.0)
    copy, spill = lake.place.folder / "published" / "warehouse.duckdb", lake.place.folder / "spill"
    with (
        environment(lake.place.env),
        pytest.raises(ConversyncError, match=r"besitos.huge is as it was.*comes after it was not tried"),
    ):
        published_lake.write(copy, spill, Readers())
    names = {name for name, _ in lake.copy(TABLES)}
    assert lake.names() == {name for name in names if name < "besitos.huge"}


def test_what_somebody_else_wrote_into_a_table_is_put_right(lake: Lake) -> None:
    """Though nothing changed in the copy: rows that stand there twice are money."""
    lake.publish()
    lake.meddle(EVENTS)
    assert len(lake.rows(EVENTS)) == 2 * len(lake.copy(f"from {EVENTS}"))
    lake.publish()
    lake.is_the_copy()


@pytest.mark.parametrize("share", [0.2, *(pytest.param(one / 8, marks=pytest.mark.more) for one in range(8))])
def test_a_kill_leaves_each_table_as_it_was_or_new(lake: Lake, share: float) -> None:
    """And the next publish mends: what the killed one wrote and did not finish goes with the next change."""
    lake.place.change(
        "create table main.big as select range as x, md5(range::varchar) as y from range(500_000)"
    )
    lake.publish()
    before = set(lake.files_of("main.big"))
    lake.place.change("update main.big set y = 'new' || y; create table main.more as select 1 as x")
    run = lake.place.nursery.start(Wish(["publish"], lake.place.env, str(lake.place.folder)))
    while set(lake.files_of("main.big")) == before and not run.ended(0.002):
        pass
    time.sleep(share)
    run.signal(signal.SIGKILL)
    run.wait()
    told = lake.rows("main.big", "select count(*), count(*) filter (y like 'new%') from found")
    assert told in ([(500_000, 0)], [(500_000, 500_000)])
    lake.place.env["CONVERSYNC_PUBLISHED_LAKE_KEEP"] = "0h"
    lake.place.change("insert into main.big values (-1, 'new')")
    lake.publish()
    lake.is_the_copy()
    assert len(lake.files_of("main.big", "*.parquet")) == 1


def test_what_cannot_be_written_is_told_and_costs_the_copy_nothing(lake: Lake) -> None:
    """Exit 1, and the table's name; readers of the lake have what they had, and the next publish mends."""
    lake.publish()
    lake.place.change("create table main.mine as select 1 as x")
    lake.publish()
    lake.place.change("insert into main.mine values (2)")
    closed = [lake.folder / "main", *(one for one in (lake.folder / "main").rglob("*") if one.is_dir())]
    for folder in closed:
        folder.chmod(0o555)
    done = lake.place.run("publish", privileged=False)
    for folder in closed:
        folder.chmod(0o755)
    assert done.code == 1, done.told
    assert "The copy for readers was published, but not the lake" in done.err
    assert "main.mine" in done.err
    assert lake.copy("select count(*) from main.mine") == [(2,)]
    assert lake.rows("main.mine") == [(1,)]
    lake.publish()
    lake.is_the_copy()


def test_earlier_versions_stay_for_a_while(lake: Lake) -> None:
    """Who reads one goes on; after the hours that are set, its files go, also where nothing changes any more."""
    lake.place.change("create table main.mine as select 1 as x")
    lake.publish()
    old = lake.files_of("main.mine", "*.parquet")
    lake.place.change("update main.mine set x = 2")
    lake.publish()
    assert set(old) < set(lake.files_of("main.mine", "*.parquet"))
    lake.place.env["CONVERSYNC_PUBLISHED_LAKE_KEEP"] = "0h"
    lake.publish()
    assert not set(old) & set(lake.files_of("main.mine", "*.parquet"))
    lake.is_the_copy()


def test_what_is_withheld_is_in_no_file(lake: Lake) -> None:
    """As in the copy, of which the lake is made."""
    lake.place.change(
        f"create table main.texts as select 'k' as send_key, '{PERSONAL}01' as address, 'Your code' as message, 1 as x"
    )
    lake.publish()
    assert lake.rows("main.texts") == [("k", None, None, 1)]
    assert not lake.holds(PERSONAL)
    lake.is_the_copy()


def test_nothing_is_left_of_who_is_forgotten(lake: Lake) -> None:
    """In no version of any table, and no file; every amount stays."""
    [[person]] = lake.place.query(f"select max(user_id) from {EVENTS}")
    amounts = f"select sum(payout) from {EVENTS}"
    lake.publish()
    assert lake.holds(person)
    lake.place.env["CONVERSYNC_PRIVACY_KEY"] = "a key of the tests, and of nobody else"
    before = lake.place.query(amounts)
    done = lake.place.run("forget", person)
    assert done.code == 0, done.told
    assert not lake.holds(person)
    assert lake.told() == [], "what names a file that went would name the largest id in it"
    assert lake.rows(EVENTS, "select sum(payout) from found") == before
    assert str(lake.folder) in done.out
    lake.is_the_copy()


@pytest.mark.more
def test_its_readers_are_the_copys(lake: Lake) -> None:
    """`published_readers` says who may read it, what was there before included."""
    lake.publish()
    lake.place.env["CONVERSYNC_PUBLISHED_READERS"] = "nogroup"
    lake.place.change("create table main.mine as select 1 as x")
    lake.publish()
    group = grp.getgrnam("nogroup").gr_gid
    for path in (lake.folder, *lake.folder.rglob("*")):
        found = path.stat()
        assert (found.st_mode & 0o777, found.st_gid) == (0o750 if path.is_dir() else 0o640, group), path


@pytest.mark.quick(3)
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"": "s3://key:secret@bucket/lake"}, "must be a folder or an address"),
        ({"_FORMAT": "hudi"}, 'published_lake_format is "hudi"'),
        ({"_KEEP": "90m"}, "must be whole hours"),
        ({"": ".dlt"}, "may not lie in"),
        ({"": "warehouse.duckdb"}, "may not be the warehouse itself"),
        ({"": "file/lake"}, "Not a directory"),
        ({"": "50%/lake"}, "may hold no %"),
        ({"_CATALOG": "ours"}, "is Iceberg's"),
        ({"_FORMAT": "iceberg", "": "s3://bucket/lake"}, "are found by a catalog"),
        ({"_FORMAT": "iceberg", "_CATALOG": "ours"}, "PYICEBERG_CATALOG__OURS__URI"),
    ],
)
def test_a_lake_that_cannot_be_meant_is_told_first(
    place: Place, settings: dict[str, str], words: str
) -> None:
    """Exit 2 before any request, no secret is said, and nothing is made."""
    (place.folder / "file").write_text("mine")
    (place.folder / ".dlt").mkdir()
    (place.folder / ".dlt" / "config.toml").write_text('published_lake = "lake"')
    place.env |= {f"CONVERSYNC_PUBLISHED_LAKE{name}": value for name, value in settings.items()}
    for command in ("load", "nightly", "publish"):
        done = place.run(command)
        done.refused(2, words)
        assert "key:secret" not in done.told
    assert place.sandbox.requests == []
    assert place.leftovers() == [".dlt", ".dlt/config.toml", "file"]


def test_a_lake_without_the_copy_or_its_package_is_told(place: Place) -> None:
    """It is made of the copy; and who has not installed what writes it is told how."""
    place.env |= {"CONVERSYNC_PUBLISHED_LAKE": "lake", "CONVERSYNC_PUBLISHED": "off"}
    place.load().refused(2, 'made of the copy for readers, and `published` is "off"')
    del place.env["CONVERSYNC_PUBLISHED"]
    for kind, package in PACKAGES.items():
        program = f"import sys; sys.modules[{package!r}] = None; from conversync.cli.main import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program, *place.days],
            cwd=place.folder,
            env={**place.env, "CONVERSYNC_PUBLISHED_LAKE_FORMAT": kind},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2, done.stderr
        assert f'pip install "conversync[{kind}]"' in done.stderr
    assert place.sandbox.requests == []


def test_no_command_imports_a_lakes_packages_without_one(loaded: Place) -> None:
    """They take a third of a second."""
    program = "import sys; from conversync.cli.main import main\ntry: main()\nfinally: print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program, "publish"],
        cwd=loaded.folder,
        env=loaded.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert not {"deltalake", "pyiceberg"} & set(done.stdout.split())


def test_elsewhere_it_is_said_that_there_is_no_lake(place: Place) -> None:
    """A destination without a copy has none to make one of: a sentence, not silence."""
    place.env |= {"CONVERSYNC_PUBLISHED_LAKE": "lake", "DESTINATION__POSTGRES__CREDENTIALS": NOWHERE}
    done = place.load("--destination", "postgres")
    assert "published_lake is written from a DuckDB file alone" in done.err

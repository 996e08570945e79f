"""L06, L07, L08: what other users of the machine can read, plant or hold; and a file is the same under any name."""

from __future__ import annotations

import os
import signal

import pytest

from tests.process.others import (
    ONLY_ROOT,
    OTHER,
    UNKNOWN,
    as_other,
    held_by_other,
    mode,
    open_to_others,
    theirs,
)
from tests.process.support import Place

pytestmark = ONLY_ROOT


@pytest.mark.more
@pytest.mark.parametrize("umask", [0o022, 0o000], ids=["l06-022", "l06-000"])
def test_l06_what_is_written_is_ours_alone(place: Place, umask: int) -> None:
    """Whatever the umask: settings, warehouse, locks, the copy; and what a run has on the disk while it works."""
    assert place.run("init", "--yes", "--source", "besitos", umask=umask).code == 0
    for name in ("secrets.toml", "config.toml"):
        (place.folder / ".dlt" / name).write_text("")
    seen: set[str] = set()
    for point in (160, 300):
        assert place.load(at=point, umask=umask).code == -signal.SIGKILL
        seen |= {path.suffix for path in (place.folder / ".conversync").rglob("*")}
        assert open_to_others(place.folder) == []
    assert seen >= {".lock", ".parquet"}
    assert place.load(umask=umask).code == 0
    assert (place.folder / "published" / "warehouse.duckdb").exists()
    assert open_to_others(place.folder) == []


@pytest.mark.more
def test_l06_the_books_of_a_send_are_ours_alone(loaded: Place) -> None:
    """Journal, its log, its lock and its epoch, which hold who was sent what."""
    loaded.env |= loaded.sandbox.settings()
    loaded.change(
        "create table out as select 'a' as send_key, 'user-1' as tested_user_external_id, 'c' as conversion_id"
    )
    sent = loaded.run("send", "optibase.conversions", "--from", "out", umask=0)
    assert sent.code == 0, sent.told
    made = {path.name.partition("-")[0] for path in (loaded.folder / ".conversync").iterdir()}
    assert made >= {"journal", "epoch", "send"}
    assert open_to_others(loaded.folder / ".conversync") == []


@pytest.mark.more
def test_l06_a_mode_that_somebody_chose_stays(place: Place) -> None:
    """Of the warehouse, the copy and its folder: defaults change, not habits."""
    place.loaded()
    copy = place.folder / "published" / "warehouse.duckdb"
    for path, bits in ((place.warehouse, 0o640), (copy, 0o644), (copy.parent, 0o755)):
        path.chmod(bits)
    os.chown(copy, 0, OTHER)
    inode = copy.stat().st_ino
    place.loaded()
    assert copy.stat().st_ino != inode, "it was made anew"
    assert (mode(place.warehouse), mode(copy), mode(copy.parent)) == (0o640, 0o644, 0o755)
    assert copy.stat().st_gid == OTHER


@pytest.mark.more
@pytest.mark.parametrize("who", ["everyone", "nogroup"])
def test_l06_one_setting_lets_readers_in(shared: Place, who: str) -> None:
    """`published_readers`: they open the copy, also where its folder was closed; nobody else, and nothing else."""
    copy = shared.folder / "published" / "warehouse.duckdb"
    shared.loaded()
    assert as_other("head", "-c", "12", copy).returncode != 0
    shared.env["CONVERSYNC_PUBLISHED_READERS"] = who
    assert shared.run("publish").code == 0
    read = as_other("head", "-c", "12", copy)
    assert read.stdout[8:] == b"DUCK", read.stderr
    assert as_other("head", "-c", "12", shared.warehouse).returncode != 0
    assert (mode(copy), mode(copy.parent)) == ((0o644, 0o755) if who == "everyone" else (0o640, 0o750))
    shared.env["CONVERSYNC_PUBLISHED_READERS"] = "me"
    assert shared.run("publish").code == 0
    assert as_other("head", "-c", "12", copy).returncode != 0


def test_l06_a_group_that_is_not_there_is_refused(place: Place) -> None:
    """Before any request, like every setting that cannot be meant; nor can one be given that we are no member of."""
    place.env["CONVERSYNC_PUBLISHED_READERS"] = "analysts-of-nowhere"
    place.load().refused(2, "published_readers", "no such group")
    os.chown(place.folder, UNKNOWN, UNKNOWN)
    place.env["CONVERSYNC_PUBLISHED_READERS"] = "nogroup"
    place.load(user=UNKNOWN).refused(2, "no member of")
    assert place.sandbox.requests == []


def test_l07_nobody_else_can_hold_our_lock(shared: Place) -> None:
    """Not the one of a run, nor what an earlier version left for all to read, nor a file under that old name."""
    assert shared.load().code == 0
    with held_by_other(shared.folder / "warehouse.duckdb.lock") as held:
        assert held, "the name of before is theirs to hold"
        assert shared.load().code == 0
    home = shared.folder / ".conversync"
    home.chmod(0o755)
    lock = home / "warehouse.duckdb.lock"
    lock.chmod(0o644)
    assert shared.load().code == 0
    assert mode(lock) == 0o600
    with held_by_other(lock) as held:
        assert not held
        assert shared.load().code == 0


def test_l07_a_file_under_the_copys_name_blocks_nothing(shared: Place) -> None:
    """`.warehouse.duckdb.x.new` of somebody else in a shared folder: it stays, and the copy is published."""
    folder = shared.folder / "published"
    folder.mkdir()
    folder.chmod(0o1777)
    left = theirs(folder / ".warehouse.duckdb.x.new", "mine")
    os.chown(shared.folder, OTHER, OTHER)  # or root's own rights would end what is to be tried
    os.chown(folder, OTHER, OTHER)
    (shared.folder / "tmp" / "data").mkdir()
    os.chown(shared.folder / "tmp" / "data", UNKNOWN, UNKNOWN)
    shared.env["CONVERSYNC_WAREHOUSE"] = str(shared.folder / "tmp" / "data" / "warehouse.duckdb")
    shared.env["CONVERSYNC_PUBLISHED"] = str(folder / "warehouse.duckdb")
    done = shared.load(user=UNKNOWN)
    assert done.code == 0, done.told
    assert left.read_text() == "mine"
    assert (folder / "warehouse.duckdb").stat().st_uid == UNKNOWN
    assert sorted(path.name for path in folder.iterdir()) == [left.name, "warehouse.duckdb"]


@pytest.mark.parametrize("what", ["folder", "link"])
def test_l07_a_folder_that_somebody_planted_is_a_sentence(shared: Place, what: str) -> None:
    """Exit 2 at once, with its owner; nothing is written through it."""
    victim = shared.folder / "tmp" / "victim"
    victim.mkdir()
    planted = shared.folder / ".conversync"
    if what == "folder":
        planted.mkdir()
        planted.chmod(0o777)
        (planted / "warehouse.duckdb.lock").symlink_to(victim / "lock")
        (planted / "runs-warehouse.duckdb").symlink_to(victim)
    else:
        planted.symlink_to(victim)
    theirs(planted)
    done = shared.load()
    done.refused(2, f"{planted} ", "the user nobody", "nothing was written there", "remove it")
    assert done.seconds < 20
    assert list(victim.iterdir()) == []
    assert shared.sandbox.requests == []


@pytest.mark.quick(1)
@pytest.mark.parametrize(
    "name", ["warehouse.duckdb.lock", "runs-warehouse.duckdb", "journal-warehouse.duckdb.sqlite"]
)
def test_l07_a_link_in_our_own_folder_is_not_followed(loaded: Place, name: str) -> None:
    """As one could stand there from when the folder was everybody's; a sentence, or the link is gone."""
    victim = loaded.folder / "tmp" / "victim"
    victim.mkdir()
    (victim / "kept").write_text("kept")
    home = loaded.folder / ".conversync"
    home.mkdir()
    home.chmod(0o777)
    (home / name).symlink_to(victim if name.startswith("runs") else victim / "new")
    os.chown(home / name, OTHER, OTHER, follow_symlinks=False)
    loaded.env |= loaded.sandbox.settings()
    loaded.change(
        "create table out as select 'a' as send_key, 'user-1' as tested_user_external_id, 'c' as conversion_id"
    )
    command = ["send", "optibase.conversions", "--from", "out"] if name.startswith("journal") else loaded.days
    done = loaded.run(*command)
    if name.startswith("runs"):
        assert done.code == 0, done.told
    else:
        done.refused(2, name, "the user nobody")
    assert [path.name for path in victim.iterdir()] == ["kept"]
    assert mode(home) == 0o775


def test_l07_a_log_or_a_link_in_the_warehouses_place_is_refused(shared: Place) -> None:
    """DuckDB would take over what somebody else wrote as if we had committed it, or write where they wish."""
    link = shared.folder / "other.duckdb"
    link.symlink_to(shared.folder / "tmp" / "made.duckdb")
    theirs(link)
    shared.load("--warehouse", str(link)).refused(2, "other.duckdb belongs to the user nobody")
    shared.loaded()
    theirs(shared.folder / "warehouse.duckdb.wal", "planted")
    asked = len(shared.sandbox.requests)
    shared.load().refused(2, "warehouse.duckdb.wal belongs to the user nobody")
    assert len(shared.sandbox.requests) == asked
    assert not (shared.folder / "tmp" / "made.duckdb").exists()


PLACES = {
    "l08-dots": "share/../warehouse.duckdb",
    "l08-linked-folder": "linked/warehouse.duckdb",
    "l08-hard-link": "hard.duckdb",
    "l08-link": "soft.duckdb",
    "l08-log": "linked/warehouse.duckdb.wal",
    "l08-lock": ".conversync/warehouse.duckdb.lock",
    "l08-journal": "linked/.conversync/journal-warehouse.duckdb.sqlite",
    "l08-secrets": "linked/.dlt/secrets.toml",
}


# Without the warehouse, a hard link to it is a file of its own.
NEW = [case for case in PLACES if case != "l08-hard-link"]


@pytest.mark.quick(2)
@pytest.mark.parametrize(
    ("case", "there"),
    [*((case, True) for case in PLACES), *((case, False) for case in NEW)],
    ids=[*PLACES, *(f"{case}-new" for case in NEW)],
)
def test_l08_the_same_file_is_the_same_file(loaded: Place, case: str, there: bool) -> None:
    """As the place of the published copy or of the report: refused before any request, and the file is as it was."""
    before = loaded.warehouse.read_bytes()
    (loaded.folder / "share").mkdir()
    (loaded.folder / "linked").symlink_to(loaded.folder)
    (loaded.folder / "soft.duckdb").symlink_to(loaded.warehouse)
    os.link(loaded.warehouse, loaded.folder / "hard.duckdb")
    if not there:
        loaded.warehouse.unlink()
    place = str(loaded.folder / PLACES[case])
    requests = len(loaded.sandbox.requests)
    told = loaded.run("report", "--output", place)
    loaded.env["CONVERSYNC_PUBLISHED"] = place
    told.refused(2, "The report may not")
    loaded.load().refused(2, "The published copy may not")
    assert len(loaded.sandbox.requests) == requests
    assert not there or loaded.warehouse.read_bytes() == before

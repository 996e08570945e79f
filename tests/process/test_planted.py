"""L07: what somebody else put, or what is no file of ours, where a file of ours is looked for: a sentence, at once."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.process.others import ONLY_ROOT, OTHER, UNKNOWN, as_other, mode, theirs, written
from tests.process.support import Place


@pytest.mark.more
@ONLY_ROOT
@pytest.mark.parametrize("bits", [0o1777, 0o777, 0o770], ids=["l07-sticky", "l07-of-all", "l07-of-a-group"])
def test_l07_a_warehouse_that_somebody_planted_is_not_used(loaded: Place, bits: int) -> None:
    """Exit 2 for whoever writes or reads; in a folder that only we can write, somebody's file was wanted there."""
    theirs(loaded.warehouse)
    before = loaded.warehouse.read_bytes()
    asked = len(loaded.sandbox.requests)
    loaded.folder.chmod(bits)
    for command in (loaded.days, ["status"], ["publish"]):
        loaded.run(*command).refused(2, "warehouse.duckdb belongs to the user nobody")
    assert (len(loaded.sandbox.requests), loaded.warehouse.read_bytes()) == (asked, before)
    loaded.folder.chmod(0o755)
    assert loaded.load().code == 0


@ONLY_ROOT
def test_l07_a_warehouse_in_a_folder_that_a_group_shares_is_read(loaded: Place) -> None:
    """The folder is root's, the warehouse a member's: a colleague's status tells of it as ever."""
    theirs(loaded.warehouse)
    loaded.warehouse.chmod(0o644)
    loaded.folder.chmod(0o775)
    for path in (loaded.folder / "tmp", *(loaded.folder / "tmp").rglob("*")):
        os.chown(path, UNKNOWN, UNKNOWN)
    done = loaded.run("status", user=UNKNOWN)
    assert "besitos" in done.out, done.told
    assert "belongs to" not in done.told


def test_l07_a_pipe_in_the_warehouses_place_holds_up_nobody(place: Place) -> None:
    """Nobody ever writes into it: exit 2, and no wait."""
    os.mkfifo(place.warehouse)
    for command in (place.days, ["status"]):
        place.run(*command).refused(2, "warehouse.duckdb is no regular file")
    assert place.sandbox.requests == []


@pytest.mark.parametrize("name", ["config.toml", "secrets.toml"])
def test_l07_a_pipe_in_the_settings_place_holds_up_nobody(place: Place, name: str) -> None:
    """Exit 2 with its path."""
    written(place, name, "").unlink()
    os.mkfifo(place.folder / ".dlt" / name, 0o600)
    place.load().refused(2, f"{name} is no regular file, so it was not read")
    assert place.sandbox.requests == []


@pytest.mark.more
def test_k24_a_variable_may_name_a_pipe_of_the_shells(place: Place) -> None:
    """`BESITOS_TOKEN_FILE=<(...)`: the user's own environment names it."""
    pipe = place.folder / "tmp" / "pipe"
    os.mkfifo(pipe)
    del place.env["BESITOS_TOKEN"]
    place.env["BESITOS_TOKEN_FILE"] = str(pipe)
    with subprocess.Popen(["sh", "-c", f"echo {place.sandbox.token} > {pipe}"]):
        assert place.load().code == 0


@ONLY_ROOT
def test_l07_a_planted_file_does_not_say_who_reads_the_copy(loaded: Place) -> None:
    """Another user's file where the copy goes, open to all: what takes its place is ours alone."""
    copy = loaded.folder / "published" / "warehouse.duckdb"
    copy.parent.mkdir()
    shutil.copy(loaded.warehouse, copy)
    copy.chmod(0o666)
    theirs(copy)
    assert loaded.run("publish").code == 0
    assert (mode(copy), copy.stat().st_uid, copy.stat().st_gid) == (0o600, 0, 0)


@ONLY_ROOT
def test_l06_a_group_that_is_lost_is_told(loaded: Place) -> None:
    """Where this user is no member of the group that read the copy: a warning with the way back."""
    copy = loaded.folder / "published" / "warehouse.duckdb"
    assert loaded.run("publish").code == 0
    for path in (loaded.folder, *loaded.folder.rglob("*")):
        os.chown(path, UNKNOWN, UNKNOWN)
    os.chown(copy, UNKNOWN, OTHER)
    copy.chmod(0o640)
    done = loaded.run("publish", user=UNKNOWN)
    assert done.code == 0, done.told
    assert "the group nogroup, of which this user is no member" in done.err
    assert f"chgrp nogroup {copy} && chmod 640 {copy}" in done.err
    assert mode(copy) == 0o600
    os.chown(copy, UNKNOWN, OTHER)
    copy.chmod(0o640)
    assert as_other("test", "-r", copy).returncode == 1


OTHERS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("mine, and nowhere else"),
    "pipe": os.mkfifo,
}


@pytest.mark.quick(1)
@pytest.mark.parametrize("what", OTHERS)
def test_l08_the_copy_takes_the_place_of_no_other_file(loaded: Place, what: str) -> None:
    """A slip in `published` costs nobody their notes: exit 2 before any request; an empty file, and a copy, may go."""
    notes = loaded.folder / "notes.txt"
    OTHERS[what](notes)
    loaded.env["CONVERSYNC_PUBLISHED"] = str(notes)
    asked, inode = len(loaded.sandbox.requests), notes.stat().st_ino
    for command in (loaded.days, ["publish"], ["nightly"]):
        loaded.run(*command).refused(2, f"{notes} is no DuckDB file", "`published`")
    assert (len(loaded.sandbox.requests), notes.stat().st_ino) == (asked, inode)
    notes.unlink()
    notes.touch()
    for _ in range(2):
        assert loaded.run("publish").code == 0
    assert notes.read_bytes() == loaded.warehouse.read_bytes()

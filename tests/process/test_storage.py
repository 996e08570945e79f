"""C05, C06, C07, C16: disks that are full, places that cannot be written, files that are no warehouse any more."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.process.support import Place, reads_at_once

FULL = "The disk is full, or a limit on its use is reached"


def test_c05_c06_no_room_for_more(loaded: Place) -> None:
    """No file may grow beyond a limit: exit 1, a sentence; what is held stays, and with room the next run is right.

    The limits let nothing be written but the sentence, or the spools, or the beginning of the load.
    """
    before = loaded.held()
    for limit in (4_096, 12_288, 60_000):
        loaded.load(limits={"RLIMIT_FSIZE": limit}).refused(1, FULL, "what was committed before is safe")
        assert loaded.held() == before
    loaded.loaded()
    assert loaded.held() == before
    assert loaded.leftovers() == []


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A file system of that size; skips where none may be mounted."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("no file system may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.long
@pytest.mark.parametrize("room", [0, 8, 16, 40, 80, 160, 320, 640, 1280])
def test_c05_c06_long_a_disk_that_is_full(loaded: Place, tmp_path: Path, room: int) -> None:
    """As on a real disk, at every stage that needs room: a sentence or success, never a torn table."""
    before = loaded.held()
    with small_disk(tmp_path / "disk", loaded.warehouse.stat().st_size // 1024 + room) as disk:
        place = loaded.copy(disk)
        done = place.load()
        assert done.code in (0, 1), done.told
        assert FULL in done.told or done.code == 0
        assert place.held() == before
        subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
        place.loaded()
        assert place.held() == before


@pytest.mark.parametrize("existing", [False, True], ids=["C07-new", "C07-existing"])
def test_c07_a_folder_that_cannot_be_written(loaded: Place, tmp_path: Path, *, existing: bool) -> None:
    """Exit 2 before any request, with a sentence that names the place and what to do."""
    folder = tmp_path / "locked"
    place = loaded.copy(folder)
    if not existing:
        place.warehouse.unlink()
    asked = len(place.sandbox.requests)
    folder.chmod(0o555)
    try:
        done = place.load(privileged=False)
    finally:
        folder.chmod(0o755)
    done.refused(2, str(place.warehouse), "Permission denied", "--warehouse")
    assert len(place.sandbox.requests) == asked


def test_c07_a_file_that_cannot_be_written(loaded: Place) -> None:
    """The same where only the file is forbidden."""
    loaded.warehouse.chmod(0o444)
    done = loaded.load(privileged=False)
    done.refused(2, str(loaded.warehouse), "cannot be written", "--warehouse")


def test_c07_a_place_below_a_file(place: Place) -> None:
    """A warehouse whose folder is a file: exit 2 and a sentence."""
    (place.folder / "file").write_text("")
    place.load("--warehouse", str(place.folder / "file" / "warehouse.duckdb")).refused(2, "cannot be written")


@pytest.mark.more
def test_c07_no_home_and_a_tight_umask(place: Place) -> None:
    """As cron may start it: HOME missing, umask 077. The run works, and nobody else can read what it made."""
    del place.env["HOME"]
    done = place.load(umask=0o077)
    assert done.code == 0, done.told
    assert place.held() == place.expected()
    assert {path.stat().st_mode & 0o077 for path in place.folder.iterdir() if path.name != "tmp"} == {0}
    assert place.leftovers() == []


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def overwritten(data: bytes) -> bytes:
    middle = 3 * 4096 + 100
    return data[:middle] + b"\xff" * 5000 + data[middle + 5000 :]


def of_version_99(data: bytes) -> bytes:
    return data[:12] + bytes([99]) + data[13:]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "C16-truncated": half,
    "C16-header-only": lambda data: data[:4096],
    "C16-empty": lambda _: b"",
    "C16-garbage": lambda data: Random(16).randbytes(len(data)),
    "C16-other-version": of_version_99,
    "C16-overwritten": overwritten,
    "C16-sqlite": lambda data: b"SQLite format 3\0" + data[16:],
    "C16-text": lambda _: b"transaction_id,payout\n1,2\n",
}


@pytest.mark.more
@pytest.mark.parametrize("damage", DAMAGES)
def test_c16_a_damaged_file_is_refused_and_not_touched(loaded: Place, damage: str) -> None:
    """Exit 2 before any request, with a sentence that says to restore it; not one of its bytes changes."""
    damaged = DAMAGES[damage](loaded.warehouse.read_bytes())
    loaded.warehouse.write_bytes(damaged)
    asked = len(loaded.sandbox.requests)
    done = loaded.load()
    done.refused(2, str(loaded.warehouse), "It was left as it is", "restore it from a copy")
    assert loaded.warehouse.read_bytes() == damaged
    assert len(loaded.sandbox.requests) == asked
    assert loaded.leftovers() == []


def test_c16_a_folder_in_place_of_the_file(place: Place) -> None:
    """Exit 2, and the folder is named."""
    place.warehouse.mkdir()
    place.load().refused(2, str(place.warehouse), "is a folder")


@pytest.mark.more
@pytest.mark.parametrize(
    "keep", [0.3, pytest.param(0.9, marks=pytest.mark.long)], ids=["C16-torn-early", "C16-torn-late"]
)
def test_c16_a_torn_log_of_writes_heals(place: Place, keep: float) -> None:
    """A write-ahead log that lost its end costs what stood there, whole commits; the next run brings it again."""
    done = place.load(at=330)
    assert done.code == -signal.SIGKILL
    log = place.warehouse.with_name("warehouse.duckdb.wal")
    data = log.read_bytes()
    assert len(data) > 10_000
    log.write_bytes(data[: int(len(data) * keep)])
    healed = place.load()
    assert healed.code == 0, healed.told
    assert place.held() == place.sandbox.besitos.oracle.held(reads_at_once(place.sandbox.besitos.reads))


def test_c16_a_file_that_begins_as_another_program_s_is_never_opened(loaded: Place) -> None:
    """DuckDB would fetch an extension from the network for a SQLite file: the run does not come to that."""
    loaded.warehouse.write_bytes(b"SQLite format 3\0" + os.urandom(4096))
    loaded.load().refused(2, "it does not begin as one")

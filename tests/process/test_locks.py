"""C08, C09, C10, C11, C17: runs, readers and the leftovers of killed runs do not get into each other's way."""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from conversync.warehouse.warehouse import Warehouse
from tests.process.gate import Gate
from tests.process.support import Done, Forked, Place

SENTENCE = "Another run holds"


@pytest.fixture
def gate(place: Place) -> Iterator[Gate]:
    """Opened at the latest when the test is over."""
    gate = Gate(place.sandbox)
    yield gate
    gate.open()


def turned_away(done: Done) -> None:
    done.refused(4, SENTENCE, "--wait")
    assert done.told.count("\n") == 1, "one sentence"


def test_c08_c09_c10_a_second_run_is_turned_away_at_once(place: Place, gate: Gate) -> None:
    """Twenty runs against one that works: each exits 4 within a second, with one sentence; the one loads.

    While it works the file is its own, so that no reader comes between two windows; and the lock of a run that
    was killed holds up nobody.
    """
    lock = place.folder / ".conversync" / "warehouse.duckdb.lock"
    for point in range(5, 60, 5):
        assert place.load(at=point).code == -signal.SIGKILL
        if lock.exists():
            break
    assert lock.exists()
    assert place.sandbox.requests == []
    first = place.begin()
    gate.reached()
    with pytest.raises(duckdb.IOException, match="lock"):
        duckdb.connect(str(place.warehouse), read_only=True)
    times = []
    for _ in range(20):
        second = place.load()
        turned_away(second)
        times.append(second.seconds)
    assert statistics.median(times) < 1
    gate.open()
    assert first.wait().code == 0
    assert place.held() == place.expected()
    assert place.leftovers() == []


@pytest.mark.more
def test_c08_a_second_run_waits_if_told_to(place: Place, gate: Gate) -> None:
    """With --wait it loads when the first has ended, and both see the same."""
    first = place.begin()
    gate.reached()
    second = place.begin("--wait", "5m")
    assert not second.ended(0.5)
    gate.open()
    assert (first.wait().code, second.wait().code) == (0, 0)
    assert place.held() == place.expected()


def start_pairs(place: Place, count: int) -> None:
    for _ in range(count):
        pair = [place.begin(), place.begin()]
        done = sorted((run.wait() for run in pair), key=lambda one: one.code)
        assert done[0].code == 0, done[0].told
        if done[1].code != 0:  # else the second began when the first was over
            turned_away(done[1])
    assert place.held() == place.expected()


def test_c08_two_runs_started_together(place: Place) -> None:
    """A pair without a head start: one loads; the other is turned away, or finds the lock free again."""
    start_pairs(place, 1)


@pytest.mark.long
def test_c08_long_a_hundred_pairs(place: Place) -> None:
    """The same, a hundred times."""
    start_pairs(place, 100)


@contextmanager
def reader(place: Place, *, read_only: bool) -> Iterator[subprocess.Popen[str]]:
    """An analyst's session in another process; it ends when its standard input is closed."""
    code = (
        "import duckdb, sys\n"
        f"session = duckdb.connect({str(place.warehouse)!r}, read_only={read_only})\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


@pytest.mark.quick(1)
@pytest.mark.parametrize("read_only", [True, False], ids=["read-only", "read-write"])
def test_c10_a_reader_holds_the_file(loaded: Place, *, read_only: bool) -> None:
    """The run asks the vendor for nothing, exits 4 with one sentence, and what is held stays."""
    before, asked = loaded.held(), len(loaded.sandbox.requests)
    with reader(loaded, read_only=read_only):
        done = loaded.load("--wait", "1s")
    done.refused(4, "has", "open", "--wait")
    assert 1 <= done.seconds < 5
    assert len(loaded.sandbox.requests) == asked
    assert loaded.held() == before


def test_c10_a_run_waits_for_a_reader(loaded: Place) -> None:
    """With --wait it loads when the session is closed."""
    with reader(loaded, read_only=True) as session:
        run: Forked = loaded.begin("--wait", "5m")
        assert not run.ended(1)
        assert session.stdin is not None
        session.stdin.close()
        assert run.wait().code == 0


def test_c11_c17_what_killed_runs_left_is_cleaned_and_never_loaded(place: Place) -> None:
    """Working directories of killed runs, a pending package, one that is damaged: gone, and nothing came of them."""
    runs = place.folder / ".conversync" / "runs-warehouse.duckdb"
    for point in range(180, 280, 10):  # the first of them lies within the load as it is now
        assert place.load(at=point).code == -signal.SIGKILL
        if list(runs.rglob("*.parquet")):
            break
    else:
        pytest.fail("no kill came within a load")
    for state in runs.rglob("state.json"):
        state.write_text("{")
    (runs / "old").mkdir()
    (runs / "old" / "garbage").write_bytes(bytes(1000))
    place.loaded()
    assert place.held() == place.expected()
    assert place.leftovers() == []


def test_c11_temporary_files_of_a_run_lie_in_its_folder(tmp_path: Path) -> None:
    """dlt's too, which a killed run would leave in /tmp for good: where they lie, the next run cleans."""
    before = tempfile.gettempdir()
    with Warehouse(tmp_path / "warehouse.duckdb").locked() as folder:
        assert Path(tempfile.gettempdir()) == folder
        assert folder.is_relative_to(tmp_path / ".conversync")
    assert tempfile.gettempdir() == before
    assert not folder.exists()

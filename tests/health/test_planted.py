"""L02: a view that somebody planted in the warehouse under the name of one of ours is not let out of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.besitos.rows import reversal, row
from tests.health.support import Workspace, change, run

DAYS = ("--from", "2024-12-03", "--to", "2024-12-06")


class Tripwire:
    """A file (a pipe) that notes whether somebody opens it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tripped = threading.Event()
        self._over = False
        os.mkfifo(path)
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        while not self._over:
            with self.path.open("w", encoding="utf-8") as pipe:
                if not self._over:
                    self.tripped.set()
                    pipe.write("x")

    def end(self) -> None:
        """Nobody waits any more."""
        self._over = True
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self._thread.join()
        os.close(reader)


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Tripwire]:
    """Beside the warehouse."""
    found = Tripwire(tmp_path / "wire.txt")
    yield found
    found.end()


@pytest.fixture
def planted(house: Workspace, wire: Tripwire) -> Workspace:
    """Loaded; then somebody's views say what ours do, and open the file whenever they are read."""
    house.sandbox.besitos.rows = [row(1), row(2), row(3), reversal(3)]
    house.load("2024-12-01", "2024-12-08")
    for view in ("days", "conversions"):
        change(house, f"create table besitos.kept_{view} as select * from besitos.{view}")
        change(house, f"drop view besitos.{view}")
        change(
            house,
            f"create view besitos.{view} as select kept.* from besitos.kept_{view} as kept, "
            f"read_text('{wire.path}') as own",
        )
    assert not wire.tripped.is_set()
    return house


READERS = {
    "status": (("status",), "reaches for what is no table"),
    "verify": (("verify", "besitos", *DAYS), "a view is missing"),
    "build": (("build",), "operations are disabled"),
    "alert": (("alert", "--dry-run"), "reaches for what is no table"),
    "send": (
        ("send", "keitaro.conversions", "--from", "besitos", "--since", "2024-12-01", "--dry-run"),
        "no file and no",
    ),
}


@pytest.mark.more
@pytest.mark.quick(1)
@pytest.mark.parametrize("name", READERS)
def test_l02_a_planted_view_opens_no_file(planted: Workspace, wire: Tripwire, name: str) -> None:
    """Who reads it says so and ends with another code than 0, and the file is never opened."""
    command, words = READERS[name]
    ended = run(planted, *command, **planted.sandbox.settings(), SEND_PLAYER_IDS="user_id")
    assert not wire.tripped.is_set()
    assert ended.code not in (0, None)
    assert words in ended.out + ended.err
    assert "report it" not in ended.err
    assert "Traceback" not in ended.out + ended.err


@pytest.mark.more
def test_a_load_puts_our_own_views_back(planted: Workspace, wire: Tripwire) -> None:
    """Without opening the file; then all reads again."""
    ended = run(planted, "load", "besitos", *DAYS)
    assert (ended.code, wire.tripped.is_set()) == (0, False), ended.told
    assert run(planted, "status").code == 0
    assert planted.query("select count(*) from besitos.conversions") == [(3,)]
    assert not wire.tripped.is_set()


def test_l02_reports_and_copies_open_no_file(house: Workspace, wire: Tripwire) -> None:
    """The report's marts may be anybody's views: it ends with a sentence; a compacted copy takes the view as a text."""
    from conversync.report.reading import MARTS

    change(house, "create schema marts")
    for name in MARTS:
        change(house, f"create view marts.{name} as select * from read_text('{wire.path}')")
    ended = run(house, "report")
    assert (ended.code, wire.tripped.is_set()) == (1, False), ended.told
    assert "reaches for what is no table" in ended.err
    ended = run(house, "publish", "--compact")
    assert (ended.code, wire.tripped.is_set()) == (0, False), ended.told

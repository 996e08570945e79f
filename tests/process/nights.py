"""Two nights of one story, loaded once for all tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random

from conversync.sandbox import Sandbox, World
from tests.process.support import Place, ProcessPool


def two_nights() -> World:
    """A small world whose clock stands at the first night; fifteen days later much was restated and reversed."""
    world = World(7, date(2024, 12, 1), 40, players=60, conversions_a_day=20)
    world.now = world.day(25)
    return world


class Nights:
    """`first` and `second` hold the warehouse after each night, to be copied and not changed.

    `before` and `after` are what the oracle wants of them, `alone` what a warehouse holds whose first load is the
    second night's. `points` is how many kill points a second night has.
    """

    def __init__(self, folder: Path, sandbox: Sandbox, nursery: ProcessPool) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.nursery = nursery
        self._count = 0
        self.clocks = sandbox.world.now, sandbox.world.day(40)
        self.first = self.place()
        self.first.loaded()
        self.before = self.first.expected()
        assert self.first.held() == self.before
        self.stand_at(2)
        self.second, points = self.place(self.first), folder / "points"
        done = self.second.load(points=str(points))
        assert done.code == 0, done.told
        self.points = int(points.read_text())
        self.after = self.second.expected()
        assert self.second.held() == self.after
        later = [read for read in sandbox.besitos.reads if read.clock == sandbox.world.now]
        self.alone = sandbox.besitos.oracle.held(later)

    def stand_at(self, night: int) -> None:
        """Moves the clock to the first or the second night; all is well there."""
        self.sandbox.faults.clear()
        self.sandbox.world.now = self.clocks[night - 1]

    def place(self, like: Place | None = None) -> Place:
        """A new place; with the warehouse of another one, as a copy."""
        self._count += 1
        folder = self.folder / str(self._count)
        if like is not None:
            return like.copy(folder)
        folder.mkdir()
        return Place(folder, self.sandbox, self.nursery)

    def points_drawn(self, count: int, random: Random) -> Iterator[int]:
        """So many kill points of a second night, each drawn from another part of it."""
        width = self.points / count
        for part in range(count):
            yield min(1 + int((part + random.random()) * width), self.points - 2)

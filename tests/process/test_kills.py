"""C01, C03, C09, C11: kill -9 at any moment, again during the recovery: the next clean run makes everything right."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random

import pytest

from sandbox import Sandbox, Statement, World
from tests.process.support import Nursery, Place

SEED = 20241204


class Nights:
    """Two nights of one story: the first is loaded into `first`, and the clock stands at the second."""

    def __init__(self, folder: Path, sandbox: Sandbox, nursery: Nursery) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.nursery = nursery
        self.count = 0
        self.first = self.place()
        assert self.first.load().code == 0
        first_reads = list(sandbox.besitos.reads)
        sandbox.world.advance(hours=15 * 24)
        whole, points = self.place(self.first), folder / "points"
        assert whole.begin(points=points).wait().code == 0
        self.points = int(points.read_text())
        self.expected = sandbox.besitos.oracle.held(sandbox.besitos.reads)
        assert whole.held() == self.expected
        empty = self.place()
        assert empty.load().code == 0
        only_second = [read for read in sandbox.besitos.reads if read not in first_reads]
        self.expected_alone = sandbox.besitos.oracle.held(only_second)
        assert empty.held() == self.expected_alone

    def place(self, like: Place | None = None) -> Place:
        """A new place; with the warehouse of another one, as a copy."""
        self.count += 1
        folder = self.folder / str(self.count)
        (folder / "tmp").mkdir(parents=True)
        place = Place(folder, self.sandbox, self.nursery)
        place.env["TMPDIR"] = str(folder / "tmp")
        if like is not None:
            shutil.copy(like.warehouse, place.warehouse)
        return place

    def strata(self, count: int, seed: int) -> Iterator[int]:
        """So many kill points of a second night, each drawn from another part of it."""
        random, width = Random(seed), self.points / count
        for part in range(count):
            yield min(1 + int((part + random.random()) * width), self.points - 2)


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Iterator[Nights]:
    """One for all kills of a worker."""
    world = World(7, date(2024, 12, 1), 40, players=60, conversions_a_day=20)
    world.now = world.day(25)
    with Sandbox(world) as sandbox:
        yield Nights(tmp_path_factory.mktemp("nights"), sandbox, nursery)


def recovered(place: Place, expected: dict[str, list[Statement]], what: str) -> None:
    """A clean run ends with 0, equal to the oracle, and leaves nothing of the killed run behind."""
    healed = place.load()
    assert healed.code == 0, f"{what}: {healed.sentences}"
    assert place.held() == expected, what
    assert place.leftovers() == ["tmp"], what
    shutil.rmtree(place.folder)


def killed_at(place: Place, point: int) -> None:
    ended = place.begin(kill_at=point).wait()
    assert ended.code == -signal.SIGKILL, f"no kill at point {point}: {ended.sentences}"


def kill_and_recover(nights: Nights, count: int, seed: int, *, again: bool = False) -> None:
    random = Random(seed)
    for point in nights.strata(count, seed):
        place, what = nights.place(nights.first), f"killed at point {point} of {nights.points}"
        killed_at(place, point)
        if again:
            second = random.randrange(1, nights.points - 2)
            what += f", and again at {second}"
            killed_at(place, second)
        recovered(place, nights.expected, what)


def kill_in_time(nights: Nights, count: int, seed: int, longest: float) -> None:
    """Kills from outside, by the clock: also inside of native code, where no kill point is."""
    random, hits = Random(seed), 0
    for _ in range(count):
        place, delay = nights.place(nights.first), random.uniform(0.05, longest)
        run = place.begin()
        if not run.ended(delay):
            run.signal(signal.SIGKILL)
        hits += run.wait().code == -signal.SIGKILL
        recovered(place, nights.expected, f"killed after {delay:.3f} s")
    assert hits >= count // 2, "most runs were over before their kill"


def test_c01_after_a_kill_anywhere_in_a_run_the_next_run_is_right(nights: Nights) -> None:
    """kill -9 at points drawn from all over a night: nothing lost, nothing doubled, no history bent."""
    kill_and_recover(nights, 5, SEED)


def test_c01_after_a_kill_within_the_very_first_run_the_next_run_is_right(nights: Nights) -> None:
    """The same while the tables are still being created."""
    for point in list(nights.strata(4, SEED + 1))[1:]:
        place = nights.place()
        killed_at(place, point)
        recovered(place, nights.expected_alone, f"first run killed at point {point}")


def test_c01_after_a_kill_by_the_clock_the_next_run_is_right(nights: Nights) -> None:
    """The same from outside, at moments that no kill point names."""
    kill_in_time(nights, 2, SEED + 2, 0.5)


def test_c03_after_a_kill_during_the_recovery_the_next_run_is_right(nights: Nights) -> None:
    """A second kill while the first one is being healed."""
    kill_and_recover(nights, 2, SEED + 3, again=True)


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
def test_c01_long_kills_all_over_a_night(nights: Nights, part: int) -> None:
    """Two hundred kills at points, and fifty by the clock."""
    kill_and_recover(nights, 20, SEED + 100 + part)
    kill_in_time(nights, 5, SEED + 200 + part, 1.5)


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
def test_c03_long_kills_during_recoveries(nights: Nights, part: int) -> None:
    """A hundred pairs of kills."""
    kill_and_recover(nights, 10, SEED + 300 + part, again=True)

"""C01, C02, C03, C17: kill -9 at any moment, and again during the recovery: the next clean run makes all right."""

from __future__ import annotations

import shutil
import signal
import subprocess
from random import Random

import pytest

from tests.process.nights import Nights
from tests.process.support import CONVERSYNC, PATIENCE, Held, Place
from tests.support import parts

SEED = 20241204


def killed(place: Place, point: int) -> None:
    done = place.load(at=point)
    assert done.code == -signal.SIGKILL, f"no kill at point {point}: {done.told}"


def untorn(nights: Nights, place: Place, *allowed: Held) -> None:
    """What a kill left is one of the states that commits lead to, and none between them."""
    if place.warehouse.exists():
        looked_at = nights.place(place)
        looked_at.change("checkpoint")
        assert looked_at.held() in allowed
        shutil.rmtree(looked_at.folder)


def recovered(place: Place, expected: Held, what: str) -> None:
    """A clean run ends with 0, equal to the oracle, and leaves nothing of the killed run behind."""
    healed = place.load()
    assert healed.code == 0, f"{what}: {healed.told}"
    assert place.held() == expected, what
    assert place.leftovers() == [], what
    shutil.rmtree(place.folder)


def kill_and_recover(nights: Nights, count: int, seed: int, *, again: bool = False) -> None:
    random = Random(seed)
    for point in nights.points_drawn(count, random):
        place, what = nights.place(nights.first), f"killed at point {point} of {nights.points}"
        killed(place, point)
        untorn(nights, place, nights.before, nights.after)
        if again:
            second = random.randrange(1, nights.points - 2)
            what += f", and again at {second}"
            killed(place, second)
            untorn(nights, place, nights.before, nights.after)
        recovered(place, nights.after, what)


def kill_in_time(nights: Nights, count: int, seed: int, longest: float) -> None:
    """Kills from outside, by the clock: also inside of native code, where no kill point is.

    A run that is over before its kill counts for none, and the next kills come sooner.
    """
    random, hits, runs = Random(seed), 0, 0
    while hits < count:
        place, delay = nights.place(nights.first), random.uniform(0.05, longest)
        run = place.begin()
        if not run.ended(delay):
            run.signal(signal.SIGKILL)
        runs += 1
        if run.wait().code == -signal.SIGKILL:
            hits += 1
        else:
            longest *= 0.7
        untorn(nights, place, nights.before, nights.after)
        recovered(place, nights.after, f"killed after {delay:.3f} s")
        assert runs < 4 * count + 8, "nearly all runs were over before their kill"


def test_c01_after_a_kill_anywhere_in_a_run_the_next_run_is_right(nights: Nights) -> None:
    """kill -9 at points drawn from all over a night: nothing lost, nothing doubled, nothing half done."""
    kill_and_recover(nights, 4, SEED)


@pytest.mark.more
def test_c01_after_a_kill_within_the_very_first_run_the_next_run_is_right(nights: Nights) -> None:
    """The same while the tables are still being created."""
    for point in list(nights.points_drawn(3, Random(SEED + 1)))[1:]:
        place = nights.place()
        killed(place, point)
        untorn(nights, place, {}, nights.alone)
        recovered(place, nights.alone, f"first run killed at point {point}")


@pytest.mark.more
def test_c01_after_a_kill_by_the_clock_the_next_run_is_right(nights: Nights) -> None:
    """The same from outside, at moments that no kill point names."""
    kill_in_time(nights, 2, SEED + 2, 0.5)


@pytest.mark.more
def test_c03_after_a_kill_during_the_recovery_the_next_run_is_right(nights: Nights) -> None:
    """A second kill while the first one is being healed."""
    kill_and_recover(nights, 2, SEED + 3, again=True)


@pytest.mark.long
@pytest.mark.parametrize("part", parts(10, more=1))
def test_c01_long_kills_all_over_a_night(nights: Nights, part: int) -> None:
    """Two hundred kills at points, and fifty by the clock."""
    kill_and_recover(nights, 20, SEED + 100 + part)
    kill_in_time(nights, 5, SEED + 200 + part, 1.0)


@pytest.mark.long
@pytest.mark.parametrize("part", parts(5, more=1))
def test_c01_long_kills_within_the_very_first_run(nights: Nights, part: int) -> None:
    """Fifty kills while the tables are still being created."""
    for point in nights.points_drawn(10, Random(SEED + 400 + part)):
        place = nights.place()
        killed(place, point)
        untorn(nights, place, {}, nights.alone)
        recovered(place, nights.alone, f"first run killed at point {point}")


@pytest.mark.long
@pytest.mark.parametrize("part", parts(10, more=1))
def test_c03_long_kills_during_recoveries(nights: Nights, part: int) -> None:
    """A hundred pairs of kills."""
    kill_and_recover(nights, 10, SEED + 300 + part, again=True)


@pytest.mark.long
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("call", ["pwrite64", "fsync,fdatasync", "rename", "unlink,rmdir", "write"])
def test_c02_long_a_kill_at_a_system_call(nights: Nights, call: str) -> None:
    """kill -9 by the kernel's tracer at the n-th write, sync, rename or removal, also those of native code."""
    delivered = 0
    for nth in (1, 2, 3, 5, 8, 13, 21, 34):
        place = nights.place(nights.first)
        inject = f"inject={call}:signal=SIGKILL:when={nth}"
        traced = subprocess.run(
            [
                "strace",
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                f"trace={call}",
                "-e",
                inject,
                CONVERSYNC,
                *place.days,
            ],
            env=place.env,
            cwd=place.folder,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        delivered += traced.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
        untorn(nights, place, nights.before, nights.after)
        recovered(place, nights.after, f"killed at {call} number {nth}")
    assert delivered >= 1

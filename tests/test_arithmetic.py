"""docs/arithmetic.md: what it says is what a night, simulated page by page, comes to; and it is current."""

from __future__ import annotations

import heapq
from dataclasses import replace
from random import Random

import pytest

from benchmarks.arithmetic import NIGHT, PAGE, SPEED, Measured, Night, most, text


@pytest.fixture(scope="module")
def measured() -> Measured:
    """Of docs/speed.md."""
    return Measured.of(SPEED.read_text(encoding="utf-8"))


def simulated(night: Night, measured: Measured, seed: int) -> float:
    """Seconds: connections that ask for the next page, each answered after a while; one processor reads what came."""
    random = Random(seed)
    pages = int(night.pages(measured))
    new = night.rows / night.read(measured)
    cpu = night.page * (new * measured.cpu + (1 - new) * measured.again)
    free = [0.0] * night.connections
    heapq.heapify(free)
    clock = 0.0
    for _ in range(pages):
        answered = heapq.heappop(free) + random.uniform(0.5, 1.5) * night.latency
        heapq.heappush(free, answered)
        clock = max(clock, answered) + cpu
    return clock


@pytest.mark.parametrize("latency", [0.05, 0.3])
@pytest.mark.parametrize("page", [1_000, 10_000])
@pytest.mark.parametrize("rows", [100_000, 3_000_000])
def test_a_simulated_night_takes_as_long(measured: Measured, rows: int, latency: float, page: int) -> None:
    """But for its first and last answers, and where both sides are about as slow."""
    night = Night(rows, latency, page=page)
    told = night.seconds(measured)
    found = [simulated(night, measured, seed) for seed in range(3)]
    slack = 1.5 * latency + told * 0.1
    assert all(told * 0.98 - latency <= one <= told + slack for one in found), (told, found)


def test_the_most_that_one_load_reads_is_what_fills_a_night(measured: Measured) -> None:
    """And twice as much wants two."""
    for plain in (Night(1.0), Night(1.0, 0.05, page=10_000)):
        full = replace(plain, rows=most(measured, plain))
        assert full.seconds(measured) == pytest.approx(NIGHT)
        assert replace(full, rows=full.rows * 1.9).shards(measured) == 2


def test_the_page_is_current(measured: Measured) -> None:
    """As `python -m benchmarks --page` writes it."""
    assert PAGE.read_text(encoding="utf-8") == text(measured)

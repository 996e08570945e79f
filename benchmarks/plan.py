"""The parts of the benchmark, in the order in which they stand on the page."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.contestants import BY_HAND, OURS, REST_API
from benchmarks.parts import marts, nights, sending, servers, several
from benchmarks.parts.loads import FIRST, Contest
from benchmarks.parts.part import Measure

MILLION = 1_000_000
FAST = (OURS.name, BY_HAND.name, REST_API.name)


@dataclass(frozen=True)
class Part:
    """One of them: `minutes` is about how long it takes on two cores that do nothing else."""

    what: str
    minutes: float
    measure: Measure


PARTS: Mapping[str, Part] = {
    "loads-100k": Part("100,000 rows by everybody, twice", 3, Contest((100_000,))),
    "loads-1m": Part("1,000,000 rows by everybody, twice", 12, Contest((MILLION,))),
    "threads": Part(
        "100,000 rows, and 1,000,000 by the quick ones, with as many threads as DuckDB takes by itself",
        4,
        Contest((100_000, MILLION), rounds=1, slow_rounds=0, threads=None),
    ),
    "latency": Part("100,000 rows at 50 ms a request", 3, Contest((100_000,), delay=0.05, cases=(FIRST,))),
    "nights": Part("10,000 rows into nothing, 1M, 10M and 50M", 3, nights.part()),
    "servers": Part("the same on PostgreSQL, up to 10M", 5, servers.part()),
    "marts-1m": Part("build, report, publish at 1M", 2, marts.part((MILLION,), 3)),
    "marts-10m": Part("build, report, publish at 10M", 5, marts.part((10 * MILLION,), 1)),
    "several": Part("four vendors with nothing new, one of them slow", 1, several.part()),
    "sending": Part("sending at 50 ms a request", 2, sending.part()),
}
# For CI: seconds, not minutes, and nothing is kept.
QUICK: Mapping[str, Part] = {
    "loads-100k": Part("100,000 rows, once", 1, Contest((100_000,), rounds=1, only=FAST)),
    "nights": Part("10,000 rows into nothing and 1M", 1, nights.part((0, MILLION), 1)),
}
SMOKE: Mapping[str, Part] = {
    "loads-100k": Part("2,000 rows by everybody, once", 1, Contest((2_000,), rounds=1)),
    "nights": Part("10,000 rows into nothing and 20,000", 1, nights.part((0, 20_000), 1)),
}

"""docs/speed.md from the measurements: every number in it is computed here, none is typed."""

import os
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from statistics import median

from benchmarks.contestants import BY_HAND, OURS, REST_API
from benchmarks.feed import FIRST_DAY, LAST_DAY, PER_PAGE, Totals
from benchmarks.runner import LOADS, Measurement

PACKAGES = ("conversync", "dlt", "duckdb", "pyarrow", "msgspec", "requests")

TOP = """# Speed

Written by the benchmark; no number here is typed by hand. Reproduce it, from the root of a checkout, with

    {command}

{machine}

## What is measured

The same Besitos feed, read from loopback by three loaders into a DuckDB file: {days},
{per_page:,} rows and {page_kb:,.0f} KB of JSON a page, {reversed_share:.1%} of the rows reversals.
Each load is a process of its own, from its start to its exit. "First" is into nothing, "identical second"
the same rows again into the same file. The rounds are interleaved and the order rotates. After every load the
table is compared with the feed: rows, distinct events, reversals, and the exact sums of payout and reward; a
difference ends the benchmark.

CPU is user plus system time as the kernel counted it for the loader alone; the feed is another process. It is
the figure to trust: on a shared machine the clock tells about the neighbours, and even the CPU seconds of one
loader vary, as the ranges show. Peak is the largest resident memory.

{who}
"""

BOTTOM = """
## What is not measured

- A network: loopback has no latency, no TLS, no compression. Ours asks for several pages side by side, the
  other two for one after the other, so a distant vendor favours ours on the clock; the CPU stays what it is.
- The vendor's own speed, its limits, and retries.
- Other destinations than DuckDB, and small daily loads into a large table.
- A start without .pyc files: everything is compiled beforehand, as in an installation.
- dlt's `rest_api` with its default loader files (insert_values), which costs several times more. The settings
  it runs with here, and those that changed nothing, stand in `benchmarks/rest_api.py`.
"""

WHAT = {
    OURS.name: "our command: every statement kept as history (scd2), the reversals walked once more on "
    "their own, rejects, evidence, views",
    REST_API.name: "dlt's declarative source, parquet loader files, declared schema: the last state alone",
    BY_HAND.name: "one script, requests + msgspec + Arrow + DELETE and INSERT in one transaction: the last "
    "state, nothing else",
}


def report(results: Sequence[Measurement], command: str) -> str:
    """The whole page."""
    sizes = list(dict.fromkeys(result.totals for result in results))
    largest = max(sizes, key=lambda totals: totals.rows)
    top = TOP.format(
        command=command,
        machine=machine(),
        days=f"{FIRST_DAY} to {LAST_DAY}",
        per_page=PER_PAGE,
        page_kb=largest.page_bytes / 1000,
        reversed_share=largest.reversals / largest.rows,
        who="\n".join(f"- **{name}**: {what}." for name, what in WHAT.items()),
    )
    parts = ["\n".join(section(results, totals)) for totals in sizes]
    return "\n".join([top, *parts]) + BOTTOM


def machine() -> str:
    """The class of machine and the versions, never its name."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, {python}; {packages}."


def section(results: Sequence[Measurement], totals: Totals) -> Iterator[str]:
    """One size: a table of medians, then the ratios of CPU."""
    here = [result for result in results if result.totals == totals]
    names = list(dict.fromkeys(result.contestant for result in here))
    rounds = len(here) // (len(names) * len(LOADS))
    yield f"## {totals.rows:,} rows"
    yield ""
    yield f"Medians of {rounds} rounds." if rounds > 1 else "One round."
    yield ""
    yield "| contestant | load | CPU s | CPU s, range | wall s | peak MB |"
    yield "|---|---|--:|--:|--:|--:|"
    for load in LOADS:
        for name in sorted(names, key=lambda name: cpu(here, name, load)):
            costs = [r.cost for r in here if (r.contestant, r.load) == (name, load)]
            cpus = [cost.cpu for cost in costs]
            yield (
                f"| {name} | {load} | {median(cpus):.2f} | {min(cpus):.2f} to {max(cpus):.2f} "
                f"| {median(cost.wall for cost in costs):.2f} | {median(cost.peak for cost in costs):,.0f} |"
            )
    yield ""
    yield from ratios(here)


def cpu(results: Sequence[Measurement], name: str, load: str) -> float:
    """The median CPU of one contestant's loads."""
    return median(r.cost.cpu for r in results if (r.contestant, r.load) == (name, load))


def ratios(results: Sequence[Measurement]) -> Iterator[str]:
    """How many times the CPU of ours the declarative source takes, and ours of the hand-written limit."""
    yield f"| CPU, ratio of the medians | {' | '.join(f'{load} load' for load in LOADS)} |"
    yield f"|---|{'--:|' * len(LOADS)}"
    for above, below in ((REST_API, OURS), (OURS, BY_HAND)):
        figures = [cpu(results, above.name, load) / cpu(results, below.name, load) for load in LOADS]
        yield f"| {above.name} / {below.name} | {' | '.join(f'{figure:.1f}' for figure in figures)} |"
    yield ""

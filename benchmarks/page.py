"""docs/speed.md and its picture, from what was measured: no number of it is typed."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.chart import drawn
from benchmarks.contestants import EVERYBODY
from benchmarks.environments import ROOT
from benchmarks.feed import FIRST_DAY, LAST_DAY, PER_PAGE
from benchmarks.results import Run
from benchmarks.tables import head, in_short, row, told

PAGE, PICTURE = ROOT / "docs" / "speed.md", ROOT / "docs" / "speed.svg"

TOP = """# Speed

Written by `make bench`; no number here is typed by hand. A part alone, from the root of a checkout:

    python -m benchmarks --part loads-1m

`--list` tells the parts and what each takes, `--page` writes this page from what was measured.

"""

HOW = """## What is measured

The same Besitos feed is read from loopback by several loaders into a DuckDB file: {days},
{per_page:,} rows and {page_kb:,.0f} KB of JSON a page, {reversed_share:.1%} of the rows reversals. Each load is a
process of its own, from its start to its exit. "First" is into nothing, "identical second" the same rows again into
the same file. The rounds are interleaved and the order rotates; told are medians. After every load the table is
compared with the feed: rows, distinct events, reversals, and the sums of payout and reward; a difference ends the
benchmark. After every night the rows that were there before are counted, too, and after every build the mart is held
against the view of what stands.

CPU is user plus system time as the kernel counted it for the loader and its children; the feed is another process. It
is the figure to trust: on a shared machine the clock tells about the neighbours, and even the CPU seconds of one loader
vary, as the ranges show. Peak is the largest resident memory, of the larger one where a loader is two processes. MB is
a million bytes. Everybody has one thread of DuckDB, unless it is said.

{who}
"""

BOTTOM = """## What this does not prove

- A network: loopback has no TLS, no compression, no loss; where a request takes longer, that is a delay of
  every answer, nothing else.
- A vendor's own speed, its limits, and retries.
- Other data: one feed of thirteen fields, whose ids and times grow. A vendor with random ids makes a night into a large
  table dearer (`--keys random`), on which nothing above is told.
- Other settings of the others. Each is set up as its documentation says, by somebody who knows ours better. What was
  tried with rest_api stands in `benchmarks/rest_api.py`; its default loader files cost several times more.
- What the others do not do is not taken off ours: history, rejects, evidence, views, the second walk over reversals.
- The parts against each other: each is one interleaved run, and they were measured at different moments. Ratios
  within a part hold, those across parts less.
- A start without .pyc files: everything is compiled beforehand, as in an installation.
- Large tables as years of nights would leave them: they were filled by SQL at once.
"""


def write(runs: Mapping[str, Run], page: Path = PAGE, picture: Path = PICTURE) -> Path:
    """Writes both; without figures for it there is no picture."""
    svg = drawn(runs)
    if svg is None:
        picture.unlink(missing_ok=True)
    else:
        picture.write_text(svg, encoding="utf-8")
    page.write_text("\n".join(text(runs, picture.name if svg else None)) + "\n", encoding="utf-8")
    return page


def text(runs: Mapping[str, Run], picture: str | None) -> Iterator[str]:
    """The page, line by line."""
    from benchmarks.plan import PARTS

    yield TOP.rstrip()
    yield ""
    if short := list(in_short(runs)):
        yield from ("## In short", "", *short, "")
    if picture:
        yield from (f"![CPU seconds of a load, and of a night into tables that grow]({picture})", "")
    facts = next((run.about.facts for name, run in runs.items() if name.startswith("loads")), None)
    if facts:
        yield HOW.format(
            days=f"{FIRST_DAY} to {LAST_DAY}",
            per_page=PER_PAGE,
            page_kb=facts["page_bytes"] / 1000,
            reversed_share=facts["reversals"] / facts["rows"],
            who="\n".join(f"- **{one.name}**: {one.what}." for one in EVERYBODY),
        )
    for name in PARTS:
        if name in runs:
            yield from told(runs[name])
    yield BOTTOM.rstrip()
    yield ""
    yield from moments(runs)
    missing = [name for name in PARTS if name not in runs]
    if missing:
        yield ""
        yield f"Not measured: {', '.join(missing)}."


def moments(runs: Mapping[str, Run]) -> Iterator[str]:
    """When each part was measured, and on what."""
    yield from ("## When it was measured", "")
    yield (
        "Each part is one run, in which everything that it compares is interleaved. The load is the machine's average "
        "of the five minutes before: above nought, others were at work."
    )
    yield ""
    machines = list(dict.fromkeys(run.about.machine for run in runs.values()))
    if len(machines) > 1:
        yield "Not all parts were measured on one machine with the same versions:"
        yield ""
    yield from (f"{number}. {one}." for number, one in enumerate(machines, start=1))
    yield ""
    yield from head("command", "began (UTC)", "machine", "minutes", "load", text=2)
    for run in runs.values():
        about = run.about
        number = machines.index(about.machine) + 1
        yield row(f"`{about.command}`", about.began, number, f"{about.seconds / 60:.1f}", f"{about.load:.1f}")

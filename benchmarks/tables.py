"""Each part as sections of a page: every number is computed from what was measured, none is typed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median

from benchmarks.contestants import BY_HAND, EVERYBODY, OURS, REST_API
from benchmarks.parts import marts, sending, several
from benchmarks.parts.loads import FIRST, SECOND
from benchmarks.parts.nights import NIGHTS
from benchmarks.parts.nights import SUBJECT as ON_DUCKDB
from benchmarks.parts.servers import SUBJECT as ON_POSTGRES
from benchmarks.results import Run

Lines = Iterator[str]
NIGHT_OF = {"new": "all rows are new", "same": "nothing is new"}


def row(*cells: object) -> str:
    """A line of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def head(*names: str, text: int = 1) -> Lines:
    """The head of a table, whose first `text` columns are words and the others numbers."""
    yield row(*names)
    yield f"|{'---|' * text}{'--:|' * (len(names) - text)}"


def spread(values: Sequence[float]) -> str:
    """The least and the most of several."""
    return f"{min(values):.2f} to {max(values):.2f}" if len(values) > 1 else ""


def title(rows: int) -> str:
    """Rows as the page says them."""
    return f"{rows:,}" if rows else "none"


def costs(run: Run, size: int) -> Lines:
    """Who took what at one size, the cheapest first."""
    yield from head("contestant", "load", "rounds", "CPU s", "range", "wall s", "peak MB", "file MB", text=2)
    for case in run.of("case"):
        here = [name for name in run.of("subject") if run.all(name, case, size, "cpu")]
        for name in sorted(here, key=lambda one: run.middle(one, case, size, "cpu")):
            cpus = run.all(name, case, size, "cpu")
            cpu, wall, peak, file = (
                run.middle(name, case, size, value) for value in ("cpu", "wall", "peak", "file")
            )
            yield row(
                *(name, case, len(cpus), f"{cpu:.2f}", spread(cpus)),
                *(f"{wall:.2f}", f"{peak:,.0f}", f"{file:,.0f}"),
            )
    yield ""


def pairs(run: Run) -> list[tuple[str, str]]:
    """Who is held against whom: everybody against us, and we against the script by hand."""
    here = run.of("subject")
    others = [one.name for one in EVERYBODY if one not in (OURS, BY_HAND) and one.name in here]
    both = [(OURS.name, BY_HAND.name)] if BY_HAND.name in here else []
    return [*both, *((name, OURS.name) for name in others)] if OURS.name in here else []


def load_ratios(run: Run, size: int, value: str = "cpu", words: str = "CPU") -> Lines:
    """How many times the one takes what the other takes."""
    cases = run.of("case")
    yield from head(f"{words}, ratio of the medians", *cases)
    for above, below in pairs(run):
        if not run.all(above, cases[0], size, value):
            continue
        figures = (
            run.middle(above, case, size, value) / run.middle(below, case, size, value) for case in cases
        )
        yield row(f"{above} / {below}", *(f"{figure:.2f}" for figure in figures))
    yield ""


def loads(run: Run) -> Lines:
    """The same feed by everybody."""
    for size in run.sizes():
        yield f"## {size:,} rows, one thread of DuckDB"
        yield ""
        yield from costs(run, size)
        yield from load_ratios(run, size)


def threads(run: Run) -> Lines:
    """The same with DuckDB's default."""
    yield "## As many threads as DuckDB takes by itself"
    yield ""
    yield (
        "Ours takes as many as the machine allows it in its own reckoning (`duckdb_threads`). At the larger size only "
        "those that do not take minutes."
    )
    yield ""
    for size in run.sizes():
        yield f"### {size:,} rows"
        yield ""
        yield from costs(run, size)
        yield from load_ratios(run, size)


def latency(run: Run) -> Lines:
    """A vendor that is far away: the clock."""
    [size] = run.sizes()
    ms = f"{run.about.facts['delay'] * 1000:.0f} ms"
    yield f"## {size:,} rows at {ms} a request"
    yield ""
    yield f"Each answer comes {ms} after its request. The clock tells: who asks for several pages at once waits less."
    yield ""
    yield from costs(run, size)
    yield from load_ratios(run, size, "wall", "clock")


def nights(run: Run) -> Lines:
    """A night into tables that grow."""
    [subject] = run.of("subject")
    yield f"## A night of {run.about.facts['rows']:,.0f} rows, on {subject}"
    yield ""
    yield (
        "By ours, into a table that holds so many rows before, written by SQL. The first night's rows are all new, the "
        "second one reads them again. The ratio is to the same night into nothing."
    )
    yield ""
    server = ["server CPU s", "ratio"] if subject == ON_POSTGRES else []
    last = [] if subject == ON_POSTGRES else ["file MB"]
    yield from head(
        "night", "rows before", "CPU s", "range", "ratio", *server, "wall s", "peak MB", *last, text=1
    )
    for case in NIGHTS:
        for size in run.sizes():
            cpus = run.all(subject, case, size, "cpu")
            cells = [NIGHT_OF[case], title(size), f"{median(cpus):.2f}", spread(cpus), grown(run, case, size)]
            if server:
                cells += [
                    f"{run.middle(subject, case, size, 'server'):.2f}",
                    grown(run, case, size, "server"),
                ]
            wall, peak = (run.middle(subject, case, size, value) for value in ("wall", "peak"))
            cells += [f"{wall:.2f}", f"{peak:,.0f}"]
            cells += [f"{run.middle(subject, case, size, 'file'):,.0f}"] if last else []
            yield row(*cells)
    yield ""


def grown(run: Run, case: str, size: int, value: str = "cpu") -> str:
    """How many times the night into the smallest table it takes; nothing where that took none."""
    [subject] = run.of("subject")
    least = run.middle(subject, case, run.sizes()[0], value)
    return f"{run.middle(subject, case, size, value) / least:.2f}" if least else ""


def analysts(run: Run) -> Lines:
    """Build, report and publish."""
    for size in run.sizes():
        yield f"## {size:,} conversions: build, report, publish"
        yield ""
        yield from head("command", "rounds", "CPU s", "range", "wall s", "peak MB", "file MB")
        for case in (marts.EMPTY, marts.AGAIN, marts.REPORT, marts.PUBLISH):
            cpus = run.all(marts.SUBJECT, case, size, "cpu")
            wall, peak, file = (
                run.middle(marts.SUBJECT, case, size, value) for value in ("wall", "peak", "file")
            )
            yield row(
                *(case, len(cpus), f"{median(cpus):.2f}", spread(cpus)),
                *(f"{wall:.2f}", f"{peak:,.0f}", f"{file:,.0f}"),
            )
        copy = run.middle(marts.COPY, marts.COPY, size, "wall")
        yield row(
            marts.COPY, len(run.all(marts.COPY, marts.COPY, size, "wall")), "", "", f"{copy:.2f}", "", ""
        )
        yield ""


def vendors(run: Run) -> Lines:
    """Several at once."""
    [size] = run.sizes()
    yield f"## {size} vendors with nothing new, and one of them slow"
    yield ""
    yield (
        f"One `load` of all of them; the slow one, {several.SLOW_ONE}, takes {several.DELAY * 1000:.0f} ms an answer. "
        "When each was done is counted from the start of the process."
    )
    yield ""
    sources = sorted(several.SLOW)
    yield from head("run", "CPU s", "wall s", "peak MB", *(f"{source} done, s" for source in sources))
    for subject in run.of("subject"):
        for case in run.of("case"):
            values = ["cpu", "wall", "peak", *(f"done {source}" for source in sources)]
            cpu, wall, peak, *done = (run.middle(subject, case, size, value) for value in values)
            name = case if subject == OURS.name else f"{subject}, {case}"
            yield row(name, f"{cpu:.2f}", f"{wall:.2f}", f"{peak:,.0f}", *(f"{one:.2f}" for one in done))
    yield ""


def sends(run: Run) -> Lines:
    """What a send reaches."""
    [size] = run.sizes()
    facts = run.about.facts
    ceiling = facts["at_once"] / facts["delay"]
    yield f"## Sending {size:,} rows at {facts['delay'] * 1000:.0f} ms a request"
    yield ""
    yield (
        f"{facts['at_once']:.0f} requests at once, so {ceiling:.0f} rows a second at most. The bare client keeps no "
        "journal: it is what this machine can reach."
    )
    yield ""
    yield from head("sender", "rows/s", "range", f"of {ceiling:.0f}", "CPU ms a row")
    for name in run.of("subject"):
        rates = run.all(name, sending.SEND, size, "rate")
        ms = run.all(name, sending.SEND, size, "ms")
        share = median(rates) / ceiling
        yield row(
            name, f"{median(rates):.1f}", spread(rates), f"{share:.0%}", f"{median(ms):.2f}" if ms else ""
        )
    yield ""


SECTIONS: Mapping[str, Callable[[Run], Lines]] = {
    "loads-100k": loads,
    "loads-1m": loads,
    "threads": threads,
    "latency": latency,
    "nights": nights,
    "servers": nights,
    "marts-1m": analysts,
    "marts-10m": analysts,
    "several": vendors,
    "sending": sends,
}


def told(run: Run) -> Lines:
    """A part's sections, and what has to be said of it; a part that found nothing has no table."""
    if run.figures:
        yield from SECTIONS[run.about.part](run)
    for note in run.about.notes:
        yield f"*{note}*"
        yield ""


def in_short(runs: Mapping[str, Run]) -> Lines:
    """What a reader in a hurry takes away."""
    if (run := runs.get("loads-1m")) and {OURS.name, BY_HAND.name, REST_API.name} <= set(run.of("subject")):
        [size] = run.sizes()
        (hand_first, hand_second), (rest_first, rest_second) = (
            [
                run.middle(above, case, size, "cpu") / run.middle(below, case, size, "cpu")
                for case in (FIRST, SECOND)
            ]
            for above, below in ((OURS.name, BY_HAND.name), (REST_API.name, OURS.name))
        )
        peak, file = (run.middle(OURS.name, FIRST, size, value) for value in ("peak", "file"))
        yield (
            f"- {size:,} rows take {hand_first:.2f} times the CPU of a script by hand at first and {hand_second:.2f} "
            f"times when nothing changed; dlt's rest_api takes {rest_first:.2f} and {rest_second:.2f} times ours. "
            f"Ours peaks at {peak:,.0f} MB and leaves a file of {file:,.0f} MB."
        )
    for name in ("nights", "servers"):
        if (run := runs.get(name)) and run.figures:
            rows, largest = run.about.facts["rows"], run.sizes()[-1]
            new, same = (grown(run, case, largest) for case in NIGHTS)
            where = ON_DUCKDB if name == "nights" else ON_POSTGRES
            yield (
                f"- {where}: a night of {rows:,.0f} rows into {largest:,} takes {new} times the CPU of the same into "
                f"nothing, {same} times when nothing is new."
            )
    if run := runs.get("marts-10m"):
        [size] = run.sizes()
        empty, again, page = (
            (run.middle(marts.SUBJECT, case, size, "cpu"), run.middle(marts.SUBJECT, case, size, "peak"))
            for case in (marts.EMPTY, marts.AGAIN, marts.REPORT)
        )
        yield (
            f"- {size:,} conversions: a build from empty takes {empty[0]:.0f} CPU s and {empty[1]:,.0f} MB, with "
            f"nothing new {again[0]:.0f} s; the report {page[0]:.0f} s and {page[1]:,.0f} MB."
        )

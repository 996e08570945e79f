"""What was measured, as JSON lines: `bench-data/<part>.jsonl`, a line about the run and one for each figure.

Each part of the benchmark is a run of its own, in which what it compares is interleaved. A part that is run again
takes the place of what was there, once it has ended well.
"""

import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.environments import DATA
from benchmarks.runner import Cost

PACKAGES = ("conversync", "dlt", "duckdb", "pyarrow", "msgspec", "requests")


@dataclass(frozen=True)
class Figure:
    """One measurement: of whom, doing what, at which size (rows), in numbers such as `cpu`, `wall` and `peak`."""

    subject: str
    case: str
    size: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class About:
    """One run of a part: what was typed, when it began (UTC), on what, and what has to be said of it."""

    part: str
    command: str
    began: str
    machine: str
    seconds: float = 0
    load: float = 0
    """The machine's load average of five minutes as it began: whether others were at work."""
    notes: tuple[str, ...] = ()
    facts: Mapping[str, float] = field(default_factory=dict)
    """Of what was read: such as rows, reversals and bytes a page."""


@dataclass(frozen=True)
class Run:
    """A part that was measured."""

    about: About
    figures: tuple[Figure, ...]

    def middle(self, subject: str, case: str, size: int, value: str) -> float:
        """The median over the rounds."""
        return median(self.all(subject, case, size, value))

    def all(self, subject: str, case: str, size: int, value: str) -> list[float]:
        """Each round's."""
        return [
            one.values[value]
            for one in self.figures
            if (one.subject, one.case, one.size) == (subject, case, size) and value in one.values
        ]

    def of(self, what: str) -> list[str]:
        """The subjects or the cases that there are, in the order in which they came."""
        return list(dict.fromkeys(str(getattr(one, what)) for one in self.figures))

    def sizes(self) -> list[int]:
        """The sizes that there are, the smallest first."""
        return sorted({one.size for one in self.figures})


def costs(cost: Cost, **more: float) -> dict[str, float]:
    """A process's cost as numbers of a figure."""
    return {"cpu": cost.cpu, "wall": cost.wall, "peak": cost.peak, **more}


def machine() -> str:
    """The class of machine and the versions, never its name."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, {python}; {packages}"


def kept(part: str, folder: Path = DATA) -> Path:
    """Where a part's results are."""
    return folder / f"{part}.jsonl"


def keep(run: Run, folder: Path = DATA) -> Path:
    """Writes a run in place of the one before it."""
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f"{run.about.part}.new"
    new.write_text("".join(lines(run)), encoding="utf-8")
    return new.replace(kept(run.about.part, folder))


def lines(run: Run) -> Iterator[str]:
    """The run as JSON lines."""
    yield f"{json.dumps(asdict(run.about))}\n"
    yield from (f"{json.dumps(asdict(figure))}\n" for figure in run.figures)


def found(parts: Iterable[str], folder: Path = DATA) -> dict[str, Run]:
    """Of these parts those that were measured."""
    return {part: read(kept(part, folder)) for part in parts if kept(part, folder).exists()}


def read(path: Path) -> Run:
    """A run as it was kept."""
    first, *others = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    about = About(**{**first, "notes": tuple(first["notes"])})
    return Run(about, tuple(Figure(**one) for one in others))

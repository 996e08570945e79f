"""What a part is given, and what it tells while it runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from benchmarks.results import Figure

T = TypeVar("T")


@dataclass(frozen=True)
class Wish:
    """What the command line asks of a part; what it leaves open is the part's to say."""

    rounds: int | None = None
    sizes: tuple[int, ...] = ()
    only: tuple[str, ...] = ()
    """Parts of contestants' names; none means all."""
    codes: tuple[Path, ...] = ()
    """Other checkouts, to be measured beside this one."""
    keys: str = "growing"
    is_profiled: bool = False


@dataclass
class Notes:
    """Where a part puts down what it finds."""

    figures: list[Figure] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)

    def figure(self, subject: str, case: str, size: int, values: Mapping[str, float]) -> None:
        """One more measurement, which is shown as well."""
        self.figures.append(Figure(subject, case, size, dict(values)))
        shown = "  ".join(f"{name} {value:,.2f}" for name, value in values.items())
        print(f"{size:>11,}  {subject:<24} {case:<18} {shown}", flush=True)

    def say(self, sentence: str) -> None:
        """Something that belongs on the page."""
        self.said.append(sentence)
        print(sentence, flush=True)


Measure = Callable[[Wish, Notes], None]


def rotated(some: Sequence[T], turn: int) -> Iterator[T]:
    """All of them, beginning with another one each turn: a busy minute of the machine falls on everybody."""
    first = turn % len(some)
    yield from (*some[first:], *some[:first])

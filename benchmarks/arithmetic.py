"""docs/arithmetic.md: what limits a night, at so many conversions a day; worked out from docs/speed.md's figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.environments import ROOT
from sources.besitos.settings import BesitosSettings

SPEED, PAGE = ROOT / "docs" / "speed.md", ROOT / "docs" / "arithmetic.md"
HOURS = 3600.0
DAY = 24 * HOURS
# A night has to be done while people sleep.
NIGHT = 6 * HOURS


@dataclass(frozen=True)
class Measured:
    """What a row costs here: `cpu` in seconds and `file` in bytes where all rows are new, `again` where none is.

    `json` is what a row takes on its page, in bytes; `reversed_share` is how many rows are reversals.
    """

    cpu: float
    again: float
    file: float
    json: float
    reversed_share: float

    @classmethod
    def of(cls, page: str) -> Measured:
        """From docs/speed.md; ValueError where it does not tell a million rows."""
        million = 1_000_000
        first, again = _ours(page, "first"), _ours(page, "identical second")
        told = re.search(
            r"([\d,]+) rows and ([\d,]+) KB of JSON a page, ([\d.]+)% of the rows reversals", page
        )
        if told is None:
            raise ValueError("docs/speed.md does not say how large a page is")
        rows, size, share = (float(text.replace(",", "")) for text in told.groups())
        return cls(
            first[0] / million, again[0] / million, first[1] * 1e6 / million, size * 1000 / rows, share / 100
        )


def _ours(page: str, load: str) -> tuple[float, float]:
    """CPU seconds and MB of the file, of the line of a million rows that is ours."""
    part = page.partition("## 1,000,000 rows")[2].partition("\n## ")[0]
    for line in part.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[:2] == ["conversync", load]:
            return float(cells[3]), float(cells[-1].replace(",", ""))
    raise ValueError(f"docs/speed.md has no line of ours, {load}")


@dataclass(frozen=True)
class Night:
    """One night of a feed like Besitos': `rows` a day, read in pages by `connections`, each answered after `latency` s.

    A night reads the new day, the days of the lookback once more, and the reversals of half a year.
    """

    rows: float
    latency: float = 0.3
    page: int = BesitosSettings.besitos_page_size
    connections: int = BesitosSettings.besitos_concurrency
    lookback: int = int(BesitosSettings.besitos_lookback_days)
    reversals: int = int(BesitosSettings.besitos_reversal_lookback_days)

    def read(self, measured: Measured) -> float:
        """So many rows come."""
        return self.rows * (1 + self.lookback + measured.reversed_share * self.reversals)

    def pages(self, measured: Measured) -> float:
        """In so many answers."""
        return self.read(measured) / self.page

    def vendor(self, measured: Measured) -> float:
        """Seconds for which the vendor is waited for."""
        return self.pages(measured) * self.latency / self.connections

    def cpu(self, measured: Measured) -> float:
        """Seconds of one processor: new rows, and those that are read again."""
        return self.rows * measured.cpu + (self.read(measured) - self.rows) * measured.again

    def seconds(self, measured: Measured) -> float:
        """Pages are asked for while others are read, so the slower of both says how long it takes."""
        return max(self.vendor(measured), self.cpu(measured))

    def limit(self, measured: Measured) -> str:
        """Which of both that is."""
        return "the vendor" if self.vendor(measured) > self.cpu(measured) else "the processor"

    def shards(self, measured: Measured) -> int:
        """So many loads side by side, each with a processor and connections of its own, are done within a night."""
        return max(1, -int(-self.seconds(measured) // NIGHT))


def most(measured: Measured, night: Night, seconds: float = NIGHT) -> float:
    """So many rows a day one load reads within `seconds`: both sides grow with the rows."""
    return seconds / replace(night, rows=1.0).seconds(measured)


TOP = """# What limits a night

Worked out by `python -m benchmarks --page` from the figures of [speed.md](speed.md), for a feed like Besitos'; a test
simulates such nights page by page and comes to the same. It is arithmetic about one measured machine, no promise of
another.

A night reads the new day, the {lookback} days of the lookback once more, and the reversals of {reversals} days
({share:.0%} of the rows), so **{factor:.1f} rows for each new one**. A page holds {page:,} rows of {json:.0f} bytes;
{connections} are asked for at a time; a row costs {cpu:.1f} µs of a processor where it is new, {again:.1f} µs where it
is held already, and {file:.0f} bytes of the file. "Loads" is how many, side by side and each with a processor and
connections of its own, are done within six hours.

| conversions a day | an answer | rows a night | answers | vendor | processor | limit | loads | file, a year |
|--:|--:|--:|--:|--:|--:|---|--:|--:|
"""

BOTTOM = """
In six hours one load reads at most {few} new conversions a day at 300 ms an answer, and {many} at 50 ms with pages of
10,000 rows.

- **The vendor first.** Larger pages (`besitos_page_size`) and more of them at a time (`besitos_concurrency`) are worth
  more than processors, as far as the vendor allows them; a shorter `besitos_reversal_lookback_days` saves up to
  {sweep:.1f} of the {factor:.1f} rows.
- **Then a processor.** A load uses one. Loads of one dataset wait for each other (one writes at a time), so several
  loads side by side means several accounts, each with a dataset of its own; a range that was asked for is read by many
  runs at once (`--shard`), a night's days by one.
- **The models.** They are made of all conversions that are held, not of the new ones alone: docs/books.md says what
  ten million take.
- **The destination.** One DuckDB file is right as long as it fits on a disk, and on the machine that reads it; beyond
  some hundred million conversions, PostgreSQL. A thousand million a day ({terabytes:.0f} TB a year) belongs into a
  warehouse of many machines: this project's SQL was parsed in their dialects, but not run there.
"""


def text(measured: Measured) -> str:
    """The page."""
    plain = Night(1.0)
    facts = {
        "lookback": plain.lookback,
        "reversals": plain.reversals,
        "share": measured.reversed_share,
        "factor": plain.read(measured),
        "page": plain.page,
        "json": measured.json,
        "connections": plain.connections,
        "cpu": measured.cpu * 1e6,
        "again": measured.again * 1e6,
        "file": measured.file,
        "sweep": measured.reversed_share * plain.reversals,
        "few": _count(most(measured, plain)),
        "many": _count(most(measured, Night(1.0, 0.05, page=10_000))),
        "terabytes": 1e9 * 365 * measured.file / 1e12,
    }
    return TOP.format(**facts) + "".join(_rows(measured)) + BOTTOM.format(**facts)


def _rows(measured: Measured) -> Iterator[str]:
    for rows in (10_000, 1_000_000, 10_000_000, 1_000_000_000):
        for latency in (0.05, 0.3):
            night = Night(rows, latency)
            cells = (
                f"{rows:,}",
                f"{latency * 1000:.0f} ms",
                _count(night.read(measured)),
                _count(night.pages(measured)),
                _time(night.vendor(measured)),
                _time(night.cpu(measured)),
                night.limit(measured),
                f"{night.shards(measured):,}",
                f"{rows * 365 * measured.file / 1e9:,.1f} GB",
            )
            yield f"| {' | '.join(cells)} |\n"


def _count(number: float) -> str:
    """In the unit that it is said in."""
    for unit, size in (("thousand million", 1e9), ("million", 1e6), ("thousand", 1e3)):
        if number >= size:
            return f"{number / size:,.1f} {unit}"
    return f"{number:,.0f}"


def _time(seconds: float) -> str:
    for unit, size in (("days", DAY), ("h", HOURS), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.1f} s"


def write() -> None:
    """docs/arithmetic.md, from docs/speed.md."""
    PAGE.write_text(text(Measured.of(SPEED.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    write()

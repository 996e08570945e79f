"""Days that were read together, and why they are believed (see `conversync/extract/pieces.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conversync.extract.failing import is_failure
from conversync.extract.pagination import Scan
from conversync.extract.windows import Window

COUNT, PAGE, PASSES = "count", "page", "passes"


def is_gap(scan: Scan) -> bool:
    """Whether some of a pass was not given, and that was no refusal of its size; or nothing of it."""
    return not scan.pages or is_failure(scan.refused)


@dataclass(frozen=True)
class Piece:
    """Days that were read together, and what came of it. `missing` is 0 where the piece is whole, and 1 at least else.

    `proof` says why it is believed; without one, and with nothing missing, it is a day that is not over and moves.
    `announced` and `received` are the last pass's; `statements` counts distinct events of all passes.
    """

    window: Window
    scans: Sequence[Scan]
    proof: str | None
    missing: int
    statements: int
    announced: int | None
    received: int
    proving: Sequence[Scan] = ()
    """The passes that prove it; none where nothing does."""
    short_on: Window | None = None
    """The days that lack something, where that is known of fewer than all."""
    asked_alone: Window | None = None
    """The days that were asked for one by one, where that is how it came."""

    @property
    def believed(self) -> Sequence[Scan]:
        """The passes that bring what it holds: what only others brought is not there any more."""
        return self.proving or self.scans

    @property
    def lacking(self) -> Window:
        """The days in which something is missing."""
        return self.short_on or self.window

    @property
    def known_missing(self) -> int:
        """How many rows it lacks, as far as more were announced than came; else nothing shows that any is missing."""
        bad = set[str]().union(*(scan.bad_hashes for scan in self.scans))
        return self.missing if (self.announced or 0) > self.statements + len(bad) else 0

    @property
    def is_empty(self) -> bool:
        """Whether the vendor says that there is nothing."""
        return not self.missing and not self.received and not self.statements

    @property
    def pages(self) -> int:
        """How many answers came, over all passes."""
        return sum(scan.pages for scan in self.scans)


def told(days: Sequence[Piece]) -> int:
    """How many rows they announce together; where one announces nothing, it is what came."""
    return sum(one.statements if one.announced is None else one.announced for one in days)


def joined(
    window: Window, scans: Sequence[Scan], days: Sequence[Piece], missing: int, lacking: Sequence[Window]
) -> Piece:
    """The days of a question, each asked for alone after these `scans` of both, as one piece that lacks so much."""
    is_proven = not missing and all(one.proof for one in days)
    return Piece(
        window,
        [*scans, *(scan for one in days for scan in one.scans)],
        None if missing else days[0].proof,
        missing,
        sum(one.statements for one in days),
        told(days) if any(one.announced is not None for one in days) else None,
        sum(one.received for one in days),
        [scan for one in days for scan in one.believed] if is_proven else (),
        Window(lacking[0].start, lacking[-1].end) if lacking else None,
        Window(days[0].window.start, days[-1].window.end),
    )

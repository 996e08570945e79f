"""Days that were read together, and why they are believed (see `conversync/extract/complete_days.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conversync.extract.failing_requests import is_failure
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


@dataclass(frozen=True)
class Alone:
    """The days of one question, each asked for alone after passes over both.

    `is_last`: no piece follows, whose matter the second day would be. `is_blind`: no page of both days came, so nobody
    knows what the days alone leave out, unless the first one shows that it was covered (`is_covered`).
    """

    days: Sequence[Piece]
    is_last: bool
    is_blind: bool
    is_covered: bool

    @property
    def counted(self) -> Sequence[Piece]:
        """The days whose lack counts here."""
        return self.days if self.is_last else self.days[:1]

    @property
    def missing(self) -> int:
        """How much they lack."""
        return max(sum(one.missing for one in self.counted), int(self.is_blind and not self.is_covered))

    @property
    def short_on(self) -> Window | None:
        """From the first day that lacks something to the last one; None where none does."""
        looked_at = self.days if self.is_blind else self.counted
        lacking = [one.window for one in looked_at if one.missing]
        return Window(lacking[0].start, lacking[-1].end) if lacking else None

    @property
    def proving(self) -> Sequence[Scan]:
        """The passes that prove all of it; none where something is not proved."""
        if self.missing or not all(one.proof for one in self.days):
            return ()
        return [scan for one in self.days for scan in one.believed]

    @property
    def announced(self) -> int | None:
        """How many rows they announce together; None where no day announces any number."""
        return told(self.days) if any(one.announced is not None for one in self.days) else None

    def joined(self, window: Window, scans: Sequence[Scan]) -> Piece:
        """All of it as one piece, after these `scans` of both days."""
        return Piece(
            window,
            [*scans, *(scan for one in self.days for scan in one.scans)],
            None if self.missing else self.days[0].proof,
            self.missing,
            sum(one.statements for one in self.days),
            self.announced,
            sum(one.received for one in self.days),
            self.proving,
            self.short_on,
            Window(self.days[0].window.start, self.days[-1].window.end),
        )

"""Days that were read together, and why they are believed (see `conversync/extract/pieces.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conversync.extract.pagination import Scan
from conversync.extract.windows import Window

COUNT, PAGE, PASSES = "count", "page", "passes"


@dataclass(frozen=True)
class Piece:
    """Days that were read together, and what came of it. `missing` is 0 where the piece is whole.

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

    @property
    def believed(self) -> Sequence[Scan]:
        """The passes that bring what it holds: what only others brought is not there any more."""
        return self.proving or self.scans

    @property
    def lacking(self) -> Window:
        """The days in which something is missing."""
        return self.short_on or self.window

    @property
    def pages(self) -> int:
        """How many answers came, over all passes."""
        return sum(scan.pages for scan in self.scans)

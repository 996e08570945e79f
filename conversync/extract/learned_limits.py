"""Questions that were too much, perhaps: a limit of the vendor is learned only where smaller ones brought all of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from conversync.extract.known_limits import Bounds
from conversync.extract.windows import Window


@dataclass
class _Suspect:
    """Days that were not to be had in one question; `depth` rows came of them, or None of it.

    `most` is how many days the longest question had that brought some of them since.
    """

    days: Window
    depth: int | None
    most: int = 0

    @property
    def found(self) -> str:
        """What it comes to, as a sentence."""
        if self.depth is not None:
            return f"pages beyond row {self.depth:,} are refused"
        return f"ranges of {self.days.days} days are refused"


@dataclass
class Suspects:
    """The ranges that were refused in this load, until each is read whole in parts, or one day of it is to blame."""

    bounds: Bounds
    _open: list[_Suspect] = field(default_factory=list)

    def refused(self, days: Window, depth: int | None = None) -> None:
        """They were asked for in one question, and not given; or no deeper than `depth` rows."""
        if days.days > 1 and all(one.days != days for one in self._open):
            self._open.append(_Suspect(days, depth))

    def short(self, days: Window) -> None:
        """These days cannot be had in any size: they are to blame, and no range that they lie in."""
        self._open = [one for one in self._open if one.days.end < days.start or days.end < one.days.start]

    def whole(self, days: Window) -> None:
        """They came, all of them, in one question. Pieces come oldest first, so the last one ends a range."""
        for one in list(self._open):
            if one.days.start <= days.start and days.end <= one.days.end and days != one.days:
                one.most = max(one.most, days.days)
                if days.end == one.days.end:
                    self._open.remove(one)
                    self._learn(one)

    def _learn(self, one: _Suspect) -> None:
        self.bounds.found.append(one.found)
        if one.depth is not None:
            self.bounds.depth = min(one.depth, self.bounds.depth or one.depth)
        else:
            self.bounds.days = min(self.bounds.days, one.most)

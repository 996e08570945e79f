"""What a vendor was found to take, and for how long that is believed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import pendulum

from conversync.types import Document, State

# How long what was found of a vendor is believed.
REMEMBERED = pendulum.duration(days=7)


@dataclass
class Bounds:
    """What a vendor was found to take: days a question, rows a page, rows until the deepest page. None: no bound.

    Of days both ends count. `days` and `page_size` begin as the settings have them. What is found is kept in the
    source's state.
    """

    days: int
    page_size: int
    depth: int | None = None
    miscounts: bool = False
    """Whether totals contradicted each other: where not one row comes, none need be there."""
    even: bool = False
    """Whether all pages of a listing have to be of one size."""
    longest: int = 0
    """The most days of a question that brought a row, ever."""
    found: list[str] = field(default_factory=list)

    @staticmethod
    def remembered(state: State, days: int, page_size: int, today: date) -> Bounds:
        """As the settings have them, less what earlier runs found; a setting that is lower wins.

        After some days it is tried again without: a bad night is no property of a vendor.
        """
        known = state.get("bounds", {})
        if known.get("until", "") < str(today):
            known = {}
        least = known.get("days", days), known.get("page_size", page_size)
        depth, longest = known.get("depth"), state.get("longest", 0)
        is_so = "miscounts" in known, "even" in known
        return Bounds(min(days, least[0]), min(page_size, least[1]), depth, *is_so, longest)

    def told(self, vendor: str) -> str | None:
        """What was found in this run, as a sentence; None where it was nothing."""
        found = "; ".join(dict.fromkeys(self.found))
        return f"{vendor}: {found}; it is asked accordingly from now on" if found else None

    def remember(self, state: State, days: int, page_size: int, today: date) -> None:
        """Notes in the state what is lower than the settings have it."""
        if self.longest:
            state["longest"] = self.longest
        until = str(today + REMEMBERED) if self.found else state.get("bounds", {}).get("until", "")
        known: Document = {"days": self.days if self.days < days else None, "depth": self.depth}
        known["page_size"] = self.page_size if self.page_size < page_size else None
        known |= {"miscounts": self.miscounts or None, "even": self.even or None}
        state.pop("bounds", None)
        if found := {name: value for name, value in known.items() if value is not None}:
            state["bounds"] = {**found, "until": until}

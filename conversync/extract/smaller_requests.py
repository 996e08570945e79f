"""What to ask for in place of a question that is too much: fewer days, or smaller pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conversync.extract.pagination import Scan
from conversync.extract.windows import Window, apart, split_window

# How often a larger page is tried, where all that came filled one.
LARGER_PAGES = 4
# As many rows may be asked for on one page to have a whole day on it.
LARGEST_PAGE = 50_000
# Rows a page that a vendor may allow, where it allows some only.
USUAL = (10_000, 5_000, 2_500, 2_000, 1_000, 500, 250, 200, 100, 50, 25, 20, 15, 10, 5, 2, 1)
# Passes over a single day that does not add up.
MOST_WALKS = 8


@dataclass(frozen=True)
class Parts:
    """How windows are cut. `shared`: neighbours share a day, since the last day of a question may not be covered."""

    shared: bool

    def cut(self, window: Window, days: int) -> Iterator[Window]:
        """The window in parts of so many days, oldest first."""
        return (split_window if self.shared else apart)(window, days)

    def days(self, window: Window) -> int:
        """How many days a window answers for; one is the least."""
        return max((window.end - window.start).days + (0 if self.shared else 1), 1)

    def halves(self, window: Window) -> list[Window]:
        """The window in two."""
        middle = window.start.add(days=self.days(window) // 2)
        before = middle if self.shared else middle.subtract(days=1)
        return [Window(window.start, before), Window(middle, window.end)]

    def after(self, part: Window, window: Window) -> Window:
        """What of a window is left after one of its parts."""
        return Window(part.end.add(days=0 if self.shared else 1), window.end)


def smaller(page_size: int) -> int:
    """The next size of a page to try where one is refused; 0 after 1."""
    return page_size // 2 if page_size > 2 * USUAL[0] else next((one for one in USUAL if one < page_size), 0)


def sizes(page_size: int, scans: Sequence[Scan]) -> Iterator[int]:
    """Sizes of pages to try: one that holds the day, and larger while it is full; smaller ones; then as it was."""
    rows = max(max(scan.announced or 0, scan.received) for scan in scans) + 1
    for _ in range(LARGER_PAGES):
        if page_size < rows <= LARGEST_PAGE:
            yield rows
            rows = rows * 4 if scans[-1].pages == 1 else LARGEST_PAGE + 1
    fewer = [part for part in (page_size // 2, page_size // 3, page_size // 5) if part >= 1]
    yield from [*fewer, *[page_size] * MOST_WALKS][: max(MOST_WALKS - len(scans), 0)]

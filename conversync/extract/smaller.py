"""What to ask for in place of a question that is too much: fewer days, or smaller pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conversync.errors import RequestRejectedError, TooLongError
from conversync.extract.bounds import Bounds
from conversync.extract.failing import OF_PAGE_SIZE, is_of_size
from conversync.extract.pagination import Scan
from conversync.extract.windows import Window, apart, split_window

# How often a larger page is tried, where all that came filled one.
LARGER_PAGES = 4
# As many rows may be asked for on one page to have a whole day on it.
LARGEST_PAGE = 50_000
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


def smaller(
    window: Window, refusal: RequestRejectedError | TooLongError, bounds: Bounds, parts: Parts
) -> list[Window]:
    """What to ask for where a question was refused, or its answer too long; what that tells of the vendor is noted.

    Empty where nothing is smaller; the refusal is raised where it is not one of size.
    """
    if isinstance(refusal, TooLongError):
        return _shorter(window, bounds, parts)
    if not is_of_size(refusal):
        raise refusal
    is_of_page = bool({name.casefold() for name in refusal.fields} & OF_PAGE_SIZE)
    if parts.days(window) > 1 and not is_of_page:
        halves = parts.halves(window)
        bounds.days = max((half.end - half.start).days + 1 for half in halves)
        bounds.found.append(f"ranges of {(window.end - window.start).days + 1} days are refused")
        return halves
    if bounds.page_size < 2:
        return []
    bounds.found.append(f"pages of {bounds.page_size:,} rows are refused")
    bounds.page_size //= 2
    return [window]


def _shorter(window: Window, bounds: Bounds, parts: Parts) -> list[Window]:
    """Fewer days where an answer is too long: whether its length follows the page's size is not known."""
    if parts.days(window) <= 1:
        return []
    bounds.found.append(f"{(window.end - window.start).days + 1} days are more than fit into one answer")
    return parts.halves(window)


def sizes(page_size: int, scans: Sequence[Scan]) -> Iterator[int]:
    """Sizes of pages to try: one that holds the day, and larger while it is full; smaller ones; then as it was."""
    rows = max(max(scan.announced or 0, scan.received) for scan in scans) + 1
    for _ in range(LARGER_PAGES):
        if page_size < rows <= LARGEST_PAGE:
            yield rows
            rows = rows * 4 if scans[-1].pages == 1 else LARGEST_PAGE + 1
    fewer = [part for part in (page_size // 2, page_size // 3, page_size // 5) if part >= 1]
    yield from [*fewer, *[page_size] * MOST_WALKS][: max(MOST_WALKS - len(scans), 0)]

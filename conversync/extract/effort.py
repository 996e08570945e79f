"""What reading one stream has cost so far, and how much more may be tried.

Each day is read once, whatever comes. What is asked for beyond that, because an answer failed, could not be trusted or
did not add up, is bounded: a vendor that is wrong in many places costs a night no more than one that is wrong in a few.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from conversync.extract.windows import Window

if TYPE_CHECKING:
    from conversync.extract.pagination import Page, PagedListing, Scan

# Requests beyond one reading of each day: so many in any case, one for each day, and one for so many that were of use.
LEAST_EXTRA, USEFUL_FOR_ONE = 60, 2
# So many questions may go wrong, one after the other, before it is looked again whether the vendor is there at all.
MOST_IN_SILENCE = 3


class Effort:
    """The requests of one stream in one load. `listing` gives the listing of days with so many rows a page."""

    def __init__(self, listing: Callable[[Window, int], PagedListing]) -> None:
        self._listing = listing
        self._lock = threading.Lock()
        self._days = self._asked = self._useful = 0
        self.span: Window | None = None
        """From the first to the last of the days that are to be read."""

    def begin(self, window: Window) -> None:
        """These days are to be read, too."""
        self._days += window.days
        span = self.span or window
        self.span = Window(min(span.start, window.start), max(span.end, window.end))

    def listing(self, window: Window, page_size: int, *, once: bool = False) -> PagedListing:
        """The listing; what is asked of it is counted. `once`: no page of it is waited for."""
        listing = self._listing(window, page_size)

        def ask(number: int, retry: bool, step: int) -> Page:
            with self._lock:
                self._asked += 1
            return listing.ask(number, retry and not once, step)

        return replace(listing, ask=ask)

    def was_of_use(self, *scans: Scan) -> None:
        """These passes are what a piece is believed for, or all that can be had of it."""
        self._useful += sum(scan.pages for scan in scans)

    @property
    def is_spent(self) -> bool:
        """Whether nothing but a first reading of each day is to be asked for any more."""
        most = LEAST_EXTRA + self._days + self._useful // USEFUL_FOR_ONE
        return self._asked - self._useful >= most

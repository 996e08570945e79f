"""Passes over days of one stream; and of one that fails, whether the days are to blame, or the vendor.

Whatever a vendor answers for some days, or does not: as long as it answers for others, it is the matter of those days.
What it answers for others is looked at when an error of its kind comes for the first time, and after a few in a row.
Where it answers nothing else either, the error is raised as it came.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial

from conversync.errors import InvalidResponseError, TooLongError, VendorError
from conversync.extract.completeness import says_nothing
from conversync.extract.effort import MOST_IN_SILENCE, Effort
from conversync.extract.failing_requests import (
    TOO_MANY,
    Pace,
    fails,
    is_about_us,
    is_failure,
    is_of_page_size,
    is_of_size,
    may_be_of_days,
    spoils,
)
from conversync.extract.known_limits import Bounds
from conversync.extract.learned_limits import Suspects
from conversync.extract.mistrusted import nothing_is_loaded
from conversync.extract.pagination import Page, PagedListing, Scan
from conversync.extract.smaller_requests import smaller
from conversync.extract.spill import SpillFile, SpillFiles
from conversync.extract.windows import DAY, Window

# A row may be so many days outside of what was asked for: zones differ, and a question may cover a day more.
LEEWAY = 2 * DAY
# A vendor that throttles us is asked for pieces of so many pages at most: each is committed before more is read.
MOST_PAGES_THROTTLED = 50


class Passes:
    """Makes them. No night reads the days until `settled` again.

    `dated` is SQL of the rows whose `day` is one that they were asked for; None where none need be.
    """

    def __init__(
        self,
        listing: Callable[[Window, int], PagedListing],
        spill_files: SpillFiles,
        pace: Pace,
        bounds: Bounds,
        *,
        day: str,
        dated: str | None,
        in_parts: bool,
        settled: date,
    ) -> None:
        self.effort, self.suspects = Effort(listing), Suspects(bounds)
        self.counts = not bounds.miscounts
        """Whether a total may be a count of rows: until two parts of a range announce more than the range."""
        self._spill_files, self._pace, self._bounds = spill_files, pace, bounds
        self._day, self._dated, self._in_parts, self._settled = day, dated, in_parts, settled
        self._good: tuple[Window, int] | None = None  # the question that was answered last
        self._before: tuple[Window, Scan] | None = None  # what came last, and for which days
        self._silence = 0
        self._known: set[tuple[type, int | None]] = set()  # kinds of errors that are matters of days
        self._limited: list[Window] = []  # days for which alone our rate is limited
        self._deepest = 0  # the most rows that one pass brought

    @property
    def throttled(self) -> bool:
        """Whether the vendor holds us up, and not for certain days alone."""
        return self._pace.throttled and not self._limited

    def over(self, window: Window, page_size: int | None = None, *, can_halve: bool = False) -> Scan:
        """One pass, without the pages failed at. One of which no page came says in `refused` why.

        Without a `page_size`, in pages as large as the vendor takes.
        """
        size = page_size or self._bounds.page_size
        scan = self._pass(window, size, can_halve)
        while page_size is None and _is_of_page_size(scan) and size > 1:
            size = smaller(size)
            scan = self._pass(window, size, can_halve)
        if page_size is None and scan.refused is not None and _is_of_page_size(scan):
            self._make_sure(scan.refused, window, size, patient=False)
        elif page_size is None and scan.pages:
            self._takes_pages_of(size)
        return scan

    def first_page(self, days: Window) -> Page | None:
        """The first page of these days; None where it is not given."""
        try:
            return self._listing(days, self._bounds.page_size).fetch(1, True)
        except VendorError as error:
            if may_be_of_days(error):
                return None
            raise

    def comes(self, days: Window) -> bool:
        """Whether these days have rows when they are asked for alone; a question may bring those of its neighbours."""
        if (page := self.first_page(days)) is None or not page.decoded.received:
            return False
        return self._spill_files.holds([self._spilled(days, page)], self._between(days))

    def _listing(self, window: Window, size: int) -> PagedListing:
        """Days for which alone our rate is limited were waited for once, and are asked for once from then on."""
        once = any(days.start <= window.end and window.start <= days.end for days in self._limited)
        listing = self.effort.listing(window, size, once=once)
        return replace(
            listing,
            on_failure=partial(setattr, self._pace, "hurried", True),
            counts=self.counts,
            overlaps=listing.overlaps and not self._bounds.even,
            may_take_more=window.end <= self._settled,
        )

    def _pass(self, window: Window, size: int, can_halve: bool) -> Scan:
        patient, listing = self._pace.hurried, self._listing(window, size)
        try:
            came = listing.scan(self._spill_files.new(), partial(self._is_too_long, can_halve=can_halve))
        except VendorError as error:
            if not may_be_of_days(error):
                raise
            nothing = Scan(listing.what, self._spill_files.new(), refused=error)
        else:
            if came.is_uneven:
                return self._in_even_pages(window, size, can_halve)
            if (wrong := self._is_no_answer(window, came)) is None:
                self._came(window, size, came, patient)
                return came
            nothing = Scan(came.what, self._spill_files.new(), totals=came.totals, refused=wrong)
        if isinstance(nothing.refused, TooLongError) or _is_of_page_size(nothing):
            return nothing
        taken = self._make_sure(nothing.refused, window, size, patient=patient)
        return nothing if taken == size else self._pass(window, taken, can_halve)

    def _in_even_pages(self, window: Window, size: int, can_halve: bool) -> Scan:
        """One pass over pages of one size, by a vendor that gives no others."""
        self._bounds.even = True
        scan = self._pass(window, size, can_halve)
        if scan.refused is None:
            self._bounds.found.append("all pages have to be of one size, so they cannot overlap")
        return scan

    def _came(self, window: Window, size: int, scan: Scan, patient: bool) -> None:
        """Notes what a pass shows; and looks whether the vendor is still there, where a page of it was failed at."""
        self._good, self._silence = (window, size), 0
        if is_failure(scan.refused) and not (self._in_parts and says_nothing(scan)):
            self._make_sure(scan.refused, window, size, patient=patient)
        if scan.is_cut and scan.received >= self._deepest:
            self.suspects.refused(window, scan.received)
        self._deepest = max(scan.received, self._deepest)
        self._before = window, scan

    def _make_sure(self, error: VendorError | None, window: Window, size: int, *, patient: bool) -> int:
        """How many rows a page may have, where these days are to blame. Raises the error where it is the vendor.

        The pace is hurried from here on: what fails for the same reason is not waited for as long again. `patient`: it
        was so already, so a vendor that is down just now is waited for here.
        """
        assert error is not None  # noqa: S101 - asked of what failed only
        self._pace.hurried = True
        kind = type(error), error.status
        self._silence += 1
        if kind not in self._known or self._good is None or self._silence > MOST_IN_SILENCE:
            size = self._elsewhere(error, window, size, patient=patient)
        self._known.add(kind)
        if error.status == TOO_MANY:
            self._limited.append(window)
        return size

    def _elsewhere(self, error: VendorError, window: Window, size: int, *, patient: bool) -> int:
        """As `_make_sure`, by asking: what was answered last; else the days before and after; then for one row.

        Those may be days that are to blame, too: where none is answered, a few days far apart are asked for.
        """
        before, after = (
            Window(window.start - DAY, window.start - DAY),
            Window(window.end + DAY, window.end + DAY),
        )
        places = [self._good] if self._good else [(before, size), (after, size)]
        if any(self._answers(*place, error) for place in places):
            return size
        if taken := self._size_taken(before, size, error):
            return taken
        if self._any_answers(window, size, error) or (patient and self._is_back(places[0], error)):
            return size
        raise error

    def _size_taken(self, days: Window, size: int, error: VendorError) -> int | None:
        """How many rows a page of these days may have; None where it is not that, as after any that came."""
        if self._good or size == 1 or is_about_us(error) or not self._answers(days, 1, error):
            return None
        return self._takes_pages_of(self._largest(days, size, error))

    def _any_answers(self, failed: Window, size: int, error: VendorError) -> bool:
        """Whether one of a few days comes, all over what is read; not asked where it is about us, or our rate."""
        if not (spoils(error) or is_of_size(error)):
            return False
        answered = error.status is not None  # who answers at once what is wrong need not be waited for
        places = (self.effort.span or failed).spread()
        return any(self._answers(day, size, error, once=answered) for day in places if day != failed)

    def _is_back(self, place: tuple[Window, int], error: VendorError) -> bool:
        """Whether the vendor answers after all, if it is waited for as long as one that is down has to be."""
        if not fails(error):
            return False
        self._pace.hurried = False
        is_back = self._answers(*place, error)
        self._pace.hurried = True
        return is_back

    def _answers(self, days: Window, size: int, error: VendorError, *, once: bool = False) -> bool:
        """Whether the first page of these days comes; `once`, and where our rate is limited, at once."""
        listing = self.effort.listing(days, size, once=once or error.status == TOO_MANY)
        try:
            page = listing.fetch(1, True)
        except VendorError:
            return False
        is_hollow = bool(page.total) and not page.decoded.received and not self._bounds.miscounts
        if is_hollow or self._is_of_others(days, self._spilled(days, page)):
            return False
        self._good, self._silence = (days, size), 0
        return True

    def _largest(self, days: Window, size: int, error: VendorError) -> int:
        """How many rows a page of these days may have, which come with one row a page."""
        while (size := smaller(size)) > 1 and not self._answers(days, size, error):
            pass
        return size

    def _takes_pages_of(self, size: int) -> int:
        """Days came in pages of so many rows that did not in larger ones, if this is fewer than were asked for."""
        if size < self._bounds.page_size:
            self._bounds.found.append(f"pages of {self._bounds.page_size:,} rows are refused")
            self._bounds.page_size = size
        return size

    def _is_no_answer(self, window: Window, scan: Scan) -> InvalidResponseError | None:
        """What is wrong where what came is not what was asked for."""
        if (reason := self._hollow(scan)) is None:
            reason = self._other_days(window, scan)
        if reason is None:
            return None
        return InvalidResponseError(nothing_is_loaded(f"{scan.what}: {reason}", scan.what))

    def _hollow(self, scan: Scan) -> str | None:
        """Rows are announced and not one comes; that is right where totals are known to be no counts."""
        if scan.pages != 1 or scan.received or not scan.announced:
            return None
        if self._bounds.miscounts:
            scan.is_ended, self.counts = True, False
            return None
        return f"the first page is empty, yet it announces {scan.announced:,} rows."

    def _other_days(self, window: Window, scan: Scan) -> str | None:
        """Nothing came but rows of other days, or the very rows that came for other days, as from a cache."""
        if self._is_of_others(window, scan.spill_file):
            return "only rows of other days came, so the days asked for are not heeded."
        if self._before is None or self._dated is None or not scan.spill_file.rows:
            return None
        days, before = self._before
        both = Window(max(days.start, window.start), min(days.end, window.end))
        is_same = (scan.received, scan.totals) == (before.received, before.totals) and days != window
        if not is_same or not self._spill_files.same(scan.spill_file, before.spill_file):
            return None
        others = f"({self._dated}) and not {self._between(both)}"
        if not self._spill_files.holds([scan.spill_file], others):
            return None
        return f"the very rows of {days} came, so the days asked for are not heeded."

    def _is_of_others(self, window: Window, came: SpillFile) -> bool:
        """Whether there are rows of a day, and none of these days."""
        if self._dated is None or not came.rows:
            return False
        around = self._between(Window(window.start - LEEWAY, window.end + LEEWAY))
        holds = partial(self._spill_files.holds, [came])
        return not holds(f"({self._dated}) and {around}") and holds(f"({self._dated}) and not {around}")

    def _between(self, days: Window) -> str:
        """SQL of the rows of these days."""
        return f"{self._day} between '{days.start}' and '{days.end}'"

    def _spilled(self, days: Window, page: Page) -> SpillFile:
        """The rows of a page."""
        came = self._spill_files.new()
        if page.decoded.table.num_rows:
            came.write(self.effort.listing(days, self._bounds.page_size).derive(page.decoded.table))
        came.close()
        return came

    def _is_too_long(self, announced: int, received: int, *, can_halve: bool) -> bool:
        """Whether a piece is better read in halves: its last pages are out of reach, or long in coming.

        One that cannot be halved is read as deep as it goes, and no deeper.
        """
        depth = self._bounds.depth
        too_deep = depth is not None and announced > depth
        if not can_halve:
            return too_deep and received >= (depth or 0)
        left = announced - received
        return too_deep or (self.throttled and left > MOST_PAGES_THROTTLED * self._bounds.page_size)


def _is_of_page_size(scan: Scan) -> bool:
    """Whether nothing came, and the vendor says that it is for the size of the pages."""
    return not scan.pages and is_of_page_size(scan.refused)

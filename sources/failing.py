"""Questions that a vendor fails at for good, while it answers others: refusals in other words.

A program that runs out of memory, or a row that cannot be written, is told with a 500 where others have a 422. Whether
it is that, or a vendor that is down, shows in what else it answers now: as many days elsewhere, fewer, fewer rows.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from sources.windows import Window
from wire.errors import RefusedError, UnavailableError, UntrustedAnswerError, VendorError
from wire.trouble import LATER

if TYPE_CHECKING:
    from sources.walk import Listing

# What is too large of a question that is failed at, in the words of a refusal; DAYS: nothing, it is these very days.
RANGE, PAGE_SIZE, DAYS = "range", "page_size", "days"
# What a refusal speaks of, in the vendors' words, where the size of a page is what it does not take.
OF_PAGE_SIZE = frozenset({"per_page", "perpage", PAGE_SIZE, "limit"})
# ... and where it is the days, or how deep the pages go. A refusal of any other field is no matter of size.
OF_RANGE = frozenset({"from_date", "to_date", "from", "to", RANGE, "page", "offset"})
# Refusals that smaller questions may mend; a 404 or 405 is another matter. None: failed at, where others were answered.
OF_SIZE = frozenset({400, 406, 413, 416, 422, None})
# In how many other places as many days are asked for, before it is their number that the vendor cannot bear.
ELSEWHERE = 2


class Pace(Protocol):
    """How a vendor is waited for; a `wire.client.Client` is one."""

    @property
    def throttled(self) -> bool:
        """Whether the vendor holds us up."""

    hurried: bool
    """Whether a request that is held up gets a short budget only."""


def fails(error: VendorError | None) -> bool:
    """Whether the vendor got the question and failed at it until the budget was used up; not if it was throttled."""
    return isinstance(error, UnavailableError) and error.sent and error.status not in (429, *LATER)


def too_large(
    error: VendorError,
    listing: Callable[[Window, int], Listing],
    days: Window,
    page_size: int,
    pace: Pace,
) -> str:
    """What the vendor fails at: RANGE, PAGE_SIZE or DAYS. Raises the error where it answers nothing else either.

    From here on the pace is hurried: what is failed at for the same reason is not waited for as long again.
    """
    length, day = days.end - days.start + timedelta(days=1), timedelta(days=1)
    alone = Window(days.start - day, days.start - day)
    was_hurried, pace.hurried = pace.hurried, True
    for number in range(1, ELSEWHERE + 1):
        if answers(listing(Window(days.start - number * length, days.end - number * length), page_size)):
            return DAYS
    if length > 2 * day and answers(listing(alone, page_size)):
        return RANGE
    make_sure(listing(alone, 1), error, pace, patient=was_hurried)
    return PAGE_SIZE


def answers(listing: Listing) -> bool:
    """Whether the first page of a listing comes."""
    try:
        listing.fetch(1, True)
    except (UnavailableError, UntrustedAnswerError, RefusedError):
        return False
    return True


def make_sure(listing: Listing, error: VendorError, pace: Pace, *, patient: bool) -> None:
    """Raises the error, unless the vendor answers the first page of a listing. The pace is hurried afterwards.

    `patient`: what the error came of was not waited for as long as a vendor that is down has to be, so this is.
    """
    pace.hurried = True
    if answers(listing):
        return
    if patient:
        pace.hurried = False
        is_there = answers(listing)
        pace.hurried = True
        if is_there:
            return
    raise error


def is_of_size(error: VendorError) -> bool:
    """Whether a smaller question may be taken: it was refused for its size, or nobody knows for what."""
    if not isinstance(error, RefusedError) or error.status not in OF_SIZE:
        return False
    fields = {name.casefold() for name in error.fields}
    return not fields or bool(fields & (OF_PAGE_SIZE | OF_RANGE))

"""Questions that a vendor fails at for good, while it answers others: refusals in other words.

A program that runs out of memory, or a row that cannot be written, is told with a 500 where others have a 422; or with
a web page, an error under 200, broken JSON, a 404. Whether it is that, or a vendor that is down or speaks another
language altogether, shows in what else it answers now: as many days elsewhere, fewer, fewer rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from conversync.errors import (
    InvalidResponseError,
    RequestRejectedError,
    TooLongError,
    UnavailableError,
    VendorError,
)
from conversync.extract.effort import MOST_IN_SILENCE, Effort
from conversync.extract.windows import DAY, Window
from conversync.http.failure import LATER

if TYPE_CHECKING:
    from conversync.extract.pagination import PagedListing

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
    """How a vendor is waited for; a `conversync.http.client.Client` is one."""

    @property
    def throttled(self) -> bool:
        """Whether the vendor holds us up."""

    hurried: bool
    """Whether a request that is held up gets a short budget only."""


def fails(error: VendorError | None) -> bool:
    """Whether the vendor got the question and failed at it until the budget was used up; not if it was throttled."""
    return isinstance(error, UnavailableError) and error.sent and error.status not in (429, *LATER)


def spoils(error: VendorError | None) -> bool:
    """Whether an error may be a matter of what was asked: failed at, not known (404), or answered by what is no data.

    Who we are (401, 403) and where the vendor is (3xx) are no such matters, nor is the length of an answer.
    """
    if isinstance(error, InvalidResponseError):
        is_about_us = error.status is not None and (300 <= error.status < 400 or error.status in (401, 403))
        return not is_about_us and not isinstance(error, (TooLongError, BeyondBoundsError))
    return fails(error)


class BeyondBoundsError(InvalidResponseError):
    """What came of all pages together is no listing that can be kept: other questions do not mend that."""


def too_large(error: VendorError, known: Effort, days: Window, page_size: int, pace: Pace) -> str:
    """What the vendor fails at: RANGE, PAGE_SIZE or DAYS. Raises the error where it answers nothing else either.

    `known` is what it answered in this load: nobody asks again what is known. From here on the pace is hurried: what is
    failed at for the same reason is not waited for as long again.
    """
    alone = Window(days.start - DAY, days.start - DAY)
    was_hurried, pace.hurried = pace.hurried, True
    known.silence += 1
    if known.good and known.silence > MOST_IN_SILENCE:
        make_sure(known.listing(*known.good), error, pace, patient=was_hurried)
    if known.answers(days, page_size):
        return DAYS
    for number in range(1, ELSEWHERE + 1):
        before = DAY * days.days * number
        if answers(known.listing(Window(days.start - before, days.end - before), page_size)):
            return DAYS
    if days.days > 2 and answers(known.listing(alone, page_size)):
        return RANGE
    if known.good is None:
        make_sure(known.listing(alone, 1), error, pace, patient=was_hurried)
    return PAGE_SIZE if known.good and known.good[1] < page_size else DAYS


def answers(listing: PagedListing) -> bool:
    """Whether the first page of a listing comes."""
    try:
        listing.fetch(1, True)
    except (UnavailableError, InvalidResponseError, RequestRejectedError):
        return False
    return True


def make_sure(listing: PagedListing, error: VendorError, pace: Pace, *, patient: bool) -> None:
    """Raises the error, unless the vendor answers the first page of a listing. The pace is hurried afterwards.

    `patient`: what the error came of was not waited for as long as a vendor that is down has to be, so this is.
    """
    pace.hurried = True
    if answers(listing):
        return
    if patient and fails(error):
        pace.hurried = False
        is_there = answers(listing)
        pace.hurried = True
        if is_there:
            return
    raise error


def is_of_size(error: VendorError) -> bool:
    """Whether a smaller question may be taken: it was refused for its size, or nobody knows for what."""
    if not isinstance(error, RequestRejectedError) or error.status not in OF_SIZE:
        return False
    fields = {name.casefold() for name in error.fields}
    return not fields or bool(fields & (OF_PAGE_SIZE | OF_RANGE))

"""Questions that a vendor fails at for good, while it answers others: refusals in other words.

A program that runs out of memory, or a row that cannot be written, is told with a 500 where others have a 422; or with
a web page, an error under 200, broken JSON, a 404. A gateway refuses one day with a 403, sends it to a login, limits
its rate, or lets it stall. Whether it is that, or a vendor that is down, does not know us, or speaks another language
altogether, shows in what else it answers now (see `passes.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from conversync.errors import (
    CredentialsError,
    InvalidResponseError,
    RequestRejectedError,
    TooLongError,
    UnavailableError,
    VendorError,
)
from conversync.http.failure import LATER

if TYPE_CHECKING:
    from conversync.extract.pagination import PagedListing

# Our rate is limited.
TOO_MANY = 429
# What a refusal speaks of, in the vendors' words, where the size of a page is what it does not take.
OF_PAGE_SIZE = frozenset({"per_page", "perpage", "page_size", "limit"})
# ... and where it is the days, or how deep the pages go. A refusal of any other field is no matter of size.
OF_RANGE = frozenset({"from_date", "to_date", "from", "to", "range", "page", "offset"})
# Refusals that smaller questions may mend; a 404 or 405 is another matter.
OF_SIZE = frozenset({400, 406, 413, 416, 422})


class Pace(Protocol):
    """How a vendor is waited for; a `conversync.http.client.Client` is one."""

    @property
    def throttled(self) -> bool:
        """Whether the vendor holds us up."""

    hurried: bool
    """Whether a request that is held up gets a short budget only."""


class BeyondBoundsError(InvalidResponseError):
    """What came of all pages together is no listing that can be kept: other questions do not mend that."""


def fails(error: VendorError | None) -> bool:
    """Whether the vendor got the question and failed at it until the budget was used up; not if it was throttled."""
    return isinstance(error, UnavailableError) and error.sent and error.status not in (TOO_MANY, *LATER)


def is_about_us(error: VendorError | None) -> bool:
    """Whether it speaks of who we are (401, 403, a login), or of where the vendor is (3xx)."""
    if isinstance(error, CredentialsError):
        return True
    status = error.status if isinstance(error, InvalidResponseError) else None
    return status is not None and (300 <= status < 400 or status in (401, 403))


def spoils(error: VendorError | None) -> bool:
    """Whether something else would be answered: failed at, not known (404), or answered by what is no data.

    Who we are and where the vendor is are no such matters, nor is the length of an answer.
    """
    if isinstance(error, InvalidResponseError):
        return not is_about_us(error) and not isinstance(error, (TooLongError, BeyondBoundsError))
    return fails(error)


def may_be_of_days(error: VendorError | None) -> bool:
    """Whether an error may be the matter of the days that were asked for: other days may be answered now.

    Not where the vendor cannot be reached, where its answers are no listing at all, or where it names what it refused
    and that is no matter of size.
    """
    if error is None or isinstance(error, BeyondBoundsError) or not error.sent:
        return False
    return not isinstance(error, RequestRejectedError) or not error.fields or is_of_size(error)


def ends_pages(error: VendorError) -> bool:
    """Whether the page after one that failed so need not be asked for: who we are, or our rate, is no page's matter."""
    return is_about_us(error) or error.status == TOO_MANY


def is_failure(error: VendorError | None) -> bool:
    """Whether it may be of the days, and is more than a refusal, which may be one of size."""
    return may_be_of_days(error) and not isinstance(error, (RequestRejectedError, TooLongError))


def is_of_size(error: VendorError) -> bool:
    """Whether a smaller question may be taken: it was refused for its size, or nobody knows for what."""
    if not isinstance(error, RequestRejectedError) or error.status not in OF_SIZE:
        return False
    fields = {name.casefold() for name in error.fields}
    return not fields or bool(fields & (OF_PAGE_SIZE | OF_RANGE))


def is_of_page_size(error: VendorError | None) -> bool:
    """Whether the vendor itself says that it is the size of a page that it does not take."""
    is_of_it = error is not None and is_of_size(error)
    return is_of_it and bool({name.casefold() for name in error.fields} & OF_PAGE_SIZE)  # type: ignore[union-attr]


def answers(listing: PagedListing) -> bool:
    """Whether the first page of a listing comes."""
    try:
        listing.fetch(1, True)
    except VendorError:
        return False
    return True

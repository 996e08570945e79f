"""Every error a person may see, grouped by what to do about it.

Each message is one sentence that says who refused, what, and the way out. It holds no secret, no query
string and no body. `exit_code` is what the command ends with when nothing graver happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

# Of a vendor's words in a sentence of ours.
MOST_WORDS = 160


def in_brackets(status: int | None, said: str) -> str:
    """Status and words as they stand in a sentence, the words cut to measure."""
    if not said:
        return str(status)
    cut = said if len(said) <= MOST_WORDS else said[: MOST_WORDS - 1].rstrip() + "…"
    return f"{status}: {cut}"


# What a command ends with that did what it was to, where something of it wants a look.
PARTIAL = 3


class ConversyncError(Exception):
    """Something a person can act on; anything that is not one of these is a bug of ours (exit 1)."""

    exit_code: ClassVar[int] = 1


class SettingsError(ConversyncError):
    """A setting or an argument is missing or wrong: change it. Raised before any request."""

    exit_code = 2


class LockedError(ConversyncError):
    """Another run, or a reader of the file, holds the warehouse: wait, or let it end."""

    exit_code = 4


class UnreachedError(ConversyncError):
    """The destination cannot be reached, went away meanwhile, or lets nobody more in: try again later."""

    exit_code = 4


class VendorError(ConversyncError):
    """A request to a vendor came to nothing. Raised as one of the four below.

    `status` is the HTTP status of the answer, if there was one. `sent` is False only when surely no byte of
    the request went out. `retry_after` is how many seconds the vendor asked us to stay away, if it did. `said` are
    the vendor's own words in one line, redacted, longer than in the message; `fields` the names of what it refused,
    where it names them: `("per_page",)`.
    """

    exit_code = 6

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        sent: bool = True,
        retry_after: float | None = None,
        fields: Sequence[str] = (),
        said: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.sent = sent
        self.retry_after = retry_after
        self.fields = tuple(fields)
        self.said = said

    @property
    def why(self) -> str:
        """Status and words as they stand in a sentence: "422: per_page: at most 500"."""
        return in_brackets(self.status, self.said)

    @property
    def in_doubt(self) -> bool:
        """Whether the request may have taken effect: it went out, and no 4xx said that it was turned away."""
        return self.sent and not (self.status is not None and 400 <= self.status < 500)


class CredentialsError(VendorError):
    """The vendor refused who we are (401, 403, a way to its login): renew the credentials. Never retried."""

    exit_code = 5


class UnavailableError(VendorError):
    """The vendor cannot be reached, or went on failing past the budget: try again later."""

    exit_code = 6


class InvalidResponseError(VendorError):
    """The vendor answered, but not as its document says: nothing of the answer was used."""

    exit_code = 6


class TooLongError(InvalidResponseError):
    """An answer is longer than any that is read: ask for less at once."""


class RequestRejectedError(VendorError):
    """The vendor refused what was asked (400, 422 and their like): ask otherwise, or change the settings.

    Never retried.
    """

    exit_code = 6

"""Questions that stand each for itself: what the vendor fails at, or refuses, costs what it was asked for, alone.

That is so only where the vendor answers others meanwhile. For listings, whose questions can be made smaller, see
`conversync.extract.failing_requests`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from conversync.errors import CredentialsError, RequestRejectedError, VendorError
from conversync.extract.effort import MOST_IN_SILENCE
from conversync.extract.failing_requests import Pace, fails, spoils

Question = TypeVar("Question")
Reply = TypeVar("Reply")


def is_apart(error: VendorError) -> bool:
    """Whether an error may be a matter of this one question: failed at, refused, forbidden (403), or no data."""
    return isinstance(error, RequestRejectedError) or error.status == 403 or spoils(error)


def outcome(ask: Callable[[Question], Reply], question: Question) -> Reply | VendorError:
    """The answer, or the error that may be the question's own; any other error is raised."""
    try:
        return ask(question)
    except VendorError as error:
        if not is_apart(error):
            raise
        return error


class Standing:
    """Whether the vendor is there: heard of every outcome, it looks where there is reason to doubt it.

    `is_there` asks the vendor for something else, and says whether that was answered. `is_known`: something was
    answered before.
    """

    def __init__(self, pace: Pace, is_there: Callable[[], bool], *, is_known: bool = False) -> None:
        self._pace = pace
        self._is_there = is_there
        self._is_known = is_known
        self._silence = 0

    def heard(self, found: object) -> bool:
        """Whether this is an answer. Raises the error that it is, where the vendor answers nothing else either.

        After the first error the pace is hurried.
        """
        if not isinstance(found, VendorError):
            self._is_known, self._silence = True, 0
            return True
        was_hurried, self._pace.hurried = self._pace.hurried, True
        self._silence += 1
        if not self._is_known or self._silence > MOST_IN_SILENCE or isinstance(found, CredentialsError):
            self._make_sure(found, patient=was_hurried and fails(found))
        return False

    def _make_sure(self, error: VendorError, *, patient: bool) -> None:
        """`patient`: it was not waited for as long as a vendor that is down has to be, so this is."""
        there = self._is_there()
        if not there and patient:
            self._pace.hurried = False
            there = self._is_there()
            self._pace.hurried = True
        if not there:
            raise error
        self._is_known, self._silence = True, 0

"""What it means for the tables that an answer cannot be trusted: one sentence behind that of whoever looked at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from conversync.errors import InvalidResponseError, VendorError

# What a person can do whose vendor goes on like that.
AND_THEN = "if it stays so, ask the vendor"


_NOTHING = " Nothing of "


def bare(error: VendorError) -> str:
    """What whoever looked at the answer said of it."""
    return str(error).partition(_NOTHING)[0]


def nothing_is_loaded(reason: str, what: str) -> str:
    """The sentence of whoever looked at an answer, and what that means for the tables."""
    return f"{reason}{_NOTHING}{what} is loaded, and the next run asks again; {AND_THEN}."


@contextmanager
def nothing_of(what: str) -> Iterator[None]:
    """Within, an InvalidResponseError also says that nothing of `what` is loaded, and what follows from that.

    Of several, one within the other, the outermost knows what all of it is.
    """
    try:
        yield
    except InvalidResponseError as error:
        error.args = (nothing_is_loaded(bare(error), what),)
        raise

"""What it means for the tables that an answer cannot be trusted: one sentence behind that of whoever looked at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from wire.errors import UntrustedAnswerError

# What a person can do whose vendor goes on like that.
AND_THEN = "if it stays so, ask the vendor"


@contextmanager
def nothing_of(what: str) -> Iterator[None]:
    """Within, an UntrustedAnswerError also says that nothing of `what` is loaded, and what follows from that."""
    try:
        yield
    except UntrustedAnswerError as error:
        error.args = (f"{error} Nothing of {what} is loaded, and the next run asks again; {AND_THEN}.",)
        raise

"""What a look at a vendor comes to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from sources.columns import now
from wire.client import Answer

# A vendor's clock may be off by this much without a word from us.
TOLERANCE = timedelta(minutes=10)


class Finding(NamedTuple):
    """One thing that was looked at: whether it is as it should be, and a sentence without its full stop."""

    good: bool
    text: str


def clock(answer: Answer) -> Iterator[Finding]:
    """Whether this machine's clock agrees with the one of the answer's Date; nothing where it has none."""
    try:
        theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
        apart = abs(now() - theirs)
    except (ValueError, TypeError):
        return
    if apart > TOLERANCE:
        yield Finding(False, f"this machine's clock and the vendor's are {apart} apart: set the clock (NTP)")
    else:
        yield Finding(True, "the clocks agree")

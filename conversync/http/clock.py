"""This machine's clock beside the vendors': every answer says what time it is there.

A machine may be days ahead of the world and know nothing of it. What it reads then is right, but the days after the
vendor's today have not been yet: taken for read, they would be left out later. So `now` goes by the earlier of the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pendulum
from pendulum import DateTime

# Clocks that are apart by less agree: a Date may be a proxy's or a cache's, and minutes move no day that a night reads
# again anyway.
TOLERANCE = pendulum.duration(minutes=10)
# No clock that shows an earlier time can be right: this program did not exist.
EARLIEST = pendulum.datetime(2025, 1, 1)

AGREED = timedelta(0)


class Clock:
    """What the answers of one source said of this machine's clock; any number of threads share it."""

    def __init__(self) -> None:
        self.apart = AGREED

    def heard(self, date: str | None) -> None:
        """Takes note of an answer's Date. One that is missing, no date, or impossible says nothing."""
        if (theirs := http_date(date or "")) is not None and theirs >= EARLIEST:
            # A plain span: what is taken from a DateTime of an Interval is its months and days, and months differ.
            difference = (pendulum.now("UTC") - theirs).as_timedelta()
            self.apart = difference if abs(difference) > TOLERANCE else AGREED


_clock: ContextVar[Clock] = ContextVar("what was heard of the time", default=Clock())  # noqa: B039 - one for all who have none


@contextmanager
def of_its_own() -> Iterator[None]:
    """Within, nothing was heard yet, and what is heard counts in here alone."""
    token = _clock.set(Clock())
    try:
        yield
    finally:
        _clock.reset(token)


def mine() -> Clock:
    """What counts here, for threads that are of the same source."""
    return _clock.get()


def http_date(value: str) -> DateTime | None:
    """The instant that a header tells, in UTC; None for anything else.

    Read by the standard library, which knows a mail's and a server's three forms of a date; pendulum knows none.
    """
    try:
        return pendulum.instance(parsedate_to_datetime(value)).in_timezone("UTC")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def apart() -> timedelta:
    """How far this machine is ahead of the vendor that answered last, behind where negative; 0 where they agree."""
    return mine().apart


def now() -> DateTime:
    """The instant, in UTC, to the microsecond: by this machine, but never later than the vendor says that it is."""
    return pendulum.now("UTC") - max(apart(), AGREED)


def theirs() -> DateTime:
    """The instant, in UTC, by the clock of the vendor that answered last."""
    return pendulum.now("UTC") - apart()

"""This machine's clock beside the vendors': every answer says what time it is there.

A machine may be days ahead of the world and know nothing of it. What it reads then is right, but the days after the
vendor's today have not been yet: taken for read, they would be left out later. So `now` goes by the earlier of the two.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# Clocks that are apart by less agree: a Date may be a proxy's or a cache's, and minutes move no day that a night reads
# again anyway.
TOLERANCE = timedelta(minutes=10)
# No clock that shows an earlier time can be right: this program did not exist.
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)

_apart = timedelta(0)


def heard(date: str | None) -> None:
    """Takes note of an answer's Date. One that is missing, no date, or impossible says nothing."""
    global _apart
    try:
        theirs = parsedate_to_datetime(date or "").astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return
    if theirs >= EARLIEST:
        difference = datetime.now(UTC) - theirs
        _apart = difference if abs(difference) > TOLERANCE else timedelta(0)


def apart() -> timedelta:
    """How far this machine is ahead of the vendor that answered last, behind where negative; 0 where they agree."""
    return _apart


def forget() -> None:
    """Nothing was heard yet."""
    global _apart
    _apart = timedelta(0)


def now() -> datetime:
    """The instant, in UTC, to the microsecond: by this machine, but never later than the vendor says that it is."""
    return datetime.now(UTC) - max(_apart, timedelta(0))

"""What a vendor tells of its own limit with each answer: X-RateLimit-Limit, -Remaining and -Reset."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping

import pendulum
from pendulum import DateTime

from conversync.http.clock import http_date

_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_BEGINNINGS = ("X-RateLimit-", "X-Rate-Limit-", "RateLimit-")
# How long a request waits for others to come back before it looks again whether it may go, in seconds.
GLANCE = 0.02
# Greater numbers are a moment since 1970 and no seconds from now; still greater ones count milliseconds.
_MOMENT, _MILLISECONDS = 1e8, 1e11


def clock_of(headers: Mapping[str, str]) -> DateTime:
    """The time at the vendor's when it answered; ours where it does not say. The two clocks may differ."""
    return http_date(headers.get("Date", "")) or pendulum.now("UTC")


def reset_after(headers: Mapping[str, str], cap: float) -> float | None:
    """Seconds until the limit's next window; None for junk, the past, no header, or a time beyond `cap`.

    Vendors write it as seconds from now, as seconds or milliseconds since 1970, or as a date.
    """
    value = _told(headers, "Reset")
    if _NUMBER.fullmatch(value):
        seconds = float(value)
        if seconds >= _MOMENT:
            seconds = seconds / 1000 if seconds >= _MILLISECONDS else seconds
            seconds -= clock_of(headers).timestamp()
    else:
        moment = http_date(value)
        seconds = (moment - clock_of(headers)).total_seconds() if moment else 0.0
    return seconds if 0 < seconds <= cap else None


def _told(headers: Mapping[str, str], what: str) -> str:
    return next((headers[name + what].strip() for name in _BEGINNINGS if name + what in headers), "")


class Quota:
    """How many requests are left to all threads of a client, by the newest answer.

    Where nothing is told it holds nobody up. Where requests are left, they go at once; where none is, they wait for
    the told end of the window, and where that is not told, one goes alone to hear it. Times by the monotonic clock.
    """

    def __init__(self, cap: float) -> None:
        self._cap = cap
        self._lock = threading.Lock()
        self._left: int | None = None
        self._until: float | None = None
        self._heard_at = 0.0
        self._flying = 0
        self.limit = ""
        """As the vendor writes it."""

    def take(self) -> float:
        """0 where a request may go now, which is counted; else seconds after which to ask again."""
        with self._lock:
            now = time.monotonic()
            if self._until is not None and now >= self._until:
                self._left = self._until = None
            if self._left is None or self._flying < max(self._left, self._until is None):
                self._flying += 1
                return 0.0
            if self._flying or self._until is None:
                return GLANCE
            return self._until - now

    def back(self, headers: Mapping[str, str], sent_at: float) -> None:
        """The request that was let go at `sent_at` is answered, or lost: then there are no headers.

        Of answers that were on their way side by side nobody knows the order: the least of them counts.
        """
        with self._lock:
            self._flying -= 1
            remaining = _told(headers, "Remaining")
            if not _NUMBER.fullmatch(remaining):
                return
            reset = reset_after(headers, self._cap)
            left = int(float(remaining))
            overtaken = sent_at < self._heard_at and self._left is not None
            self._left = min(left, self._left or 0) if overtaken else left
            self._heard_at = time.monotonic()
            self._until = None if reset is None else time.monotonic() + reset
            self.limit = _told(headers, "Limit")

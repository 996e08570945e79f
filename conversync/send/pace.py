"""When a request may start: the rate, the time a vendor asked us to stay away, and how long a send waits in all."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from conversync.errors import ConversyncError, InvalidResponseError, UnavailableError, VendorError
from conversync.http.limits import Limits
from conversync.http.retry_budget import BudgetClock
from conversync.http.waiting import Teller

# A row that the vendor fails at so often, while it takes others, is that row's trouble ...
ATTEMPTS = 5
# ... or for so long, where nothing else is left to send ...
LAST_ROWS = 60.0
# ... and so is an answer that cannot be trusted.
DISTRUSTED_ATTEMPTS = 3
# 503 is "currently unable to handle the request" (RFC 9110), as 429: it was turned away, not taken.
TURNED_AWAY = frozenset({408, 425, 429, 503})


class StoppingError(ConversyncError):
    """The send is ending: this row does not go out any more."""


def in_doubt(error: VendorError) -> bool:
    """Whether the request may have taken effect. Other than for a reader, a 503 says that it did not."""
    return error.in_doubt and error.status not in TURNED_AWAY


class Pace:
    """Requests start one after the other, at least `interval` seconds apart, and not while the gate is shut."""

    def __init__(self, interval: float, stopping: threading.Event) -> None:
        self._interval = interval
        self._stopping = stopping
        self._lock = threading.Lock()
        self._next = 0.0

    def start(self, begin: Callable[[], None]) -> None:
        """Waits for the row's turn, calls `begin`, and lets the request go; StoppingError if the send ends first."""
        with self._lock:
            while (wait := self._next - time.monotonic()) > 0:
                if self._stopping.wait(wait):
                    break
            if self._stopping.is_set():
                raise StoppingError("the send is ending")
            begin()
            self._next = max(self._next, time.monotonic() + self._interval)

    def shut(self, seconds: float) -> None:
        """Nothing starts for so long: the vendor asked for it."""
        self._next = max(self._next, time.monotonic() + seconds)


class RetryBudget:
    """What all rows of a send share: the budgets. Times in seconds."""

    def __init__(self, budget: float, pace: Pace, stopping: threading.Event, target: str) -> None:
        self.limits = Limits(http_budget=budget)
        self.teller = Teller(target, self.limits.worth_a_line)
        self.pace = pace
        self.stopping = stopping
        self.held = BudgetClock()
        self.answered = 0
        self.left = 0
        """Rows that have no outcome yet, and how many of them are `failing`."""
        self.failing = 0
        self._lock = threading.Lock()
        self._refused_since: float | None = None

    def fails(self, rows: int) -> None:
        """So many more rows are failing, or fewer."""
        with self._lock:
            self.failing += rows

    def concluded(self) -> None:
        """The vendor answered something that can be understood: it is there."""
        with self._lock:
            self.answered += 1
            self._refused_since = None
        self.held.restart()

    def refused_left(self) -> float:
        """Seconds that are left to reach the vendor, since it could not be reached first."""
        with self._lock:
            now = time.monotonic()
            self._refused_since = self._refused_since or now
            return self.limits.reach_budget - (now - self._refused_since)

    def retry_state(self) -> RetryState:
        """The waiting of one row."""
        return RetryState(self)


class RetryState:
    """One row's waiting: `again` returns when it may be tried again."""

    def __init__(self, shared: RetryBudget) -> None:
        self._shared = shared
        self._answered = shared.answered
        self._failed = 0
        self._since = 0.0
        self._distrusted = 0
        self._holding = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._holding:
            self._shared.held.leave()
        if self._failed:
            self._shared.fails(-1)

    def _is_alone(self) -> bool:
        """Whether it is this row, and not the vendor, that fails: others were answered meanwhile, or before."""
        if self._shared.answered > self._answered:
            return self._failed >= ATTEMPTS
        last = self._shared.answered > 0 and self._shared.left <= self._shared.failing
        return last and time.monotonic() - self._since > LAST_ROWS

    def again(self, error: VendorError) -> bool:
        """Waits and says True; False where only this row is without hope; raises `error` where the vendor is.

        StoppingError if the send ends meanwhile.
        """
        if not self._failed:
            self._since = time.monotonic()
            self._shared.fails(1)
        self._failed += 1
        if isinstance(error, InvalidResponseError) and error.status not in TURNED_AWAY:
            self._distrusted += 1
            if self._distrusted >= DISTRUSTED_ATTEMPTS:
                return self._give_up(error, alone=in_doubt(error))
        elif in_doubt(error) and self._is_alone():
            return False
        left = self._left(error)
        asked = error.retry_after or 0.0
        if left <= 0 or asked > left:
            return self._give_up(error, alone=False)
        self._wait(error, asked, left)
        return True

    def _give_up(self, error: VendorError, *, alone: bool) -> bool:
        if alone:
            return False
        raise error

    def _left(self, error: VendorError) -> float:
        if isinstance(error, UnavailableError) and not error.sent:
            return self._shared.refused_left()
        if not self._holding:
            self._holding = True
            self._shared.held.enter()
        return self._shared.limits.http_budget - self._shared.held.seconds()

    def _wait(self, error: VendorError, asked: float, left: float) -> None:
        limits = self._shared.limits
        ceiling = min(limits.backoff_cap, limits.backoff * 2.0 ** min(self._failed - 1, 30))
        seconds = asked + random.uniform(0.05, limits.backoff) if asked else random.uniform(0, ceiling)  # noqa: S311
        if asked:
            self._shared.pace.shut(seconds)
        budget = limits.http_budget if error.sent else limits.reach_budget
        self._shared.teller.held_up(error, seconds, budget - left, budget)
        if self._shared.stopping.wait(min(seconds, asked + left)):
            raise StoppingError("the send is ending")

"""How a client waits: back-off with jitter, Retry-After, and budgets that all its threads share."""

from __future__ import annotations

import random
import re
import threading
import time
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from conversync.http.clock import http_date
from conversync.http.failure import ErrorMessages, Failure, FailureKind
from conversync.http.limits import Limits
from conversync.http.quota import GLANCE, Quota, clock_of
from conversync.http.waiting import Teller

_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def retry_after(headers: Mapping[str, str], cap: float) -> float | None:
    """Seconds that a vendor asks us to stay away, at most `cap`; None for junk, the past or no header.

    A date is compared with the answer's own Date where there is one: the two clocks may differ.
    """
    value = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        seconds = cap if len(value) > 12 else float(value)
    else:
        until = http_date(value)
        seconds = (until - clock_of(headers)).total_seconds() if until else 0.0
    return min(seconds, cap) if seconds > 0 else None


class BudgetClock:
    """Seconds in which at least one thread was held up, since the last answer that came.

    Eight threads waiting a second are one second.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = 0
        self._since = 0.0
        self._past = 0.0
        self._forgotten = 0.0

    def enter(self) -> None:
        """One more thread is held up."""
        with self._lock:
            if self._held == 0:
                self._since = time.monotonic()
            self._held += 1

    def leave(self) -> None:
        """One thread fewer is."""
        with self._lock:
            self._held -= 1
            if self._held == 0:
                self._past += time.monotonic() - self._since

    def restart(self) -> None:
        """An answer came: what was waited until now is forgotten."""
        with self._lock:
            now = time.monotonic()
            self._forgotten += self._past + (now - self._since if self._held else 0.0)
            self._past, self._since = 0.0, now

    def seconds(self) -> float:
        """Since then, up to now."""
        with self._lock:
            return self._past + (time.monotonic() - self._since if self._held else 0.0)

    def before(self) -> float:
        """Seconds held up before that answer, all together."""
        with self._lock:
            return self._forgotten


class RetryBudget:
    """What the threads of one client share: the budgets, the gate that Retry-After shuts, and the stop.

    `throttled`: whether the vendor ever told us to go slower, by a 429 or by a limit that made us wait. `hurried`: a
    request that is held up gets the short budget, for as long as it is set; and all of them together, from the first
    time on, no more than `http_budget` once more. A throttle is waited for as ever.
    """

    def __init__(self, limits: Limits, messages: ErrorMessages) -> None:
        self.limits = limits
        self.messages = messages
        self.stopped = threading.Event()
        self.held = BudgetClock()
        self.quota = Quota(limits.retry_after_cap)
        self.teller = Teller(messages.vendor, limits.worth_a_line)
        self.throttled = False
        self._hurried = False
        self._hurried_from: float | None = None
        self._lock = threading.Lock()
        self._gate = 0.0
        self._refused_since: float | None = None
        self._distrusted: deque[float] = deque()

    @property
    def hurried(self) -> bool:
        """Whether a request that is held up gets the short budget."""
        return self._hurried

    @hurried.setter
    def hurried(self, hurried: bool) -> None:
        self._hurried = hurried
        if hurried and self._hurried_from is None:
            self._hurried_from = self.held.before() + self.held.seconds()

    def budget(self, status: int | None = None) -> float:
        """Seconds in which requests may be held up, by an answer of this status."""
        http_budget = self.limits.http_budget
        if not self.hurried or status == 429 or self._hurried_from is None:
            return http_budget
        left = http_budget - max(self.held.before() - self._hurried_from, 0.0)
        return max(min(self.limits.short_budget, left), 0.0)

    def retry_state(self) -> RetryState:
        """The waiting of one request."""
        return RetryState(self)

    def pause(self, seconds: float, *, sent: bool) -> None:
        """Waits; UnavailableError as soon as the client is closed."""
        if self.stopped.wait(seconds):
            raise self.messages.stopped(sent=sent)

    def admit(self) -> None:
        """Waits until the time that the vendor named to any thread is over, and until it has a request left for us.

        The request counts as on its way until `quota.back`.
        """
        while True:
            wait = self._gate - time.monotonic()
            if wait > 0 or self.stopped.is_set():
                self.pause(wait + random.uniform(0, self.limits.backoff), sent=False)  # noqa: S311 - jitter
                continue  # meanwhile it may have been shut again
            if (wait := self.quota.take()) <= 0:
                return
            if wait > GLANCE:
                self.throttled = True
                self.teller.out_of_quota(wait, self.quota.limit)
            self.pause(wait, sent=False)

    def hold_requests(self, seconds: float) -> None:
        """No thread sends for so long."""
        with self._lock:
            self._gate = max(self._gate, time.monotonic() + seconds)

    def reached(self) -> None:
        """The vendor answered something: it is there."""
        self._refused_since = None

    def answered(self) -> None:
        """It answered what was asked: whoever waits has not waited in vain, and the budget begins anew."""
        self.held.restart()

    def refused_left(self) -> float:
        """Seconds that are left to reach the vendor, since it could not be reached first."""
        with self._lock:
            now = time.monotonic()
            if self._refused_since is None:
                self._refused_since = now
            return self.limits.reach_budget - (now - self._refused_since)

    def may_distrust(self) -> bool:
        """Takes one of the few times that an untrusted answer is asked for again; False if none is left."""
        with self._lock:
            now = time.monotonic()
            while self._distrusted and self._distrusted[0] <= now - self.limits.distrust_window:
                self._distrusted.popleft()
            if len(self._distrusted) >= self.limits.distrust_attempts:
                return False
            self._distrusted.append(now)
            return True


class RetryState:
    """One request: `wait` after a trouble returns when to ask again, or raises the trouble's error."""

    def __init__(self, retry_budget: RetryBudget) -> None:
        self._shared = retry_budget
        self._limits = retry_budget.limits
        self._attempts = 0
        self._distrusted = 0
        self._stale = False
        self._holding = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._holding:
            self._shared.held.leave()

    def wait(self, failure: Failure) -> None:
        """Waits as long as the trouble asks for; raises its error when its budget is used up."""
        self._attempts += 1
        if failure.error.status == 429:
            self._shared.throttled = True
        seconds = self._seconds(failure) if self._attempts < self._limits.attempts else None
        if seconds is None:
            raise failure.error
        if failure.error.retry_after is not None:
            self._shared.hold_requests(seconds)
        if seconds > 0:
            self._tell(failure, seconds)
            self._shared.pause(seconds, sent=failure.error.sent)

    def _tell(self, failure: Failure, seconds: float) -> None:
        shared, limits = self._shared, self._limits
        if failure.kind is FailureKind.CONNECT:
            waited = limits.reach_budget - shared.refused_left()
            shared.teller.held_up(failure.error, seconds, waited, limits.reach_budget)
        elif failure.kind is FailureKind.RETRYABLE:
            budget = shared.budget(failure.error.status)
            shared.teller.held_up(failure.error, seconds, shared.held.seconds(), budget)

    def _seconds(self, failure: Failure) -> float | None:
        """How long to wait, None if there is no budget for it."""
        if failure.kind is FailureKind.STALE and not self._stale:
            self._stale = True
            return 0.0
        if failure.kind is FailureKind.CONNECT:
            return self._within(self._shared.refused_left(), failure)
        if failure.kind is FailureKind.INVALID_RESPONSE:
            self._distrusted += 1
            again = self._distrusted <= self._limits.distrust_attempts and self._shared.may_distrust()
            return self._backoff(self._distrusted) if again else None
        return None if failure.kind is FailureKind.FATAL else self._held_up(failure)

    def _held_up(self, failure: Failure) -> float | None:
        if not self._holding:
            self._holding = True
            self._shared.held.enter()
        budget = self._shared.budget(failure.error.status)
        return self._within(budget - self._shared.held.seconds(), failure)

    def _within(self, left: float, failure: Failure) -> float | None:
        asked = failure.error.retry_after or 0.0
        if left <= 0 or asked > left:
            return None
        wait = self._backoff(self._attempts)
        return asked + min(wait, self._limits.backoff) if asked else min(wait, left)

    def _backoff(self, attempt: int) -> float:
        ceiling = min(self._limits.backoff_cap, self._limits.backoff * 2.0 ** min(attempt - 1, 30))
        return random.uniform(0, ceiling)  # noqa: S311 - jitter

"""How a client waits: back-off with jitter, Retry-After, and budgets that all its threads share.

Reading and sending wait by the same rules: a sender asks `RetryState.delay`, and does the waiting itself.
"""

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
from conversync.http.wait_budget import Patience, account
from conversync.http.wait_notices import Teller

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


class RetryBudget:
    """What the threads of one client share: the budgets, the gate that Retry-After shuts, and the stop.

    `waited` is the source's in this run: see `conversync.http.wait_budget`. `throttled`: whether the vendor ever told
    us to go slower, by a 429 or by a limit that made us wait. A throttle is waited for as ever.
    """

    def __init__(self, limits: Limits, messages: ErrorMessages) -> None:
        self.limits = limits
        self.messages = messages
        self.stopped = threading.Event()
        self.waited = account(messages.vendor)
        self.quota = Quota(limits.retry_after_cap)
        self.teller = Teller(messages.vendor, limits.worth_a_line, self.waited.told)
        self.throttled = False
        self._lock = threading.Lock()
        self._gate = 0.0
        self._distrusted: deque[float] = deque()

    @property
    def hurried(self) -> bool:
        """Whether a request that is held up gets the short budget, and all that come to nothing one for the run.

        Readers set it once a request was given up, for all that the run asks from then on; who finds that the vendor
        answers nothing at all unsets it for a while.
        """
        return self.waited.hurried

    @hurried.setter
    def hurried(self, hurried: bool) -> None:
        self.waited.hurried = hurried

    def patience(self, what: str, *, once: bool) -> Patience:
        """How long a request is waited for that begins now; `what` names it where that is told."""

        def tell(left: float) -> None:
            more = 0.0 if once else self.budget(None) - self.waited.held.seconds()
            self.teller.no_answer(what, max(left, more), None if once else self.limits.http_budget)

        return self.waited.patience(self.limits, tell, once=once)

    def budget(self, status: int | None, *, alone: bool = False) -> float:
        """Seconds in a row in which requests may be held up, by an answer of this status; `alone` as in `left`."""
        is_short = self.hurried and status != 429 and not alone
        return min(self.limits.short_budget, self.limits.http_budget) if is_short else self.limits.http_budget

    def left(self, since: float, status: int | None, *, alone: bool) -> float:
        """Seconds that a request may still be held up which is failing since then, last by an answer of this status.

        `alone`: what became of others counts only as far as none was answered since.
        """
        in_a_row = self.budget(status, alone=alone) - self.waited.held.seconds()
        if status == 429 or alone:
            return in_a_row
        own, most = self.waited.of_its_own(since), self.limits.http_budget
        in_all = most + self.limits.reserve - self.waited.in_vain if self.hurried else most
        return min(in_a_row, most - own, in_all - own)

    def retry_state(self, *, alone: bool = False) -> RetryState:
        """The waiting of one request; `alone` as in `left`."""
        return RetryState(self, alone=alone)

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

    def answered(self) -> None:
        """The vendor answered what was asked: whoever waits has not waited in vain, and the budget begins anew."""
        self.waited.answered(self.limits.http_budget)

    def lost(self, failure: Failure, since: float) -> None:
        """A request came to nothing that was under way since then, and is not made again."""
        if failure.error.status == 429:
            self.throttled = True
        if failure.kind is FailureKind.CONNECT:
            self.waited.unreached(since)
        if failure.kind in (FailureKind.RETRYABLE, FailureKind.STALE, FailureKind.INVALID_RESPONSE):
            self.waited.held.enter(since)
            self.waited.held.leave()
            self.gave_up(failure, since)

    def gave_up(self, failure: Failure, since: float) -> None:
        """A request is not made again that was failing since then."""
        if failure.kind is FailureKind.INVALID_RESPONSE or fails_for_good(failure):
            self.waited.gave_up(since, self.limits.http_budget)

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


def fails_for_good(failure: Failure) -> bool:
    """Whether the vendor got the question and failed at it; not if it was throttled."""
    return failure.kind in (FailureKind.RETRYABLE, FailureKind.STALE) and failure.error.status != 429


class RetryState:
    """One request: `wait` after a trouble returns when to ask again, or raises the trouble's error.

    Who waits on their own asks `delay`, and whoever gives up says so to `RetryBudget.gave_up`.
    """

    def __init__(self, retry_budget: RetryBudget, *, alone: bool) -> None:
        self._shared = retry_budget
        self._limits = retry_budget.limits
        self._alone = alone
        self._attempts = 0
        self._distrusted = 0
        self._stale = False
        self._holding = False
        self._since: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._holding:
            self._shared.waited.held.leave()

    def wait(self, failure: Failure, began: float) -> None:
        """Waits as long as the trouble of the attempt that `began` then asks for.

        Raises its error when its budget is used up.
        """
        seconds = self.delay(failure, began) if self._attempts + 1 < self._limits.attempts else None
        if seconds is None:
            self._shared.gave_up(failure, began if self._since is None else self._since)
            raise failure.error
        if failure.error.retry_after is not None:
            self._shared.hold_requests(seconds)
        if seconds > 0:
            self._shared.pause(seconds, sent=failure.error.sent)

    def delay(self, failure: Failure, began: float) -> float | None:
        """Seconds until this is to be asked again, which is told; None where there is no budget for it.

        The attempt that failed `began` at that time of the monotonic clock.
        """
        self._attempts += 1
        self._since = began if self._since is None else self._since
        if failure.error.status == 429:
            self._shared.throttled = True
            self._since = None  # a throttle is no trouble of this request
        if failure.kind is FailureKind.STALE and not self._stale:
            self._stale = True
            return 0.0
        if failure.kind is FailureKind.CONNECT:
            waited = self._shared.waited.unreached(began)
            return self._within(waited, self._limits.reach_budget, failure)
        if failure.kind is FailureKind.INVALID_RESPONSE:
            self._distrusted += 1
            again = self._distrusted <= self._limits.distrust_attempts and self._shared.may_distrust()
            return self._backoff(self._distrusted) if again else None
        return None if failure.kind is FailureKind.FATAL else self._held_up(failure, began)

    def _held_up(self, failure: Failure, began: float) -> float | None:
        if not self._holding:
            self._holding = True
            self._shared.waited.held.enter(began)
        status, since = failure.error.status, began if self._since is None else self._since
        budget = self._shared.budget(status, alone=self._alone)
        left = self._shared.left(since, status, alone=self._alone)
        return self._within(budget - left, budget, failure)

    def _within(self, waited: float, budget: float, failure: Failure) -> float | None:
        asked, left = failure.error.retry_after or 0.0, budget - waited
        if left <= 0 or asked > left:
            return None
        wait = self._backoff(self._attempts)
        seconds = asked + min(wait, self._limits.backoff) if asked else min(wait, left)
        self._shared.teller.held_up(failure.error, seconds, waited, budget)
        return seconds

    def _backoff(self, attempt: int) -> float:
        ceiling = min(self._limits.backoff_cap, self._limits.backoff * 2.0 ** min(attempt - 1, 30))
        return random.uniform(0, ceiling)  # noqa: S311 - jitter

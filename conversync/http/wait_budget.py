"""How long a vendor is waited for: what `http_budget` means, for one request, in a row, and for a whole run.

One source of one run has one account of waiting (`Account`), whichever clients it opens, one after the other or side by
side. Into it goes all time in which a request was held up, from the beginning of the first attempt that failed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from conversync.http.limits import Limits

# A request has so much time at least, in seconds, however long the vendor was waited for before.
GLANCE = 2.0
# ... but once the budget is used up, and what fails is hurried: so much, or so many times as long as the slowest answer
# that came, if that is more, and the glance, if that is less.
BLINK, MUCH_SLOWER = 0.3, 10.0
# An answer may take so many times as long as the slowest one that came.
SLOWER = 2.0


@dataclass(frozen=True)
class Patience:
    """How long one request is waited for, in seconds: for a connection, without a byte, and for the whole of it.

    `tell` is called once it is under way for `worth_a_line` seconds, and now and then after that, with the seconds that
    are left to it.
    """

    connect: float
    read: float
    whole: float
    worth_a_line: float = float("inf")
    tell: Callable[[float], None] = lambda _left: None


class BudgetClock:
    """Seconds in which at least one thread was held up, since the last answer that came.

    Eight threads waiting a second are one second.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = 0
        self._since = 0.0
        self._past = 0.0
        self._counted = 0.0  # until then all is counted, or forgotten

    def enter(self, since: float | None = None) -> None:
        """One more thread is held up; `since` that time of the monotonic clock, else from now on."""
        with self._lock:
            begin = max(time.monotonic() if since is None else since, self._counted)
            self._since = min(self._since, begin) if self._held else begin
            self._held += 1

    def leave(self) -> None:
        """One thread fewer is."""
        with self._lock:
            self._held -= 1
            if self._held == 0:
                self._counted = time.monotonic()
                self._past += self._counted - self._since

    def restart(self) -> None:
        """An answer came: what was waited until now is forgotten."""
        with self._lock:
            self._past, self._since = 0.0, time.monotonic()
            self._counted = self._since

    def seconds(self) -> float:
        """Since then, up to now."""
        with self._lock:
            return self._past + (time.monotonic() - self._since if self._held else 0.0)


@dataclass
class Account:
    """What one source of one run was waited for. Its clients share it, and their threads."""

    held: BudgetClock = field(default_factory=BudgetClock)
    told: dict[str, float] = field(default_factory=dict)
    """When each wait was told last (see `waiting.Teller`)."""
    in_vain: float = 0.0
    """Seconds that went into requests which were given up, but for those that were throttled."""
    hurried: bool = False
    """Whether what is failed at now is waited for shortly: it is likely to be so for good."""
    _until: float = 0.0
    _slowest: float = 0.0
    _beyond: int = 0
    _unreached_since: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of_its_own(self, since: float) -> float:
        """Seconds that a request which is failing since then has of its own: no other one's are counted."""
        return time.monotonic() - max(since, self._until)

    def gave_up(self, since: float, http_budget: float) -> None:
        """A request that was failing since then was given up."""
        with self._lock:
            now = time.monotonic()
            self.in_vain += now - max(since, self._until)
            self._until = now
            self._beyond += max(self.held.seconds(), self.in_vain) >= http_budget

    def answered(self, http_budget: float) -> None:
        """The vendor answered what was asked: whoever waits has not waited in vain."""
        self.held.restart()
        if self.in_vain < http_budget:
            self._beyond = 0

    def took(self, seconds: float) -> None:
        """So long an answer took that came whole."""
        self._slowest = max(self._slowest, seconds)

    def reached(self) -> None:
        """The vendor answered something: it is there."""
        self._unreached_since = None

    def unreached(self, since: float) -> float:
        """Seconds since the vendor could not be reached first; it could not `since` then."""
        with self._lock:
            if self._unreached_since is None:
                self._unreached_since = since
            return time.monotonic() - self._unreached_since

    @property
    def _glance(self) -> float:
        """The least that a request is waited for once the budget is used up."""
        if not (self.hurried and self._slowest):
            return GLANCE
        return min(GLANCE, max(BLINK, MUCH_SLOWER * self._slowest))

    def patience(self, limits: Limits, tell: Callable[[float], None], *, once: bool) -> Patience:
        """How long the next request is waited for: what is left of the budget, and a fair time in any case.

        That is a tenth of the budget, `least_patience` at least. Once the budget is used up, each request that comes
        to nothing halves it, down to a `GLANCE`, or a `BLINK` where a vendor answers others at once; but for those that
        go out `once`. What the vendor takes for an answer is always granted.
        """
        fair = max(limits.least_patience, limits.reserve)
        left = limits.http_budget - max(self.held.seconds(), self.in_vain if self.hurried else 0.0)
        if left <= 0 and not once:
            fair /= 2.0 ** min(self._beyond, 30)
        glance = self._glance if left <= 0 and not once else GLANCE
        seconds = max(left, fair, min(glance, limits.least_patience), SLOWER * self._slowest)
        unreached = 0.0 if self._unreached_since is None else time.monotonic() - self._unreached_since
        return Patience(
            min(limits.connect_timeout, max(limits.reach_budget - unreached, limits.restart, GLANCE)),
            min(limits.read_timeout, seconds),
            min(limits.request_deadline, seconds),
            limits.worth_a_line,
            tell,
        )


_accounts: ContextVar[dict[str, Account] | None] = ContextVar("accounts of waiting", default=None)


@contextmanager
def one_run() -> Iterator[None]:
    """Within, all clients of a vendor have one account. Elsewhere each client has its own."""
    token = _accounts.set({})
    try:
        yield
    finally:
        _accounts.reset(token)


def account(vendor: str) -> Account:
    """The vendor's account in this run; a new one outside of any."""
    accounts = _accounts.get()
    return Account() if accounts is None else accounts.setdefault(vendor, Account())

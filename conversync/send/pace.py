"""When a row's request may start: the rate, the time a vendor asked us to stay away, and whether it goes again.

How long is waited in all is the client's to say: `conversync.http.retry_budget`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from conversync.errors import ConversyncError, InvalidResponseError, UnavailableError, VendorError
from conversync.http.failure import Failure, FailureKind
from conversync.http.retry_budget import RetryBudget

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


def is_distrusted(error: VendorError) -> bool:
    """Whether the vendor took the request, and its answer cannot be trusted."""
    return isinstance(error, InvalidResponseError) and error.status not in TURNED_AWAY


class Pace:
    """Requests start one after the other, at least `interval` seconds apart, and not while the gate is shut."""

    def __init__(self, interval: float, stopping: threading.Event) -> None:
        self._interval = interval
        self._stopping = stopping
        self._lock = threading.Lock()
        self._next = 0.0

    def start(self, begin: Callable[[], None]) -> None:
        """Waits for the row's turn, calls `begin`, and lets the request go; StoppingError if the send ends first."""
        if not self._interval:
            self.pause()
            begin()
            return
        with self._lock:
            self.pause()
            begin()
            self._next = max(self._next, time.monotonic() + self._interval)

    def pause(self) -> None:
        """Waits while the gate is shut; StoppingError if the send ends first."""
        while (wait := self._next - time.monotonic()) > 0:
            if self._stopping.wait(wait):
                break
        if self._stopping.is_set():
            raise StoppingError("the send is ending")

    @property
    def is_free(self) -> bool:
        """Whether no rate is to be kept."""
        return not self._interval

    def shut(self, seconds: float) -> None:
        """Nothing starts for so long: the vendor asked for it."""
        self._next = max(self._next, time.monotonic() + seconds)


class RowBudget:
    """What all rows of a send share beside the client's budget: how many are left, and how many of them fail."""

    def __init__(self, shared: RetryBudget, pace: Pace, stopping: threading.Event) -> None:
        self.shared = shared
        self.pace = pace
        self.stopping = stopping
        self.answered = 0
        self.left = 0
        """Rows that have no outcome yet, and how many of them are `failing`."""
        self.failing = 0
        self._lock = threading.Lock()

    def fails(self, rows: int) -> None:
        """So many more rows are failing, or fewer."""
        with self._lock:
            self.failing += rows

    def concluded(self) -> None:
        """The vendor answered something that can be understood: it is there."""
        with self._lock:
            self.answered += 1

    def row(self) -> RowState:
        """The waiting of one row."""
        return RowState(self)


class RowState:
    """One row's waiting, by the client's budget: `again` returns when it may be tried again."""

    def __init__(self, rows: RowBudget) -> None:
        self._rows = rows
        self._retry = rows.shared.retry_state(alone=True)
        self._answered = rows.answered
        self._failed = 0
        self._since = 0.0
        self._distrusted = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._retry.__exit__(kind, error, trace)
        if self._failed:
            self._rows.fails(-1)

    def _is_alone(self) -> bool:
        """Whether it is this row, and not the vendor, that fails: others were answered meanwhile, or before."""
        if self._rows.answered > self._answered:
            return self._failed >= ATTEMPTS
        last = self._rows.answered > 0 and self._rows.left <= self._rows.failing
        return last and time.monotonic() - self._since > LAST_ROWS

    def again(self, error: VendorError) -> bool:
        """Waits and says True; False where only this row is without hope; raises `error` where the vendor is.

        StoppingError if the send ends meanwhile. The client has counted the attempt itself, which was made once.
        """
        self._count(error)
        if self._is_of_row(error):
            return False
        is_unreached = isinstance(error, UnavailableError) and not error.sent
        kind = FailureKind.CONNECT if is_unreached else FailureKind.RETRYABLE
        is_hopeless = self._distrusted >= DISTRUSTED_ATTEMPTS and is_distrusted(error)
        seconds = None if is_hopeless else self._retry.delay(Failure(kind, error), time.monotonic())
        if seconds is None:
            raise error
        if error.retry_after:
            self._rows.pace.shut(seconds)
        if self._rows.stopping.wait(seconds):
            raise StoppingError("the send is ending")
        return True

    def _count(self, error: VendorError) -> None:
        """Another attempt failed."""
        if not self._failed:
            self._since = time.monotonic()
            self._rows.fails(1)
        self._failed += 1
        self._distrusted += is_distrusted(error)

    def _is_of_row(self, error: VendorError) -> bool:
        """Whether this row is given up, and the send goes on: it may have arrived, and others fare better."""
        if not in_doubt(error):
            return False
        return self._distrusted >= DISTRUSTED_ATTEMPTS if is_distrusted(error) else self._is_alone()

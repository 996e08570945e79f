"""Sends the rows of a plan: side by side, at a rate, each with its intent in the journal before and its outcome after.

A row that the vendor turns away for good is rejected, and delays nobody. 429, 5xx and a vendor that cannot be reached
are waited for. A request that may have taken effect without our knowing is sent again where the target says that this
is harmless, and else is in doubt. What a row was known by before is taken back before it goes as something else.
Refused credentials, a vendor that stays away and a journal that cannot be written end the send: what is on its way
ends, what is not does not go.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from conversync.errors import (
    CredentialsError,
    InvalidResponseError,
    LockedError,
    RequestRejectedError,
    VendorError,
)
from conversync.http.client import Client, Response
from conversync.http.threads import Waited
from conversync.send.forgetting import impersonal
from conversync.send.identities import Identities
from conversync.send.journal import Journal
from conversync.send.options import Options
from conversync.send.pace import Pace, RowBudget, RowState, StoppingError, in_doubt
from conversync.send.plan import Pending
from conversync.send.records import Record, as_json, moment
from conversync.send.target import Outcome, Target

Place = Callable[[], AbstractContextManager[None]]
# Every refusal that is about the row and not about us or the moment.
ACCEPTED = frozenset(range(400, 500)) - {401, 403, 408, 425, 429}
# So many rows in doubt with no clear answer in between: the vendor is not well, and more of them help nobody.
DOUBTS_IN_A_ROW = 10
# Of rows that may be sent twice without harm, so many more are made ready for each that is on its way: their intents
# stand in the journal by then, which waits for the disk.
AHEAD = 0.5
# How often a row that is ready looks whether the send is ending, in seconds.
PERIOD = 0.1
# How long what is on its way may take when the process is told to end; then it is in doubt.
DRAIN = 8.0


@dataclass
class Sent:
    """What a send came to, in rows; `rejected` and `in_doubt` are new ones, by key. `withdrawn` counts identities."""

    sent: int = 0
    withdrawn: int = 0
    rejected: dict[str, str] = field(default_factory=dict)
    in_doubt: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    kinds: Counter[str] = field(default_factory=Counter)


class Queue:
    """Hands out rows in their order; of a group one at a time."""

    def __init__(self, rows: Sequence[Pending], group: Callable[[Pending], str | None]) -> None:
        self._changed = threading.Condition()
        self._ready: list[int] = []
        self._waiting: dict[str, deque[int]] = defaultdict(deque)
        self._rows = rows
        self._groups = [group(row) for row in rows]
        self._busy = 0
        for place, name in enumerate(self._groups):
            if name is None or name not in self._waiting:
                self._ready.append(place)
            if name is not None:
                self._waiting[name].append(place)

    def take(self) -> tuple[int, Pending] | None:
        """The next row that may go; None when all are done."""
        with self._changed:
            while not self._ready:
                if not self._busy:
                    return None
                self._changed.wait()
            place = heapq.heappop(self._ready)
            self._busy += 1
            return place, self._rows[place]

    def done(self, place: int) -> None:
        """The row is through, and the next of its group may go."""
        with self._changed:
            self._busy -= 1
            name = self._groups[place]
            if name is not None:
                self._waiting[name].popleft()
                if self._waiting[name]:
                    heapq.heappush(self._ready, self._waiting[name][0])
            self._changed.notify_all()

    def end(self) -> None:
        """Nothing more is handed out."""
        with self._changed:
            self._ready.clear()
            self._waiting.clear()
            self._groups = [None] * len(self._groups)
            self._changed.notify_all()


class Sender:
    """One send. `run` returns, or raises what ended it; `result` is right in both cases.

    `check` is asked before each request, and raises LockedError where another machine may send by now.
    """

    def __init__(
        self,
        target: Target,
        settings: object,
        client: Client,
        journal: Journal,
        options: Options,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._target = target
        self._settings = settings
        self._client = client
        self._journal = journal
        self._check = check
        self._concurrency = options.concurrency
        self._places = threading.Semaphore(options.concurrency)
        self._label = options.label
        self._stopping = threading.Event()
        self._pace = Pace(options.interval, self._stopping)
        budget = client.retry_budget
        budget.limits = replace(budget.limits, http_budget=options.http_budget)
        self._rows = RowBudget(budget, self._pace, self._stopping)
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._doubts = 0
        self._untrusted: list[InvalidResponseError] = []
        self.result = Sent()

    def run(self, rows: Sequence[Pending], tell: Callable[[int], None]) -> None:
        """Sends them; `tell` hears now and then how many are through.

        A signal ends it (`Stopped`, in this thread): what is on its way has `DRAIN` seconds, then it is in doubt.
        """
        queue = Queue(rows, lambda one: self._target.group(one.entry.row) if one.request else None)
        threads = [
            Waited(f"send-{number}", partial(self._work, queue))
            for number in range(min(self._threads, len(rows)))
        ]
        self._rows.left = len(rows)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while not thread.has_ended:
                    thread.wait(0.5)
                    tell(self.result.sent + len(self.result.rejected) + len(self.result.in_doubt))
        except BaseException:
            self._stop(queue)
            self._drain(threads)
            raise
        if self._error is not None:
            raise self._error
        if 1 < len(self._untrusted) == sum(one.request is not None for one in rows):
            raise self._untrusted[
                -1
            ]  # not one word of it can be believed: that is the vendor, or the address

    @property
    def _threads(self) -> int:
        ahead = int(self._concurrency * AHEAD) if self._pace.is_free else 0
        return self._concurrency + ahead

    def _drain(self, threads: Sequence[Waited]) -> None:
        deadline = time.monotonic() + DRAIN
        working = [thread for thread in threads if thread.is_working]
        for thread in working:
            thread.wait(max(0.0, deadline - time.monotonic()))
        self._client.close()
        for thread in working:
            thread.wait(2.0)

    def _stop(self, queue: Queue) -> None:
        self._stopping.set()
        queue.end()

    def _work(self, queue: Queue) -> None:
        while not self._stopping.is_set() and (taken := queue.take()) is not None:
            place, row = taken
            try:
                self._deliver(row)
            except StoppingError:
                pass
            except BaseException as error:  # noqa: BLE001 - whatever it is ends the send, and is raised there
                self._fail(error)
            finally:
                self._rows.left -= 1
                queue.done(place)
            if self._stopping.is_set():
                queue.end()

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            if self._error is None or isinstance(error, CredentialsError):
                self._error = error
        self._stopping.set()

    def _deliver(self, row: Pending) -> None:
        """One row to its outcome, or to a withdrawn intent; what it was known by before is taken back first."""
        if row.request is None:
            self._conclude(row, row.attempts, None, Outcome("rejected", row.refusal))
            return
        for step in row.undo:
            if self._given_up(row) or not self._step(step, row):
                return
        if not self._given_up(row):
            self._step(row, row)

    def _step(self, step: Pending, row: Pending) -> bool:
        """One request of the row to its outcome; whether the row may go on."""
        is_harmless = self._target.is_idempotent(step.entry.row, self._settings)
        with nullcontext() if is_harmless else self._place():
            return self._tried(step, row, self._place if is_harmless else nullcontext)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of those that are on their way at a time; StoppingError if the send ends before there is one."""
        while not self._places.acquire(timeout=PERIOD):
            if self._stopping.is_set():
                raise StoppingError("the send is ending")
        try:
            yield
        finally:
            self._places.release()

    def _tried(self, step: Pending, row: Pending, place: Place) -> bool:
        attempts, is_doubted = step.attempts, False
        with self._rows.row() as state:
            while True:
                attempts += 1
                try:
                    status, outcome = self._ask(step, attempts, place, is_doubted=is_doubted)
                except VendorError as error:
                    self._after(step, attempts, state, error)
                    is_doubted = is_doubted or in_doubt(error)
                else:
                    self._rows.concluded()
                    if step is not row and outcome.status != "sent":
                        why = f"what it was sent as before could not be taken back: {outcome.reason}"
                        self._conclude(row, row.attempts, status, Outcome("rejected", why))
                        return False
                    self._conclude(step, attempts, status, outcome, counts=step is row)
                    return True
                if self._given_up(step):
                    return False

    def _given_up(self, row: Pending) -> bool:
        return row.entry.send_key in self.result.in_doubt

    def _ask(self, row: Pending, attempts: int, place: Place, *, is_doubted: bool) -> tuple[int, Outcome]:
        """One request, its intent before it, in its `place`.

        Where the send ends before it goes, the intent stands if an attempt before it may have arrived (`is_doubted`).
        """
        request = row.request
        assert request is not None  # noqa: S101 - refused rows do not come here

        def decode(answer: Response) -> tuple[int, Outcome]:
            return answer.status, self._target.outcome(
                answer, row.entry.row, self._settings, row.previous_response
            )

        intent = self._record(row, attempts, "in_doubt", None, None)
        self._pace.start(lambda: self._journal.intend(intent))
        try:
            with place():
                if self._pace.is_free:
                    self._pace.pause()
                self._check()
                with self._lock:
                    self.result.requests += 1
                return self._client.request(
                    request.method,
                    request.path,
                    params=request.params,
                    json=request.json,
                    headers=request.headers,
                    label=request.label,
                    retry=False,
                    accept=ACCEPTED,
                    decode=decode,
                )
        except (StoppingError, LockedError):
            if not is_doubted:
                self._journal.withdraw(row.entry.send_key)
            raise

    def _after(self, row: Pending, attempts: int, state: RowState, error: VendorError) -> None:
        """Returns where the row is to go again, or is in doubt; raises where the send is over."""
        final = isinstance(error, CredentialsError | RequestRejectedError)
        doubtful = in_doubt(error) and not final
        if not doubtful:
            self._journal.withdraw(row.entry.send_key)
        if final:
            raise error
        if doubtful and not self._target.is_idempotent(row.entry.row, self._settings):
            self._doubt(row, attempts, error)
            return
        try:
            again = state.again(error)
        except (VendorError, StoppingError):
            if doubtful:
                self._doubt(row, attempts, error)
            raise
        if not again:
            self._doubt(row, attempts, error)

    def _doubt(self, row: Pending, attempts: int, error: VendorError) -> None:
        reason = impersonal(str(error), row.entry.row, self._target)
        self._journal.conclude(self._record(row, attempts, "in_doubt", reason, error.status))
        with self._lock:
            self.result.in_doubt[row.entry.send_key] = reason
            self._doubts += 1
            if isinstance(error, InvalidResponseError):
                self._untrusted.append(error)
            many = self._doubts >= DOUBTS_IN_A_ROW
        if many:
            raise error

    def _conclude(
        self, row: Pending, attempts: int, status: int | None, outcome: Outcome, *, counts: bool = True
    ) -> None:
        """Into the journal; `counts` false for what only clears the way."""
        if outcome.reason is not None:
            outcome = replace(outcome, reason=impersonal(outcome.reason, row.entry.row, self._target))
        record = self._record(row, attempts, outcome.status, outcome.reason, status)
        answer = dict(outcome.answer) or dict(row.previous_response)
        record = replace(record, answer=as_json(answer), tables=as_json(outcome.tables))
        self._journal.conclude(record)
        with self._lock:
            self._doubts = 0
            if outcome.status == "sent" and row.kind == "withdrawn":
                self.result.withdrawn += 1
            elif not counts:
                return
            elif outcome.status == "sent":
                self.result.sent += 1
                self.result.kinds[row.kind] += 1
            else:
                self.result.rejected[row.entry.send_key] = outcome.reason or f"refused ({status})"

    def _record(
        self, row: Pending, attempts: int, status: Any, reason: str | None, response_code: int | None
    ) -> Record:
        now = moment()
        return Record(
            send_key=row.entry.send_key,
            status=status,
            reason=reason,
            response_code=response_code,
            attempts=attempts,
            content_hash=row.entry.hash,
            content=row.entry.content,
            answer=as_json(row.previous_response),
            first_sent_at=row.first_sent_at or now,
            sent_at=now,
            identities=_identities(row, status, now).text(),
            occurred_on=row.entry.day,
            outbox=self._label,
        )


def _identities(row: Pending, status: str, now: str) -> Identities:
    """Under what the vendor knows the row, once a request of that outcome, or without one yet, is over."""
    identity = row.request.identity if row.request else None
    if identity is None or status == "rejected":
        return row.identities
    if status == "sent":
        row.identities.sent(identity, row.content, now, withdraws=row.withdraws)
        return row.identities
    if row.kind == "withdrawn":
        return row.identities
    found = row.identities.copy()
    found.sent(identity, row.content, now, withdraws=False)
    return found

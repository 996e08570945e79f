"""The only HTTP in the project: one origin, header credentials, bounded in time, size and attempts."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlencode

import requests

from conversync.errors import InvalidResponseError, UnavailableError
from conversync.http import clock, jsontext, source_turns, strictjson
from conversync.http.body_status import BodyStatusError
from conversync.http.connection import Call, Connection, Outcome
from conversync.http.failure import ErrorMessages, Failure, FailureKind
from conversync.http.large_bodies import Gate, Visit
from conversync.http.limits import Limits
from conversync.http.origin import Origin, check_headers, has_dot_segment, parse_origin
from conversync.http.proxy import way_to
from conversync.http.redact import remember
from conversync.http.rejection import Said, document, said, says_error
from conversync.http.response import Response
from conversync.http.retry_budget import RetryBudget, RetryState
from conversync.http.transport import tls_context

__all__ = ["Client", "Limits", "Params", "Response"]

log = logging.getLogger("conversync.wire")

T = TypeVar("T")
Params = Mapping[str, str] | Sequence[tuple[str, str]]

_DEFAULT_HEADERS = {
    "User-Agent": "conversync",
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
}
# Of so many paths the address is remembered.
MOST_ADDRESSES = 100
# Of the headers that a client is given, those that hold no credentials.
_OPEN_HEADERS = ("Accept", "Content-Type")


def _check_path(path: str) -> None:
    if not path.startswith("/") or "?" in path or "#" in path or has_dot_segment(path):
        raise ValueError("a path begins with '/', and has no query, fragment or '..'")


class Client:
    """Requests to one vendor. Any number of threads may share it; clients of one run share its patience (`one_run`).

    `origin` is the setting `<vendor>_url`; `headers` carry the credentials and go with every request, to that
    origin only; `credentials_hint` says where the credentials stand ("Check besitos_token in ..."), and
    `credential` what they are ("token", "username and password").
    SettingsError for an address or a header that cannot be used. Nothing is sent before the first request.
    """

    def __init__(
        self,
        origin: str,
        *,
        vendor: str,
        headers: Mapping[str, str],
        credentials_hint: str,
        credential: str = "token",
        limits: Limits | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._messages = ErrorMessages(vendor, credentials_hint, self._limits, credential)
        self._origin: Origin = parse_origin(origin, self._messages.setting)
        self._headers = {**_DEFAULT_HEADERS, **check_headers(headers, credentials_hint)}
        remember(*(value.rpartition(" ")[2] for name, value in headers.items() if name not in _OPEN_HEADERS))
        self._tls: ssl.SSLContext | None = tls_context() if self._origin.scheme == "https" else None
        self._proxy = way_to(self._origin)
        self.retry_budget = RetryBudget(self._limits, self._messages)
        """How this vendor is waited for; for senders that make each request once, and wait on their own."""
        self._large = Gate(self.retry_budget.stopped)
        self._addresses: dict[str, str] = {}
        self._idle: list[Connection] = []
        self._connections: list[Connection] = []
        self._lock = threading.Lock()
        self._clock = clock.mine()
        source_turns.close_at_end(self)

    def __repr__(self) -> str:
        return f"Client({self._messages.vendor})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends every wait and every request on its way at once (UnavailableError there), and closes."""
        self.retry_budget.stopped.set()
        with self._lock:
            idle, self._idle = self._idle, []
            busy = [connection for connection in self._connections if connection not in idle]
        for connection in idle:
            connection.adapter.close()
        for connection in busy:
            connection.adapter.interrupt()

    def get(self, path: str, params: Params, decode: Callable[[Response], T]) -> T:
        """`request` with GET."""
        return self.request("GET", path, params=params, decode=decode)

    def request(
        self,
        method: str,
        path: str,
        *,
        decode: Callable[[Response], T],
        params: Params = (),
        json: object = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        retry: bool = True,
        accept: Collection[int] = (),
        label: str | None = None,
    ) -> T:
        """What `decode` makes of a success (2xx), or of a status in `accept` (401 and 403 never).

        `path` begins with "/" and is percent-encoded; `label` stands for it in errors and logs where it holds
        a secret. `json` is sent exactly, Decimals as written. `decode` may raise InvalidResponseError (it
        is asked for again, a few times) or UnavailableError (it is waited for as after a 5xx); RequestRejectedError
        and CredentialsError, for a refusal whose words it read with the help of `accept`, are final. With
        `retry=False` one attempt goes out at most, and the error tells how far it came: `sent`, `status`,
        `in_doubt`, `retry_after`.
        Raises RequestRejectedError for what the vendor refuses (400, 422 and their like, with its words),
        CredentialsError, UnavailableError, InvalidResponseError, what `decode` raises; SettingsError for an unusable
        header.
        """
        prepared = self._prepare(method, path, params, json, body, headers)
        what, budget = f"{method} {label or path}", self.retry_budget
        with source_turns.away(), budget.retry_state() as retry_state:
            while True:
                budget.admit()
                began = time.monotonic()
                call = Call(prepared, what, not retry, accept, budget.patience(what, once=not retry))
                value, failure = self._attempt(call, decode, began)
                if failure is None or failure.is_answer:
                    budget.answered()
                if failure is None:
                    return value  # type: ignore[return-value]  # a value stands wherever no trouble does
                self._again(call, retry_state, failure, began)

    @property
    def throttled(self) -> bool:
        """Whether the vendor told us to go slower, until now: a 429, or a told limit that made us wait."""
        return self.retry_budget.throttled

    @property
    def hurried(self) -> bool:
        """Whether requests that are held up get the short budget (see `Limits`), until that is set otherwise."""
        return self.retry_budget.hurried

    @hurried.setter
    def hurried(self, hurried: bool) -> None:
        self.retry_budget.hurried = hurried

    def pause(self, seconds: float) -> None:
        """Waits; UnavailableError as soon as the client is closed. For senders that wait on their own."""
        self.retry_budget.pause(seconds, sent=False)

    def _again(self, call: Call, retry_state: RetryState, failure: Failure, began: float) -> None:
        if self.retry_budget.stopped.is_set() and failure.kind is not FailureKind.FATAL:
            raise self._messages.stopped(sent=failure.error.sent)
        if not call.once:
            retry_state.wait(failure, began)
            return
        self.retry_budget.lost(failure, began)
        if failure.error.retry_after is not None:
            self.retry_budget.hold_requests(failure.error.retry_after)
        raise failure.error

    def _prepare(
        self,
        method: str,
        path: str,
        params: Params,
        json: object,
        body: bytes | None,
        headers: Mapping[str, str] | None,
    ) -> requests.PreparedRequest:
        _check_path(path)
        if json is not None and body is not None:
            raise ValueError("give json or body, not both")
        own = dict(self._headers)
        if json is not None:
            body = strictjson.dumps(json)
            own["Content-Type"] = "application/json"
        if headers:
            own.update(check_headers(headers, self._messages.hint))
        # As `prepare` does it, but for what no request of ours has: cookies, a user in the address, hooks.
        prepared = requests.PreparedRequest()
        prepared.prepare_method(method)
        prepared.url = self._address(path)
        if query := urlencode(list(params.items()) if isinstance(params, Mapping) else list(params)):
            prepared.url += f"?{query}"
        prepared.prepare_headers(own)
        prepared.prepare_body(body, None)
        return prepared

    def _address(self, path: str) -> str:
        """The URL of a path, as requests writes it; what is asked for again and again is written once."""
        if (known := self._addresses.get(path)) is not None:
            return known
        prepared = requests.PreparedRequest()
        prepared.prepare_url(self._origin.root + path, None)
        if len(self._addresses) < MOST_ADDRESSES:
            self._addresses[path] = str(prepared.url)
        return str(prepared.url)

    def _attempt(
        self, call: Call, decode: Callable[[Response], T], start: float
    ) -> tuple[T | None, Failure | None]:
        with Visit(self._large) as visit, jsontext.until(start + self._limits.request_deadline):
            answer, failure = self._ask(replace(call, on_large=visit.enter), start)
            if answer is None:
                return None, failure
            return self._decoded(call, answer, decode)

    def _ask(self, call: Call, start: float) -> Outcome:
        connection: Connection | None = None
        try:
            connection = self._take_connection(call)
            answer, failure = connection.ask(call)
            asked = failure.error.retry_after if failure else None
            if asked is not None and asked <= self.retry_budget.limits.http_budget:
                # Before this request counts as back: none goes in its place.
                self.retry_budget.hold_requests(asked)
        finally:
            self.retry_budget.quota.back(connection.headers if connection else {}, start)
            if connection:
                self._give_back(connection)
        seconds = time.monotonic() - start
        if log.isEnabledFor(logging.DEBUG):
            self._log(call, answer, failure, seconds)
        if failure is None or failure.error.sent:
            self.retry_budget.waited.reached()
        if answer is not None:
            self.retry_budget.waited.took(seconds)
            self._clock.heard(answer.headers.get("Date"))
        return answer, failure  # type: ignore[return-value]  # one of them is None, as it came

    def _decoded(
        self, call: Call, answer: Response, decode: Callable[[Response], T]
    ) -> tuple[T | None, Failure | None]:
        try:
            try:
                return decode(answer), None
            except BodyStatusError as error:
                words = said(answer) if says_error(document(answer)) else Said()
                return None, self._messages.told(call.what, error.told, words)
        except (InvalidResponseError, UnavailableError) as error:
            judged = error
        except TimeoutError:
            return None, self._messages.timed_out(call.what, call.patience)
        judged.__cause__ = judged.__context__ = judged.__traceback__ = None
        judged.status = judged.status or answer.status
        return None, Failure(
            FailureKind.INVALID_RESPONSE
            if isinstance(judged, InvalidResponseError)
            else FailureKind.RETRYABLE,
            judged,
        )

    def _take_connection(self, call: Call) -> Connection:
        with self._lock:
            if self.retry_budget.stopped.is_set():
                raise self._messages.stopped(sent=False)
            if self._idle:
                connection = self._idle.pop()
            else:
                connection = Connection(self._origin, self._tls, self._messages, call.patience, self._proxy)
                self._connections.append(connection)
        if call.once and time.monotonic() - connection.used > self._limits.once_idle:
            connection.adapter.drop()
        return connection

    def _give_back(self, connection: Connection) -> None:
        connection.used = time.monotonic()
        with self._lock:
            if not self.retry_budget.stopped.is_set():
                self._idle.append(connection)
                return
        connection.adapter.close()

    def _log(self, call: Call, answer: Response | None, failure: Failure | None, seconds: float) -> None:
        status = answer.status if answer else failure.error.status if failure else None
        size = len(answer.body) if answer else 0
        outcome = status or (failure.kind.name.lower() if failure else "")
        log.debug(
            "%s: %s %s, %d bytes, %d ms", self._messages.vendor, call.what, outcome, size, seconds * 1000
        )

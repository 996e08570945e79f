"""A lane: one connection that carries one call at a time, and tells what came of it without raising."""

from __future__ import annotations

import http.client
import os
import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.exceptions

from conversync.http.body import MangledError, TooLargeError, read_beginning, read_body, weigh
from conversync.http.failure import ErrorMessages, Failure
from conversync.http.gates import guard, leads_to_login
from conversync.http.origin import Origin, printable_host
from conversync.http.proxy import Proxy, TunnelError
from conversync.http.quota import reset_after
from conversync.http.redact import quoted
from conversync.http.rejection import MOST_BYTES, is_page, said
from conversync.http.response import Response
from conversync.http.retry_budget import retry_after
from conversync.http.transport import OriginAdapter
from conversync.http.wait_budget import Patience

# What requests, urllib3, http.client and the socket raise for a request that came to nothing.
_FAILURES = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)

# So much of a path is shown.
MOST_OF_PATH = 100

Outcome = tuple[Response, None] | tuple[None, Failure]


@dataclass(frozen=True, slots=True)
class Call:
    """One request, ready to go out. `what` names it in sentences; `once`: at most one attempt."""

    prepared: requests.PreparedRequest
    what: str
    once: bool
    accept: Collection[int]
    patience: Patience
    on_large: Callable[[float], bool] = lambda _deadline: True
    """Waits until this call may take a large body; false where that was not before the deadline."""

    def takes(self, status: int) -> bool:
        """Whether an answer of this status goes to the decoder."""
        if status in (401, 403):
            return False
        return (200 <= status < 300 and status != 206) or status in self.accept


class Connection:
    """`used` is when it last carried a call, by the monotonic clock; `headers` are those of its last answer."""

    def __init__(
        self,
        origin: Origin,
        tls: ssl.SSLContext | None,
        messages: ErrorMessages,
        patience: Patience,
        proxy: Proxy | None = None,
    ) -> None:
        self._messages = messages
        self._proxy = proxy
        self.adapter = OriginAdapter(origin, tls, patience, proxy)
        self.used = 0.0
        self.headers: Mapping[str, str] = {}

    def ask(self, call: Call) -> Outcome:
        """The answer, or the trouble. The errors of the libraries end here: they hold URLs with queries."""
        response: requests.Response | None = None
        self.headers = {}
        try:
            self.adapter.attempt.begin(call.patience)
            response = self.adapter.send(call.prepared)
            self.headers = response.headers
            return self._receive(response, call)
        except MangledError as error:
            failure = self._messages.mangled(
                call.what, str(error), response.status_code if response else None
            )
        except TooLargeError as error:
            failure = self._messages.too_large(call.what, str(error))
        except _FAILURES as error:
            failure = self._diagnose(call, error)
        finally:
            if response is not None:
                response.close()
        return None, failure

    def _receive(self, response: requests.Response, call: Call) -> Outcome:
        status, headers = response.status_code, response.headers
        if call.takes(status):
            coding = headers.get("Content-Encoding", "")
            body = read_body(response.raw, coding, self._messages.limits, lambda: self._enter(call))
            weigh(body, self._messages.limits)
            return Response(status, headers, body, self._messages.vendor), None
        if 300 <= status < 400:
            return None, self._redirected(call, status, headers.get("Location"))
        if status < 200 or status == 206:
            raise MangledError(f"status {status} was not asked for")
        answer = Response(status, headers, self._words(response), self._messages.vendor)
        if is_page(answer) and status in (403, 404):
            return None, self._messages.page(call.what, status, guard(headers))
        cap = self._messages.limits.retry_after_cap
        wait = retry_after(headers, cap)
        if wait is None and status == 429:
            wait = reset_after(headers, cap)
        return None, self._messages.turned_away(call.what, status, said(answer), wait)

    def _enter(self, call: Call) -> None:
        attempt = self.adapter.attempt
        if not call.on_large(attempt.deadline):
            attempt.timed_out = True
            raise TimeoutError

    def _redirected(self, call: Call, status: int, location: str | None) -> Failure:
        target = _target(call, location)
        if target is not None and leads_to_login(target):
            return self._messages.sent_to_login(call.what, status, printable_host(target))
        return self._messages.redirected(call.what, status, _place(call, target))

    def _words(self, response: requests.Response) -> bytes:
        """The beginning of a refusal's body, as far as it can be had: the status says enough."""
        coding = response.headers.get("Content-Encoding", "")
        body, is_whole = read_beginning(response.raw, coding, MOST_BYTES, self._messages.limits)
        if not is_whole:
            self.adapter.drop()
        return body

    def _diagnose(self, call: Call, error: Exception) -> Failure:
        attempt, messages = self.adapter.attempt, self._messages
        if attempt.refusal is not None:
            return self._no_connection(attempt.refusal)
        if attempt.timed_out:
            return messages.timed_out(call.what, attempt.patience)
        if attempt.sent and not attempt.connected and not attempt.heard:
            return messages.stale(call.what)
        if isinstance(
            error, (requests.exceptions.InvalidHeader, urllib3.exceptions.InvalidHeader, ValueError)
        ):
            return messages.mangled(call.what, "its headers contradict each other or are no headers")
        return messages.broke_off(call.what)

    def _no_connection(self, refusal: BaseException) -> Failure:
        tunnel = _cause(refusal, TunnelError)
        if self._proxy is not None and tunnel is not None:
            return self._messages.no_way(self._proxy.place, tunnel.reason, final=tunnel.final)
        return _no_connection(self._messages, refusal, self.adapter.attempt.patience.connect)


def _cause(error: BaseException | None, kind: type[TunnelError]) -> TunnelError | None:
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


def _target(call: Call, location: str | None) -> str | None:
    """The address that a redirect names; "" for one that is none, None where it names none."""
    if not location:
        return None
    try:
        return urljoin(call.prepared.url or "", location)
    except ValueError:
        return ""


def _place(call: Call, target: str | None) -> str | None:
    """What may be shown of where a redirect leads: the path on our own host, and of another one the host alone.

    An address may carry a secret, in its query as a rule.
    """
    if target is None:
        return None
    own = urlsplit(call.prepared.url or "")
    if target.startswith(f"{own.scheme}://{own.netloc}/"):
        return quoted(urlsplit(target).path, MOST_OF_PATH)
    return printable_host(target)


def _no_connection(messages: ErrorMessages, refusal: BaseException, seconds: float) -> Failure:
    if isinstance(refusal, ssl.SSLCertVerificationError):
        return messages.no_trust(refusal.verify_message)
    if isinstance(refusal, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return messages.no_connection("the TLS handshake broke off")
    if isinstance(refusal, ssl.SSLError):
        return messages.no_trust((refusal.reason or "TLS failed").replace("_", " ").lower())
    if isinstance(refusal, urllib3.exceptions.NameResolutionError):
        return messages.no_connection("its name is not known")
    cause = refusal.__cause__ or refusal
    if isinstance(cause, TimeoutError):
        return messages.no_connection(f"no connection within {seconds:.3g} s")
    number = cause.errno if isinstance(cause, OSError) else None
    return messages.no_connection(os.strerror(number).lower() if number else "the connection broke")

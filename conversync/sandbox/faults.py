"""What goes wrong, scripted: by path, page, query and attempt; and how often it really did."""

from __future__ import annotations

import contextlib
import json as json_module
import socket
import threading
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from conversync.sandbox.messages import Request

LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form></form></body></html>"

Mutation = Callable[[Any, Mapping[str, str]], Any]
"""From a right document (an object, or a bare array) and the query, another document, or bytes."""


@dataclass(kw_only=True)
class Fault:
    """One thing that goes wrong. The first fault that matches a request is delivered; `delivered` counts.

    Example: `sandbox.faults.add(Fault(page=2, times=3, status=503, headers={"Retry-After": "1"}))`.
    All that is asked of a fault happens together: a delayed, mutated page may be cut as well.
    """

    # Which requests: every condition given must hold.
    path: str | None = None
    """The exact path, or a pattern such as `/data/*`."""
    method: str | None = None
    page: int | None = None
    """The `page` asked for; a request that names none asks for page 1."""
    query: Mapping[str, str] | None = None
    """These parameters, with exactly these values."""
    json: Mapping[str, Any] | None = None
    """These members of the JSON object that was posted, with exactly these values: `{"offset": 100}`."""
    where: Callable[[Request], bool] | None = None
    attempts: Container[int] | None = None
    """How often this fault has met this very request (method, path, query, body), counted from 1."""
    times: int | None = None
    """At most so many deliveries in all."""

    # Before the answer is made.
    delay: float = 0.0
    """Seconds of silence first."""
    action: Callable[[], object] | None = None
    """Called first: moves the clock, inserts rows."""
    taken: bool = False
    """The vendor takes the request all the same, and before any `delay`: only its answer is late, another or lost."""

    # What is said instead.
    status: int | None = None
    """With `mutate`, of the changed document; alone, of a short JSON message."""
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    """A Mapping's names replace the usual ones; a sequence's pairs stand beside them, even twice."""
    body: bytes | None = None
    html: bool = False
    """A login page, with 200 unless `status` says otherwise."""
    redirect: str | None = None
    """302 (or `status`) with this Location."""
    mutate: Mutation | None = None
    """Changes the right document, or returns other bytes. Rows of `data` may be `Raw` text."""
    raw: bytes | None = None
    """These exact bytes on the wire, status line and all, then the connection is closed."""

    # How the answer is packed.
    gzip: Literal["right", "truncated", "lie", "bomb"] | None = None
    """`truncated` loses the stream's last half, `lie` names gzip over plain bytes."""
    bomb_bytes: int = 256 * 1024 * 1024
    """Size of a bomb once unpacked, at about 1000:1."""
    chunked: Literal["right", "junk"] | None = None
    truncate_to: int | None = None
    """The body ends after so many bytes and Content-Length agrees: cut, but complete on the wire."""
    extra_content_length: int = 0
    """Content-Length promises so many bytes more than come; then the connection is closed."""

    # How it travels.
    preface: bytes = b""
    """Raw bytes before the status line, such as a 103 answer."""
    close_before_answer: bool = False
    reset_after: int | None = None
    """RST after so many bytes of the body."""
    stall_after: int | None = None
    """Silence after so many bytes of the body, until the client or the sandbox gives up."""
    slow_bytes_per_second: float | None = None
    """The body drips."""
    slow_headers_per_second: float | None = None
    """Status line and headers drip."""
    close_after: bool = False
    """The connection is closed after the answer, which did not say so."""

    delivered: int = field(default=0, init=False)
    _seen: Counter[tuple[str, str, bytes]] = field(default_factory=Counter, init=False, repr=False)

    def selects(self, request: Request) -> bool:
        """Is this one of the requests the fault waits for, attempts and times aside?"""
        page = request.query.get("page", "1")
        return (
            (self.path is None or fnmatchcase(request.path, self.path))
            and (self.method is None or request.method == self.method)
            and (self.page is None or page == str(self.page))
            and all(request.query.get(name) == value for name, value in (self.query or {}).items())
            and (self.json is None or _posted(request.body, self.json))
            and (self.where is None or self.where(request))
        )

    def due(self, request: Request) -> bool:
        """Counts this meeting. Is the fault to be delivered now?"""
        if not self.selects(request):
            return False
        key = (request.method, request.target, request.body)
        self._seen[key] += 1
        if self.attempts is not None and self._seen[key] not in self.attempts:
            return False
        return self.times is None or self.delivered < self.times

    @property
    def replaces(self) -> bool:
        """Is the right answer not wanted at all? Then the vendor is not asked, and notes no read."""
        instead = (self.body, self.redirect, self.raw, None if self.mutate else self.status)
        return self.html or self.close_before_answer or any(value is not None for value in instead)


def _posted(body: bytes, wanted: Mapping[str, Any]) -> bool:
    """Is the body a JSON object with these members?"""
    try:
        posted = json_module.loads(body)
    except ValueError:
        return False
    return isinstance(posted, dict) and all(posted.get(name) == value for name, value in wanted.items())


class Faults:
    """The faults of one sandbox, in the order they were added."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, *faults: Fault) -> Fault:
        """Adds them and returns the last one, to ask it later how often it was `delivered`."""
        with self._lock:
            self._faults.extend(faults)
        return faults[-1]

    def clear(self) -> None:
        """Nothing goes wrong from now on."""
        with self._lock:
            self._faults.clear()

    def take(self, request: Request) -> Fault | None:
        """The fault to deliver for this request, counted as delivered."""
        with self._lock:
            for fault in self._faults:
                if fault.due(request):
                    fault.delivered += 1
                    return fault
        return None

    def __iter__(self) -> Iterator[Fault]:
        return iter(tuple(self._faults))

    def __len__(self) -> int:
        return len(self._faults)


@contextlib.contextmanager
def blackhole() -> Iterator[str]:
    """A loopback URL where a connection is never answered: its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def refused_url() -> str:
    """A loopback URL where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

"""One request at a time over one connection to one origin, with a deadline over all of it.

Built on requests' transport adapter: there is no session, hence no redirect, no cookie, no .netrc, and no
proxy but the one that a setting names (see `conversync.http.proxy`).
"""

from __future__ import annotations

import http.client
import io
import logging
import os
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from conversync.errors import InvalidResponseError, SettingsError
from conversync.http.origin import Origin, printable_host
from conversync.http.proxy import Proxy
from conversync.http.wait_budget import Patience
from conversync.http.wait_notices import AGAIN_AFTER

# http.client's own buffer is 8 KB: a page of 267 KB would come in dozens of reads.
BUFFER = 64 * 1024

_quiet = threading.local()


def _not_ours(_: logging.LogRecord) -> bool:
    return not getattr(_quiet, "on", False)


# urllib3 logs whole URLs, query included. What we send is logged by us, without it.
logging.getLogger("urllib3.connectionpool").addFilter(_not_ours)
logging.getLogger("urllib3.connection").addFilter(_not_ours)


def tls_context() -> ssl.SSLContext:
    """TLS 1.2 or later, certificate and host name checked.

    Trusted is certifi's list, or what REQUESTS_CA_BUNDLE or SSL_CERT_FILE names.
    """
    name = next((name for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE") if os.environ.get(name)), None)
    path = os.environ[name] if name else DEFAULT_CA_BUNDLE_PATH
    try:
        is_folder = os.path.isdir(path)  # noqa: PTH112 - a string from the environment stays one
        context = ssl.create_default_context(
            cafile=None if is_folder else path, capath=path if is_folder else None
        )
    except (OSError, ValueError):
        context = None
    if context is None:
        raise SettingsError(
            f"{name or 'certifi'} names a file that holds no readable certificates: correct it."
        )
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Attempt:
    """What is known of the request that is on its way over a connection."""

    def __init__(self, patience: Patience) -> None:
        self.begin(patience)

    def begin(self, patience: Patience) -> None:
        """A new request starts now."""
        now = time.monotonic()
        self.patience = patience
        self.deadline = now + patience.whole
        self._told_at = now + patience.worth_a_line  # when it is to be told, next
        self.connected = False  # a connection was opened for it
        self.sent = False  # bytes of it may have gone out
        self.heard = False  # bytes of an answer came
        self.timed_out = False  # a read came to the end of its time
        self.refusal: BaseException | None = None  # why there is no connection

    def until_told(self, until: float) -> float:
        """Seconds that the next read may take, of those until then; TimeoutError where none is left.

        It is short where somebody is to be told meanwhile that the request is under way; that is done here, too.
        """
        now, until = time.monotonic(), min(until, self.deadline)
        if now >= until:
            raise TimeoutError
        if now >= self._told_at:
            self._told_at = now + AGAIN_AFTER
            self.patience.tell(until - now)
        return min(until, self._told_at) - now


class _Incoming(io.RawIOBase):
    """The answer's bytes. Every read is bounded by what is left of the deadline, so drops cannot add up."""

    def __init__(self, sock: socket.socket, attempt: Attempt) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._attempt = attempt

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        until = time.monotonic() + self._attempt.patience.read
        count = None
        while count is None:
            try:
                self._sock.settimeout(self._attempt.until_told(until))
            except TimeoutError:
                self._attempt.timed_out = True
                raise
            # Not by the file: that reads nothing more once it was late.
            with suppress(TimeoutError):
                count = self._sock.recv_into(buffer)
        if count:
            self._attempt.heard = True
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Tap:
    """Stands for a socket where http.client asks one for a file to read."""

    def __init__(self, sock: socket.socket, attempt: Attempt) -> None:
        self._sock = sock
        self._attempt = attempt

    def makefile(self, mode: str) -> io.BufferedReader:
        del mode  # http.client asks for "rb" only
        return io.BufferedReader(_Incoming(self._sock, self._attempt), BUFFER)


class _Http(HTTPConnection):
    attempt: Attempt

    def connect(self) -> None:
        self.attempt.connected = True
        try:
            super().connect()
        except BaseException as refusal:
            self.attempt.refusal = refusal
            raise

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.attempt.sent = True
        super().send(data)

    # http.client calls it as it would call the class.
    def response_class(  # type: ignore[override]
        self, sock: socket.socket, **options: Any
    ) -> http.client.HTTPResponse:
        return http.client.HTTPResponse(_Tap(sock, self.attempt), **options)  # type: ignore[arg-type]


class _Https(_Http, HTTPSConnection):
    proxy_way: Proxy | None = None

    def _new_conn(self) -> socket.socket:
        if self.proxy_way is None:
            return super()._new_conn()
        timeout = self.timeout if isinstance(self.timeout, int | float) else None
        return self.proxy_way.tunnel(self.host, self.port, timeout)


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http
    attempt: Attempt
    latest: _Http | None = None

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.attempt = self.attempt
        self.latest = connection
        return connection


class _HttpsPool(_HttpPool, HTTPSConnectionPool):
    ConnectionCls = _Https
    proxy_way: Proxy | None = None

    def _new_conn(self) -> Any:
        connection = super()._new_conn()
        connection.proxy_way = self.proxy_way
        return connection


class OriginAdapter(HTTPAdapter):
    """A transport with one connection to one origin: a request to any other place is refused here.

    `proxy` may lead there; TLS is spoken with the origin all the same. `patience` is how long a request is waited for,
    until `attempt` begins with another one.
    """

    def __init__(
        self, origin: Origin, tls: ssl.SSLContext | None, patience: Patience, proxy: Proxy | None = None
    ) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1)
        self.attempt = Attempt(patience)
        self._origin = origin
        if tls is None:
            self._pool: _HttpPool = _HttpPool(origin.host, origin.port, maxsize=1)
        else:
            self._pool = _HttpsPool(origin.host, origin.port, maxsize=1, ssl_context=tls)
            self._pool.proxy_way = proxy
        self._pool.attempt = self.attempt

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> Any:
        """The one pool there is: proxies and other hosts have no way in."""
        return self._pool

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Does nothing: the TLS context alone decides, and no argument of a request can weaken it."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """The answer's head; the body is still on the wire. InvalidResponseError for a foreign address."""
        url = request.url or ""
        if not self._origin.holds(url):
            raise InvalidResponseError(
                f"A request to {printable_host(url)} was refused: it is not the address in the settings.",
                sent=False,
            )
        patience = self.attempt.patience
        _quiet.on = True
        try:
            return super().send(request, stream=True, timeout=(patience.connect, patience.read))
        finally:
            _quiet.on = False

    def drop(self) -> None:
        """Closes the kept connection; the next request opens a new one."""
        if self._pool.latest is not None:
            self._pool.latest.close()

    def interrupt(self) -> None:
        """Ends, from another thread, the request that is on its way."""
        self.attempt.deadline = 0.0
        connection = self._pool.latest
        sock = connection.sock if connection is not None else None
        if sock is not None:
            with suppress(OSError):
                # Not SSLSocket.shutdown: it would make the reading thread take ciphertext for the answer.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes the connection; the adapter is not used again."""
        self._pool.close()
        super().close()

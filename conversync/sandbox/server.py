"""An HTTP server on loopback for any vendors, which keeps every request and delivers scripted faults."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from conversync.sandbox.delivery import Packet, packet, send
from conversync.sandbox.faults import Fault, Faults
from conversync.sandbox.front import Front
from conversync.sandbox.messages import Answer, Request, Vendor, json_answer
from conversync.sandbox.world import World

CONTROL = "/_sandbox/"
"""What lies below is the sandbox's own: never recorded, never at fault."""

NO_FAULT = Fault()


class Server:
    """Serves `vendors` on 127.0.0.1 from entering the `with` block to leaving it.

    Leaving joins every thread and closes every socket. An exception inside a vendor or a fault is answered
    with 500, kept in `errors` and raised on leaving: a mistake of ours must not pass for a vendor's error.
    """

    def __init__(
        self,
        world: World,
        vendors: Sequence[Vendor],
        *,
        port: int = 0,
        gzip: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.world = world
        self.vendors = list(vendors)
        self.faults = Faults()
        self.requests: list[Request] = []
        self.errors: list[Exception] = []
        self.server = Front()
        self.gzip = gzip
        """Compress for clients that accept it?"""
        self.tls = tls
        self.stopping = threading.Event()
        self._listener = _Listener(self, port)
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True)
        self.port: int = self._listener.server_address[1]

    @property
    def url(self) -> str:
        """The root that vendors' paths are appended to."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def answer(self, request: Request) -> Answer:
        """The first vendor's answer that knows the path."""
        for vendor in self.vendors:
            answer = vendor.answer(request)
            if answer is not None:
                return answer
        return json_answer(404, {"message": f"The route {request.path.lstrip('/')} could not be found."})

    def asked(self, path: str = "") -> list[Request]:
        """The requests whose path ends so, in the order they came."""
        return [request for request in self.requests if request.path.endswith(path)]

    def start(self) -> Self:
        """Begins to serve; a `with` block does so by itself."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Hangs up on everybody and waits until no thread and no socket is left."""
        self.stopping.set()
        if self._thread.is_alive():
            self._listener.shutdown()
            self._thread.join()
        self._listener.hang_up()
        self._listener.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self.errors and error is None:
            raise self.errors[0]


class _Listener(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, server: Server, port: int) -> None:
        self.sandbox = server
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        """Without the name look-up of HTTPServer."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.sandbox.tls is not None:
            connection = self.sandbox.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in list(self._open):
            with contextlib.suppress(OSError, ValueError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class's
        """A client that went away, or would not shake hands, is its own affair; all else is our mistake."""
        error = sys.exc_info()[1]
        gone = isinstance(error, OSError) or self.sandbox.stopping.is_set()
        if isinstance(error, Exception) and not gone:
            self.sandbox.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def setup(self) -> None:
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()
        super().setup()

    def serve(self) -> None:
        """One request: noted, matched with the faults, answered."""
        sandbox = self.server.sandbox
        request = self._request()
        if len(request.body) < int(self.headers.get("Content-Length") or 0):
            self.close_connection = (
                True  # whoever sent it was gone before it was whole: nobody can have taken it
            )
            return
        fault = None
        if not request.path.startswith(CONTROL):
            fault = sandbox.faults.take(request)
            request.fault = fault is not None
            sandbox.requests.append(request)
        try:
            keep = self._deliver(request, fault or NO_FAULT)
        except OSError:  # the client went away
            keep = False
        self.close_connection = self.close_connection or not keep or sandbox.stopping.is_set()

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        return Request(
            method=self.command,
            target=self.path,
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
            time=time.monotonic(),
            clock=self.server.sandbox.world.now,
        )

    def _deliver(self, request: Request, fault: Fault) -> bool:
        """Returns whether the connection may go on."""
        sandbox = self.server.sandbox
        if fault.delay and not fault.taken and sandbox.stopping.wait(fault.delay):
            return False
        parts = self._packed(request, fault)
        if fault.delay and fault.taken and sandbox.stopping.wait(fault.delay):
            return False
        if fault.close_before_answer:
            return False
        request.status = parts.status
        return send(self.connection, parts, fault, sandbox.stopping)

    def _packed(self, request: Request, fault: Fault) -> Packet:
        """The answer; a 500 where making it fails."""
        sandbox = self.server.sandbox
        accepts = sandbox.gzip and "gzip" in request.headers.get("accept-encoding", "")
        try:
            if fault.action is not None:
                fault.action()
            unasked = fault.replaces and not fault.taken
            answer = json_answer(200, None) if unasked else sandbox.answer(request)
            told = request.clock if sandbox.server.variants.date == "clock" else None
            return packet(answer, fault, request, compress=accepts, date=told)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised when the sandbox stops
            sandbox.errors.append(error)
            return packet(json_answer(500, {"message": repr(error)}), NO_FAULT, request, compress=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Nothing is printed: `requests` is the log."""


for _method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
    setattr(_Handler, f"do_{_method}", _Handler.serve)

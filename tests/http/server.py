"""A scripted HTTP server on loopback: each request gets the next step, the last one for ever."""

from __future__ import annotations

import io
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Asked:
    """One request as it came in; `connection` counts from 1, `at` is the monotonic clock."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int
    at: float


class Talk:
    """The server's end of one connection, as a step sees it."""

    def __init__(self, sock: socket.socket, stopped: threading.Event) -> None:
        self.sock = sock
        self.stopped = stopped
        self.open = True

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def hang(self) -> None:
        """Says nothing more until the server stops."""
        self.stopped.wait(20)
        self.open = False

    def close(self) -> None:
        self.open = False

    def reset(self) -> None:
        """Closes with RST, as a crashed peer or a firewall does."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.open = False


Step = Callable[[Talk], None]


def head(status: int = 200, **headers: object) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def reply(body: bytes = b'{"data": []}', status: int = 200, **headers: object) -> Step:
    """A whole, sound answer on a connection that stays open."""
    given = {"Content_Type": "application/json", "Content_Length": len(body)} | headers
    return lambda talk: talk.send(head(status, **given) + body)


def raw(data: bytes, then: str = "close") -> Step:
    """Exactly these bytes, then `close`, `reset` or `hang`."""

    def step(talk: Talk) -> None:
        talk.send(data)
        getattr(talk, then)()

    return step


def drip(first: bytes, data: bytes, every: float) -> Step:
    """`first` at once, then a byte at a time."""

    def step(talk: Talk) -> None:
        talk.send(first)
        for byte in data:
            if talk.stopped.wait(every):
                return
            talk.send(bytes([byte]))

    return step


class Server:
    """`with Server(step, ...) as server:`; `asked` is what came in, `origin` is its address."""

    def __init__(
        self, *script: Step, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._script = list(script) or [reply()]
        self._tls = tls
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._socks: list[socket.socket] = []
        self._listener = socket.create_server((host, port))
        self.asked: list[Asked] = []
        self.connections = 0
        self.port: int = self._listener.getsockname()[1]
        self.origin = f"{'https' if tls else 'http'}://{host}:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._socks):
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(5)

    def script(self, *steps: Step) -> None:
        """Other steps from now on."""
        with self._lock:
            self._script = list(steps)

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._socks.append(sock)
            self._start(self._serve, sock, self.connections)

    def _serve(self, sock: socket.socket, number: int) -> None:
        with suppress(OSError):
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._socks.append(sock)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            talk = Talk(sock, self._stopped)
            with sock.makefile("rb") as stream:
                while talk.open and not self._stopped.is_set():
                    asked = _read(stream, number)
                    if asked is None:
                        break
                    self._next_step(asked)(talk)
        sock.close()

    def _next_step(self, asked: Asked) -> Step:
        with self._lock:
            self.asked.append(asked)
            return self._script.pop(0) if len(self._script) > 1 else self._script[0]


def _read(stream: io.BufferedReader, number: int) -> Asked | None:
    readline, read = stream.readline, stream.read
    first = readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers: dict[str, str] = {}
    while (line := readline().decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = read(int(headers.get("content-length", 0)))
    return Asked(first[0], first[1], headers, body, number, time.monotonic())

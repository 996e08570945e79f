"""How an answer reaches the client: in one send when all is well, otherwise as the fault has it."""

from __future__ import annotations

import gzip
import os
import socket
import struct
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus

from conversync.sandbox.faults import LOGIN_PAGE, Fault
from conversync.sandbox.messages import Answer, Request, to_json

Headers = list[tuple[str, str]]


@dataclass
class Packet:
    """The bytes of one answer. `close`: the connection ends after it."""

    status: int | None
    head: bytes
    body: bytes
    close: bool = False


def packet(
    answer: Answer, fault: Fault, request: Request, *, compress: bool, date: datetime | None = None
) -> Packet:
    """What is said, packed as the fault asks; `Fault()` asks for nothing. `date` is told in the answer's Date."""
    if fault.raw is not None:
        return Packet(None, b"", fault.raw, close=True)
    status, headers, body = _said(answer, fault, request)
    if date is not None:
        headers.append(("Date", format_datetime(date.astimezone(UTC), usegmt=True)))
    if fault.gzip is not None or compress:
        headers.append(("Content-Encoding", "gzip"))
        body = _squeezed(body, fault)
    if fault.truncate_to is not None:
        body = body[: fault.truncate_to]
    if fault.chunked is not None:
        headers.append(("Transfer-Encoding", "chunked"))
        body = _chunks(body, junk=fault.chunked == "junk")
    elif status != HTTPStatus.NO_CONTENT:
        headers.append(("Content-Length", str(len(body) + fault.extra_content_length)))
    close = fault.close_after or fault.extra_content_length > 0 or fault.chunked == "junk"
    return Packet(status, fault.preface + _head(status, _with(headers, fault)), body, close)


def _said(answer: Answer, fault: Fault, request: Request) -> tuple[int, Headers, bytes]:
    """Status, headers and plain body: the right ones, unless the fault says others."""
    if fault.html:
        return fault.status or 200, [("Content-Type", "text/html; charset=UTF-8")], fault.body or LOGIN_PAGE
    if fault.redirect is not None:
        return fault.status or 302, [("Location", fault.redirect)], fault.body or b""
    if fault.replaces:
        status = fault.status or 200
        body = to_json({"message": _phrase(status)}).encode() if fault.body is None else fault.body
        return status, [("Content-Type", "application/json")], body
    if fault.mutate is not None:
        return fault.status or answer.status, list(answer.headers), _mutated(answer, fault, request)
    return answer.status, list(answer.headers), answer.body


def _mutated(answer: Answer, fault: Fault, request: Request) -> bytes:
    if answer.document is None or fault.mutate is None:
        raise ValueError(f"{request.target} was answered {answer.status}, which has no document to mutate")
    changed = fault.mutate(answer.document(), request.query)
    return changed if isinstance(changed, bytes) else answer.encode(changed)


def _squeezed(body: bytes, fault: Fault) -> bytes:
    if fault.gzip == "lie":
        return body
    if fault.gzip == "bomb":
        return _bomb(fault.bomb_bytes)
    squeezed = gzip.compress(body, compresslevel=1, mtime=0)
    return squeezed[: len(squeezed) // 2] if fault.gzip == "truncated" else squeezed


def _bomb(size: int) -> bytes:
    """A gzip stream of `size` blanks inside a JSON document, never held unpacked."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    mebibyte = b" " * 1024 * 1024
    parts = [packer.compress(b'{"data":[')]
    parts.extend(packer.compress(mebibyte[: size - done]) for done in range(0, size, len(mebibyte)))
    return b"".join([*parts, packer.compress(b"]}"), packer.flush()])


def _chunks(body: bytes, *, junk: bool) -> bytes:
    """The body in two chunks; with junk, the second one's size is no number."""
    half = len(body) // 2
    first = b"%x\r\n%b\r\n" % (half, body[:half]) if half else b""
    size = b"zz" if junk else b"%x" % (len(body) - half)
    return first + b"%b\r\n%b\r\n0\r\n\r\n" % (size, body[half:])


def _with(headers: Headers, fault: Fault) -> Headers:
    if not isinstance(fault.headers, Mapping):
        return [*headers, *fault.headers]
    replaced = {name.lower() for name in fault.headers}
    return [*(pair for pair in headers if pair[0].lower() not in replaced), *fault.headers.items()]


def _head(status: int, headers: Headers) -> bytes:
    lines = [f"HTTP/1.1 {status} {_phrase(status)}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unassigned"


def send(connection: socket.socket, parts: Packet, fault: Fault, stopping: threading.Event) -> bool:
    """Puts the packet on the wire. Returns whether the connection may serve another request."""
    if fault.slow_headers_per_second:
        _drip(connection, parts.head, fault.slow_headers_per_second, stopping)
        parts.head = b""
    if fault.reset_after is not None:
        connection.sendall(parts.head + parts.body[: fault.reset_after])
        _reset(connection)
        return False
    if fault.stall_after is not None:
        connection.sendall(parts.head + parts.body[: fault.stall_after])
        _wait_for_hang_up(connection, stopping)
        return False
    if fault.slow_bytes_per_second:
        connection.sendall(parts.head)
        _drip(connection, parts.body, fault.slow_bytes_per_second, stopping)
    else:
        connection.sendall(parts.head + parts.body)
    return not parts.close


def _drip(connection: socket.socket, data: bytes, per_second: float, stopping: threading.Event) -> None:
    """So many bytes a second, in up to fifty sends a second, until the sandbox stops."""
    step = max(1, int(per_second / 50))
    for begin in range(0, len(data), step):
        connection.sendall(data[begin : begin + step])
        if stopping.wait(step / per_second):
            return


def _reset(connection: socket.socket) -> None:
    """RST instead of FIN. The descriptor is closed here: the handler's streams would keep it open."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())


def _wait_for_hang_up(connection: socket.socket, stopping: threading.Event) -> None:
    connection.settimeout(0.05)
    while not stopping.is_set():
        try:
            if not connection.recv(1024):
                return
        except TimeoutError:
            continue

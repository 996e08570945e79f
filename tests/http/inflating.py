"""A vendor who answers with far more than was asked for: the sandbox's own answers, their longest list repeated."""

from __future__ import annotations

import gzip
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Inflating:
    """`sizes`: the bytes of each body that was sent, before it was packed."""

    url: str
    sizes: list[int] = field(default_factory=list)


@contextmanager
def inflating(
    behind: str, size: int, *, packed: bool, grown: Callable[[bytes, int], bytes] | None = None
) -> Iterator[Inflating]:
    """Stands before the vendor at `behind`: bodies with a list are `size` bytes long, or a little more.

    `grown` makes them so out of its own; without it their list is in them many times.
    """
    grow = cache(grown or inflated)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            sent = self.rfile.read(length) or None
            asked = urllib.request.Request(behind + self.path, sent, method=self.command)  # noqa: S310 - loopback
            for name, value in self.headers.items():
                if name.lower() not in ("host", "accept-encoding", "content-length", "connection"):
                    asked.add_header(name, value)
            try:
                with urllib.request.urlopen(asked) as answer:  # noqa: S310 - loopback
                    status, body = answer.status, answer.read()
            except urllib.error.HTTPError as error:
                status, body = error.code, error.read()
            body = grow(body, size) if 200 <= status < 300 else body
            found.sizes.append(len(body))
            if packed:
                body = gzip.compress(body, 1)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if packed:
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - as above

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                self.close_connection = True  # who asked is gone

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Inflating(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


def inflated(body: bytes, size: int) -> bytes:
    """The document with its longest list as often in itself as fills the size; as it is where it has none."""
    try:
        document = json.loads(body)
    except ValueError:
        return body
    lists = sorted(_lists(document), key=lambda one: len(json.dumps(one)))
    if not lists or not lists[-1]:
        return body
    longest = lists[-1]
    longest *= max(1, size // len(json.dumps(longest)))
    return json.dumps(document).encode()


def _lists(value: Any) -> Iterator[list[Any]]:
    if isinstance(value, list):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _lists(one)

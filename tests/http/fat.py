"""The sandbox's own answers, of any vendor, with rows that no vendor has: as long as may be, or far longer.

A kind of fatness changes one row; an answer is then filled up with such rows, each under a key of its own, and its
total says how many they are.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.http.hostile import FULL, ROW, page

Row = dict[str, Any]
KEYS = ("transaction_id", "conversion_id", "event_id", "id", "code")
# Of a row, what is held whole.
HELD = 7_500
_TIME = re.compile(r"\d{4}-\d\d-\d\d")


def _texts(row: Row) -> Iterator[str]:
    """The fields of free text: neither a key nor a time."""
    for name, value in row.items():
        if isinstance(value, str) and name not in KEYS and not _TIME.match(value):
            yield name


def _with(row: Row, **more: Any) -> Row:
    return {**row, **more}


def _in_texts(row: Row, piece: str, size: int) -> Row:
    names = list(_texts(row)) or ["memo"]
    return {**row, **{name: piece * (size // len(names) // len(piece.encode())) for name in names}}


def _without_key(row: Row) -> Row:
    return {**{name: value for name, value in row.items() if name not in KEYS}, "memo": "x" * HELD}


def _of_long_key(row: Row) -> Row:
    return {name: f"{value}{'x' * 25_000}" if name in KEYS else value for name, value in row.items()}


KINDS: dict[str, Callable[[Row], Row]] = {
    "as-long-as-may-be": partial(_with, memo="x" * HELD),
    "in-texts-of-two-bytes": partial(_in_texts, piece="\u0436", size=HELD),
    "longer": partial(_with, memo="\U0001f600" + "x" * 25_000),
    "longer-in-texts": partial(_in_texts, piece="x", size=25_000),
    "set-aside": _without_key,
    "set-aside-for-its-key": _of_long_key,
}


def fattened(body: bytes, size: int, kind: str) -> bytes:
    """The answer with as many such rows as fill the size; with one, where it is about one thing, of a megabyte."""
    try:
        document = json.loads(body)
    except ValueError:
        return body
    rows = max(_lists(document), key=lambda one: len(json.dumps(one)), default=None)
    if rows is None:
        about = document["data"] if isinstance(document.get("data"), dict) else document
        about.update(KINDS[kind](about))
        about["memo"] = "x" * min(size // 8, 1_000_000)
        return json.dumps(document, ensure_ascii=False).encode()
    fat = [KINDS[kind](row) for row in rows[:20]]
    count = max(1, size // (len(json.dumps(fat, ensure_ascii=False).encode()) // len(fat) + 2))
    rows[:] = [_named(fat[number % len(fat)], number) for number in range(count)]
    _say_total(document, count)
    return json.dumps(document, ensure_ascii=False).encode()


def _named(row: Row, number: int) -> Row:
    """Under a key of its own, so that no two are one."""
    own = {name: row[name] for name in KEYS if name in row}
    return {
        **row,
        **{n: v + number * 1_000 if isinstance(v, int) else f"{number}-{v}" for n, v in own.items()},
    }


def _say_total(document: Any, count: int) -> None:
    if isinstance(document, dict):
        for name, value in document.items():
            if name == "total" and isinstance(value, int):
                document[name] = count
            elif name not in ("data", "rows"):
                _say_total(value, count)


def _lists(value: Any) -> Iterator[list[Row]]:
    """The lists of objects, but for those within their objects."""
    if isinstance(value, list):
        if value and all(isinstance(one, dict) for one in value):
            yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _lists(one)


@contextmanager
def many_pages(pages: int, field: str, text: str) -> Iterator[str]:
    """A vendor like Besitos with so many pages of rows, each its own, that are just below the cap; its address.

    Of each row, one field is this text.
    """
    row = ROW.replace(b'"note":"n"', f'"{field}":"{text}"'.encode())
    count = FULL // len(row)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            number = int(query.get("page", ["1"])[0])
            one = row.replace(b'"reverse":0', b'"reverse":1') if "is_reverse" in query else row
            first = number * 10_000_000
            rows = b",".join(one % (first + n) for n in range(count)) if number <= pages else b""
            body = page(rows, b'"links":{},"meta":{"total":%d}' % (count * pages))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()

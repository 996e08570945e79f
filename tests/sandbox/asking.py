"""A reader of the sandbox with nothing of ours in it."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from sandbox import Sandbox

CONVERSIONS = "/data/partner/conversions"


@dataclass(frozen=True)
class Reply:
    """One answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body, parse_float=Decimal)


def connect(sandbox: Sandbox) -> http.client.HTTPConnection:
    """A connection that answers to a hung server within seconds."""
    return http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=5)


def send(connection: http.client.HTTPConnection, sandbox: Sandbox, target: str, **headers: str) -> Reply:
    """One request with the right token on a connection that is kept."""
    connection.request("GET", target, headers={"Authorization": f"Bearer {sandbox.token}", **headers})
    response = connection.getresponse()
    return Reply(response.status, dict(response.getheaders()), response.read())


def ask(sandbox: Sandbox, target: str, **headers: str) -> Reply:
    """One request on a connection of its own."""
    connection = connect(sandbox)
    try:
        return send(connection, sandbox, target, **headers)
    finally:
        connection.close()


def control(sandbox: Sandbox, name: str, wish: object = None) -> Any:
    """A control endpoint: GET, or POST of `wish`."""
    connection = connect(sandbox)
    try:
        body = None if wish is None else json.dumps(wish)
        connection.request("GET" if body is None else "POST", f"/_sandbox/{name}", body)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def walk(sandbox: Sandbox, **query: object) -> list[dict[str, Any]]:
    """The rows of all pages of one window, page by page up to the one that says it is the last."""
    rows: list[dict[str, Any]] = []
    connection = connect(sandbox)
    try:
        page, last = 1, 1
        while page <= last:
            target = f"{CONVERSIONS}?{urlencode({**query, 'page': page})}"
            document = send(connection, sandbox, target).json()
            rows += document["data"]
            page, last = page + 1, document["meta"]["last_page"]
    finally:
        connection.close()
    return rows

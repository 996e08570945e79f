"""A reader of the sandbox with nothing of ours in it."""

from __future__ import annotations

import base64
import http.client
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from conversync.sandbox import Sandbox

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


def call(sandbox: Sandbox, method: str, target: str, headers: dict[str, str], body: object = None) -> Reply:
    """Any request on a connection of its own; a body that is no text is sent as JSON."""
    connection = connect(sandbox)
    try:
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        connection.request(method, target, text, headers)
        response = connection.getresponse()
        return Reply(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def keitaro(sandbox: Sandbox, name: str, body: object = None, **headers: str) -> Reply:
    """A path of the Admin API with the right key: POST of `body`, or GET."""
    method = "GET" if body is None else "POST"
    given = {"Api-Key": sandbox.keitaro.api_key, **headers}
    return call(sandbox, method, f"/admin_api/v1/{name}", given, body)


def infobip(sandbox: Sandbox, target: str, body: object = None, **headers: str) -> Reply:
    """A path below the root with the right user: POST of `body`, or GET."""
    user = base64.b64encode(f"{sandbox.infobip.username}:{sandbox.infobip.password}".encode()).decode()
    given = {"Authorization": f"Basic {user}", "Content-Type": "application/json", **headers}
    return call(sandbox, "GET" if body is None else "POST", target, given, body)


def conductrics(sandbox: Sandbox, name: str, method: str = "GET", body: object = None) -> Reply:
    """A path below the account with the right key."""
    headers = {"x-conductrics-apikey": sandbox.conductrics.api_key}
    return call(sandbox, method, f"/admin/{sandbox.conductrics.account}/{name}", headers, body)


def control(sandbox: Sandbox, name: str, wish: object = None) -> Any:
    """A control endpoint: GET, or POST of `wish`."""
    connection = connect(sandbox)
    try:
        body = None if wish is None else json.dumps(wish)
        connection.request("GET" if body is None else "POST", f"/_sandbox/{name}", body)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def scan(sandbox: Sandbox, **query: object) -> list[dict[str, Any]]:
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

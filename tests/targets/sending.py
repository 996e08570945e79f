"""One row as one real request, the way the engine does it: once, with every final 4xx for the target to judge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conversync.http.client import Response
from conversync.sandbox import Request as Received
from conversync.sandbox import Sandbox
from conversync.send.target import Outcome, Request, Target
from conversync.settings.lookup import resolve
from conversync.vendors import targets

FINAL = frozenset(range(400, 500)) - {401, 403, 408, 425, 429}


def settings_of(name: str) -> Any:
    """The settings of a target, from the environment."""
    return resolve(targets()[name].settings, name.partition(".")[0])


@dataclass
class Post:
    """Sends to a sandbox."""

    sandbox: Sandbox

    def request(
        self, name: str, previous_response: Mapping[str, Any] | None = None, /, **row: Any
    ) -> Request:
        """What the row becomes."""
        return targets()[name].request(row, settings_of(name), previous_response or {})

    def send(self, name: str, previous_response: Mapping[str, Any] | None = None, /, **row: Any) -> Outcome:
        """What became of the row; raises what the client raises."""
        target, settings = targets()[name], settings_of(name)
        return _sent(target, settings, row, previous_response or {})

    @property
    def last(self) -> Received:
        """The last request that reached the sandbox."""
        return self.sandbox.requests[-1]

    @property
    def body(self) -> Any:
        """Its JSON."""
        return json.loads(self.last.body)


def _sent(
    target: Target, settings: Any, row: Mapping[str, Any], previous_response: Mapping[str, Any]
) -> Outcome:
    request = target.request(row, settings, previous_response)
    with target.client(settings) as client:
        return client.request(
            request.method,
            request.path,
            params=request.params,
            json=request.json,
            headers=request.headers,
            label=request.label,
            retry=False,
            accept=FINAL,
            decode=lambda answer: target.outcome(answer, row, settings, previous_response),
        )


def told(
    name: str, row: Mapping[str, Any], body: bytes | str, status: int = 200, **previous_response: Any
) -> Outcome:
    """What an answer with this body means."""
    text = body.encode() if isinstance(body, str) else body
    answer = Response(status, {"Content-Type": "application/json"}, text, name.partition(".")[0].capitalize())
    return targets()[name].outcome(answer, row, settings_of(name), previous_response)

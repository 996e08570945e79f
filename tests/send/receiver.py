"""A vendor that takes what is sent and remembers it: Optibase and a Keitaro tracker, as their documents have them.

It stands on the sandbox's server, for its faults and its log of requests, and shares no code with what sends.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from conversync.sandbox import Request, World
from conversync.sandbox.messages import Answer, json_answer
from conversync.sandbox.server import Server

PUBLIC_KEY = "clv-public-canary"
POSTBACK_KEY = "pb-canary-7"
ENDPOINT = "/api/script/conversionEvent"
POSTBACK = f"/{POSTBACK_KEY}/postback"


class Receiver:
    """`taken` is every conversion that was taken, in order; one that is refused or lost on its way is not there.

    `poisoned` tells of a body or a query whether it is refused for good (422).
    """

    name = "receiver"

    def __init__(self) -> None:
        self.taken: list[dict[str, str]] = []
        self.poisoned: Callable[[dict[str, str]], bool] = lambda _: False
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Answer | None:
        """The right answer, or None for a path that it does not know."""
        if (request.method, request.path) == ("POST", ENDPOINT):
            what = json.loads(request.body)
        elif (request.method, request.path) == ("GET", POSTBACK):
            what = dict(request.query)
        else:
            return None
        if self.poisoned(what):
            return json_answer(422, {"error": "unknown user"})
        with self._lock:
            self.taken.append(what)
        return json_answer(200, {"ok": True})

    @property
    def conversions(self) -> dict[tuple[str, str], dict[str, str]]:
        """As a tracker keeps them: by subid and tid, the last posting."""
        return {(one["subid"], one.get("tid", "")): one for one in self.taken}


def serve(receiver: Receiver) -> Server:
    """On loopback, once it is entered."""
    return Server(World(days=1), [receiver])

"""Who is let in, how often, and the answers that say no."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus

from conversync.sandbox.besitos.variants import Variants
from conversync.sandbox.messages import Answer, Request, json_answer


def stranger(request: Request, variants: Variants) -> Answer:
    """To a token that is not taken."""
    if variants.unauthenticated == "login":
        login = f"http://{request.headers.get('host', '127.0.0.1')}/login"
        return Answer(HTTPStatus.FOUND, b"", (("Location", login), ("Content-Type", "text/html")))
    return json_answer(401, {"message": "Unauthenticated."})


def error_in_envelope(variants: Variants) -> Answer | None:
    """A 200 without rows that speaks of an error; None where envelopes are right."""
    if variants.envelope == "right":
        return None
    said: dict[str, object] = {"error": "Token expired"} if variants.envelope == "error" else {"status": 401}
    return json_answer(200, {**said, "data": [], "meta": {"total": 0}})


class Throttle:
    """So many requests a window; a window begins with the first request after the last one's end."""

    def __init__(self) -> None:
        self._ends = 0.0
        self._count = 0

    def through(self, request: Request, variants: Variants, route: Callable[[Request], Answer]) -> Answer:
        """The route's answer with what is left of the window, or a 429 that says when to come again."""
        limit, now = variants.throttle, time.monotonic()
        if not limit:
            return route(request)
        if now >= self._ends:
            self._ends, self._count = now + variants.throttle_seconds, 0
        self._count += 1
        left = {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(max(limit - self._count, 0))}
        if self._count <= limit:
            return _with(route(request), left)
        wait = math.ceil(self._ends - now)
        again = {"Retry-After": str(wait), "X-RateLimit-Reset": str(int(time.time()) + wait)}
        return _with(json_answer(429, {"message": "Too Many Attempts."}), left | again)


def _with(answer: Answer, headers: dict[str, str]) -> Answer:
    return replace(answer, headers=(*answer.headers, *headers.items()))

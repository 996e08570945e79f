"""Optibase's one endpoint: a conversion of one tested user."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conversync.sandbox.messages import Answer, Request, json_answer
from conversync.sandbox.optibase.oracle import Oracle
from conversync.sandbox.optibase.variants import Variants
from conversync.sandbox.world import World

ENDPOINT = "/api/script/conversionEvent"
USER, EXTERNAL = "testedUserId", "testedUserExternalId"


@dataclass(frozen=True)
class Received:
    """One conversion that was taken. `body` is the text as it came; `counted` is false for one that is ignored."""

    at: datetime
    conversion_id: str
    tested_user_id: str | None
    tested_user_external_id: str | None
    counted: bool
    body: str

    @property
    def visitor(self) -> str:
        """Who converted."""
        return (
            f"external {self.tested_user_external_id}" if self.tested_user_id is None else self.tested_user_id
        )


class Refused(Exception):  # noqa: N818 - what the vendor does with a request, not an error of ours
    """The answer to a request that is wrong."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Optibase:
    """Answers the document's endpoint. `variants` may be set at any time, between requests."""

    name = "optibase"

    def __init__(
        self,
        world: World,
        *,
        public_api_key: str = "clv3047v70dsat664sgrzwotq",
        variants: Variants | None = None,
    ) -> None:
        self.world = world
        self.public_api_key = public_api_key
        self.variants = variants or Variants()
        self.received: list[Received] = []
        """Every conversion that was taken, in order; those that were refused are not among them."""
        self._lock = threading.Lock()

    @property
    def oracle(self) -> Oracle:
        """Totals of what was received."""
        return Oracle(lambda: list(self.received))

    def answer(self, request: Request) -> Answer | None:
        """The right answer, or None for a path that is another vendor's."""
        if request.path != ENDPOINT:
            return None
        try:
            with self._lock:
                self._take(request)
        except Refused as refused:
            status = refused.status if self.variants.errors == "http" else 200
            return json_answer(status, {"error": refused.text})
        if self.variants.reply == "json":
            return json_answer(200, {"success": True})
        status = 204 if self.variants.reply == "no_content" else 200
        body = b"OK" if self.variants.reply == "text" else b""
        return Answer(status, body, (("Content-Type", "text/plain"),))

    def _take(self, request: Request) -> None:
        """Notes the conversion; Refused for what is wrong with it."""
        variants = self.variants
        if request.method != "POST":
            raise Refused(405, "Method Not Allowed")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refused(415, "Content-Type must be application/json")
        wish = _object(request.body)
        if wish.get("publicApiKey") != self.public_api_key:
            raise Refused(int(variants.wrong_key), "Invalid API key")
        conversion_id = wish.get("userFriendlyConversionId")
        if not isinstance(conversion_id, str) or not conversion_id:
            raise Refused(400, "userFriendlyConversionId is required")
        if variants.conversions and conversion_id not in variants.conversions:
            raise Refused(404, "Conversion not found")
        user, external = _id(wish, USER), _id(wish, EXTERNAL)
        if (user is None) == (external is None):
            raise Refused(400, f"Either {USER} or {EXTERNAL} is required")
        if any(one in variants.unknown_users for one in (user, external)):
            raise Refused(int(variants.unknown_status), "Tested user not found")
        self._note(conversion_id, user, external, request.body.decode())

    def _note(self, conversion_id: str, user: str | None, external: str | None, body: str) -> None:
        one = Received(self.world.now, conversion_id, user, external, counted=True, body=body)
        repeated = any(
            (old.conversion_id, old.visitor) == (conversion_id, one.visitor) for old in self.received
        )
        if repeated and self.variants.repeats == "conflict":
            raise Refused(409, "Conversion already recorded")
        counted = not repeated or self.variants.repeats == "counted"
        self.received.append(Received(self.world.now, conversion_id, user, external, counted, body))


def _object(body: bytes) -> dict[str, Any]:
    try:
        wish = json.loads(body)
    except ValueError:
        wish = None
    if not isinstance(wish, dict):
        raise Refused(400, "The body is not a JSON object")
    return wish


def _id(wish: dict[str, Any], name: str) -> str | None:
    value = wish.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise Refused(400, f"{name} must be a text")
    return value

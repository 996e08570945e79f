"""The documented error bodies."""

from __future__ import annotations

from typing import Any

from conversync.sandbox.messages import Answer, json_answer


class Refused(Exception):  # noqa: N818 - what the vendor does with a request, not an error of ours
    """The answer to a request that is wrong."""

    def __init__(self, status: int, message_id: str, text: str, *variables: str) -> None:
        super().__init__(text)
        self.answer = error_answer(status, message_id, text, *variables)


def error_body(message_id: str, text: str, *variables: str, policy: bool = False) -> dict[str, Any]:
    """`{"requestError": {"serviceException": {...}}}`, or a policyException."""
    kind = "policyException" if policy else "serviceException"
    return {"requestError": {kind: {"messageId": message_id, "text": text, "variables": list(variables)}}}


def error_answer(status: int, message_id: str, text: str, *variables: str) -> Answer:
    """429 and 403 are matters of policy, all else of service."""
    return json_answer(status, error_body(message_id, text, *variables, policy=status in (403, 429)))


def unknown(what: str, key: str) -> Refused:
    """A process or tag that does not exist."""
    return Refused(404, "RESOURCE_NOT_FOUND", f"{what} not found.", key)

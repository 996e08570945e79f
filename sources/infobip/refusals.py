"""The vendor's error bodies as sentences. They hold neither a credential nor anything that quotes one.

`{"requestError": {"serviceException": {"messageId": ..., "text": ..., "variables": [...]}}}`, or
`policyException` in its place, with 400, 401, 404, 429, 500 and 503.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from wire.client import Answer
from wire.errors import (
    ConversyncError,
    CredentialsError,
    RefusedError,
    UnavailableError,
    UntrustedAnswerError,
)
from wire.limits import Limits
from wire.patience import retry_after

# The statuses whose bodies are read. 401 has its sentence without one.
ACCEPTED = (400, 404, 429, 500, 503)
CREDENTIALS_HINT = (
    "Check infobip_username and infobip_password in .dlt/secrets.toml, "
    "or INFOBIP_USERNAME and INFOBIP_PASSWORD."
)
# Of the vendor's words in a sentence of ours.
MOST_CHARACTERS = 300


def refuse_refusal(answer: Answer, what: str, credentials: Collection[str]) -> None:
    """Raises what an error body, or a status in `ACCEPTED`, is to the caller; returns for an answer with data.

    `what` names the process and tags that were asked for. Words that quote one of `credentials` are left out.
    """
    said = _words(answer, credentials)
    if answer.status < 400 and said is None:
        return
    status = answer.status
    why = f"{status}: {said}" if said else str(status)
    if status == 429:
        wait = retry_after(answer.headers, Limits.retry_after_cap)
        raise UnavailableError(f"Infobip is limiting our rate ({why}): try again later.", retry_after=wait)
    if status >= 500:
        wait = retry_after(answer.headers, Limits.retry_after_cap)
        raise UnavailableError(f"Infobip failed ({why}): try again later.", status=status, retry_after=wait)
    if status == 404:
        raise RefusedError(
            f"Infobip does not know the process or tags {what} ({why}): check infobip_pairs.", status=status
        )
    if status == 400:
        raise RefusedError(
            f"Infobip refused what was asked of {what} ({why}): check infobip_pairs.", status=status
        )
    if said and "unauthorized" in said.replace("_", "").casefold():
        raise CredentialsError(
            f"Infobip refused the username and password ({why}). {CREDENTIALS_HINT}", status=status
        )
    raise UntrustedAnswerError(f"Infobip answered with an error instead of data ({why}): try again later.")


def _words(answer: Answer, credentials: Collection[str]) -> str | None:
    """What the error body says, in one line; None where it is none, "" where it must not be quoted."""
    if answer.status < 400 and b'"requestError"' not in answer.body:
        return None
    try:
        body = answer.json()
    except ConversyncError:
        return None
    error = body.get("requestError") if isinstance(body, dict) else None
    if error is None:
        return None
    kinds = error if isinstance(error, dict) else {}
    exception = kinds.get("serviceException") or kinds.get("policyException")
    line = " ".join(_sentence(exception if isinstance(exception, dict) else {}).split())
    if not line.isprintable() or any(secret in line for secret in credentials):
        return ""
    return line[:MOST_CHARACTERS].rstrip(".")


def _sentence(exception: dict[str, Any]) -> str:
    """`RESOURCE_NOT_FOUND, No such process [K]`; variables go where the text has %1, %2, else to its end."""
    text = str(exception.get("text") or "").strip().rstrip(".")
    variables = exception.get("variables")
    left = []
    for number, value in enumerate(variables if isinstance(variables, list) else [], start=1):
        if f"%{number}" in text:
            text = text.replace(f"%{number}", str(value))
        else:
            left.append(str(value))
    parts = [str(exception.get("messageId") or ""), text, f"[{', '.join(left)}]" if left else ""]
    return ", ".join(part for part in parts if part)

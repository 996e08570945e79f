"""The vendor's answers: an HTTP status, and another one in the body, and what stands under `data`.

The document shows `{"status": 200, "data": [...]}` for the list, and leaves open how a single goal is wrapped: as an
object under `data`, as a list with it, or bare.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from wire.client import Answer
from wire.errors import CredentialsError, RefusedError, UnavailableError, UntrustedAnswerError
from wire.strictjson import Row
from wire.told import says_error

# Statuses whose answers are read here; all others have their sentence without a body.
ACCEPTED = (400, 404)
CREDENTIALS_HINT = "Check conductrics_api_key in .dlt/secrets.toml or CONDUCTRICS_API_KEY."
# Of the vendor's words in a sentence of ours.
MOST_CHARACTERS = 200


class Gone(Exception):  # noqa: N818 - not an error: what was asked for is not there any more
    """Nothing stands at this address, by HTTP's status or by the body's."""


def items(answer: Answer, secrets: Collection[str]) -> list[Row]:
    """The rows of a list. Raises Gone, and the errors of `wire.errors`."""
    try:
        envelope, rows = answer.rows("data")
    except UntrustedAnswerError:
        if answer.status >= 400:
            raise _refused(answer.status, None, secrets) from None
        _judge(answer, answer.json(), secrets)
        raise
    _judge(answer, envelope, secrets)
    return rows


def item(answer: Answer, secrets: Collection[str]) -> Row:
    """One object, with its fault if it has one. Raises Gone, and the errors of `wire.errors`."""
    if answer.status >= 400:
        answer.refuse_html()
        raise _refused(answer.status, None, secrets)
    row = answer.row()
    if row.value is None:
        return row
    _judge(answer, row.value, secrets)
    data = row.value.get("data", row.value)
    if isinstance(data, list) and len(data) == 1:
        [data] = data
    if not isinstance(data, dict) or "code" not in data:
        raise UntrustedAnswerError("Conductrics answered without the goal that was asked for.")
    return Row(row.raw, data, None)


def _judge(answer: Answer, body: Any, secrets: Collection[str]) -> None:
    """Refuses a body whose own status is none of success, or that speaks of an error. Without one, HTTP's counts."""
    status = body.get("status", answer.status) if isinstance(body, dict) else answer.status
    if isinstance(status, str) and status.isascii() and status.isdigit():
        status = int(status[:9])
    if not isinstance(status, int) or isinstance(status, bool):
        raise UntrustedAnswerError("Conductrics answered with a status that is no number.")
    worst = answer.status if answer.status >= 400 else status
    if not 200 <= worst < 300 or says_error(body):
        raise _refused(worst, body, secrets)


def _refused(status: int, body: Any, secrets: Collection[str]) -> Exception:
    """What an answer of that status, HTTP's or the body's, is to the caller."""
    said = _words(body, secrets)
    why = f"{status}: {said}" if said else str(status)
    if status in (401, 403):
        return CredentialsError(f"Conductrics refused the API key ({why}). {CREDENTIALS_HINT}", status=status)
    if status == 404:
        return Gone()
    if status == 429 or status >= 500:
        return UnavailableError(f"Conductrics cannot answer now ({why}): try again later.", status=status)
    if status == 400:
        return RefusedError(
            f"Conductrics refused what was asked ({why}): check conductrics_account.", status=status
        )
    return UntrustedAnswerError(
        f"Conductrics answered with an error instead of data ({why}): try again later."
    )


def _words(body: Any, secrets: Collection[str]) -> str | None:
    """The body's own message in one line; None where there is none, or where it quotes a secret."""
    texts = [body.get(name) for name in ("error", "message")] if isinstance(body, dict) else []
    line = " ".join(next((text for text in texts if isinstance(text, str)), "").split())
    if not line.isprintable() or any(secret in line for secret in secrets):
        return None
    return line[:MOST_CHARACTERS].rstrip(".") or None

"""A refusal in the vendor's own words, whatever form it gives them: the one place where they are read.

Known are Laravel's `{"message": …, "errors": {field: [text]}}`, `{"error": …}`, `{"message": …}`, Infobip's
`{"requestError": {"serviceException": {"messageId": …, "text": …, "variables": […]}}}` (or `policyException`),
Keitaro's `{field: [text]}`, lists of objects with `field` and `message`, and plain text. A web page has no words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from conversync.errors import InvalidResponseError, in_brackets
from conversync.http.redact import quoted
from conversync.http.response import Response
from conversync.http.truncated_json import closed
from conversync.types import Document

# Of the vendor's words, in characters: what is kept of them for code to look at.
MOST_KEPT = 4_000
# Of a refusal's body, in bytes: its words stand at its beginning.
MOST_BYTES = 256 * 1024
# Of the names of what was refused: how many, and how many characters of each.
MOST_FIELDS, MOST_OF_FIELD = 50, 60

_MESSAGES = ("error", "message", "detail", "reason", "error_description", "title")
# Names of an envelope, which are no field's.
_ENVELOPE = ("type", "timestamp", "path", "data", "meta", "links")
_FAILURES = ("error", "fail", "failed", "failure")


@dataclass(frozen=True, slots=True)
class Said:
    """What a refusal says. `text` is redacted, in one line; `fields` are the names of what was refused."""

    text: str = ""
    fields: tuple[str, ...] = ()

    def why(self, status: int) -> str:
        """ "422: per_page: must not be greater than 500", or "422" where it has no words."""
        return in_brackets(status, self.text)


def said(answer: Response) -> Said:
    """The words of an answer that refuses; of a web page none."""
    if is_page(answer):
        return Said()
    body = document(answer)
    if body is None:
        body = document(replace(answer, body=_closed(answer.body)))
    if body is None:
        return Said(quoted(answer.body[:MOST_BYTES].decode("utf-8", "replace"), MOST_KEPT))
    named = (quoted(name, MOST_OF_FIELD) for name in islice(dict.fromkeys(fields(body)), MOST_FIELDS))
    return Said(quoted(words(body), MOST_KEPT), tuple(named))


def _closed(body: bytes) -> bytes:
    """The beginning of a body that is JSON until it was cut off; so much of it as is read for words."""
    return closed(body[:MOST_BYTES].decode("utf-8", "ignore")).encode()


def is_page(answer: Response) -> bool:
    """Whether the answer is a web page."""
    try:
        answer.refuse_html()
    except InvalidResponseError:
        return True
    return False


def document(answer: Response) -> Any:
    """The body as JSON; None where it is none."""
    try:
        return answer.json()
    except InvalidResponseError:
        return None


def body_status(body: object, otherwise: int) -> int:
    """The HTTP status that a body carries as `status` or `statusCode`."""
    for name in ("status", "statusCode"):
        value = body.get(name) if isinstance(body, dict) else None
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 100 <= value < 600:
            return value
    return otherwise


def says_error(body: object) -> bool:
    """Whether a JSON body of a 2xx plainly says that nothing was done."""
    if not isinstance(body, dict):
        return False
    status = body.get("status")
    return (
        any(body.get(name) for name in ("error", "errors", "requestError"))
        or any(body.get(name) is False for name in ("success", "ok"))
        or (isinstance(status, str) and status.strip().lower() in _FAILURES)
    )


def fields(body: object) -> list[str]:
    """The names of what a JSON body refuses: the keys of `errors`, or of the body itself where it is nothing else."""
    if not isinstance(body, dict):
        return []
    errors = body.get("errors")
    if isinstance(errors, dict):
        return [str(name) for name in errors]
    if isinstance(errors, list):
        return _named(errors)
    return list(_by_field(body)) if not any(body.get(name) for name in (*_MESSAGES, "requestError")) else []


def _named(errors: list[Any]) -> list[str]:
    """The names of fields in a list of errors."""
    names = [one.get("field") or one.get("param") for one in errors if isinstance(one, dict)]
    return [name for name in names if isinstance(name, str)]


def words(body: object) -> str:
    """What a JSON body says, as it stands: neither redacted nor cut."""
    if not isinstance(body, dict):
        return _text(body)
    request_error = body.get("requestError")
    if isinstance(request_error, dict):
        exception = request_error.get("serviceException") or request_error.get("policyException")
        return _sentence(exception) if isinstance(exception, dict) else _text(request_error)
    by_field = _text(body.get("errors"))
    found = [one.rstrip(".") for one in (*_messages(body, by_field), by_field) if one]
    return ": ".join(found) if found else _text(_by_field(body))


def _messages(body: Document, by_field: str) -> list[str]:
    """What it says beside its errors; Laravel's message is the first of them, and how many there are."""
    messages = dict.fromkeys(_text(body[name]) for name in _MESSAGES if body.get(name))
    return [one for one in messages if not by_field or one.partition(" (and ")[0] not in by_field]


def _by_field(body: Document) -> Document:
    """What is a text, or texts, under a name that may be a field's."""
    lists = {name: value if isinstance(value, list) else [value] for name, value in body.items()}
    return {
        name: texts
        for name, texts in lists.items()
        if name not in _ENVELOPE and texts and all(isinstance(text, str) and _says(text) for text in texts)
    }


def _says(text: str) -> bool:
    return bool(text) and not text.isdigit()


def _sentence(exception: Document) -> str:
    """`RESOURCE_NOT_FOUND, No such process, [K]`; variables go where the text has %1, %2, else to its end."""
    text = str(exception.get("text") or "").strip().rstrip(".")
    left = []
    variables = exception.get("variables")
    for number, value in enumerate(variables if isinstance(variables, list) else [], start=1):
        if f"%{number}" in text:
            text = text.replace(f"%{number}", str(value))
        else:
            left.append(str(value))
    parts = [str(exception.get("messageId") or ""), text, f"[{', '.join(left)}]" if left else ""]
    return ", ".join(part for part in parts if part)


def _text(value: object) -> str:
    if isinstance(value, dict):
        inner = next((value[name] for name in ("message", "text", "error", "code") if value.get(name)), None)
        if inner is not None:
            return _text(inner)
        return "; ".join(f"{name}: {_text(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value)
    return "" if value is None or isinstance(value, bool) else str(value)

"""What a vendor's answer says: whether it took the row, and if not, why, in its own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from destinations.target import Outcome, masked
from wire.client import Answer
from wire.errors import CredentialsError, UnavailableError, UntrustedAnswerError
from wire.told import says_error, told_status

# Of a reason, in characters.
MOST_CHARACTERS = 160
_LATER = (408, 425, 429)


@dataclass(frozen=True)
class Ear:
    """Listens to one vendor. `hint` says where the credentials stand; `secrets` are kept out of every reason."""

    vendor: str
    hint: str
    secrets: Sequence[str] = ()

    def rejection(self, answer: Answer) -> Outcome | None:
        """The outcome where the answer turns the row down: a 4xx, or a 2xx whose JSON plainly says error.

        None where it takes the row. UntrustedAnswerError for a web page with 2xx or 404; other 4xx pages
        (a firewall's) are refusals without words. CredentialsError and UnavailableError for a body that says so.
        """
        page = is_page(answer)
        if page and (answer.status < 300 or answer.status == 404):
            answer.refuse_html()
        body = None if page else document(answer)
        status = answer.status if answer.status >= 400 else told_status(body, answer.status)
        if status < 400 and not says_error(body):
            return None
        reason = self.reason(f"refused ({status})", None if page else words(answer, body))
        if status in (401, 403):
            raise CredentialsError(f"{self.vendor} {reason}. {self.hint}", status=status)
        if status in _LATER or status >= 500:
            raise UnavailableError(f"{self.vendor} {reason}: try again later.", status=status)
        return Outcome("rejected", reason)

    def already(self, answer: Answer) -> Outcome | None:
        """The outcome of a 409, from a vendor where that can only mean that it has the row; None for any other."""
        return Outcome("sent", "the vendor had it already (409)") if answer.status == 409 else None

    def reason(self, what: str, said: str | None) -> str:
        """`what`, and the vendor's own words: one line of printable characters without secrets, cut to measure."""
        line = one_line(masked(one_line(masked(said or "", self.secrets)), self.secrets))
        whole = f"{what}: {line}" if line else what
        return whole if len(whole) <= MOST_CHARACTERS else whole[: MOST_CHARACTERS - 1].rstrip() + "…"


def is_page(answer: Answer) -> bool:
    """Whether the answer is a web page."""
    try:
        answer.refuse_html()
    except UntrustedAnswerError:
        return True
    return False


def document(answer: Answer) -> Any:
    """The body as JSON; None where it is none."""
    try:
        return answer.json()
    except UntrustedAnswerError:
        return None


def words(answer: Answer, body: Any) -> str:
    """The words of a refusal: `error` and `message`, Infobip's `requestError`, `{"field": ["message"]}`, or text."""
    if body is None:
        return answer.body.decode("utf-8", "replace")
    if not isinstance(body, dict):
        return _text(body)
    request_error = body.get("requestError")
    if isinstance(request_error, dict):
        exception = request_error.get("serviceException") or request_error.get("policyException")
        return _sentence(exception) if isinstance(exception, dict) else _text(request_error)
    said = [
        _text(body[name]) for name in ("error", "message", "errors", "detail", "reason") if body.get(name)
    ]
    if said:
        return ": ".join(dict.fromkeys(said))
    fields = {name: value for name, value in body.items() if isinstance(value, list | str) and value}
    return "; ".join(f"{name}: {_text(value)}" for name, value in fields.items())


def _sentence(exception: Mapping[str, Any]) -> str:
    """`RESOURCE_NOT_FOUND, No such process [K]`; variables go where the text has %1, %2, else to its end."""
    said = str(exception.get("text") or "").strip().rstrip(".")
    left = []
    variables = exception.get("variables")
    for number, value in enumerate(variables if isinstance(variables, list) else [], start=1):
        if f"%{number}" in said:
            said = said.replace(f"%{number}", str(value))
        else:
            left.append(str(value))
    parts = [str(exception.get("messageId") or ""), said]
    sentence = ", ".join(part for part in parts if part)
    return f"{sentence} [{', '.join(left)}]" if left else sentence


def _text(value: Any) -> str:
    if isinstance(value, dict):
        inner = next((value[name] for name in ("message", "text", "error", "code") if value.get(name)), None)
        if inner is not None:
            return _text(inner)
        return "; ".join(f"{name}: {_text(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value)
    return "" if value is None or isinstance(value, bool) else str(value)


def one_line(said: str) -> str:
    """Printable characters, single blanks."""
    return " ".join("".join(c if c.isprintable() else " " for c in said).split()).rstrip(".")

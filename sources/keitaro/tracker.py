"""How a tracker is asked, and what its refusals mean: `{"error": …}`, `{"field": [message]}`, or a web page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

from sources.records import Decoded
from sources.walk import Page, count
from wire.client import Answer, Client
from wire.errors import RefusedError, UntrustedAnswerError
from wire.told import rows_of

API = "/admin_api/v1"
REFUSALS = (400, 402, 404, 406)
# As much of a refusal's own words as a sentence can bear.
MOST_WORDS = 160
# Which setting a field of a refused request comes from.
SETTING = {
    "limit": "keitaro_page_size",
    "columns": "keitaro_columns",
    "grouping": "keitaro_report_grouping",
    "metrics": "keitaro_report_metrics",
    "dimensions": "keitaro_report_grouping",
    "measures": "keitaro_report_metrics",
    "range": "keitaro_start_date and keitaro_zone",
}

T = TypeVar("T")


class TurnedDownError(RefusedError):
    """A request that the tracker refused. `said` are its own words, whole: they are not in the message."""

    def __init__(self, message: str, status: int, said: str) -> None:
        super().__init__(message, status=status)
        self.said = said


class Tracker:
    """The Admin API of one tracker. Any number of threads may share it. `secret` is kept out of every sentence."""

    def __init__(self, client: Client, secret: str) -> None:
        self._client = client
        self._secret = secret

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends what is on its way."""
        self._client.close()

    def get(self, path: str, understand: Callable[[Answer], T]) -> T:
        """What `understand` makes of a list's answer."""
        return self._ask("GET", path, understand)

    def post(self, path: str, question: dict[str, Any], understand: Callable[[Answer], T]) -> T:
        """What `understand` makes of the answer to a question. Asking changes nothing, so it may be repeated."""
        return self._ask("POST", path, understand, question)

    def _ask(
        self,
        method: str,
        path: str,
        understand: Callable[[Answer], T],
        question: dict[str, Any] | None = None,
    ) -> T:
        def judge(answer: Answer) -> T:
            answer.refuse_html()
            if answer.status in REFUSALS:
                raise self._refusal(f"{method} {API}{path}", answer)
            return understand(answer)

        return self._client.request(method, API + path, decode=judge, json=question, accept=REFUSALS)

    def _refusal(self, what: str, answer: Answer) -> TurnedDownError:
        fields, said = _words(answer)
        quoted = self._shortened(said)
        if answer.status == 402:
            message = (
                f"Keitaro refused {what} (402): this edition of the tracker has no API; "
                "it takes a licence that includes the Admin API."
            )
        elif answer.status == 404:
            message = f"Keitaro does not know {what} (404): check keitaro_url."
        else:
            named = [SETTING[field] for field in fields if field in SETTING] or ["the keitaro_ settings"]
            message = f"Keitaro refused {what} ({answer.status}){quoted}: check {' and '.join(named)}."
        return TurnedDownError(message, answer.status, said)

    def _shortened(self, said: str) -> str:
        for form in (self._secret, quote(self._secret, safe="")):
            said = said.replace(form, "****") if form else said
        plain = " ".join("".join(c if c.isprintable() else " " for c in said).split())
        if len(plain) > MOST_WORDS:
            plain = plain[:MOST_WORDS] + "…"
        return f', "{plain}"' if plain else ""


def _words(answer: Answer) -> tuple[list[str], str]:
    """The fields that a refusal names, and its words; nothing of a body that is not as documented."""
    try:
        body = answer.json()
    except UntrustedAnswerError:
        return [], ""
    if not isinstance(body, dict):
        return [], ""
    if "error" in body:
        return [], str(body["error"])
    said = {name: one if isinstance(one, list) else [one] for name, one in body.items()}
    return list(said), "; ".join(f"{name}: {', '.join(map(str, found))}" for name, found in said.items())


class Pages:
    """The numbered pages of what is read by offset.

    A tracker may give fewer rows than the limit that was asked for, and says so nowhere: so the first page tells
    how many rows a page has, and the others begin where that leaves off.
    """

    def __init__(self, ask: Callable[[int], Page]) -> None:
        self._ask = ask
        self._size = 0

    def fetch(self, number: int) -> Page:
        """Page `number`, counted from 1; a walk asks for page 1 before any other."""
        if number == 1:
            first = self._ask(0)
            self._size = first.decoded.received
            return first
        return self._ask((number - 1) * self._size)


def page(decoded: Decoded, *, whole: bool) -> Page:
    """A page of rows with its `total`.

    Unless `whole` is known (see `tells_whole`), what follows is asked for until a page is empty.
    """
    total = count(decoded.envelope.get("total"))
    rows = decoded.received
    return Page(
        decoded, rows if total is None else total, more=rows > 0 and not (whole and total is not None)
    )


def tells_whole(shown: Sample, limit: int) -> bool:
    """Whether an answer to a question for `limit` rows shows that `total` counts all rows, not only a page's.

    It does if it is more than the answer's own rows, or if the limit was not heard, so that all rows came.
    """
    total = count(shown.envelope.get("total"))
    return total is not None and (total > shown.received or shown.received > limit)


@dataclass(frozen=True)
class Sample:
    """An answer looked into: the envelope without its rows, how many there are, and those that can be read."""

    envelope: dict[str, Any]
    received: int
    rows: list[dict[str, Any]]


def sample(answer: Answer) -> Sample:
    """Of an answer to a question for a few rows."""
    envelope, rows = rows_of(answer, "rows")
    return Sample(envelope, len(rows), [row.value for row in rows if row.value is not None])


def beside(envelope: dict[str, Any]) -> tuple[str, ...]:
    """The envelope's keys as a decoder takes them: pages like this one are decoded the fast way."""
    return tuple(envelope) if all(name.isidentifier() for name in envelope) else ("total", "meta")

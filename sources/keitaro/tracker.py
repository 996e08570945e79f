"""How a tracker is asked, which setting its refusals are about, and what its pages say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from conversync.errors import RequestRejectedError
from conversync.extract.decoded import Decoded
from conversync.extract.pagination import Page, count
from conversync.http.body_status import envelope_of
from conversync.http.client import Client, Response
from conversync.http.strictjson import Row
from conversync.types import Document

API = "/admin_api/v1"
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

# Rows of a sample that are looked into: a tracker that is deaf to the limit gives all that it has.
MOST_SAMPLED = 1_000

T = TypeVar("T")


class TurnedDownError(RequestRejectedError):
    """A request that the tracker refused; the message names the settings that it may come from."""


class Tracker:
    """The Admin API of one tracker. Any number of threads may share it."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends what is on its way."""
        self._client.close()

    @property
    def pace(self) -> Client:
        """Whether the tracker holds us up, and how long it is waited for."""
        return self._client

    def get(self, path: str, understand: Callable[[Response], T]) -> T:
        """What `understand` makes of a list's answer."""
        return self._ask("GET", path, understand)

    def post(
        self, path: str, question: Document, understand: Callable[[Response], T], *, retry: bool = True
    ) -> T:
        """What `understand` makes of the answer to a question. Asking changes nothing, so it may be repeated."""
        return self._ask("POST", path, understand, question, retry=retry)

    def _ask(
        self,
        method: str,
        path: str,
        understand: Callable[[Response], T],
        question: Document | None = None,
        *,
        retry: bool = True,
    ) -> T:
        def judge(answer: Response) -> T:
            answer.refuse_html()
            return understand(answer)

        what = f"{method} {API}{path}"
        try:
            return self._client.request(method, API + path, decode=judge, json=question, retry=retry)
        except RequestRejectedError as refusal:
            raise _turned_down(what, refusal) from None


def _turned_down(what: str, refusal: RequestRejectedError) -> TurnedDownError:
    if refusal.status == 402:
        message = (
            f"Keitaro refused {what} (402): this edition of the tracker has no API; "
            "it takes a licence that includes the Admin API."
        )
    else:
        named = [SETTING[field] for field in refusal.fields if field in SETTING] or ["the keitaro_ settings"]
        message = f"Keitaro refused {what} ({refusal.why}): check {' and '.join(named)}."
    return TurnedDownError(message, status=refusal.status, fields=refusal.fields, said=refusal.said)


def page(decoded: Decoded, *, whole: bool) -> Page:
    """A page of rows with its `total`.

    Unless `whole` is known (see `tells_whole`), what follows is asked for until a page is empty.
    """
    total = count(decoded.envelope.get("total"))
    if not whole and (total or decoded.received):
        total = None
    return Page(decoded, total, more=decoded.received > 0 and total is None)


def tells_whole(shown: Sample, limit: int) -> bool:
    """Whether an answer to a question for `limit` rows shows that `total` counts all rows, not only a page's.

    It does if it is more than the answer's own rows, or if the limit was not heard, so that all rows came.
    """
    total = count(shown.envelope.get("total"))
    return total is not None and (total > shown.received or shown.received > limit)


@dataclass(frozen=True)
class Sample:
    """An answer looked into: the envelope without its rows, how many there are, and those that can be read."""

    envelope: Document
    received: int
    rows: list[Document]


def sample(answer: Response) -> Sample:
    """Of an answer to a question for a few rows."""
    rows: list[Document] = []
    received = 0

    def take(row: Row) -> None:
        nonlocal received
        received += 1
        if row.value is not None and len(rows) < MOST_SAMPLED:
            rows.append(row.value)

    envelope = envelope_of(answer, "rows", take)
    return Sample(envelope, received, rows)


def beside(envelope: Document) -> tuple[str, ...]:
    """The envelope's keys as a decoder takes them: pages like this one are decoded the fast way."""
    return tuple(envelope) if all(name.isidentifier() for name in envelope) else ("total", "meta")

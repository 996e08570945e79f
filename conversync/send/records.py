"""What is known of one row that was sent, or was to be: the line of the journal and of the ledger."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal, NamedTuple

from conversync.http.strictjson import dumps

Status = Literal["sent", "rejected", "in_doubt", "left_out"]


class Known(NamedTuple):
    """The part that decides whether a row goes again. `sent_at` is ISO text in UTC: it sorts as time does."""

    status: Status
    content_hash: str
    sent_at: str
    first_sent_at: str
    attempts: int
    occurred_on: str | None
    outbox: str | None

    @classmethod
    def of(cls, *values: Any) -> Known:
        """Of a line; what many lines share is kept once."""
        one = cls(*values)
        day, outbox = one.occurred_on, one.outbox
        return one._replace(occurred_on=day and sys.intern(day), outbox=outbox and sys.intern(outbox))


@dataclass(frozen=True, slots=True)
class Record:
    """A row's outcome, as journal and ledger hold it.

    `content` and `answer` are JSON texts. `tables` is what follows for other tables, as JSON; the ledger lacks it.
    `attempts` counts the requests for this content. `identities` is JSON (see identities.py), null in rows of older
    versions; `occurred_on` the day of the row, where its outbox tells one; `outbox` the name of the outbox that it was
    sent from; `epoch` the number of the send (see epoch.py).
    """

    send_key: str
    status: Status
    reason: str | None
    response_code: int | None
    attempts: int
    content_hash: str
    content: str
    answer: str
    first_sent_at: str
    sent_at: str
    identities: str | None = "[]"
    occurred_on: str | None = None
    outbox: str | None = None
    epoch: int | None = None
    tables: str = "{}"


def newer(one: Known, other: Known) -> bool:
    """Whether `one` is the later truth of the two; of two at the same moment, what was sent."""
    return (one.sent_at, one.status == "sent") > (other.sent_at, other.status == "sent")


def moment(value: datetime | None = None) -> str:
    """ISO text in UTC with microseconds, of now if nothing is given. A time without zone is UTC."""
    value = value or datetime.now(UTC)
    value = value if value.tzinfo else value.replace(tzinfo=UTC)
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def plain(value: object) -> object:
    """A value that is the same text whatever zone a session had."""
    if isinstance(value, datetime):
        return moment(value)
    return value.isoformat() if isinstance(value, date) else value


def as_json(value: object) -> str:
    """As JSON, money digit for digit, times as text."""
    if isinstance(value, Mapping) and not value:
        return "{}"
    return dumps(_plain(value)).decode()


def _plain(value: object) -> Any:
    """With dicts and lists for whatever mappings and sequences a target answered with."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return plain(value)

# ruff: noqa: ARG002 - the interface's defaults look at nothing
"""What sending consists of: one row becomes one request, and the answer an outcome. A file each vendor beside this one.

A target holds no connection and writes nothing: `conversync.send` asks it what a row becomes, sends that, and keeps
the books.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Protocol
from urllib.parse import urlencode

from conversync.http.client import Client, Response
from conversync.http.redact import redact
from conversync.http.strictjson import dumps
from conversync.types import Row as Row


class RowRefusedError(ValueError):
    """This row can never be sent as it is; the message says why. No request was made for it."""


@dataclass(frozen=True)
class Column:
    """A column that an outbox may have; `required` ones it must have (a value may still be null)."""

    name: str
    what: str
    required: bool = False


@dataclass(frozen=True)
class Request:
    """One request, as `conversync.http.client.Client.request` takes it.

    `secrets` are the values in it that nobody may see: `shown` masks them. `label` stands for a path that holds one.
    `identity` is what the vendor will know by it (see `Target.identity`), or our own name of this very request.
    """

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    label: str | None = None
    secrets: tuple[str, ...] = ()
    identity: str | None = None

    def shown(self) -> str:
        """The request as one line for a person, secrets masked."""
        query = f"?{urlencode(self.params)}" if self.params else ""
        body = "" if self.json is None else " " + dumps(self.json).decode()
        return redact(f"{self.method} {self.label or self.path}{query}{body}", *self.secrets)


@dataclass(frozen=True)
class Outcome:
    """What an answer means for its row; `in_doubt` only where it answers a `lookup`.

    `reason` may say of a `sent` row, too, what a person should know of it.

    `answer` is what of it is worth keeping (keys, ids, prices), as JSON in the ledger. `tables` are rows for
    other tables that follow from it, by `dataset.table`; they are merged on `Target.keys[...]`. In both, nested values
    are lists and dicts; in `tables`, money is a Decimal with six decimals (decimal(18,6)) and a time a datetime in UTC.
    """

    status: Literal["sent", "rejected", "in_doubt"]
    reason: str | None = None
    answer: Row = field(default_factory=dict)
    tables: Mapping[str, Sequence[Row]] = field(default_factory=dict)


class Target(Protocol):
    """One kind of thing that a vendor takes. `settings` below is the resolved instance of `self.settings`."""

    name: str
    """As the command has it, `keitaro.conversions`; its ledger is `sent.keitaro_conversions`."""
    settings: type[Any]
    """A dlt configspec; what is missing or cannot be meant is a SettingsError, before any request."""
    columns: Sequence[Column]
    keys: Mapping[str, Sequence[str]] = MappingProxyType({})
    """The tables of `Outcome.tables`, each with its primary key."""
    reads: Sequence[str] = ()
    """Tables of the warehouse (`dataset.table`) that `warnings` looks at; those that do not exist are left out."""
    keeps: Sequence[str] = ()
    """Columns of which the vendor keeps the value that it has where a later request leaves them out."""
    amounts: Sequence[str] = ()
    """Those of `keeps` that hold money, and can be cleared by a 0."""
    personal: Sequence[str] = ()
    """Columns that tell of a person (texts, numbers, ids of users), and that no identity, amount or taking back needs:
    what was sent of them goes after `retain_sent_days`, and is not published."""
    personal_tables: Mapping[str, Sequence[str]] = MappingProxyType({})
    """The like of the tables of `Outcome.tables`; they have a `send_key`."""
    retractable: bool = False
    """Whether what was sent counts until it is undone, and can be: a row that leaves the outbox then wants a look."""

    def client(self, settings: Any) -> Client:
        """The connection."""

    def request(self, row: Row, settings: Any, previous_response: Row) -> Request:
        """What the row becomes; RowRefusedError if nothing. `previous_response` is the ledger's `answer` of it."""

    def outcome(self, answer: Response, row: Row, settings: Any, previous_response: Row) -> Outcome:
        """What a 2xx answer, or a 4xx other than 401, 403, 408, 425, 429, means. To be called as `decode`.

        Raises InvalidResponseError where that cannot be told (the row is in doubt if the error's `in_doubt` says
        so). Where the body says that it is not about this row, as the status would have: CredentialsError,
        UnavailableError, RequestRejectedError (nothing can be sent with these settings: stop; no row is rejected).
        """

    def is_idempotent(self, row: Row, settings: Any) -> bool:
        """Whether the vendor ends up with the same if this row is sent twice."""

    def is_updatable(self, row: Row, settings: Any) -> bool:
        """Whether sending other content under the same key changes what the vendor has, rather than adding to it."""

    def identity(self, row: Row) -> str | None:
        """What the vendor knows the row by: two rows with one identity are one thing there. Compact JSON text.

        None where every request makes a thing of its own, or where the row has none. Raises RowRefusedError for a row
        that can become no request. It must say the same of a row that was sent, as the ledger's `content` has it.
        """
        return None

    def withdraws(self, row: Row) -> bool:
        """Whether the row itself says that what it names counts for nothing (any more)."""
        return False

    def withdrawal(self, row: Row) -> Row | None:
        """The row to send so that what was sent as `row` counts no more; None where the vendor takes nothing back."""
        return None

    def lookup(self, reference: str, row: Row, settings: Any) -> Request | None:
        """The harmless question what became of a request in doubt, by its `Request.identity`; None if there is none."""
        return None

    def looked_up(
        self, answer: Response, reference: str, row: Row, settings: Any, previous_response: Row
    ) -> Outcome:
        """What the answer to `lookup` says of the row; `in_doubt` where it still cannot be told. Else as `outcome`."""
        return Outcome("in_doubt", "it cannot be asked for")

    def forgotten(self, answer: Row, send_key: str, *, may_go_again: bool) -> Row:
        """The ledger's `answer` without what tells of a person.

        `may_go_again`: what keeps a later request from going to somebody twice must still be told by it.
        """
        return answer

    def group(self, row: Row) -> str | None:
        """Rows of one group go out one after the other, in the outbox's order; None: in any order. Never raises."""
        return None

    def warnings(self, row: Row, known: Mapping[str, Sequence[Row]]) -> Sequence[str]:
        """What a person should see in the plan before this row goes; `known` has the rows of `self.reads`.

        Never raises: what is wrong with a row, `request` says.
        """
        return ()

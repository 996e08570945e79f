"""The three questions: which goals there are, what each one is, and which agents there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote

from conversync.errors import RequestRejectedError, VendorError
from conversync.extract.catalogue import confirmed
from conversync.extract.decoded import Rejected, note_names
from conversync.extract.isolated_requests import Standing, outcome
from conversync.extract.mistrusted import AND_THEN, bare
from conversync.extract.parallel import ordered_parallel_map
from conversync.http.client import Client, Limits, Response
from conversync.http.strictjson import Row
from conversync.types import Document

from . import goals as documented
from .envelope import ACCEPTED, CREDENTIALS_HINT, MOST_OF_LIST, Gone, item, items, refuse_long
from .goals import code_of

# The document names no rate limit; there is one question for each goal.
CONCURRENCY = 4
# So many goals are named in a sentence.
MOST_NAMED = 6

OnPage = Callable[[int, int], None]


@dataclass
class Listed:
    """A list as it was read: rows, what was set aside, and of which codes that can be said."""

    rows: list[Document] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    codes: set[str] = field(default_factory=set)
    """Of everything that the list names."""
    spoilt: set[str] = field(default_factory=set)
    """Of what is there, but was set aside."""
    nameless: bool = False
    """Was something set aside whose code cannot be read?"""
    received: int = 0
    requests: int = 1
    missing: bool = False
    """Does the vendor not know this list at all, or not give it?"""
    failed: list[str] = field(default_factory=list)
    """Of what is there, but is not given; `error` is why, of the first of them or of the whole list."""
    error: VendorError | None = None

    def fail(self, code: str, error: VendorError) -> None:
        """The vendor fails at this one, while it answers others: it stays as it was last known."""
        self.failed.append(code)
        self.spoilt.add(code)
        self.error = self.error or error

    def note(self, name: str) -> str | None:
        """What could not be had of the list of that name, as a sentence; None where it is whole."""
        if self.missing and self.error is None:
            return f"Conductrics has no list of {name} at this address (404); the table was left as it is."
        if self.error is None:
            return None
        named = ", ".join(sorted(self.failed)[:MOST_NAMED])
        named += f" and {len(self.failed) - MOST_NAMED} more" if len(self.failed) > MOST_NAMED else ""
        what = f"{name} {named}" if named else f"The list of {name}"
        return (
            f"{what} could not be had: {bare(self.error).rstrip('.')}. What is held stays as it was, and is read again "
            f"next time; {AND_THEN}, which answered for others"
        )

    def stands_for(self, code: str) -> bool:
        """Whether a row of the table that is not among `rows` may still be there at the vendor."""
        return code in self.spoilt or (self.nameless and code not in self.codes)


@dataclass(frozen=True)
class Access:
    """Who asks, and where."""

    url: str
    account: str
    api_key: str

    def client(self, budget: int) -> Client:
        """The connection to the vendor, with the key in its header and never in the query, which is logged."""
        return Client(
            self.url,
            vendor="Conductrics",
            headers={"x-conductrics-apikey": self.api_key},
            credentials_hint=CREDENTIALS_HINT,
            credential="API key",
            limits=Limits(http_budget=budget),
        )

    def goals(self, client: Client, on_page: OnPage) -> Listed:
        """The goals, each with its detail; one that is gone when its detail is asked for is left out."""
        summaries, found = _named(confirmed(lambda: self.goal_list(client)))
        standing = Standing(client, partial(self._is_there, client), is_known=True)
        details = ordered_parallel_map(
            partial(outcome, partial(self._detail, client)), summaries, CONCURRENCY
        )
        size = 0
        for (code, summary), detail in zip(summaries.items(), details, strict=True):
            found.requests += 1
            standing.heard(detail)
            if isinstance(detail, VendorError):
                found.fail(code, detail)
                continue
            size += len(detail.raw) if detail else 0
            refuse_long(size, MOST_OF_LIST)
            on_page(found.requests - 1, len(summaries))
            if detail is not None:
                _take(found, code, detail, partial(documented.goal, code, summary.value or {}))
        if found.error is not None and len(found.failed) == len(summaries):
            raise found.error
        return found

    def _is_there(self, client: Client) -> bool:
        """Whether the vendor goes on answering: the list, which it gave before."""
        return not isinstance(outcome(self.goal_list, client), VendorError)

    def agents(self, client: Client) -> Listed:
        """The agents. The goals' document does not speak of this list: where there is none, it is `missing`.

        So it is where the vendor does not give it: the goals came before it, and the `error` says why.
        """
        try:
            rows = outcome(confirmed, partial(self._list, client, "agents"))
        except Gone:
            return Listed(missing=True)
        if isinstance(rows, VendorError):
            Standing(client, partial(self._is_there, client)).heard(rows)
            return Listed(missing=True, error=rows)
        listed, found = _named(rows)
        for code, row in listed.items():
            _take(found, code, row, documented.agent)
        return found

    def goal_list(
        self, client: Client, listen: Callable[[Response], object] = lambda _answer: None
    ) -> list[Row]:
        """The list alone, `listen` is told the answer as it came; RequestRejectedError where the account has none."""
        try:
            return self._list(client, "goals", listen)
        except Gone:
            raise RequestRejectedError(
                "Conductrics does not know the goals of this account (404): check conductrics_account and "
                "conductrics_url.",
                status=404,
            ) from None

    def _list(
        self, client: Client, name: str, listen: Callable[[Response], object] = lambda _answer: None
    ) -> list[Row]:
        def understand(answer: Response) -> list[Row]:
            listen(answer)
            return items(answer)

        return client.request("GET", self._path(name), decode=understand, accept=ACCEPTED)

    def _detail(self, client: Client, code: str) -> Row | None:
        path = f"{self._path('goals')}/goal/{quote(code, safe='')}"
        try:
            return client.request("GET", path, decode=item, accept=ACCEPTED)
        except Gone:
            return None

    def _path(self, name: str) -> str:
        return f"/admin/{quote(self.account, safe='')}/{name}"


def _named(rows: list[Row]) -> tuple[dict[str, Row], Listed]:
    """What a list names, by code; what has no code is set aside."""
    named: dict[str, Row] = {}
    found = Listed(received=len(rows))
    for row in rows:
        try:
            named[code_of(row.sound())] = row
        except ValueError as reason:
            found.rejected.append(Rejected(row.raw, str(reason)))
            found.nameless = True
    found.codes = set(named)
    return named, found


def _take(
    found: Listed,
    code: str,
    row: Row,
    understand: Callable[[Mapping[str, Any]], tuple[Document, list[str]]],
) -> None:
    """Adds one object to the rows, or to what is set aside."""
    try:
        columns, unknown = understand(row.sound())
    except ValueError as reason:
        found.rejected.append(Rejected(row.raw, str(reason)))
        found.spoilt.add(code)
        return
    found.rows.append(columns)
    note_names(found.unknown, unknown)

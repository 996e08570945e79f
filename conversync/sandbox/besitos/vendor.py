"""The vendor's endpoints: the conversions feed, and the catalogue of games and deals."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from itertools import groupby
from random import Random
from typing import Any
from urllib.parse import urlencode

from conversync.sandbox.besitos.catalogue import deals, games
from conversync.sandbox.besitos.gate import Throttle, error_in_envelope, stranger
from conversync.sandbox.besitos.limits import clipped, failed, invalid, refusal
from conversync.sandbox.besitos.oracle import Oracle
from conversync.sandbox.besitos.paginator import announced, current_page, cut, paginate
from conversync.sandbox.besitos.reading import Read, select
from conversync.sandbox.besitos.rows import (
    Row,
    Scripted,
    document_json,
    keyed,
    page_json,
    scripted,
    unreadable,
    written,
)
from conversync.sandbox.besitos.spoilt import spoilt
from conversync.sandbox.besitos.statements import Statement, Teller
from conversync.sandbox.besitos.variants import Variants
from conversync.sandbox.messages import Answer, Request, json_answer
from conversync.sandbox.world import World

CONVERSIONS = "/data/partner/conversions"
OFFERS = "/data/partner/offers/"
DEALS = "/data/partner/deals/"


class Besitos:
    """Answers under `/data/partner/`. `variants` and `rows` may be set at any time, between requests.

    `reads` notes each window whose first page was asked for and rightly answered, for `oracle.held(reads)`.
    """

    name = "besitos"

    def __init__(
        self,
        world: World,
        *,
        token: str = "sandbox-token",  # noqa: S107 - opens nothing but this sandbox
        partner_id: str = "sandbox-partner",
        variants: Variants | None = None,
    ) -> None:
        self.world = world
        self.token = token
        self.partner_id = partner_id
        self.reads: list[Read] = []
        self.arriving: list[Scripted] = []
        """Scripted rows that will come to the top of `rows`, one each `variants.arrivals_every` requests."""
        self._variants = variants or Variants()
        self._rows: tuple[Scripted, ...] | None = None
        self._requests = 0
        self._throttle = Throttle()
        self._lock = threading.RLock()
        self._version = 0
        self._teller = Teller(world, self._variants)
        self._oracle = Oracle(world, self._variants)
        self._written: dict[int, Row] = {}
        self._left: set[tuple[object, ...]] = set()
        self._cached: tuple[object, list[Row], dict[Read, list[Row]]] | None = None

    @property
    def variants(self) -> Variants:
        """The reading of the document in force."""
        return self._variants

    @variants.setter
    def variants(self, variants: Variants) -> None:
        with self._lock:
            self._variants, self._version = variants, self._version + 1
            self._teller, self._written = Teller(self.world, variants), {}
            self._oracle = Oracle(self.world, variants)

    @property
    def rows(self) -> tuple[Scripted, ...] | None:
        """Scripted rows in place of the world's, served in this order; None tells the world."""
        return self._rows

    @rows.setter
    def rows(self, rows: Iterable[Scripted] | None) -> None:
        with self._lock:
            self._rows, self._version = None if rows is None else tuple(rows), self._version + 1
            self._left.clear()

    @property
    def oracle(self) -> Oracle:
        """What must be held of the world under the variants in force. It knows nothing of scripted rows."""
        return self._oracle

    def answer(self, request: Request) -> Answer | None:
        """The right answer, or None for a path that is another vendor's."""
        route = self._route(request.path)
        if route is None:
            return None
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return stranger(request, self._variants)
        if request.method != "GET":
            return json_answer(405, {"message": f"The {request.method} method is not supported."})
        with self._lock:
            return self._throttle.through(request, self._variants, route)

    def _route(self, path: str) -> Callable[[Request], Answer] | None:
        routes: dict[str, Callable[[Request], Answer]] = {
            CONVERSIONS: self._conversions,
            OFFERS + self.partner_id: lambda _: json_answer(200, {"data": games(self.world)}),
            DEALS + self.partner_id: self._deals,
        }
        wrong = error_in_envelope(self._variants)
        if path in routes and wrong is not None:
            return lambda _: wrong
        return routes.get(path)

    def _conversions(self, request: Request) -> Answer:
        self._arrive()
        variants = self._variants
        try:
            read = Read.of_query(request.query, self.world.now, variants)
        except ValueError as wrong:
            return invalid(str(wrong), f"The {str(wrong).replace('_', ' ')} field must be a valid date.")
        query = {name: text for name, text in request.query.items() if name not in variants.ignores}
        page, per_page = current_page(query), self._per_page(query)
        refused = refusal(query, read, per_page, variants)
        if refused is None:
            refused = spoilt(read, page, per_page, variants)
        if refused is not None:
            return refused
        page = min(page, variants.last_page or page)
        read = clipped(read, variants)
        if page == 1:
            self.reads.append(read)
        else:
            self._depart(read)
        return self._page(self._ordered(self._selected(read), page), page, per_page, request)

    def _arrive(self) -> None:
        self._requests += 1
        every = self._variants.arrivals_every
        if not every or self._requests % every:
            return
        if self.arriving:
            self.rows = (self.arriving.pop(0), *(self._rows or ()))
        else:
            self.world.advance(hours=self._variants.arrivals_hours)

    def _depart(self, read: Read) -> None:
        """The first row of the listing leaves the feed, where another one is to."""
        rows = self._selected(read) if len(self._left) < self._variants.departures else []
        if rows:
            self._left.add(_identity(rows[0]))
            self._version += 1

    def _selected(self, read: Read) -> list[Row]:
        """The window's rows in order; remembered while clock, rows and variants stand still."""
        key = (self._version, None if self._rows is not None else self.world.now)
        if self._cached is None or self._cached[0] != key:
            self._cached = (key, self._all(), {})
        _, rows, selections = self._cached
        if read not in selections:
            chosen = select(rows, read, self._variants)
            repeated = chosen[::7] if self._variants.repeats == "counted" else []
            selections[read] = chosen + repeated
        return selections[read]

    def _ordered(self, rows: list[Row], page: int) -> list[Row]:
        """The window's rows as they stand at this request for this page."""
        variants = self._variants
        if variants.order == "random":
            return self._mixed(rows)
        if variants.ties == "stable" or (variants.ties == "page" and page % 2):
            return rows
        random = Random(self._requests)
        ordered: list[Row] = []
        for _, tied in groupby(rows, key=lambda row: row.date_time):
            one = list(tied)
            ordered += one[::-1] if variants.ties == "page" else random.sample(one, len(one))
        return ordered

    def _all(self) -> list[Row]:
        rows = self._logged()
        if self._left:
            rows = [row for row in rows if _identity(row) not in self._left]
        rows = self._with_unreadable(rows)
        if self._rows is not None and self._variants.ties == "stable":
            return rows
        newest_first = self._variants.order == "newest"
        return sorted(rows, key=lambda row: row.date_time or "", reverse=newest_first)

    def _logged(self) -> list[Row]:
        """The scripted rows; where there are none, the world's."""
        if self._rows is not None:
            return [scripted(row) for row in self._rows]
        return [self._row(one) for one in self._teller.at()]

    def _with_unreadable(self, rows: list[Row]) -> list[Row]:
        bad = str(self._variants.unreadable or "")
        return [unreadable(row) if str(row.transaction_id) == bad else row for row in rows] if bad else rows

    def _row(self, statement: Statement) -> Row:
        """Written once: the teller gives the same object for the same statement."""
        if id(statement) not in self._written:
            self._written[id(statement)] = written(statement, self._variants)
        return self._written[id(statement)]

    def _mixed(self, rows: list[Row]) -> list[Row]:
        """In another order at every request, the same at every run."""
        return Random(self._requests).sample(rows, len(rows))

    def _per_page(self, query: Mapping[str, str]) -> int:
        text = query.get("per_page", "")
        asked = (
            int(text) if text.isascii() and text.isdigit() and int(text) else self._variants.default_per_page
        )
        step = self._variants.per_page_step
        if step and self._variants.per_page_other == "rounded":
            asked = max(asked // step, 1) * step
        return min(asked, self._variants.page_cap)

    def _page(self, rows: list[Row], page: int, per_page: int, request: Request) -> Answer:
        variants = self._variants
        begin = (page - 1) * per_page
        shown = cut(rows, page, per_page, variants)
        if variants.broken and any(str(row.transaction_id) == str(variants.broken) for row in shown):
            return failed()
        goes_on = variants.next_beyond and begin + per_page < len(rows)
        total = announced(len(rows), variants)
        tail = self._tail(total, page, per_page, len(shown), request, goes_on=goes_on)
        if variants.numbers == "untold":
            tail = {}
        if variants.repeats == "uncounted" and begin:
            shown = rows[begin - 1 : begin] + shown
        if variants.order == "shuffled":
            shown = self._mixed(shown)

        def document() -> dict[str, Any]:
            rows = [row.copy() for row in shown]
            data = keyed(rows) if variants.data == "object" and rows else rows
            return {"data": data, **deepcopy(tail)}

        def encode(changed: dict[str, Any]) -> bytes:
            return document_json(changed, variants)

        body = page_json([row.text for row in shown], tail, variants)
        return Answer(200, body, document=document, encode=encode)

    def _tail(
        self, total: int, page: int, per_page: int, shown: int, request: Request, *, goes_on: bool = False
    ) -> dict[str, Any]:
        """The paginator's links and meta, addressed as the variants have it."""
        root = self._variants.links_root or f"http://{request.headers.get('host', '127.0.0.1')}"
        kept = {name: text for name, text in request.query.items() if name != "page"}
        filters = kept if self._variants.links == "full" else {}
        path = "/" if self._variants.links == "relative" else root + request.path

        def url(number: int) -> str:
            return f"{path}?{urlencode({**filters, 'page': number})}"

        tail = paginate(total, page, per_page, shown, path, url, goes_on=goes_on)
        if self._variants.last_is_one and tail["meta"]["last_page"] == 1:
            tail["links"]["last"] = 1
        return tail

    def _deals(self, request: Request) -> Answer:
        """Paginated as the feed is; `offer_id` narrows it to one."""
        found = deals(self.world, request.query.get("offer_id"))
        page, per_page = current_page(request.query), self._per_page(request.query)
        shown = found[(page - 1) * per_page : page * per_page]
        tail = self._tail(len(found), page, per_page, len(shown), request)
        return json_answer(200, {"data": shown, **tail})


def _identity(row: Row) -> tuple[object, ...]:
    """What tells a row from all others of the feed."""
    return row.transaction_id, row.is_reversal, row.date_time

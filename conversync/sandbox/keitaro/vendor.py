"""The tracker's endpoints: the log, the report, the lists, and the two ways in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any, TypeVar

from conversync.sandbox.faults import LOGIN_PAGE
from conversync.sandbox.keitaro.asking import FAILED, OPERATORS, Ask, Refused, body_of, understood
from conversync.sandbox.keitaro.events import Event
from conversync.sandbox.keitaro.lists import NAMES
from conversync.sandbox.keitaro.log import (
    DEFAULT_COLUMNS,
    GENERATIONS,
    IDS,
    Row,
    Scripted,
    Told,
    Written,
    scripted,
)
from conversync.sandbox.keitaro.oracle import Oracle, Read
from conversync.sandbox.keitaro.receiving import Received, Receiver
from conversync.sandbox.keitaro.report import GROUPS, METRICS, build
from conversync.sandbox.keitaro.teller import Books, Teller
from conversync.sandbox.keitaro.variants import Variants
from conversync.sandbox.messages import Answer, Request, json_answer
from conversync.sandbox.world import World

API = "/admin_api/v1/"

BOT_CHECK = (
    b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Are you human?</body></html>"
)
FRONTS = {"html_200": (200, LOGIN_PAGE), "html_404": (404, LOGIN_PAGE), "bot_check": (403, BOT_CHECK)}
"""Status and page of what stands where the tracker should."""


class Keitaro:
    """Answers under `/admin_api/v1/` and `/{postback_key}/postback`.

    `variants`, `rows`, `report_rows` and `lists` may be set at any time, between requests. `reads` notes each
    range of the log whose first page was asked for without filters, for `oracle.held(reads)`.
    """

    name = "keitaro"

    def __init__(
        self,
        world: World,
        *,
        api_key: str = "sandbox-keitaro-key",
        postback_key: str = "5eb63bb",
        variants: Variants | None = None,
    ) -> None:
        self.world = world
        self.api_key = api_key
        self.postback_key = postback_key
        self.reads: list[Read] = []
        self.report_rows: list[Scripted] | None = None
        """Scripted rows in place of the world's report; of objects those come whose `day` is in the range."""
        self.lists: dict[str, list[Any]] = {}
        """Scripted lists by name (`campaigns`, ...) in place of the world's."""
        self._books = Books(world)
        self._receiver = Receiver(self._books)
        self._rows: tuple[Written, ...] | None = None
        self._requests = 0
        self._left: set[str] = set()
        self._lock = threading.RLock()
        self._cached: tuple[object, list[Event]] | None = None
        self.variants = variants or Variants()

    @property
    def variants(self) -> Variants:
        """The kind of tracker in force."""
        return self._variants

    @variants.setter
    def variants(self, variants: Variants) -> None:
        with self._lock:
            self._variants, self._cached = variants, None
            self._plain = replace(variants, amounts="number", ids_as_text=False, zero="number", times="plain")
            whole = Teller(self._books, variants)
            self._teller = whole if self._rows is None else Teller(self._books, variants, tells_world=False)
            self._oracle = Oracle(whole)

    @property
    def rows(self) -> tuple[Scripted, ...] | None:
        """Scripted rows of the log in place of the world's; what is posted stands beside them. The report then
        knows no click."""
        return None if self._rows is None else tuple(row.value for row in self._rows)

    @rows.setter
    def rows(self, rows: Iterable[Scripted] | None) -> None:
        with self._lock:
            self._rows = None if rows is None else tuple(scripted(row) for row in rows)
            self._left.clear()
            self.variants = self._variants

    @property
    def oracle(self) -> Oracle:
        """What must be held of the world, and of what was posted. It knows nothing of scripted rows."""
        return self._oracle

    @property
    def received(self) -> list[Received]:
        """Every posting that came, in order."""
        return self._receiver.received

    def answer(self, request: Request) -> Answer | None:
        """The right answer, or None for a path that is another vendor's."""
        if request.path == f"/{self.postback_key}/postback":
            return self._postback(request)
        if not request.path.startswith(API):
            return None
        if self._variants.front != "tracker":
            status, body = FRONTS[self._variants.front]
            return Answer(status, body, (("Content-Type", "text/html; charset=UTF-8"),))
        keys = (
            request.headers.get("api-key"),
            request.headers.get("authorization", "").removeprefix("Bearer "),
        )
        if self.api_key not in keys:
            return json_answer(401, {"error": "Invalid API key"})
        if self._variants.edition == "no_api":
            return json_answer(402, {"error": "Your edition does not include the API"})
        name = request.path.removeprefix(API)
        if name in self._variants.forbidden:
            return json_answer(403, {"error": "Access denied"})
        route = self._route(request.method, name)
        if route is None:
            return json_answer(404, {"error": "Not found"})
        with self._lock:
            self._arrive()
            return self._refusable(route, request)

    def _route(self, method: str, name: str) -> Callable[[Request], Answer] | None:
        if method == "GET" and name in NAMES:
            return lambda _: json_answer(200, self._list(name))
        posts = {
            "conversions/log": self._log,
            "report/build": self._report,
            self._variants.conversions_path: self._post,
        }
        return posts.get(name) if method == "POST" else None

    def _refusable(self, route: Callable[[Request], Answer], request: Request) -> Answer:
        try:
            return route(request)
        except Refused as refused:
            return json_answer(refused.status, refused.body)

    def _arrive(self) -> None:
        self._requests += 1
        every = self._variants.arrivals_every
        if every and self._requests % every == 0:
            self.world.advance(hours=self._variants.arrivals_hours)

    def _list(self, name: str) -> list[Any]:
        scripted_list = self.lists.get(name)
        return self._books.lists.shown(name, self.world.now) if scripted_list is None else scripted_list

    def _events(self) -> list[Event]:
        """In no order that means anything; remembered while the clock and the books stand still."""
        key = (self.world.now, self._books.changes)
        if self._cached is None or self._cached[0] != key:
            self._cached = (key, sorted(self._teller.at(), key=lambda one: one.conversion_id[::-1]))
        return self._cached[1]

    def _log(self, request: Request) -> Answer:
        variants = self._variants
        ask = understood(request.body, variants, self.world.now)
        columns = ask.columns or DEFAULT_COLUMNS[variants.generation]
        self._check((*columns, *(one[0] for one in ask.filters), *(one[0] for one in ask.sort)))
        if not ask.offset and not ask.filters:
            self.reads.append(Read(self.world.now, ask.span.start, ask.span.end))
        rows = self._mixed(self._in_log(ask), ask)
        rows = _sorted(rows, ask, lambda row, name: row.cell(name, self._plain, ask.span.zone))
        rows = self._without_departed(rows, ask)
        page = self._page(rows, ask)
        if variants.broken and variants.broken in map(self._id, page):
            raise Refused(*FAILED)
        shown = [self._shown(row, columns, ask) for row in page]
        return self._answer(shown, len(rows), [{"name": column} for column in columns])

    def _in_log(self, ask: Ask) -> list[Row]:
        rows: list[Row] = [*(self._rows or ()), *(Told(event) for event in self._events())]
        return [row for row in rows if self._asked_for(row, ask)]

    def _shown(self, row: Row, columns: tuple[str, ...], ask: Ask) -> Any:
        cells = row.row(columns, self._variants, ask.span.zone)
        if self._id(row) == self._variants.unreadable and isinstance(cells, dict):
            return {**cells, "revenue": "n/a"}
        return cells

    def _id(self, row: Row) -> str:
        return str(row.cell(IDS[self._variants.generation], self._variants, UTC))

    def _without_departed(self, rows: list[Row], ask: Ask) -> list[Row]:
        """The rows that are still there; before a later page, the first of them leaves, where another one is to."""
        rows = [row for row in rows if self._id(row) not in self._left]
        if ask.offset and rows and len(self._left) < self._variants.departures:
            self._left.add(self._id(rows[0]))
            return rows[1:]
        return rows

    def _check(self, columns: Iterable[str]) -> None:
        """A column that neither the tracker's generation nor a scripted row has is refused by name."""
        known = set(GENERATIONS[self._variants.generation])
        known.update(name for row in self._rows or () for name in row.known)
        unknown = list(dict.fromkeys(column for column in columns if column not in known))
        if unknown:
            text = self._variants.unknown_column
            error = text.format(column=unknown[0], columns=", ".join(unknown))
            raise Refused(400, {"error": error})

    def _asked_for(self, row: Row, ask: Ask) -> bool:
        at = row.at()
        if at is not None and not ask.span.holds(at):
            return False
        return all(
            OPERATORS[operator](row.cell(name, self._plain, ask.span.zone), expression)
            for name, operator, expression in ask.filters
        )

    def _mixed(self, rows: list[Any], ask: Ask) -> list[Any]:
        """What no sort tells apart, in the order that the tracker has at this request for this page."""
        if self._variants.order == "unstable":
            return Random(self._requests).sample(rows, len(rows))
        is_second = ask.limit is not None and (ask.offset // ask.limit) % 2 == 1
        return rows[::-1] if self._variants.order == "page" and is_second else rows

    def _page(self, rows: list[Any], ask: Ask) -> list[Any]:
        last = None if ask.limit is None else ask.offset + ask.limit
        page = rows[ask.offset : last]
        return page[:-1] if self._variants.short_page and ask.offset else page

    def _answer(self, rows: list[Any], count: int, meta: list[Any]) -> Answer:
        cap, total = self._variants.total_cap, max(count - self._variants.total_behind, 0)
        total = min(total, cap) if cap else total
        wrong: dict[str, Any] = {
            "more": total + 1,
            "less": max(total - 1, 0),
            "page": len(rows),
            "text": str(total),
        }
        tail: dict[str, Any] = {"total": wrong.get(self._variants.total, total), "meta": meta}
        if self._variants.total == "absent":
            del tail["total"]
        return json_answer(200, {"rows": rows, **tail})

    def _report(self, request: Request) -> Answer:
        variants = self._variants
        ask = understood(request.body, replace(variants, default_limit=0), self.world.now)

        def keep(click: Any) -> bool:
            return all(
                OPERATORS[operator](GROUPS[name](click, ask.span.zone), expression)
                for name, operator, expression in ask.filters
                if name in GROUPS
            )

        rows: list[Any]
        if ask.unheard:
            rows = self._unheard()
        elif self.report_rows is not None:
            rows = [row.value for row in map(scripted, self.report_rows) if _day_asked_for(row, ask)]
        else:
            rows = build(self._teller.clicks(), self._events(), ask.span, ask.grouping, ask.metrics, keep)
            rows = self._mixed(rows, ask)
        rows = _sorted(rows, ask, lambda row, name: row.get(name) if isinstance(row, dict) else None)
        shown = self._page(rows, ask) if variants.report_pages else rows
        if variants.report_numbers == "text" and self.report_rows is None:
            shown = [_with_texts(row) for row in shown]
        return self._answer(shown, len(rows), [])

    def _unheard(self) -> list[Any]:
        """The report of a question in words that this tracker does not know."""
        if self._variants.report_unheard == "refused":
            missing = ["This field is required"]
            raise Refused(406, {"dimensions": missing, "measures": missing})
        return [] if self._variants.report_unheard == "empty" else [{}]

    def _post(self, request: Request) -> Answer:
        return json_answer(200, self._receiver.post(body_of(request.body), self._variants, self._teller))

    def _postback(self, request: Request) -> Answer:
        with self._lock:
            try:
                said = self._receiver.postback(request.query, self._variants, self._teller)
            except Refused as refused:
                return json_answer(refused.status, refused.body)
        if said:
            return Answer(200, said.encode(), (("Content-Type", "text/plain"),))
        if self._variants.postback_reply == "json":
            return json_answer(200, {"status": "success"})
        body = b"Success" if self._variants.postback_reply == "text" else b""
        return Answer(200, body, (("Content-Type", "text/plain"),))


AnyRow = TypeVar("AnyRow")


def _sorted(rows: list[AnyRow], ask: Ask, value: Callable[[AnyRow, str], Any]) -> list[AnyRow]:
    """By the asked names, the first one first; what they do not tell apart stays as it was."""
    for name, descends in reversed(ask.sort):
        keyed = [(_sort_key(value(row, name)), row) for row in rows]
        rows = [row for _, row in sorted(keyed, key=lambda pair: pair[0], reverse=descends)]
    return rows


def _sort_key(value: Any) -> tuple[int, float, str]:
    """Nothing first, then numbers, then text."""
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, int | float | Decimal):
        return (1, float(value), "")
    return (2, 0.0, str(value))


def _with_texts(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its metrics as numeric strings."""
    return {name: f"{value}" if name in METRICS else value for name, value in row.items()}


def _day_asked_for(row: Written, ask: Ask) -> bool:
    """Does the range touch the scripted row's day? Without a readable one it is in every range."""
    try:
        day = datetime.fromisoformat(str(row.known.get("day"))).replace(tzinfo=ask.span.zone)
    except ValueError:
        return True
    return ask.span.holds(day.astimezone(UTC))

"""Conversions that others send: the postback, and the Admin API's POST."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from conversync.sandbox.keitaro.asking import Refused
from conversync.sandbox.keitaro.events import STATUSES, Event, Posting
from conversync.sandbox.keitaro.teller import Books, Key, Teller
from conversync.sandbox.keitaro.variants import Variants


@dataclass(frozen=True)
class Received:
    """One posting as it came. `fields` holds all that was sent, under the sender's own names."""

    at: datetime
    by: str
    """`postback` or `api`."""
    sub_id: str
    tid: str
    status: str
    revenue: Decimal
    currency: str | None
    fields: Mapping[str, Any] = field(hash=False)
    said: str | None = None
    """Why it had no effect, where the tracker says so."""


class Receiver:
    """Takes postings into the books; `received` keeps every one, in order, also those without effect."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.received: list[Received] = []

    def postback(self, query: Mapping[str, str], variants: Variants, teller: Teller) -> str | None:
        """Without `status` it is a sale; without `payout` what was said before stands. What it says of no effect."""
        return self._take("postback", query, ("subid", "payout", "tid"), variants, teller).said

    def post(self, wish: Mapping[str, Any], variants: Variants, teller: Teller) -> dict[str, Any]:
        """The conversion as it then stands, under the names it was sent with."""
        one = self._take("api", wish, ("click_id", "revenue", "transaction_id"), variants, teller)
        stands = _standing(teller, (one.sub_id, one.tid))
        if stands is None:
            return dict(wish)
        return {
            **wish,
            "id": stands.conversion_id,
            "click_id": one.sub_id,
            "transaction_id": one.tid,
            "status": stands.status,
            "revenue": stands.revenue,
        }

    def _take(
        self,
        by: str,
        wish: Mapping[str, Any],
        names: tuple[str, str, str],
        variants: Variants,
        teller: Teller,
    ) -> Received:
        sub_id, revenue, tid = (wish.get(name) for name in names)
        if not sub_id:
            raise Refused(406, {names[0]: ["This field is required"]})
        status = str(wish.get("status") or "sale").lower()
        if status not in STATUSES:
            raise Refused(406, {"status": [f"Unknown status {status}"]})
        key = (str(sub_id), "" if tid is None else str(tid))
        now = self.books.world.now
        before = _standing(teller, key)
        amount = before.revenue if before else Decimal(0)
        if revenue not in (None, ""):
            amount = _amount(revenue, names[1])
        ignored, said = self._ignored(key, status, before, variants)
        one = Received(now, by, *key, status, amount, wish.get("currency"), dict(wish), said)
        self.received.append(one)
        if not ignored:
            at = now.replace(microsecond=0) + timedelta(seconds=variants.queue_seconds)
            self.books.receive(key, Posting(at, status, amount))
        return one

    def _ignored(
        self, key: Key, status: str, before: Event | None, variants: Variants
    ) -> tuple[bool, str | None]:
        """Whether a posting has no effect, and what the answer says of it."""
        if variants.unknown_subid != "accepted" and key[0] not in self.books.click_of:
            return True, "SubID not found" if variants.unknown_subid == "told" else None
        waiting = self.books.received.get(key)
        stands = waiting[-1].status if waiting else before.status if before else None
        if variants.same_status == "changes" or stands != status:
            return False, None
        words = "conversion by pair SubId + tid already exists, postback ignored"
        return True, words if variants.same_status == "told" else None


def _standing(teller: Teller, key: Key) -> Event | None:
    """The conversion of the key now, if the tracker has one."""
    return next((event for event in teller.at() if (event.sub_id, event.tid) == key), None)


def _amount(value: object, name: str) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise Refused(406, {name: ["must be a number"]})
    return amount

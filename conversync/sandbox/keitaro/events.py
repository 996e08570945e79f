"""Conversions as the tracker holds them: a posting after another, each moving `datetime` and `version`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from conversync.sandbox.keitaro.clicks import Click
from conversync.sandbox.keitaro.variants import Variants
from conversync.sandbox.story import Conversion, told

LEAD_FIRST = 0.3  # of the conversions: a lead that is approved up to two days later

LEADS = frozenset({"lead", "registration"})
SALES = frozenset({"sale", "deposit"})
REJECTS = frozenset({"rejected", "trash"})
STATUSES = LEADS | SALES | REJECTS | {"rebill"}
CANCELED = frozenset({"canceled"})  # what some trackers call it; nobody posts it


@dataclass(frozen=True, slots=True)
class Posting:
    """What the tracker is told of a conversion at `at`."""

    at: datetime
    status: str
    revenue: Decimal


@dataclass(frozen=True, slots=True)
class Event:
    """A conversion as it stands. `at` is `datetime`, the last posting's; all instants are UTC, whole seconds."""

    conversion_id: str
    version: int
    status: str
    previous_status: str | None
    original_status: str
    history: tuple[tuple[str, datetime], ...]
    """Each status the conversion took, and when."""
    revenue: Decimal
    sub_id: str
    tid: str
    at: datetime
    click: Click | None
    """None for a click that the tracker does not know."""

    @property
    def kind(self) -> str:
        """lead, sale, rejected or rebill, whatever the status is called."""
        return kind_of(self.status)

    @property
    def sale_at(self) -> datetime | None:
        """When it became a sale, if it did."""
        return next((at for status, at in self.history if status in SALES or status == "rebill"), None)


def kind_of(status: str) -> str:
    """The classic status that a newer one, or one of the tracker's own, is a kind of."""
    lower = status.lower()
    if lower in LEADS:
        return "lead"
    if lower in SALES:
        return "sale"
    return "rejected" if lower in REJECTS | CANCELED else lower


def may_follow(new: str, old: str) -> bool:
    """lead->sale, lead->rejected, sale->rejected, and any status again; a rebill is only ever a rebill."""
    ranks = {"lead": 0, "sale": 1, "rejected": 2}
    before, after = kind_of(old), kind_of(new)
    if "rebill" in (before, after):
        return before == after
    return ranks[after] >= ranks[before]


def stands(
    conversion_id: str, sub_id: str, tid: str, postings: Iterable[Posting], click: Click | None
) -> Event | None:
    """The conversion after these postings, in order; one that may not follow the last status is not heard."""
    taken: list[Posting] = []
    for posting in postings:
        if not taken or may_follow(posting.status, taken[-1].status):
            taken.append(posting)
    if not taken:
        return None
    changes = [
        one for number, one in enumerate(taken) if not number or one.status != taken[number - 1].status
    ]
    return Event(
        conversion_id=conversion_id,
        version=len(taken),
        status=taken[-1].status,
        previous_status=changes[-2].status if len(changes) > 1 else None,
        original_status=taken[0].status,
        history=tuple((one.status, one.at) for one in changes),
        revenue=taken[-1].revenue,
        sub_id=sub_id,
        tid=tid,
        at=taken[-1].at,
        click=click,
    )


def postings_of(conversion: Conversion, variants: Variants) -> list[Posting]:
    """What the wall's postbacks make of a conversion: only what differs from the posting before."""
    random = Random(conversion.transaction_id)
    first = conversion.tellings[0].at
    approved = first
    if random.random() < LEAD_FIRST:
        approved = first + timedelta(seconds=random.randint(600, 48 * 3600))
    postings: list[Posting] = []
    for at in sorted({approved, *(at for at in _told_at(conversion) if at >= first)}):
        status, revenue = _state(conversion, at, is_lead=at < approved, variants=variants)
        if postings and kind_of(postings[-1].status) == "rejected":
            status = postings[-1].status
        if not postings or (postings[-1].status, postings[-1].revenue) != (status, revenue):
            postings.append(Posting(at.replace(microsecond=0), status, revenue))
    return postings


def _told_at(conversion: Conversion) -> list[datetime]:
    """When anything was told of it, or of its reversal."""
    reversal = conversion.reversal
    tellings = (*conversion.tellings, *(reversal.tellings if reversal else ()))
    return [telling.at for telling in tellings]


def _state(conversion: Conversion, at: datetime, *, is_lead: bool, variants: Variants) -> tuple[str, Decimal]:
    """Status and revenue that a postback at `at` carries. Rejected is what was taken back whole."""
    amounts = told(conversion.tellings, at)
    taken = told(conversion.reversal.tellings, at) if conversion.reversal else None
    if amounts is None:
        raise ValueError(f"{conversion.transaction_id} is not known yet")
    newer = variants.statuses == "newer"
    kind = conversion.offer.kind
    if taken is not None and taken.payout >= amounts.payout and taken.reward >= amounts.reward:
        return ("trash" if newer and kind == "survey" else variants.rejected_as), amounts.payout
    revenue = amounts.payout - taken.payout if taken and variants.partial == "net" else amounts.payout
    return _accepted(kind, is_lead=is_lead, newer=newer), revenue


def _accepted(kind: str, *, is_lead: bool, newer: bool) -> str:
    """The status of what was not taken back, in the older or the newer words."""
    if is_lead:
        return "registration" if newer else "lead"
    return "deposit" if newer and kind == "deal" else "sale"


def uuid7(at: datetime, text: str) -> str:
    """A UUID of version 7 for `at`, the rest of it made from `text`."""
    tail = hashlib.sha256(text.encode()).hexdigest()
    head = f"{int(at.timestamp() * 1000):012x}"
    return f"{head[:8]}-{head[8:]}-7{tail[:3]}-a{tail[3:6]}-{tail[6:18]}"

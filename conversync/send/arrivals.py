"""What was sent beside the conversions that the vendor's own tables have, one by one.

Each is there under its identity, with status, amount and currency; and of what a row was sent as before, that it counts
no more. A vendor that queues what it is told has the youngest too early to tell.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

from conversync.send.comparison import Ask, Comparison, Difference
from conversync.send.identities import Identities, Standing
from conversync.send.records import Record, moment
from conversync.send.target import RowRefusedError, Target

REJECTED = "rejected"


@dataclass(frozen=True)
class Arrived:
    """One conversion as the vendor has it; the amount and the currency are None where it tells none."""

    status: str
    amount: Decimal | None
    currency: str | None

    def __str__(self) -> str:
        return self.status if self.amount is None else f"{self.status} {_digits(self.amount)}"


@dataclass(frozen=True)
class Arrivals:
    """What a vendor has, and how it is to be read.

    `there` is by what `key` makes of an identity (see `Target.identity`). `known`: what the vendor is called in a
    sentence. `named` is an identity in words. `kind` tells what a status means,
    "rejected" among it. `queued`: so long may what was sent wait before it is there. `status` and `amount` are the
    outbox's columns; `default` is what a row without a status is.
    """

    vendor: str
    known: str
    there: Mapping[Any, Sequence[Arrived]]
    key: Callable[[str], Any]
    named: Callable[[str], str]
    kind: Callable[[str], str] = str.lower
    queued: timedelta = timedelta(0)
    status: str = "status"
    default: str = "sale"
    amount: str = "payout"


@dataclass(frozen=True)
class _Claim:
    """What we say of one conversion of the tracker: a row, and what it was last sent as under that identity."""

    record: Record
    standing: Standing
    is_last: bool

    @property
    def is_in_doubt(self) -> bool:
        """Whether nobody knows if what was sent last went."""
        return self.record.status == "in_doubt" and self.is_last


def compare(ask: Ask, sent: Sequence[Record], target: Target, arrivals: Arrivals) -> Comparison:
    """Every identity that was ever sent beside what is there."""
    found, there = Comparison(arrivals.vendor), arrivals.there
    claims, certain = _claims(sent, target), _certain(ask, arrivals)
    found.sent = sum(one.status == "sent" for one in sent)
    apart = set[str]()
    for identity, claim in claims.items():
        kept, key = there.get(arrivals.key(identity), []), claim.record.send_key
        if claim.is_in_doubt and not kept:
            found.notes.append(f"{key} is in doubt, and is not there")
        differences = list(_differences(claim, kept, arrivals))
        if differences:
            apart.add(key)
        if differences and claim.standing.at > certain:
            found.too_early += 1
        else:
            found.differences += differences
    for one in sent:
        found.differences += _refused(one, claims, target, arrivals)
        found.agree += one.status == "sent" and one.send_key not in apart
    found.notes += _notes(found, claims, arrivals)
    return found


def _claims(sent: Sequence[Record], target: Target) -> dict[str, _Claim]:
    """By identity, every one that was ever sent: of two rows that had it, the one that had it last."""
    claims: dict[str, _Claim] = {}
    for record in sent:
        identities = Identities.of(record, target)
        for standing in identities:
            claim = _Claim(record, standing, standing.identity == identities.last)
            before = claims.get(standing.identity)
            if before is None or _is_later(claim, before):
                claims[standing.identity] = claim
    return claims


def _is_later(claim: _Claim, before: _Claim) -> bool:
    """Of two rows that had one identity: who stands on it, before who took it back for another outbox; else by time."""
    if claim.record.outbox != before.record.outbox:
        holds, held = (one.is_last and one.standing.state == "stands" for one in (claim, before))
        if holds != held:
            return holds
    return before.standing.at <= claim.standing.at


def _certain(ask: Ask, arrivals: Arrivals) -> str:
    """What was sent later than this may still be in the vendor's queue, or was not read; "~" if nobody knows."""
    loads = ask(f"select max(inserted_at) from {arrivals.vendor}._dlt_loads where status = 0")  # noqa: S608 - our names
    at = loads[0][0] if loads else None
    return "~" if at is None else moment((at if at.tzinfo else at.replace(tzinfo=UTC)) - arrivals.queued)


def _differences(claim: _Claim, kept: Sequence[Arrived], arrivals: Arrivals) -> Iterator[Difference]:
    """What is apart between what we say of a conversion and what the vendor has."""
    record, standing = claim.record, claim.standing
    key, named = record.send_key, arrivals.named(standing.identity)
    is_there = str(kept[0]) if kept else ""
    if claim.is_in_doubt:
        if kept:
            yield Difference(key, "missing here", "in doubt", f"{kept[0].status}, {named}")
    elif not claim.is_last:
        if any(arrivals.kind(one.status) != REJECTED for one in kept):
            yield Difference(key, "still counts", f"taken back: {named}", is_there)
    elif record.status == "rejected":
        if kept:
            yield Difference(key, "refused since", record.reason or "refused", is_there)
    else:
        yield from _conversion(key, standing, kept, arrivals)


def _conversion(
    key: str, sent: Standing, kept: Sequence[Arrived], arrivals: Arrivals
) -> Iterator[Difference]:
    """What is apart between a conversion as it was sent and the vendor's."""
    wanted = str(sent.content.get(arrivals.status, arrivals.default)).lower()
    if not kept:
        yield Difference(key, "missing there", f"{wanted}, {arrivals.named(sent.identity)}", "")
        return
    if len(kept) > 1:
        yield Difference(key, "more than once", "1", str(len(kept)))
    there = kept[0]
    if arrivals.kind(wanted) != arrivals.kind(there.status):
        yield Difference(key, "status", wanted, there.status)
    sent_in = sent.content.get("currency")
    if sent_in and there.currency and str(sent_in).upper() != there.currency.upper():
        yield Difference(key, "currency", str(sent_in), there.currency)
    amount = sent.content.get(arrivals.amount)
    if amount is not None and (there.amount is None or Decimal(str(amount)) != there.amount):
        yield Difference(key, "amount", str(amount), _digits(there.amount))


def _digits(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount.normalize():f}"


def _refused(
    one: Record, claims: Mapping[str, _Claim], target: Target, arrivals: Arrivals
) -> Iterator[Difference]:
    """A row that was refused, never sent, and is there all the same."""
    if one.status != "rejected":
        return
    try:
        identity = target.identity(json.loads(one.content, parse_float=Decimal))
    except RowRefusedError:
        return
    if identity is None or identity in claims:
        return
    if kept := arrivals.there.get(arrivals.key(identity)):
        yield Difference(one.send_key, "missing here", "rejected by it", str(kept[0]))


def _notes(found: Comparison, claims: Mapping[str, _Claim], arrivals: Arrivals) -> Iterator[str]:
    if found.too_early:
        minutes = int(arrivals.queued.total_seconds() // 60)
        yield (
            f"{found.too_early:,} went out less than {minutes} minutes before {arrivals.known} was read, or later; it "
            "queues what it is told, so it is too early to tell: load and compare again"
        )
    ours = {arrivals.key(identity) for identity in claims}
    if others := sum(len(kept) for key, kept in arrivals.there.items() if key not in ours):
        yield f"{others:,} conversions of {arrivals.known} are not ours: others sent them"
    if any(one.currency is None for kept in arrivals.there.values() for one in kept):
        yield f"where {arrivals.known} tells no currency, none is compared"

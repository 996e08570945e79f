"""What the vendor says of each event, typed, after the documented meaning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from conversync.sandbox.besitos.takings import Taking, takings, withdrawn_at
from conversync.sandbox.besitos.variants import Variants
from conversync.sandbox.story import Amounts, Conversion, Kind, Reversal, told
from conversync.sandbox.world import World


def zone_of(name: str) -> tzinfo:
    """`EST` is fixed -05:00, summer and winter."""
    return timezone(timedelta(hours=-5)) if name == "EST" else ZoneInfo(name)


def local_text(told: str, zone: str) -> str:
    """`YYYY-MM-DD HH:MM:SS` in the vendor's zone, of a `date_time` with an offset or without."""
    if len(told) == len("2026-01-31 12:00:00") and "T" not in told:
        return told
    return f"{_instant(told, zone).astimezone(zone_of(zone)):%Y-%m-%d %H:%M:%S}"


def _instant(told: str, zone: str) -> datetime:
    """UTC; without an offset it is a time of the vendor's zone."""
    read = datetime.fromisoformat(told)
    return (read.replace(tzinfo=zone_of(zone)) if read.tzinfo is None else read).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Statement:
    """One row of the feed as a reader must hold it. Amounts are as told, sign and all."""

    event_key: str
    transaction_id: int
    is_reversal: bool
    user_id: str | None
    user_key: str | None
    offer_id: str | None
    offer_name: str | None
    goal_id: str | None
    note: str | None
    type: str | None
    survey_id: str | None
    payout: Decimal | None
    reward: Decimal
    reward_local_currency: Decimal | None
    date_time: str
    occurred_at: datetime
    """UTC, read from `date_time`; where that hour exists twice in the zone, the earlier one."""
    occurred_on: date
    """The day in the vendor's zone."""

    @staticmethod
    def of_row(row: Mapping[str, Any] | str, zone: str = "EST") -> Statement:
        """What a well-formed row says; a row that is not raises."""
        given = json.loads(row, parse_float=Decimal) if isinstance(row, str) else row
        told_at = given["date_time"]
        transaction_id, is_reversal = int(given["transaction_id"]), is_reversed(given.get("reverse"))
        user_id = given.get("user_id")
        return Statement(
            event_key=event_key(
                transaction_id,
                local_text(told_at, zone) if is_reversal else None,
                Decimal(str(given["reward"])),
            ),
            transaction_id=transaction_id,
            is_reversal=is_reversal,
            user_id=user_id,
            user_key=None if user_id is None else user_id.casefold(),
            offer_id=given.get("offer_id"),
            offer_name=given.get("offer_name"),
            goal_id=given.get("goal_id"),
            note=given.get("note"),
            type=given.get("type"),
            survey_id=given.get("survey_id"),
            payout=_money(given.get("payout")),
            reward=Decimal(str(given["reward"])),
            reward_local_currency=_money(given.get("reward_local_currency")),
            date_time=told_at,
            occurred_at=_instant(told_at, zone),
            occurred_on=date.fromisoformat(local_text(told_at, zone)[:10]),
        )


def is_reversed(flag: object) -> bool:
    """What `reverse` says, however it is written."""
    return flag in (1, "1", "true")


def event_key(transaction_id: int, reversed_at: str | None, reward: Decimal) -> str:
    """`2601266:original`; or `2601266:reversal:2024-12-08 09:00:00:4.000000`, its time in the vendor's zone.

    A transaction may be taken back in several reversals: they are told apart by their time and their reward,
    which is told in six decimals and without its sign.
    """
    if reversed_at is None:
        return f"{transaction_id}:original"
    return f"{transaction_id}:reversal:{reversed_at}:{abs(reward):.6f}"


def currency_of(transaction_id: int, variants: Variants) -> str | None:
    """What the transaction's rows tell; None where they tell none."""
    if not variants.currencies:
        return None
    in_turn = sorted(variants.currencies)
    told = in_turn[transaction_id % len(in_turn)]
    return None if told == "none" else told


def _money(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))


class Teller:
    """Tells a world's statements under one reading of the document, and remembers those it has made."""

    def __init__(self, world: World, variants: Variants) -> None:
        self.world = world
        self.variants = variants
        self._zone = zone_of(variants.zone)
        self._made: dict[tuple[int, datetime | None, int], Statement] = {}
        self._takings: dict[int, tuple[Taking, ...]] = {}

    def at(self, now: datetime | None = None) -> list[Statement]:
        """All that can be seen in the feed at `now` (the world's clock by default), whatever the window."""
        now = self.world.now if now is None else now
        return [one for conversion in self.world.conversions for one in self._of(conversion, now)]

    def _of(self, conversion: Conversion, now: datetime) -> Iterator[Statement]:
        if not self._is_told(conversion, now):
            return
        amounts = told(conversion.tellings, now)
        taken = [(one.reversal, one.amounts(now)) for one in self._taken(conversion)]
        is_taken = any(back is not None for _, back in taken)
        if amounts is not None and not (self.variants.original_disappears and is_taken):
            yield self._statement(conversion, amounts, None)
        for reversal, back in taken:
            if back is not None:
                yield self._statement(conversion, back, reversal)

    def _is_told(self, conversion: Conversion, now: datetime) -> bool:
        """Whether it has come, is of a kind that the feed tells, and was not withdrawn since."""
        if conversion.occurred_at > now or (conversion.offer.kind == "survey" and not self.variants.surveys):
            return False
        gone_at = withdrawn_at(conversion, self.variants)
        return gone_at is None or gone_at > now

    def _taken(self, conversion: Conversion) -> tuple[Taking, ...]:
        """Made once, as `_made` knows amounts by their identity."""
        if conversion.reversal is None:
            return ()
        if conversion.transaction_id not in self._takings:
            self._takings[conversion.transaction_id] = takings(conversion, self.variants)
        return self._takings[conversion.transaction_id]

    def _statement(self, conversion: Conversion, amounts: Amounts, reversal: Reversal | None) -> Statement:
        """Amounts are kept, by the world or in `_takings`, so each is known by its identity."""
        key = (conversion.transaction_id, reversal.occurred_at if reversal else None, id(amounts))
        if key not in self._made:
            self._made[key] = _made(conversion, amounts, reversal, self.variants, self._zone)
        return self._made[key]


def _made(
    conversion: Conversion, amounts: Amounts, reversal: Reversal | None, variants: Variants, zone: tzinfo
) -> Statement:
    instant = conversion.occurred_at
    if reversal is not None and variants.reversal_dated == "own":
        instant = reversal.occurred_at
    local = instant.astimezone(zone).replace(fold=0)
    negative = reversal is not None and variants.reversal_sign == "negative"
    payout = amounts.payout if reversal is None else _payout(amounts.payout, variants)
    offer, user_id = conversion.offer, conversion.user_id
    return Statement(
        event_key=event_key(
            conversion.transaction_id, f"{local:%Y-%m-%d %H:%M:%S}" if reversal else None, amounts.reward
        ),
        transaction_id=conversion.transaction_id,
        is_reversal=reversal is not None,
        user_id=user_id,
        user_key=user_id.casefold(),
        offer_id=offer.id,
        offer_name=offer.name,
        goal_id=None if offer.kind == "survey" else conversion.goal.id,
        note=conversion.goal.name,
        type=_type(offer.kind, variants),
        survey_id=conversion.survey_id,
        payout=None if payout is None else _signed(payout, negative=negative),
        reward=_signed(amounts.reward, negative=negative),
        reward_local_currency=_signed(amounts.reward_local, negative=negative),
        date_time=_told_time(local, variants),
        occurred_at=local.astimezone(UTC),
        occurred_on=local.date(),
    )


def _told_time(local: datetime, variants: Variants) -> str:
    """The instant as rows write it, whole seconds."""
    if variants.dates == "local":
        return f"{local:%Y-%m-%d %H:%M:%S}"
    return f"{local.astimezone(UTC):%Y-%m-%dT%H:%M:%S}{'.000000Z' if variants.dates == 'zulu' else '+00:00'}"


def _payout(amount: Decimal, variants: Variants) -> Decimal | None:
    """What a reversal says of the payout taken back."""
    if variants.reversal_payout == "absent":
        return None
    return amount if variants.reversal_payout == "present" else Decimal(0)


def _signed(amount: Decimal, *, negative: bool) -> Decimal:
    """Zero has no sign."""
    return -amount if negative and amount else amount


def _type(kind: Kind, variants: Variants) -> str | None:
    if not variants.surveys:
        return None
    return variants.deal_type if kind == "deal" else kind

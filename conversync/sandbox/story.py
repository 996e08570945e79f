"""What a story is made of: players, offers, conversions, restatements, reversals, and when each is known.

Nothing here knows a vendor's dialect. All instants are UTC, all money is Decimal, all amounts of a reversal
are positive ("what was taken back"): a dialect may tell them otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

Kind = Literal["offer", "deal", "survey"]


@dataclass(frozen=True, slots=True)
class Player:
    """A person in the partner's own database. Ids differ by more than case, but their spelling may vary."""

    id: str
    country: str
    device_os: str


@dataclass(frozen=True, slots=True)
class Goal:
    """Something a player can reach in an offer, with the amounts it usually brings."""

    id: str
    name: str
    payout: Decimal
    reward: Decimal


@dataclass(frozen=True, slots=True)
class Offer:
    """Something to do. It takes no new players from `ends_at` on, and leaves the catalogue then."""

    id: str
    name: str
    kind: Kind
    goals: tuple[Goal, ...]
    ends_at: datetime | None

    def is_current(self, now: datetime) -> bool:
        """Does the catalogue still hold it at `now`?"""
        return self.ends_at is None or now < self.ends_at


@dataclass(frozen=True, slots=True)
class Amounts:
    """Payout and reward in USD; `reward_local` is the same reward in the partner's own points."""

    payout: Decimal
    reward: Decimal
    reward_local: Decimal


@dataclass(frozen=True, slots=True)
class Telling:
    """From `at` on these are the amounts, until a later telling."""

    at: datetime
    amounts: Amounts


def told(tellings: tuple[Telling, ...], now: datetime) -> Amounts | None:
    """The amounts as they stand at `now`; None while nothing has been told."""
    standing = None
    for telling in tellings:
        if telling.at > now:
            break
        standing = telling.amounts
    return standing


@dataclass(frozen=True, slots=True)
class Reversal:
    """All (`full`) or a part of a conversion taken back. It may become known before a late original does."""

    occurred_at: datetime
    full: bool
    tellings: tuple[Telling, ...]


@dataclass(frozen=True, slots=True)
class Conversion:
    """One event. `transaction_id` grows with `occurred_at`; it is known from `tellings[0].at` on."""

    transaction_id: int
    click_id: str
    player: Player
    user_id: str
    """The player's id as this event spells it."""
    offer: Offer
    goal: Goal
    survey_id: str | None
    occurred_at: datetime
    tellings: tuple[Telling, ...]
    reversal: Reversal | None


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that ever happens; conversions in the order of their transaction_id."""

    players: tuple[Player, ...]
    offers: tuple[Offer, ...]
    conversions: tuple[Conversion, ...]

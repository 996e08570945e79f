"""What a reader of the feed must hold, straight from the world: no page, no JSON in between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal

from sandbox.besitos.reading import Read, select
from sandbox.besitos.statements import Statement, Teller, currency_of
from sandbox.besitos.variants import Variants
from sandbox.world import World


@dataclass(frozen=True)
class Totals:
    """Sums over transactions. Rewards are a cost; what a reversal does not say (a null payout) counts as 0.

    `conversions` counts originals, `reversals` all reversals, `orphans` those of them without an original:
    their amounts are in `reversed_*`, but an orphan's net is 0.
    """

    conversions: int = 0
    reversals: int = 0
    orphans: int = 0
    gross_payout: Decimal = Decimal(0)
    reversed_payout: Decimal = Decimal(0)
    net_payout: Decimal = Decimal(0)
    gross_reward: Decimal = Decimal(0)
    reversed_reward: Decimal = Decimal(0)
    net_reward: Decimal = Decimal(0)

    def __add__(self, other: Totals) -> Totals:
        return Totals(*(getattr(self, name) + getattr(other, name) for name in _NAMES))


_NAMES = tuple(field.name for field in fields(Totals))


def totals(said: Iterable[Statement]) -> Totals:
    """Of statements that each stand for another event."""
    return sum((_of_transaction(*pair) for pair in _pairs(said)), Totals())


def totals_by_offer(said: Iterable[Statement]) -> dict[str | None, Totals]:
    """By the original's offer_id, or an orphan's own."""
    by_offer: dict[str | None, Totals] = {}
    for original, reversal in _pairs(said):
        statement = original or reversal
        offer_id = statement.offer_id if statement else None
        by_offer[offer_id] = by_offer.get(offer_id, Totals()) + _of_transaction(original, reversal)
    return by_offer


def _pairs(said: Iterable[Statement]) -> list[tuple[Statement | None, Statement | None]]:
    originals: dict[int, Statement] = {}
    reversals: dict[int, Statement] = {}
    for statement in said:
        kind = reversals if statement.is_reversal else originals
        if statement.transaction_id in kind:
            raise ValueError(f"{statement.event_key} is stated twice")
        kind[statement.transaction_id] = statement
    return [(originals.get(number), reversals.get(number)) for number in sorted({*originals, *reversals})]


def _of_transaction(original: Statement | None, reversal: Statement | None) -> Totals:
    gross_payout, gross_reward = _amounts(original)
    reversed_payout, reversed_reward = map(abs, _amounts(reversal))
    if original is not None:
        reversed_payout *= -1 if gross_payout < 0 else 1
        reversed_reward *= -1 if gross_reward < 0 else 1
    return Totals(
        conversions=int(original is not None),
        reversals=int(reversal is not None),
        orphans=int(original is None),
        gross_payout=gross_payout,
        reversed_payout=reversed_payout,
        net_payout=Decimal(0) if original is None else gross_payout - reversed_payout,
        gross_reward=gross_reward,
        reversed_reward=reversed_reward,
        net_reward=Decimal(0) if original is None else gross_reward - reversed_reward,
    )


def _amounts(statement: Statement | None) -> tuple[Decimal, Decimal]:
    if statement is None:
        return Decimal(0), Decimal(0)
    return statement.payout or Decimal(0), statement.reward


class Oracle:
    """The independent answer to "is what we hold right?", for one world under one reading of the document."""

    def __init__(self, world: World, variants: Variants) -> None:
        self.world = world
        self.variants = variants
        self._teller = Teller(world, variants)

    def statements(self, now: datetime | None = None) -> dict[str, Statement]:
        """By event_key, all that the feed shows at `now` (the world's clock) to who reads every day of it."""
        return {one.event_key: one for one in self._teller.at(now)}

    def held(self, reads: Iterable[Read]) -> dict[str, list[Statement]]:
        """By event_key, what was said of each event over these reads, in order: the last one stands.

        A statement that a later read repeats is not a new one; one that comes back (A, B, A) is.
        An event that a later read does not show keeps its last statement.
        """
        held: dict[str, list[Statement]] = {}
        for read in reads:
            for one in select(self._teller.at(read.clock), read, self.variants):
                history = held.setdefault(one.event_key, [])
                if not history or history[-1] != one:
                    history.append(one)
        return held

    def standing(self, reads: Sequence[Read]) -> dict[str, Statement]:
        """By event_key, the last statement of each event that these reads saw."""
        return {key: history[-1] for key, history in self.held(reads).items()}

    def currencies(self, now: datetime | None = None) -> dict[int, str | None]:
        """By transaction_id, the currency that the feed tells at `now`; None where it tells none (then it is USD)."""
        numbers = {one.transaction_id for one in self._teller.at(now)}
        return {number: currency_of(number, self.variants) for number in sorted(numbers)}

    def totals(self, now: datetime | None = None) -> Totals:
        """Of all that the feed shows at `now`."""
        return totals(self.statements(now).values())

    def totals_by_offer(self, now: datetime | None = None) -> dict[str | None, Totals]:
        """Of all that the feed shows at `now`, by offer_id."""
        return totals_by_offer(self.statements(now).values())

"""What a reader of the feed must hold, straight from the world: no page, no JSON in between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from itertools import combinations

from conversync.sandbox.besitos.reading import Read, select
from conversync.sandbox.besitos.statements import Statement, Teller, currency_of
from conversync.sandbox.besitos.variants import Variants
from conversync.sandbox.world import World


@dataclass(frozen=True)
class Totals:
    """Sums over transactions. Rewards are a cost; what a reversal does not say (a null payout) counts as 0.

    All reversals of a transaction are subtracted. `conversions` counts originals, `reversals` the transactions taken
    back in whole or in part, `orphans` those of them without an original: their amounts are in `reversed_*`, but an
    orphan's net is 0.
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
    return sum((_of_transaction(*pair) for pair in _by_transaction(said)), Totals())


def totals_by_offer(said: Iterable[Statement]) -> dict[str | None, Totals]:
    """By the original's offer_id, or an orphan's own (of several reversals, the first one's)."""
    by_offer: dict[str | None, Totals] = {}
    for original, reversals in _by_transaction(said):
        offer_id = (original or reversals[0]).offer_id
        by_offer[offer_id] = by_offer.get(offer_id, Totals()) + _of_transaction(original, reversals)
    return by_offer


def _by_transaction(said: Iterable[Statement]) -> list[tuple[Statement | None, list[Statement]]]:
    """Each transaction's original and its reversals, oldest first."""
    events: dict[str, Statement] = {}
    for statement in said:
        if statement.event_key in events:
            raise ValueError(f"{statement.event_key} is stated twice")
        events[statement.event_key] = statement
    originals = {one.transaction_id: one for one in events.values() if not one.is_reversal}
    reversals: dict[int, list[Statement]] = {}
    for one in sorted(events.values(), key=lambda one: one.event_key):
        if one.is_reversal:
            reversals.setdefault(one.transaction_id, []).append(one)
    numbers = sorted({*originals, *reversals})
    return [(originals.get(number), reversals.get(number, [])) for number in numbers]


def _of_transaction(original: Statement | None, reversals: Sequence[Statement]) -> Totals:
    gross_payout, gross_reward = _amounts(original)
    back = [_amounts(one) for one in reversals]
    reversed_payout = sum((abs(payout) for payout, _ in back), Decimal(0))
    reversed_reward = sum((abs(reward) for _, reward in back), Decimal(0))
    if original is not None:
        reversed_payout *= -1 if gross_payout < 0 else 1
        reversed_reward *= -1 if gross_reward < 0 else 1
    return Totals(
        conversions=int(original is not None),
        reversals=int(bool(reversals)),
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


def _side_by_side(shown: Iterable[Statement]) -> Iterator[frozenset[str]]:
    """Each two reversals of one transaction, by their keys."""
    for _, reversals in _by_transaction(shown):
        for one, other in combinations(reversals, 2):
            yield frozenset((one.event_key, other.event_key))


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

    def withdrawn(self, reads: Iterable[Read]) -> set[str]:
        """The keys of events that the last read which asked for them did not show, though an earlier one had."""
        return self._watched(reads)[0]

    def replaced(self, reads: Iterable[Read]) -> set[str]:
        """The keys of withdrawn reversals whose place another one of the transaction took.

        Two that were once shown side by side are instalments: none of them takes the other's place.
        """
        withdrawn, pairs, seen = self._watched(reads)
        stand: dict[int, list[Statement]] = {}
        for one in seen.values():
            if one.is_reversal and one.event_key not in withdrawn:
                stand.setdefault(one.transaction_id, []).append(one)
        return {
            key
            for key in withdrawn
            if seen[key].is_reversal
            and any(
                frozenset((key, other.event_key)) not in pairs
                for other in stand.get(seen[key].transaction_id, ())
            )
        }

    def counted(self, reads: Sequence[Read]) -> dict[str, Statement]:
        """By event_key, what sums are made of: all that stands, but for reversals whose place another one took."""
        replaced = self.replaced(reads)
        return {key: one for key, one in self.standing(reads).items() if key not in replaced}

    def _watched(self, reads: Iterable[Read]) -> tuple[set[str], set[frozenset[str]], dict[str, Statement]]:
        """What is withdrawn, which reversals were shown side by side, and the last statement of each event."""
        withdrawn: set[str] = set()
        pairs: set[frozenset[str]] = set()
        seen: dict[str, Statement] = {}
        for read in reads:
            shown = {one.event_key: one for one in select(self._teller.at(read.clock), read, self.variants)}
            asked = {one.event_key for one in select(seen.values(), read, self.variants)}
            withdrawn = (withdrawn | asked) - shown.keys()
            seen |= shown
            pairs.update(_side_by_side(shown.values()))
        return withdrawn, pairs, seen

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

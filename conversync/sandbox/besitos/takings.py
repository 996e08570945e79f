"""What the feed takes back of the story: conversions withdrawn, reversals in parts, restated or replaced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from conversync.sandbox.besitos.variants import Variants
from conversync.sandbox.story import Amounts, Conversion, Reversal, Telling, told

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Taking:
    """A reversal as the feed serves it: from its first telling until `until`."""

    reversal: Reversal
    until: datetime | None = None

    def amounts(self, now: datetime) -> Amounts | None:
        """What it takes back at `now`; None where it is not served."""
        return None if self.until is not None and self.until <= now else told(self.reversal.tellings, now)


def withdrawn_at(conversion: Conversion, variants: Variants) -> datetime | None:
    """From when on the conversion is served no more."""
    if not _met(conversion, variants.withdrawn, 0):
        return None
    return conversion.tellings[0].at + timedelta(days=variants.change_days)


def takings(conversion: Conversion, variants: Variants) -> tuple[Taking, ...]:
    """The reversals of the conversion, in the order of their first telling."""
    reversal = conversion.reversal
    if reversal is None:
        return ()
    later = timedelta(days=variants.change_days)
    if _met(conversion, variants.instalments, 1) and _can_be_told_apart(reversal):
        return _in_two(reversal, later)
    if variants.reversal_dated == "own" and _met(conversion, variants.replaced, 2):
        return _replaced(reversal, later)
    if _met(conversion, variants.restated, 3):
        return (_restated(reversal, later),)
    return (Taking(reversal),)


def _met(conversion: Conversion, every: int, place: int) -> bool:
    """Each kind of change has a place of its own, so that one transaction seldom meets two."""
    return bool(every) and conversion.transaction_id % every == place % every


def _in_two(reversal: Reversal, later: timedelta) -> tuple[Taking, ...]:
    first = tuple(Telling(one.at, _third(one.amounts)) for one in reversal.tellings)
    rest = tuple(Telling(one.at + later, _rest(one.amounts)) for one in reversal.tellings)
    return (
        Taking(Reversal(reversal.occurred_at, full=False, tellings=first)),
        Taking(Reversal(reversal.occurred_at + later, full=False, tellings=rest)),
    )


def _restated(reversal: Reversal, later: timedelta) -> Taking:
    first = reversal.tellings[0]
    after = tuple(Telling(one.at + later, one.amounts) for one in reversal.tellings)
    return Taking(
        Reversal(reversal.occurred_at, full=False, tellings=(Telling(first.at, _half(first.amounts)), *after))
    )


def _replaced(reversal: Reversal, later: timedelta) -> tuple[Taking, ...]:
    at = reversal.tellings[0].at + later
    standing = told(reversal.tellings, at) or reversal.tellings[0].amounts
    after = (Telling(at, standing), *(one for one in reversal.tellings if one.at > at))
    dated = reversal.occurred_at + timedelta(days=1)
    return Taking(reversal, at), Taking(Reversal(dated, reversal.full, after))


def _can_be_told_apart(reversal: Reversal) -> bool:
    """Whether the rewards of two parts differ: where both have their original's date, nothing else tells them apart."""
    return all(_third(one.amounts).reward != _rest(one.amounts).reward for one in reversal.tellings)


def _half(amounts: Amounts) -> Amounts:
    return _part(amounts, 2)


def _third(amounts: Amounts) -> Amounts:
    return _part(amounts, 3)


def _part(amounts: Amounts, of: int) -> Amounts:
    return Amounts(*(_cents(one / of) for one in (amounts.payout, amounts.reward, amounts.reward_local)))


def _rest(amounts: Amounts) -> Amounts:
    third = _third(amounts)
    return Amounts(
        amounts.payout - third.payout,
        amounts.reward - third.reward,
        amounts.reward_local - third.reward_local,
    )


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)

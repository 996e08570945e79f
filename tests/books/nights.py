"""Generated nights of an offerwall: what comes is taken back early, late or in parts, restated, withdrawn."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from tests.besitos.rows import reversal, row

# Days of two months.
FIRST = date(2024, 11, 22)
DAYS = 18
FROM, TO = "2024-11-20", "2024-12-12"
OFFERS = ("tU5z8PU5BIR9", "aB1", None)
CURRENCIES = (None, None, "EUR")


@dataclass
class Feed:
    """What the vendor serves: each night of `tell` changes some of it. The same seed tells the same."""

    seed: int
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    _random: random.Random = field(init=False)
    _last: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def tell(self, nights: int) -> Iterator[list[dict[str, Any]]]:
        """The rows of each night."""
        for _ in range(4):
            self._earn()
        for _ in range(nights):
            for _ in range(self._random.randint(1, 3)):
                self._earn()
            for _ in range(self._random.randint(0, 3)):
                self._random.choice(
                    (
                        self._take_back,
                        self._take_back,
                        self._take_back_early,
                        self._restate,
                        self._restate_reversal,
                        self._withdraw,
                        self._renumber,
                    )
                )()
            yield list(self.rows.values())

    def _at(self) -> str:
        instant = datetime.combine(FIRST, datetime.min.time()) + timedelta(
            days=self._random.randrange(DAYS), seconds=self._random.randrange(86_400)
        )
        return str(instant)

    def _number(self) -> int:
        self._last += 1
        return self._last

    def _earn(self) -> None:
        number = self._number()
        payout = self._random.randint(1, 3000) / 100
        self.rows[f"{number}"] = row(
            number,
            user_id=f"user-{number}",
            payout=payout,
            reward=round(payout * 10, 2),
            offer_id=self._random.choice(OFFERS),
            currency=self._random.choice(CURRENCIES),
            date_time=self._at(),
        )

    def _one(self) -> dict[str, Any] | None:
        """Any original that is served."""
        served = [one for one in self.rows.values() if not one.get("reverse")]
        return self._random.choice(served) if served else None

    def _take_back(self) -> None:
        """Wholly or in part, whatever was taken back before."""
        if (one := self._one()) is not None:
            share = self._random.choice((1, 0.5, 0.25))
            self._reverse(
                one["transaction_id"], one["payout"] * share, one["reward"] * share, one.get("currency")
            )

    def _take_back_early(self) -> None:
        """Before the conversion itself comes, if it ever does: an orphan."""
        self._reverse(self._last + self._random.randint(1, 3), 5, 50, None)

    def _reverse(self, number: int, payout: float, reward: float, currency: str | None) -> None:
        told = round(payout, 2) if self._random.random() < 0.8 else None
        self.rows[f"{number}:{len(self.rows)}:{self._random.random()}"] = reversal(
            number,
            user_id=f"user-{number}",
            payout=told,
            reward=round(reward, 2) or 0.01,
            currency=currency,
            date_time=self._at(),
        )

    def _restate(self) -> None:
        """Another amount, another offer, another currency or another day."""
        if (one := self._one()) is None:
            return
        self._random.choice(
            (
                lambda: one.update(payout=round(one["payout"] + self._random.choice((1, -0.5)), 2)),
                lambda: one.update(offer_id="aB2"),
                lambda: one.update(currency="GBP"),
                lambda: one.update(date_time=self._at()),
            )
        )()

    def _restate_reversal(self) -> None:
        taken = [one for one in self.rows.values() if one.get("reverse")]
        if taken:
            one = self._random.choice(taken)
            one["payout"] = round(one.get("payout", 0) + 0.25, 2)

    def _withdraw(self) -> None:
        """No more than one, so that it is believed."""
        if len(self.rows) > 12:
            del self.rows[self._random.choice(list(self.rows))]

    def _renumber(self) -> None:
        """The vendor gives a conversion another id."""
        if len(self.rows) > 12 and (one := self._one()) is not None:
            [key] = [key for key, other in self.rows.items() if other is one]
            number = 10_000 + self._number()
            del self.rows[key]
            self.rows[str(number)] = {**one, "transaction_id": number}

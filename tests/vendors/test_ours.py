"""What every vendor keeps, of ours that state events: the class of tests that others inherit, against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conversync.sandbox import Sandbox, World
from conversync.testing import VendorContract
from conversync.vendors import vendors

DAYS = 12


@dataclass
class Served:
    """One vendor of a sandbox (see `conversync.testing.Served`)."""

    sandbox: Sandbox
    vendor: str
    bad: Any
    """The row that is spoilt, as the vendor's variant `unreadable` names it."""
    events: int

    @property
    def settings(self) -> dict[str, str]:
        """The vendor's alone, and where its story begins."""
        prefix = f"{self.vendor.upper()}_"
        found = {name: value for name, value in self.sandbox.settings().items() if name.startswith(prefix)}
        return {
            **found,
            f"{prefix}START_DATE": str(self.sandbox.world.start - timedelta(days=1)),
            "HTTP_BUDGET": "5",
        }

    @property
    def requests(self) -> int:
        """All of them."""
        return len(self.sandbox.requests)

    def spoil(self) -> None:
        """An amount is no number."""
        self._say(self.bad)

    def mend(self) -> None:
        """It is one again."""
        self._say(type(self.bad)())

    def _say(self, bad: Any) -> None:
        teller = getattr(self.sandbox, self.vendor)
        teller.variants = replace(teller.variants, unreadable=bad)


@contextmanager
def telling() -> Iterator[Sandbox]:
    """A small story of the last days, until today began."""
    start = datetime.now(UTC).date() - timedelta(days=DAYS)
    with Sandbox(World(start=start, days=DAYS, conversions_a_day=4)) as sandbox:
        yield sandbox


class TestBesitos(VendorContract):
    """The offerwall."""

    vendor, table, credential = "besitos", "conversion_events", "BESITOS_TOKEN"

    @contextmanager
    def served(self) -> Iterator[Served]:
        """Conversions and reversals; the spoilt one was not taken back."""
        with telling() as sandbox:
            said = sandbox.besitos.oracle.statements().values()
            reversed_ = {one.transaction_id for one in said if one.is_reversal}
            bad = next(one.transaction_id for one in said if one.transaction_id not in reversed_)
            yield Served(sandbox, "besitos", bad, len(said))


@pytest.mark.more
class TestKeitaro(VendorContract):
    """The tracker."""

    vendor, table, credential = "keitaro", "conversion_events", "KEITARO_API_KEY"

    @contextmanager
    def served(self) -> Iterator[Served]:
        """Its log."""
        with telling() as sandbox:
            events = sandbox.keitaro.oracle.events()
            yield Served(sandbox, "keitaro", next(iter(events)), len(events))


def test_every_vendor_of_ours_that_states_events_keeps_the_contract() -> None:
    """One that is added has its class here."""
    states = {name for name, vendor in vendors().items() if "conversion_events" in vendor.statements}
    assert {one.vendor for one in (TestBesitos, TestKeitaro)} == states

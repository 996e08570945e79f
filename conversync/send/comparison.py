"""What was sent beside what a vendor's own tables say arrived: what that is, and how a vendor declares it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from conversync.errors import PARTIAL
from conversync.send.records import Record
from conversync.types import Values


@dataclass(frozen=True)
class Difference:
    """`what`: missing there, missing here, still counts, refused since, or what is apart; the others in words."""

    send_key: str
    what: str
    sent: str
    there: str


@dataclass
class Comparison:
    """What was compared: `sent` rows, of which `agree`; `notes` are sentences without their full stop."""

    vendor: str
    sent: int = 0
    agree: int = 0
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    too_early: int = 0
    """Rows that were sent too shortly before the vendor was read."""
    unread: bool = False
    """Whether the vendor was not read since the last send."""

    @property
    def exit_code(self) -> int:
        """0 without a difference, if the vendor was read since."""
        return PARTIAL if self.differences or self.unread else 0


Ask = Callable[[str], Sequence[Values] | None]
"""Asks the warehouse; None where a table does not exist."""


@dataclass(frozen=True)
class Reconciliation:
    """How a vendor is compared: what was sent to `target`, by `compare`, given what asks the warehouse.

    `compare` raises SettingsError where the vendor's own tables are not in the warehouse.
    """

    target: str
    compare: Callable[[Ask, Sequence[Record]], Comparison]

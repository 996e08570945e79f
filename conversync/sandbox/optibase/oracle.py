"""What was received, added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol


class Counted(Protocol):
    """What the totals need of a conversion that was received."""

    @property
    def conversion_id(self) -> str: ...
    @property
    def visitor(self) -> str: ...
    @property
    def counted(self) -> bool: ...


class Oracle:
    """The vendor's own totals; its document knows no way to ask for them."""

    def __init__(self, received: Callable[[], list[Counted]]) -> None:
        self._received = received

    def conversions(self) -> dict[str, int]:
        """By conversion id, how often it counts."""
        return dict(Counter(one.conversion_id for one in self._received() if one.counted))

    def visitors(self) -> dict[str, int]:
        """By conversion id, of how many different visitors. An external id is another visitor than a plain one."""
        distinct = {(one.conversion_id, one.visitor) for one in self._received()}
        return dict(Counter(conversion_id for conversion_id, _ in distinct))

    def repeats(self) -> int:
        """How many came for a conversion and visitor that had come before."""
        return len(self._received()) - sum(self.visitors().values())

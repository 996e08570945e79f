"""Which new rows are old history, and what is to become of them.

A row that was never sent may be new in the world, late, or years old and in the outbox because somebody sends for the
first time, or read half a year back. Late ones go. History goes only by a person's word: a row that is more than a
week old, and older than all that the books know.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, Self

import pendulum

from conversync.send.options import Options
from conversync.send.records import Known

# So old may a row be that goes unasked at a first send, in days.
FRESH = 7

Fate = Literal["goes", "left out", "adopted", "asks"]


@dataclass
class History:
    """`floor`: the oldest day in the books, "" where they cannot tell; None at a first send. Days are ISO dates."""

    floor: str | None
    since: str | None
    adopt: bool
    fresh: str
    oldest: str | None = None
    """Of the new rows that go or wait for a word, and so is the `newest`."""
    newest: str | None = None
    undated: int = 0
    counts: dict[Fate, int] = field(default_factory=dict)

    @classmethod
    def of(cls, known: Iterable[Known], options: Options) -> Self:
        """By what the books know."""
        days = {one.occurred_on or "" for one in known if one.status != "rejected"}
        fresh = pendulum.now("UTC").date().subtract(days=FRESH)
        since = None if options.since is None else options.since.isoformat()
        return cls(min(days, default=None), since, options.adopt, fresh.isoformat())

    @property
    def is_first(self) -> bool:
        """Whether nothing was ever sent."""
        return self.floor is None

    def fate(self, day: str | None) -> Fate:
        """What becomes of a new row of that day."""
        found = self._fate(day)
        self.counts[found] = self.counts.get(found, 0) + 1
        if found in ("goes", "asks"):
            self._note(day)
        return found

    def goes_after_all(self, day: str | None) -> bool:
        """Whether a row that was left out once is wanted now."""
        wanted = self.since is not None and day is not None and day >= self.since
        if wanted:
            self._note(day)
        return wanted

    def _note(self, day: str | None) -> None:
        if day is None:
            self.undated += 1
        else:
            self.oldest, self.newest = min(self.oldest or day, day), max(self.newest or day, day)

    def _fate(self, day: str | None) -> Fate:
        if day is None:
            return "goes"
        if self.since is not None:
            return "goes" if day >= self.since else "adopted" if self.adopt else "left out"
        if day >= self.fresh or (self.floor is not None and day >= self.floor):
            return "goes"
        return "adopted" if self.adopt else "asks"

    def question(self, target: str) -> str | None:
        """What a person must say before rows go that would else surprise them."""
        asks = self.counts.get("asks", 0)
        if not asks:
            return None
        age = f"more than {FRESH} days old (the oldest is of {self.oldest})"
        way_out = (
            f"Say what is to become of them: --since {self.oldest} sends all; --since with a later day leaves out for "
            "good what is older; --adopt marks them as sent, without sending, as where another program sent them. "
            f"For a night: send_since in [send.{target}]"
        )
        if self.is_first:
            return (
                f"Nothing was ever sent to {target}, and {asks:,} of the rows that would go are {age}. "
                f"Nothing was sent. {way_out}."
            )
        return f"{asks:,} new rows are {age}, older than all that was sent before; they do not go. {way_out}"

"""What a person should see before rows of the outbox go: the plan, and what of it wants a look. `planner` makes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from conversync.count_words import rows
from conversync.send.identities import Identities
from conversync.send.old_rows import History
from conversync.send.outbox import Entry
from conversync.send.records import Known, Record, Status
from conversync.send.target import Request
from conversync.types import Document, Row
from conversync.vendors import source_of

# Requests shown, keys named and warnings printed; the counts are of all.
SAMPLE = 3
NAMED = 5
WARNINGS = 20

Kind = Literal["new", "changed", "again", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Pending:
    """A row that goes: `again` is one that was rejected or in doubt, `withdrawn` one that left the outbox.

    With a `refusal` it goes nowhere. `content` is what is sent under its identity, as JSON; `withdraws` if that says
    that it counts no more. `attempts` is how often this content went out before. `undo` goes first: what takes back
    the identities that the row had before.
    """

    entry: Entry
    kind: Kind
    previous_response: Row
    request: Request | None
    refusal: str | None
    attempts: int
    first_sent_at: str | None
    identities: Identities
    content: str
    withdraws: bool = False
    undo: tuple[Pending, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A row that is noted without a request: as sent, or as left out. `record` is what the books have of it so far."""

    status: Status
    reason: str
    entry: Entry | None
    record: Record | None


@dataclass
class Plan:
    """`rows` go, in the outbox's order. The counts are of rows of the outbox, but for `in_doubt`, `left` and `gone`."""

    target: str
    rows: list[Pending] = field(default_factory=list)
    outbox: int = 0
    pending: Counter[str] = field(default_factory=Counter)
    already: int = 0
    rejected: int = 0
    left_out: int = 0
    """Rows that were left out by --since, now or before."""
    unsupported: list[str] = field(default_factory=list)
    """Keys of rows that changed in a way that the vendor cannot take."""
    in_doubt: list[str] = field(default_factory=list)
    """Keys that stay in doubt, also those that the outbox no longer has."""
    left: list[str] = field(default_factory=list)
    """Keys of rows that were sent, left the outbox, still count at the vendor, and nobody said what that means."""
    doubled: list[str] = field(default_factory=list)
    """Keys of rows whose old identity still counts at the vendor, because the row that has it now does not go."""
    returned: list[str] = field(default_factory=list)
    """Keys of rows that go as what they were once, and was taken back since."""
    gone: int = 0
    """All that were sent and are not in the outbox any more, those included."""
    elsewhere: int = 0
    """Sent from another outbox."""
    marks: list[Mark] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)
    """Keys that the books have under another outbox's name."""
    warnings: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    history: History | None = None
    forgets: bool = False
    """Whether the books hold what is older than retain_sent_days."""
    refusals: list[str] = field(default_factory=list)
    """Why nothing goes, if so."""
    resolves: bool = False
    """Whether the vendor can be asked about rows in doubt."""

    @property
    def sample(self) -> list[str]:
        """The first requests, secrets masked; they may tell of a person."""
        steps = (step for one in self.rows for step in (*one.undo, one))
        return [one.request.shown() for one in steps if one.request][:SAMPLE]

    @property
    def refused(self) -> int:
        """How many rows that go can become no request."""
        return sum(one.refusal is not None for one in self.rows)

    @property
    def moved(self) -> int:
        """How many rows go under another identity than before, which is taken back first."""
        return sum(bool(one.undo) for one in self.rows)

    @property
    def adopted(self) -> int:
        """How many rows are marked as sent."""
        return sum(one.status == "sent" for one in self.marks)

    @property
    def writes(self) -> bool:
        """Whether the books will say something new."""
        return bool(self.rows or self.marks)

    def looks(self) -> list[str]:
        """What wants a look after a send that went well: each a sentence without its full stop, and its way out."""
        doubt = (
            "--resolve-in-doubt asks the vendor; " if self.resolves else ""
        ) + "--resend-in-doubt sends again"
        found = {
            f"in doubt: the vendor may have it or not; {doubt}, --adopt takes it for sent": self.in_doubt,
            "changed since the send in a way that the vendor cannot take: nothing of it goes, and what was sent stands "
            "there; --adopt takes note of it": self.unsupported,
            "taken back once, and gone again as the same: the vendor may not take it any more; see whether it counts "
            f"there (`conversync reconcile {source_of(self.target)}`, or its own pages)": self.returned,
            "counting twice: it still counts there as what it was before, too, until the row that is called so now "
            "goes; mend that row (--retry-rejected sends it again), or take it out of the outbox": self.doubled,
            'left the outbox after the send, and what was sent still counts there; send_missing = "take_back" takes '
            'back what came from this same outbox, "ignore" is for an outbox that rows leave': self.left,
        }
        looks = [f"{rows(len(keys))} {what} ({_some(keys)})" for what, keys in found.items() if keys]
        asked = self.history.question(self.target) if self.history and not self.history.is_first else None
        return looks if asked is None else [*looks, asked]

    def fields(self) -> Document:
        """Plain values, for JSON."""
        history = self.history
        return {
            "target": self.target,
            "outbox": self.outbox,
            "to_send": len(self.rows),
            **{kind: self.pending[kind] for kind in ("new", "changed", "again", "withdrawn")},
            "identity_changed": self.moved,
            "already_sent": self.already,
            "rejected": self.rejected,
            "refused_here": self.refused,
            "in_doubt": len(self.in_doubt),
            "unsupported_change": len(self.unsupported),
            "gone": self.gone,
            "left_and_counting": len(self.left),
            "counting_twice": len(self.doubled),
            "left_out": self.left_out,
            "adopted": self.adopted,
            "oldest_day": history and history.oldest,
            "newest_day": history and history.newest,
            "refusals": self.refusals,
            "sample": self.sample,
            "warnings": list(self.warnings),
            "looks": self.looks(),
            "notes": self.notes,
        }


@dataclass(frozen=True)
class Books:
    """What journal and ledger know together: by send_key, and the whole line of a key."""

    known: Mapping[str, Known]
    record: Callable[[str], Record | None]
    records: Callable[[], Iterable[Record]] = tuple
    """All of them, for a target that knows its rows by an identity."""


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:NAMED]) + (f" and {len(keys) - NAMED:,} more" if len(keys) > NAMED else "")

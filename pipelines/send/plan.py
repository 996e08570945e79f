"""Which rows of the outbox go, and what a person should see before they do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from destinations.target import Request, Row, RowRefusedError, Target
from pipelines.send.options import FEW_CHANGES, MAX_CHANGE_PCT, Options
from pipelines.send.outbox import Entry
from pipelines.send.records import Known
from wire.errors import SettingsError

# Requests shown, keys named and warnings printed; the counts are of all.
SAMPLE = 3
NAMED = 5
WARNINGS = 20

Kind = Literal["new", "changed", "again"]


@dataclass(frozen=True, slots=True)
class Pending:
    """A row that goes: `again` is one that was rejected or in doubt. With a `refusal` it goes nowhere.

    `attempts` is how often this content went out before.
    """

    entry: Entry
    kind: Kind
    earlier: Mapping[str, Any]
    request: Request | None
    refusal: str | None
    attempts: int
    first_sent_at: str | None


@dataclass
class Plan:
    """`rows` go, in the outbox's order. The counts are of rows of the outbox, but for `in_doubt` and `gone`."""

    target: str
    rows: list[Pending] = field(default_factory=list)
    outbox: int = 0
    pending: Counter[str] = field(default_factory=Counter)
    already: int = 0
    rejected: int = 0
    unsupported: list[str] = field(default_factory=list)
    in_doubt: list[str] = field(default_factory=list)
    """Keys that stay in doubt, also those that the outbox no longer has."""
    gone: int = 0
    """Sent once, and not in the outbox any more."""
    warnings: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    @property
    def sample(self) -> list[str]:
        """The first requests, secrets masked."""
        return [one.request.shown() for one in self.rows if one.request][:SAMPLE]

    @property
    def refused(self) -> int:
        """How many rows that go can become no request."""
        return sum(one.refusal is not None for one in self.rows)

    def fields(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "target": self.target,
            "outbox": self.outbox,
            "to_send": len(self.rows),
            **{kind: self.pending[kind] for kind in ("new", "changed", "again")},
            "already_sent": self.already,
            "rejected": self.rejected,
            "refused_here": self.refused,
            "in_doubt": len(self.in_doubt),
            "unsupported_change": len(self.unsupported),
            "gone": self.gone,
            "sample": self.sample,
            "warnings": list(self.warnings),
            "notes": self.notes,
        }


@dataclass(frozen=True)
class Books:
    """What journal and ledger know together: by send_key, and the JSON that an answer left."""

    known: Mapping[str, Known]
    answer: Callable[[str], str]


def planned(
    entries: Iterable[Entry],
    target: Target,
    settings: Any,
    books: Books,
    options: Options,
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Plan:
    """Reads the whole outbox, and keeps the rows that go: as many as may, and one more."""
    plan = Plan(target.name)
    most = min(options.max_rows + 1, options.limit or options.max_rows + 1)
    met, changed = set[str](), 0
    for entry in entries:
        plan.outbox += 1
        known = books.known.get(entry.send_key)
        if known is not None:
            met.add(entry.send_key)
        kind = _kind(entry, known, target, settings, options, plan)
        if kind is None:
            continue
        changed += kind == "changed"
        plan.pending[kind] += 1
        if len(plan.rows) < most:
            plan.rows.append(_pending(entry, kind, known, target, settings, books))
            if plan.rows[-1].request is not None:
                plan.warnings.update(target.warnings(entry.row, tables))
    goes = {one.entry.send_key for one in plan.rows}
    plan.in_doubt = [
        key for key, known in books.known.items() if known.status == "in_doubt" and key not in goes
    ]
    plan.gone = sum(known.status == "sent" and key not in met for key, known in books.known.items())
    _check_caps(plan, changed, options)
    return plan


def _kind(
    entry: Entry, known: Known | None, target: Target, settings: Any, options: Options, plan: Plan
) -> Kind | None:
    """Why the row goes; None, and counted, where it does not."""
    if known is None:
        return "new"
    same = known.content_hash == entry.hash
    if known.status == "in_doubt":
        goes = options.resend_in_doubt or _safe(target.repeatable, entry.row, settings)
        return "again" if goes else None
    if known.status == "rejected":
        plan.rejected += same and not options.retry_rejected
        return "again" if options.retry_rejected and same else None if same else "new"
    if same:
        plan.already += 1
        return None
    if _safe(target.replaceable, entry.row, settings):
        return "changed"
    plan.unsupported.append(entry.send_key)
    return None


def _safe(asks: Callable[[Row, Any], bool], row: Row, settings: Any) -> bool:
    """A row that cannot be understood is surely neither repeatable nor replaceable."""
    try:
        return asks(row, settings)
    except RowRefusedError:
        return False


def _pending(
    entry: Entry, kind: Kind, known: Known | None, target: Target, settings: Any, books: Books
) -> Pending:
    earlier = json.loads(books.answer(entry.send_key)) if known else {}
    request, refusal = None, None
    try:
        request = target.request(entry.row, settings, earlier)
        request.shown()  # what cannot be written as JSON is told now
    except (ValueError, TypeError, OverflowError) as error:
        request, refusal = None, str(error)
    attempts = known.attempts if known and known.content_hash == entry.hash else 0
    return Pending(entry, kind, earlier, request, refusal, attempts, known.first_sent_at if known else None)


def _check_caps(plan: Plan, changed: int, options: Options) -> None:
    """SettingsError, and nothing is sent, where more would go, or more of it change, than may."""
    goes = len(plan.rows)
    if goes > options.max_rows:
        raise SettingsError(
            f"{plan.target} would be sent {sum(plan.pending.values()):,} rows, and {options.max_rows:,} is the most "
            "that may go at once. Nothing was sent. If the outbox is right, allow more with --max-rows, or send a part "
            "of it with --limit."
        )
    sent = plan.already + changed
    pct = options.max_change_pct
    if pct is None:
        if changed <= FEW_CHANGES:
            return
        pct = MAX_CHANGE_PCT
    if changed * 100 > pct * sent:
        raise SettingsError(
            f"{plan.target} would be sent other content for {changed:,} of the {sent:,} rows that were sent before, "
            f"which is more than {pct:g} %. Nothing was sent. If the outbox is right, allow it with --max-change-pct."
        )

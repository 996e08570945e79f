"""Decides which rows of an outbox go, by what the books know of each, and what goes before them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from conversync.count_words import rows
from conversync.extract.persons import Persons
from conversync.send import caps
from conversync.send.cleared_values import says_the_same, settled
from conversync.send.forgetting import impersonal
from conversync.send.identities import Identities, Standing
from conversync.send.identity_holders import Holders
from conversync.send.old_rows import History
from conversync.send.options import QUERIES, Options
from conversync.send.outbox import FORGOTTEN, KEY, Entry, content_of, undated
from conversync.send.plan import NAMED, Books, Kind, Mark, Pending, Plan
from conversync.send.records import Known, Record
from conversync.send.taking_back import all_taken_back, taken_back
from conversync.send.target import Row, RowRefusedError, Target

BEFORE_SINCE = "left out: it is older than --since"
ADOPTED = "marked as sent by --adopt; no request was made"


class Planner:
    """Makes one plan."""

    def __init__(
        self,
        target: Target,
        settings: object,
        books: Books,
        options: Options,
        forgotten: Persons | None = None,
    ) -> None:
        self._forgotten = forgotten or Persons()
        self._never = 0
        self._target = target
        self._settings = settings
        self._books = books
        self._options = options
        self._label = options.label
        self._most = min(options.max_rows + 1, options.limit or options.max_rows + 1)
        self._missing = options.missing or ("tell" if target.retractable else "ignore")
        self._history = History.of(books.known.values(), options)
        self._met = set[str]()
        self._owners = dict[str, str]()
        self._named = list[tuple[str, str]]()
        self._left_out = set[str]()
        self._undatable = list[Entry]()
        known_by_identity = type(target).identity is not Target.identity
        self._holders = Holders(books.records() if known_by_identity else (), target, books.record)
        self._told = set[str]()
        self._changed = 0
        resolves = type(target).lookup is not Target.lookup
        self.plan = Plan(target.name, history=self._history, resolves=resolves)

    def read(self, entries: Iterable[Entry], tables: Mapping[str, Sequence[Row]]) -> Plan:
        """Reads the whole outbox, and keeps the rows that go: as many as may, and one more.

        SettingsError where more would go, or more of it change, than may.
        """
        plan = self.plan
        for entry in entries:
            self._take(entry, tables)
        self._refuse_what_is_anothers()
        plan.rows = [one for row in plan.rows if (one := self._goes(row)) is not None]
        self._look_for_those_that_left()
        self._look_for_what_was_left_behind()
        self._look_for_those_in_doubt()
        caps.check(plan, self._options, self._changed)
        if self._never:
            plan.notes.append(f"{rows(self._never)} of people who were forgotten: none goes")
        if self._undatable:
            plan.refusals.append(undated(plan.target, self._undatable))
        if self._history.is_first and (asked := self._history.question(plan.target)):
            plan.refusals.append(asked)
        return plan

    def _take(self, entry: Entry, tables: Mapping[str, Sequence[Row]]) -> None:
        """Counts a row of the outbox; one that goes is kept."""
        plan = self.plan
        plan.outbox += 1
        if self._is_forgotten(entry):
            self._met.add(entry.send_key)
            self._never += 1
            return
        if entry.identity is not None:
            self._owners[entry.identity] = entry.send_key
        kind = self._kind(entry)
        if kind is None:
            return
        self._changed += kind == "changed"
        plan.pending[kind] += 1
        self._names(entry)
        if len(plan.rows) < self._most:
            plan.rows.append(self._pending(entry, kind))
            if plan.rows[-1].request is not None:
                plan.warnings.update(self._target.warnings(entry.row, tables))

    def _is_forgotten(self, entry: Entry) -> bool:
        """Whether it is, or was, of a person who was forgotten: then nothing is told of it to anybody any more."""
        known = self._books.known.get(entry.send_key)
        if known is not None and known.outbox == FORGOTTEN:
            return True
        texts = (value for value in entry.row.values() if isinstance(value, str))
        return bool(self._forgotten) and any(map(self._forgotten.in_json, texts))

    def _keep(self, one: Pending) -> None:
        """A row that goes, and is none of the outbox's own; it is counted all the same where no more may go."""
        self.plan.pending[one.kind] += 1
        if len(self.plan.rows) < self._most:
            self.plan.rows.append(one)

    def _kind(self, entry: Entry) -> Kind | None:
        """Why the row goes; None, and counted, where it does not."""
        known = self._books.known.get(entry.send_key)
        if known is None:
            return self._new(entry)
        self._met.add(entry.send_key)
        if known.outbox not in (None, self._label):
            self.plan.renamed.append(entry.send_key)
        return self._known(entry, known, known.content_hash == entry.hash or self._says_the_same(entry))

    def _says_the_same(self, entry: Entry) -> bool:
        """Whether the row makes the very request that was sent, though its columns differ."""
        record = self._books.record(entry.send_key)
        if record is None or record.status != "sent":
            return False
        before: Row = {**json.loads(record.content, parse_float=Decimal), KEY: entry.send_key}
        return says_the_same(before, entry.row, self._target, self._settings)

    def _known(self, entry: Entry, known: Known, same: bool) -> Kind | None:
        if known.status == "left_out":
            return self._was_left_out(entry)
        if known.status == "in_doubt":
            goes = self._options.resend_in_doubt or self._safe(self._target.is_idempotent, entry.row)
            return "again" if goes else None
        if known.status == "rejected":
            return self._was_rejected(same)
        if same:
            self.plan.already += 1
            return None
        if self._safe(self._target.is_updatable, entry.row):
            return "changed"
        self._unsupported(entry)
        return None

    def _was_left_out(self, entry: Entry) -> Kind | None:
        if self._history.goes_after_all(entry.day):
            return "new"
        self.plan.left_out += 1
        self._left_out.add(entry.send_key)
        return None

    def _was_rejected(self, same: bool) -> Kind | None:
        if not same:
            return "new"
        if self._options.retry_rejected:
            return "again"
        self.plan.rejected += 1
        return None

    def _new(self, entry: Entry) -> Kind | None:
        if entry.undatable is not None:
            self._undatable.append(entry)
        fate = self._history.fate(entry.day)
        if fate == "goes":
            return "new"
        if fate == "left out":
            self.plan.left_out += 1
            self._left_out.add(entry.send_key)
            self.plan.marks.append(Mark("left_out", BEFORE_SINCE, entry, None))
        if fate == "adopted":
            self.plan.marks.append(Mark("sent", ADOPTED, entry, None))
            self._names(entry)
        return None

    def _names(self, entry: Entry) -> None:
        """The row is about to say what an identity is; of those that others have, too, it is noted."""
        if entry.identity is not None and self._holders.stand_on(entry.identity, entry.send_key):
            self._named.append((entry.send_key, entry.identity))

    def _refuse_what_is_anothers(self) -> None:
        """Two outboxes that name one thing would each overwrite what the other said of it, and take it back."""
        found = [
            f'"{key}" (which "{others[0]}" of {self._books.known[others[0]].outbox or "somewhere"} has)'
            for key, identity in self._named
            if (others := self._elsewhere_on(identity, key))
        ]
        if found:
            more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
            self.plan.refusals.append(
                f"The outbox of {self.plan.target} has rows for what was sent under another {KEY}: "
                f"{', '.join(found[:NAMED])}{more}. Each would undo what the other says. Nothing was sent. Leave them "
                f"out of one outbox, or give them the same {KEY} in both."
            )

    def _elsewhere_on(self, identity: str, key: str) -> list[str]:
        """The rows of other outboxes that stand on it. One of this outbox left it, or is called something else now."""
        return [
            other
            for other in self._holders.stand_on(identity, key)
            if other not in self._met and self._books.known[other].outbox != self._label
        ]

    def _unsupported(self, entry: Entry) -> None:
        self._told.add(entry.send_key)
        if self._options.adopt:
            record = self._books.record(entry.send_key)
            self.plan.marks.append(Mark("sent", ADOPTED, entry, record))
        else:
            self.plan.unsupported.append(entry.send_key)

    def _look_for_those_in_doubt(self) -> None:
        """Rows that stay in doubt, whether the outbox has them or not."""
        goes = {one.entry.send_key for one in self.plan.rows}
        for key, known in self._books.known.items():
            if known.status == "in_doubt" and key not in goes and key not in self._told:
                self._stays_in_doubt(key)

    def _stays_in_doubt(self, key: str) -> None:
        record = self._books.record(key) if self._options.adopt else None
        if record is not None:
            self.plan.marks.append(Mark("sent", ADOPTED, None, record))
        else:
            self.plan.in_doubt.append(key)

    def _safe(self, asks: Callable[[Row, Any], bool], row: Row) -> bool:
        """A row that cannot be understood is surely neither repeatable nor replaceable."""
        try:
            return asks(row, self._settings)
        except RowRefusedError:
            return False

    def _pending(self, entry: Entry, kind: Kind) -> Pending:
        """The row and its request, or the reason why there can be none."""
        record = self._books.record(entry.send_key) if entry.send_key in self._books.known else None
        previous_response = json.loads(record.answer) if record else {}
        identities = Identities.of(record, self._target)
        request, refusal, row, withdraws = None, None, entry.row, False
        try:
            withdraws = self._target.withdraws(row)
            row = (
                row
                if withdraws
                else settled(row, identities.content(entry.identity), self._target, self._options)
            )
            request = self._target.request(row, self._settings, previous_response)
            request.shown()  # what cannot be written as JSON is told now
        except (ValueError, TypeError, OverflowError) as error:
            request, refusal = None, impersonal(str(error), entry.row, self._target)
        content = entry.content if row is entry.row else content_of(row)
        attempts, first = self._so_far(entry)
        if request and not withdraws and entry.identity and identities.was_withdrawn(entry.identity):
            self.plan.returned.append(entry.send_key)
        return Pending(
            entry, kind, previous_response, request, refusal, attempts, first, identities, content, withdraws
        )

    def _so_far(self, entry: Entry) -> tuple[int, str | None]:
        """How often this content went out before, and when the row first did."""
        known = self._books.known.get(entry.send_key)
        if known is None:
            return 0, None
        return (known.attempts if known.content_hash == entry.hash else 0), known.first_sent_at

    def _goes(self, row: Pending) -> Pending | None:
        """A row of the outbox with what it takes back; None, and counted no more, where that cannot be."""
        one = self._with_undo(row)
        if one is None:
            self.plan.pending[row.kind] -= 1
            self._changed -= row.kind == "changed"
            self._unsupported(row.entry)
        return one

    def _with_undo(self, one: Pending) -> Pending | None:
        """With what takes back the identities that it had; None where the vendor can take none back.

        One that another row of the outbox has now is that row's to put right, and stands until that row went.
        """
        if one.request is None or one.entry.identity is None:
            return one
        undo = []
        for standing in self._to_take_back(one.entry.send_key, one.entry.identity):
            if (back := taken_back(one, standing, self._target, self._settings)) is None:
                return None
            undo.append(back)
        return replace(one, undo=tuple(undo))

    def _to_take_back(self, key: str, but: str | None) -> list[Standing]:
        """What of the row's older identities nobody else has: no row that stands on it, none that is to go as it."""
        behind = self._behind(key, but)
        return [one for one in behind if not self._is_to_go(self._owners.get(one.identity))]

    def _behind(self, key: str, but: str | None) -> list[Standing]:
        """What the row was before, and no row of another outbox is."""
        return [
            one for one in self._holders.left_behind(key, but) if not self._elsewhere_on(one.identity, key)
        ]

    def _is_to_go(self, owner: str | None) -> bool:
        """Whether a row of the outbox goes now, or may some day; one that was left out never does."""
        return owner is not None and owner not in self._left_out

    def _look_for_what_was_left_behind(self) -> None:
        """Rows that still count as what they were before: taken back once nobody is to go as that, and else told."""
        rows = {one.entry.send_key: one for one in self.plan.rows}
        going = self._going()
        for key in self._moved(rows):
            owners = self._owners_of_what_it_was(key, rows.get(key))
            others = {owner for owner in owners if self._is_to_go(owner)} - {key}
            if others - going:
                self.plan.doubled.append(key)
            elif key not in rows and key in self._met and not all(map(self._is_to_go, owners)):
                self._again(key)

    def _owners_of_what_it_was(self, key: str, now: Pending | None) -> list[str | None]:
        """Of each thing that a row was before, which row of the outbox is called so now."""
        own = now.entry.identity if now else self._last(key)
        return [self._owners.get(one.identity) for one in self._behind(key, own)]

    def _going(self) -> set[str]:
        """The rows of the outbox of which the vendor has heard when this send is over."""
        going = {one.entry.send_key for one in self.plan.rows if one.request}
        return going | {one.entry.send_key for one in self.plan.marks if one.entry and one.status == "sent"}

    def _moved(self, rows: Mapping[str, Pending]) -> list[str]:
        """Rows that may be known as something else, too: that moved before, or that go now."""
        moved = [key for key in self._holders.moved if key not in rows]
        moved += [key for key, one in rows.items() if one.kind != "withdrawn" and key in self._books.known]
        return list(dict.fromkeys(moved))

    def _last(self, key: str) -> str | None:
        return Identities.of(self._books.record(key), self._target).last

    def _again(self, key: str) -> None:
        """A row that went already goes once more, so that what it was before is taken back."""
        record = self._books.record(key)
        if record is None or record.status != "sent":
            return
        row: Row = {**json.loads(record.content, parse_float=Decimal), KEY: key}
        entry = Entry(key, row, record.content, record.content_hash, self._last(key), record.occurred_on)
        one = self._with_undo(self._pending(entry, "again"))
        if one is None:
            self._unsupported(entry)
        if one is None or not one.undo:
            return
        self.plan.already -= 1
        self._keep(one)

    def _look_for_those_that_left(self) -> None:
        """Rows that were sent, and are not in the outbox any more: ignored, told or taken back."""
        for key, known in self._books.known.items():
            if known.status in ("in_doubt", "left_out") or known.outbox == FORGOTTEN or key in self._met:
                continue
            if self._is_elsewhere(known.outbox):
                self.plan.elsewhere += known.status == "sent"
                continue
            self.plan.gone += known.status == "sent"
            if self._missing != "ignore":
                self._left(key, known)

    def _is_elsewhere(self, outbox: str | None) -> bool:
        """Whether a row was sent from an outbox that is surely another one; of two queries nobody knows."""
        queries = outbox is not None and outbox.startswith(QUERIES) and self._label.startswith(QUERIES)
        return outbox not in (None, self._label) and not queries

    def _left(self, key: str, known: Known) -> None:
        record = self._books.record(key)
        standing = self._to_take_back(key, None)
        has_identities = any(True for _ in Identities.of(record, self._target))
        if not standing and (has_identities or known.status != "sent"):
            return
        back = self._all_taken_back(known, record, standing) if record and standing else []
        if not back:
            self.plan.left.append(key)
            return
        self._changed += 1
        self._keep(replace(back[-1], undo=tuple(back[:-1])))

    def _all_taken_back(self, known: Known, record: Record, standing: Sequence[Standing]) -> list[Pending]:
        """What takes back all that still counts of a row that left; none where it is not to be, or cannot be.

        What the vendor refused to take back is not asked for again.
        """
        if self._missing != "take_back" or known.outbox != self._label:
            return []
        back = all_taken_back(record, standing, self._target, self._settings)
        if not back:
            return []
        was_refused = record.status == "rejected" and back[-1].entry.hash == known.content_hash
        return [] if was_refused and not self._options.retry_rejected else back

"""`conversync send`: the books brought together, a plan, the requests, and the outcomes loaded into the ledger.

One lock a target for the whole of it; the warehouse's own is held only while the outbox and the ledger are read, and
while outcomes are loaded. Whenever a send ends, the journal knows what came of every request, and the next send
goes on from there.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from conversync.count_words import counted
from conversync.dlt_errors import translate_errors
from conversync.errors import PARTIAL, CredentialsError, LockedError, SettingsError, UnreachedError
from conversync.send import begun_sends, forgetting, ledger, outbox
from conversync.send.epoch import (
    called_otherwise,
    epoch_of_others,
    epoch_path,
    known_elsewhere,
    last_epoch,
    restored,
    write_epoch,
)
from conversync.send.journal import Journal, journal_path
from conversync.send.journal_and_ledger import Mending, compare, mend
from conversync.send.marks import marked
from conversync.send.options import SWITCHED_OFF, Options
from conversync.send.placing import target_of
from conversync.send.plan import Books, Plan
from conversync.send.planner import Planner
from conversync.send.records import Record
from conversync.send.resolve import Resolved, resolve
from conversync.send.sender import Sender, Sent
from conversync.send.target import Target
from conversync.send.target_books import Bookkeeper, all_targets
from conversync.settings import accounts
from conversync.settings import lookup as configured
from conversync.types import SqlClient
from conversync.vendors import source_of
from conversync.warehouse import confined_sql, dataset_owner, privileges, tombstones
from conversync.warehouse.warehouse import Warehouse
from conversync.warehouse.write_lock import Right

# What was sent is loaded even where another run holds the warehouse for a moment; else the next send loads it.
PATIENCE = 60.0


@dataclass
class SendReport:
    """What a send came to. With an `error`, what `sent` holds is true all the same."""

    target: str
    plan: Plan
    sent: Sent = field(default_factory=Sent)
    error: BaseException | None = None
    seconds: float = 0.0
    resolved: dict[str, str] = field(default_factory=dict)
    """Rows that were in doubt and came to nothing, as the vendor told when it was asked: the reasons, by key."""
    said: list[str] = field(default_factory=list)
    """What the send itself has to say, as sentences without their full stop; none of it wants a look."""

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        if self.error is not None:
            return getattr(self.error, "exit_code", 1)
        return (
            PARTIAL if self.sent.rejected or self.resolved or self.sent.in_doubt or self.plan.looks() else 0
        )


def send(
    warehouse: Warehouse,
    target: Target,
    options: Options,
    show: Callable[[Plan], None],
    tell: Callable[[int], None],
    wait: float = 0,
) -> SendReport:
    """Sends what is due. `show` sees the plan before the first request, `tell` hears how many rows are through.

    Raises, before any request: SettingsError (also for what the plan's `refusals` say, after it was shown), LockedError
    (another send of this target, or a run that holds the warehouse for longer than `wait` seconds). Everything else
    is the report's `error`; a signal passes, once all is in the journal.
    """
    if not options.enabled:
        raise SettingsError(f"{SWITCHED_OFF}: nothing was sent to {target.name}.")
    settings, query = _asked(warehouse, target, options)
    started, keeper = time.monotonic(), Bookkeeper(warehouse, target, wait)
    with translate_errors(), keeper.locked() as right, keeper.journal() as journal:
        resolved = _resolved(keeper, settings, journal) if options.resolve_in_doubt else Resolved()
        with keeper.reading() as client:
            books = mend(client, target, journal)
            plan = _plan(client, query, keeper, settings, books, journal, options)
            if plan.writes or journal.unloaded():
                privileges.check(client, ledger.schemas(target))
        plan.notes += resolved.notes
        keeper.load(journal, right)
        show(plan)
        if plan.refusals:
            raise SettingsError(" ".join(plan.refusals))
        report = SendReport(target.name, plan, resolved=resolved.rejected)
        _send(keeper.patient(PATIENCE), settings, journal, books, options, report, tell, right)
    report.seconds = time.monotonic() - started
    return report


def _send(
    keeper: Bookkeeper,
    settings: object,
    journal: Journal,
    books: Mending,
    options: Options,
    report: SendReport,
    tell: Callable[[int], None],
    right: Right,
) -> None:
    """What the plan says, noted in the books before and after."""
    rows = report.plan.rows
    try:
        _begin(keeper, journal, books, report.plan, options)
        if rows and right.is_shared:
            keeper.begins(journal, right)
        if rows:
            _request(keeper.target, settings, journal, options, report, tell, right)
    finally:
        _finish(keeper, journal, report, right, books.begun)


def _request(
    target: Target,
    settings: object,
    journal: Journal,
    options: Options,
    report: SendReport,
    tell: Callable[[int], None],
    right: Right,
) -> None:
    with target.client(settings) as client:
        sender = Sender(target, settings, client, journal, options, right.check)
        report.sent = sender.result
        try:
            sender.run(report.plan.rows, tell)
        except Exception as error:  # noqa: BLE001 - the outcomes are loaded all the same; it is reported
            report.error = accounts.placed(error, source_of(target.name))


def _resolved(keeper: Bookkeeper, settings: object, journal: Journal) -> Resolved:
    """Asks the vendor about every row in doubt that it can be asked about."""
    with keeper.reading() as client:
        mend(client, keeper.target, journal)
    try:
        return resolve(keeper.target, settings, journal)
    except CredentialsError as error:
        raise accounts.placed(error, source_of(keeper.target.name)) from error


def _begin(keeper: Bookkeeper, journal: Journal, books: Mending, plan: Plan, options: Options) -> None:
    """What stands in the books before the first request: the number of this send, and what goes without a request."""
    if plan.renamed:
        journal.rename_outbox(plan.renamed, options.label)
    if not plan.writes:
        return
    path = epoch_path(keeper.warehouse, keeper.target.name)
    elsewhere = books.begun.epoch if books.begun else 0
    number = max(last_epoch(path) or 0, journal.epoch or 0, books.ledgers_epoch or 0, elsewhere) + 1
    # The journal first: a run that ends in between must not look like a restored journal.
    journal.begin(number)
    write_epoch(path, number)
    if plan.marks:
        journal.conclude(*marked(plan.marks, keeper.target, options.label))


def dry_run(warehouse: Warehouse, target: Target, options: Options) -> Plan:
    """The plan that `send` would make now. No request, no lock, and nothing is written, to no journal and no ledger."""
    settings, query = _asked(warehouse, target, options)
    keeper = Bookkeeper(warehouse, target)
    with (
        translate_errors(),
        tempfile.TemporaryDirectory() as folder,
        keeper.journal(read_only=True) as journal,
        keeper.reading(Path(folder)) as client,
    ):
        mending = compare(client, target, journal)
        plan = _plan(client, query, keeper, settings, mending, journal, options)
    if not options.enabled:
        plan.notes.insert(0, f"{SWITCHED_OFF}: send would refuse, and send nothing to {target.name}")
    return plan


def _asked(warehouse: Warehouse, target: Target, options: Options) -> tuple[Any, str]:
    """The target's settings and the query; SettingsError for whatever is missing."""
    warehouse.check_name()
    settings = configured.resolve(target.settings, source_of(target.name))
    configured.refuse_one_receiver(target.settings, source_of(target.name), settings)
    query = outbox.query_for(options.outbox, target)
    if not warehouse.exists():
        raise SettingsError(f"There is no warehouse at {warehouse}; `conversync load` makes it.")
    return settings, query


def _plan(
    client: SqlClient,
    query: str,
    keeper: Bookkeeper,
    settings: Any,
    mending: Mending,
    journal: Journal,
    options: Options,
) -> Plan:
    target = keeper.target
    tables = ledger.known_rows(client, target)
    found = _not_in_journal(client, target, mending, journal)
    books = Books(
        mending.known,
        lambda key: found.get(key) or journal.record(key),
        lambda: chain(found.values(), (one for one in journal.records() if one.send_key not in found)),
    )
    planner = Planner(target, settings, books, options, tombstones.known(client))
    with outbox.entries(client, query, target, options) as rows:
        plan = planner.read(rows, tables)
    plan.notes += [*_notes(keeper, mending, journal), *outbox.other_accounts(options.outbox)]
    if role := confined_sql.trusted_role(client):
        plan.notes.append(
            f"PostgreSQL lets the role {role} read the server's own files, write them or start programs, and with it "
            "the query of an outbox: give Conversync a role that may do no more than it needs"
        )
    plan.forgets = bool(forgetting.look(client, target, journal))
    if why := dataset_owner.sent_elsewhere(client, source_of(target.name), settings):
        plan.refusals.append(why)
    if not options.after_restore and (why := _doubted(client, keeper, journal, mending)):
        plan.refusals.insert(0, why)
    return plan


def _doubted(client: SqlClient, keeper: Bookkeeper, journal: Journal, mending: Mending) -> str | None:
    """Why the books cannot be trusted, if so."""
    target = keeper.target
    path = epoch_path(keeper.warehouse, target.name)
    last = last_epoch(path)
    if last is None and journal.epoch is None:
        why = known_elsewhere(target.name, epoch_of_others(path, target.name), mending.ledgers_epoch)
        why = why or (None if mending.known else _under_another_name(client, target))
    else:
        why = restored(target.name, last, journal.epoch, mending.ledgers_epoch)
    return why or begun_sends.refusal(target.name, mending.begun, journal.epoch)


def _under_another_name(client: SqlClient, target: Target) -> str | None:
    """Why a target without any books may be an account that was called otherwise; None where no ledger is left over."""
    others = (other for table in ledger.all_of(client) if (other := target_of(table)) is not None)
    left = (other for other in others if not configured.is_named(target.settings, source_of(other)))
    return called_otherwise(target.name, left)


def _not_in_journal(
    client: SqlClient, target: Target, mending: Mending, journal: Journal
) -> dict[str, Record]:
    """For a dry run, what a send would have filled into the journal first."""
    if not journal.read_only:
        return {}
    found = {one.send_key: one for one in ledger.records(client, target, mending.to_journal)}
    return found | {one.send_key: one for one in mending.doubts}


def _notes(keeper: Bookkeeper, mending: Mending, journal: Journal) -> Iterator[str]:
    """What a person should know of the books."""
    table = keeper.ledger
    if mending.to_ledger:
        yield (
            f"{table} lacks {len(mending.to_ledger):,} outcomes that it once had, as after a restored backup; "
            "the journal knows them, and nothing of it is sent again"
        )
    if journal.is_new and mending.to_journal:
        yield f"there was no journal; it is filled with the {len(mending.to_journal):,} rows of {table}"
    elif mending.to_journal:
        yield f"{len(mending.to_journal):,} outcomes of {table} were new to this machine's journal"
    if mending.doubts:
        yield f"{counted(len(mending.doubts), 'request')} on the way when the last send ended: in doubt"


def _finish(
    keeper: Bookkeeper, journal: Journal, report: SendReport, right: Right, other: begun_sends.Begun | None
) -> None:
    """Brings all outcomes into the ledger; what is in the way of that is the report's error."""
    try:
        with translate_errors():
            _conclude(keeper, journal, report, right, other)
    except (LockedError, SettingsError, UnreachedError) as error:
        report.error = report.error or type(error)(
            f"{error} All is in the journal; the next send loads it into {keeper.ledger}."
        )
    except Exception as error:  # noqa: BLE001 - what ended the send is graver; the journal has it all
        report.error = report.error or error


def _conclude(
    keeper: Bookkeeper, journal: Journal, report: SendReport, right: Right, other: begun_sends.Begun | None
) -> None:
    """Requests that never got an outcome are in doubt; then all outcomes go to the ledger."""
    for doubt in journal.intents():
        journal.conclude(doubt)
        report.sent.in_doubt.setdefault(doubt.send_key, doubt.reason or "")
    keeper.load(journal, right)
    is_open = bool(report.plan.rows) or (other is not None and not other.is_over)
    if right.is_shared and is_open:
        keeper.ends(journal, right, other)
    if report.plan.forgets:
        report.said += keeper.forget(journal)


def forget_old(warehouse: Warehouse, wait: float) -> Iterator[str]:
    """Has the books of every target forget what is old (see forgetting.py); a sentence for each that had any.

    Only where this machine has sent: the journal tells. A target whose send is at work sees to its own. LockedError
    where somebody holds the warehouse for longer than `wait` seconds.
    """
    is_there = journal_path(warehouse).exists() and warehouse.exists()
    for target in all_targets(warehouse).values() if is_there else ():
        keeper = Bookkeeper(warehouse, target, wait)
        with ExitStack() as held, keeper.journal(read_only=True) as journal:
            if not forgetting.old_lines(target, journal):
                continue
            try:
                held.enter_context(replace(keeper, wait=0).locked())
            except LockedError:
                continue
            with translate_errors(), keeper.journal() as own:
                yield from keeper.forget(own)

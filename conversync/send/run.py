"""`conversync send`: the books brought together, a plan, the requests, and the outcomes loaded into the ledger.

One lock a target for the whole of it; the warehouse's own is held only while the outbox and the ledger are read, and
while outcomes are loaded. Whenever a send ends, the journal knows what came of every request, and the next send
goes on from there.
"""

from __future__ import annotations

import errno
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from conversync.dlt_errors import translate_errors
from conversync.errors import PARTIAL, LockedError, SettingsError, UnreachedError
from conversync.load import pipeline_for
from conversync.send import begun, forgetting, ledger, outbox
from conversync.send.epoch import (
    epoch_of_others,
    epoch_path,
    known_elsewhere,
    last_epoch,
    restored,
    write_epoch,
)
from conversync.send.journal import Journal, journal_path
from conversync.send.marks import marked
from conversync.send.mending import Mending, compare, mend
from conversync.send.options import SWITCHED_OFF, Options
from conversync.send.plan import Books, Plan
from conversync.send.planner import Planner
from conversync.send.records import Record
from conversync.send.resolve import Resolved, resolve
from conversync.send.sender import Sender, Sent
from conversync.send.target import Target
from conversync.settings import lookup as configured
from conversync.vendors import targets
from conversync.warehouse import allowed, comments, confined, files
from conversync.warehouse.right import Right
from conversync.warehouse.waiting import Waiting, acquire
from conversync.warehouse.warehouse import Warehouse

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
    started = time.monotonic()
    with (
        translate_errors(),
        _locked(warehouse, target, wait) as right,
        _journal(warehouse, target) as journal,
    ):
        resolved = (
            _resolved(warehouse, target, settings, journal, wait) if options.resolve_in_doubt else Resolved()
        )
        with warehouse.locked(wait) as folder, _session(warehouse, folder, wait) as client:
            books = mend(client, target, journal)
            plan = _plan(client, query, warehouse, target, settings, books, journal, options)
            if plan.writes or journal.unloaded():
                allowed.check(client, ledger.schemas(target))
        plan.notes += resolved.notes
        _load(warehouse, target, journal, wait, right)
        show(plan)
        if plan.refusals:
            raise SettingsError(" ".join(plan.refusals))
        report = SendReport(target.name, plan)
        report.resolved = resolved.rejected
        try:
            _begin(warehouse, target, journal, books, plan, options)
            if right.is_shared and plan.rows:
                with _books(warehouse, max(wait, PATIENCE), right) as client:
                    begun.note(client, target, journal.epoch or 0)
            _send(target, settings, journal, options, report, tell, right)
        finally:
            _finish(warehouse, target, journal, max(wait, PATIENCE), report, right, books)
    report.seconds = time.monotonic() - started
    return report


def _resolved(warehouse: Warehouse, target: Target, settings: Any, journal: Journal, wait: float) -> Resolved:
    """Asks the vendor about every row in doubt that it can be asked about."""
    with warehouse.locked(wait) as folder, _session(warehouse, folder, wait) as client:
        mend(client, target, journal)
    return resolve(target, settings, journal)


def _begin(
    warehouse: Warehouse, target: Target, journal: Journal, books: Mending, plan: Plan, options: Options
) -> None:
    """What stands in the books before the first request: the number of this send, and what goes without a request."""
    if plan.renamed:
        journal.rename_outbox(plan.renamed, options.label)
    if not plan.writes:
        return
    path = epoch_path(warehouse, target.name)
    elsewhere = books.begun.epoch if books.begun else 0
    number = max(last_epoch(path) or 0, journal.epoch or 0, books.ledgers_epoch or 0, elsewhere) + 1
    # The journal first: a run that ends in between must not look like a restored journal.
    journal.begin(number)
    write_epoch(path, number)
    if plan.marks:
        journal.conclude(*marked(plan.marks, target, options.label))


def dry_run(warehouse: Warehouse, target: Target, options: Options) -> Plan:
    """The plan that `send` would make now. No request, no lock, and nothing is written, to no journal and no ledger."""
    settings, query = _asked(warehouse, target, options)
    path = journal_path(warehouse)
    with (
        translate_errors(),
        tempfile.TemporaryDirectory() as folder,
        Journal(path, target.name, read_only=True) as journal,
        _session(warehouse, Path(folder), 0) as client,
    ):
        mending = compare(client, target, journal)
        plan = _plan(client, query, warehouse, target, settings, mending, journal, options)
    if not options.enabled:
        plan.notes.insert(0, f"{SWITCHED_OFF}: send would refuse, and send nothing to {target.name}")
    return plan


def _asked(warehouse: Warehouse, target: Target, options: Options) -> tuple[Any, str]:
    """The target's settings and the query; SettingsError for whatever is missing."""
    warehouse.check_name()
    settings = configured.resolve(target.settings, target.name.partition(".")[0])
    query = outbox.query_for(options.outbox, target)
    if not warehouse.exists():
        raise SettingsError(f"There is no warehouse at {warehouse}; `conversync load` makes it.")
    return settings, query


@contextmanager
def _locked(warehouse: Warehouse, target: Target, wait: float) -> Iterator[Right]:
    """One send of a target at a time, on all machines. The locks end with the process."""
    until = time.monotonic() + wait
    path = warehouse.home / f"send-{warehouse.lock_path.stem}-{target.name}.lock"
    try:
        handle = files.lock_file(files.private_folder(path.parent) / path.name)
    except OSError as error:
        if error.errno not in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
            raise
        raise SettingsError(
            f"The folder {path.parent} cannot be written ({error.strerror}), and without a journal nothing is sent: "
            "give this user the right to."
        ) from None
    with handle:
        acquire(handle, wait, f"Another send to {target.name} is at work")
        left = max(0.0, until - time.monotonic())
        with warehouse.reserved([f"{ledger.DATASET}/{target.name}"], "send", left) as right:
            yield right


def _journal(warehouse: Warehouse, target: Target) -> Journal:
    return Journal(journal_path(warehouse), target.name)


@contextmanager
def _session(warehouse: Warehouse, folder: Path, wait: float) -> Iterator[Any]:
    """An open sql_client that may only read; it waits for somebody who has the file open."""
    # Of DuckDB's dataset main, so that a table without a dataset is found there.
    dataset = "main" if warehouse.destination == "duckdb" else ledger.DATASET
    destination = warehouse.dlt_destination([ledger.DATASET], read_only=True, spill=folder / "spill")
    client = confined.reader(pipeline_for(dataset, destination, folder))
    waiting = Waiting(wait, f"Somebody has {warehouse} open")
    while True:
        try:
            with translate_errors():
                client.open_connection()
            break
        except LockedError:
            waiting.go_on("close that session, or wait for it with --wait 30m")
    try:
        yield client
    finally:
        client.close_connection()


def _plan(
    client: Any,
    query: str,
    warehouse: Warehouse,
    target: Target,
    settings: Any,
    mending: Mending,
    journal: Journal,
    options: Options,
) -> Plan:
    tables = ledger.known_rows(client, target.reads)
    found = _not_in_journal(client, target, mending, journal)
    books = Books(
        mending.known,
        lambda key: found.get(key) or journal.record(key),
        lambda: chain(found.values(), (one for one in journal.records() if one.send_key not in found)),
    )
    planner = Planner(target, settings, books, options)
    with outbox.entries(client, query, target, options) as rows:
        plan = planner.read(rows, tables)
    plan.notes += list(_notes(target, mending, journal))
    if role := confined.trusted_role(client):
        plan.notes.append(
            f"PostgreSQL lets the role {role} read the server's own files, write them or start programs, and with it "
            "the query of an outbox: give Conversync a role that may do no more than it needs"
        )
    plan.forgets = bool(forgetting.look(client, target, journal))
    if not options.after_restore and (why := _doubted(warehouse, target, journal, mending)):
        plan.refusals.insert(0, why)
    return plan


def _doubted(warehouse: Warehouse, target: Target, journal: Journal, mending: Mending) -> str | None:
    """Why the books cannot be trusted, if so."""
    path = epoch_path(warehouse, target.name)
    last = last_epoch(path)
    if last is None and journal.epoch is None:
        why = known_elsewhere(target.name, epoch_of_others(path, target.name), mending.ledgers_epoch)
    else:
        why = restored(target.name, last, journal.epoch, mending.ledgers_epoch)
    return why or begun.refusal(target.name, mending.begun, journal.epoch)


def _not_in_journal(client: Any, target: Target, mending: Mending, journal: Journal) -> dict[str, Record]:
    """For a dry run, what a send would have filled into the journal first."""
    if not journal.read_only:
        return {}
    found = {one.send_key: one for one in ledger.records(client, target, mending.to_journal)}
    return found | {one.send_key: one for one in mending.doubts}


def _notes(target: Target, mending: Mending, journal: Journal) -> Iterator[str]:
    """What a person should know of the books."""
    table = f"{ledger.DATASET}.{ledger.table_of(target.name)}"
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
        yield f"{len(mending.doubts):,} requests were on their way when the last send ended: they are in doubt"


def _send(
    target: Target,
    settings: Any,
    journal: Journal,
    options: Options,
    report: SendReport,
    tell: Callable[[int], None],
    right: Right,
) -> None:
    if not report.plan.rows:
        return
    with target.client(settings) as client:
        sender = Sender(target, settings, client, journal, options, right.check)
        report.sent = sender.result
        try:
            sender.run(report.plan.rows, tell)
        except Exception as error:  # noqa: BLE001 - the outcomes are loaded all the same; it is reported
            report.error = error


def _finish(
    warehouse: Warehouse,
    target: Target,
    journal: Journal,
    wait: float,
    report: SendReport,
    right: Right,
    books: Mending,
) -> None:
    """Requests that never got an outcome are in doubt; then all outcomes go to the ledger."""
    try:
        with translate_errors():
            for doubt in journal.intents():
                journal.conclude(doubt)
                report.sent.in_doubt.setdefault(doubt.send_key, doubt.reason or "")
            _load(warehouse, target, journal, wait, right)
            if right.is_shared and (report.plan.rows or (books.begun and not books.begun.is_over)):
                last = max(journal.epoch or 0, books.begun.epoch if books.begun else 0)
                with _books(warehouse, wait, right) as client:
                    begun.end(client, target, last)
            if report.plan.forgets:
                report.said += _forget(warehouse, target, journal, wait)
    except (LockedError, UnreachedError) as error:
        report.error = report.error or type(error)(
            f"{error} All is in the journal; the next send loads it into "
            f"{ledger.DATASET}.{ledger.table_of(target.name)}."
        )
    except Exception as error:  # noqa: BLE001 - what ended the send is graver; the journal has it all
        report.error = report.error or error


def forget_old(warehouse: Warehouse, wait: float) -> Iterator[str]:
    """Has the books of every target forget what is old (see forgetting.py); a sentence for each that had any.

    Only where this machine has sent: the journal tells. A target whose send is at work sees to its own. LockedError
    where somebody holds the warehouse for longer than `wait` seconds.
    """
    path = journal_path(warehouse)
    for target in targets().values() if path.exists() and warehouse.exists() else ():
        with ExitStack() as held, Journal(path, target.name, read_only=True) as journal:
            if not forgetting.old_lines(target, journal):
                continue
            try:
                held.enter_context(_locked(warehouse, target, 0))
            except LockedError:
                continue
            with translate_errors(), _journal(warehouse, target) as own:
                yield from _forget(warehouse, target, own, wait)


def _forget(warehouse: Warehouse, target: Target, journal: Journal, wait: float) -> Iterator[str]:
    names = ledger.datasets(target)
    with warehouse.locked(wait, "forget", names) as folder, warehouse.held(wait, folder):
        told = forgetting.forget(warehouse.dlt_destination(names), folder, target, journal)
    if told is not None:
        yield told


@contextmanager
def _books(warehouse: Warehouse, wait: float, right: Right) -> Iterator[Any]:
    """An open sql_client that may write beside the ledger, where several machines send."""
    with warehouse.locked(wait, "send", [ledger.DATASET, *right.lost()]) as folder:
        pipeline = pipeline_for(ledger.DATASET, warehouse.dlt_destination([ledger.DATASET]), folder)
        with pipeline.sql_client() as client:
            yield client


def _load(warehouse: Warehouse, target: Target, journal: Journal, wait: float, right: Right) -> None:
    """Loads what the ledger does not have yet.

    Where the right to send was lost meanwhile it is taken again for this, and what others sent since is heeded first.
    """
    if not journal.unloaded():
        return
    names, lost = ledger.datasets(target), right.lost()
    with warehouse.locked(wait, "send", [*names, *lost]) as folder:
        if lost:
            with _session(warehouse, folder, wait) as client:
                mend(client, target, journal)
        outcomes = journal.unloaded()
        destination = warehouse.dlt_destination(names)
        with warehouse.held(wait, folder) as connection:
            ledger.load(destination, folder, target, outcomes)
            if connection is not None:
                comments.refresh(connection)
    journal.loaded(outcomes)

"""A target's books in a warehouse: the locks around them, the sessions that read them, the loads of the ledger."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from conversync.dlt_errors import translate_errors
from conversync.errors import LockedError, SettingsError
from conversync.load import pipeline_for
from conversync.send import begun_sends, forgetting, ledger, loading
from conversync.send.journal import Journal, journal_path
from conversync.send.journal_and_ledger import mend
from conversync.send.target import Target
from conversync.settings import accounts
from conversync.types import SqlClient
from conversync.warehouse import comments, confined_sql, files
from conversync.warehouse.waiting import Waiting, acquire
from conversync.warehouse.warehouse import Warehouse
from conversync.warehouse.write_lock import Right


def all_targets(warehouse: Warehouse) -> dict[str, Target]:
    """Those of every account that the settings name, and all that was sent to from here: a name may have left them."""
    with Journal(journal_path(warehouse), "", read_only=True) as journal:
        others = {name: accounts.target_named(name) for name in journal.targets()}
    return accounts.targets() | {name: target for name, target in others.items() if target is not None}


@dataclass(frozen=True)
class Bookkeeper:
    """Keeps them. Whoever holds the warehouse is waited for so many seconds, then it is a LockedError."""

    warehouse: Warehouse
    target: Target
    wait: float = 0

    def patient(self, seconds: float) -> Bookkeeper:
        """One who waits for so long at least."""
        return replace(self, wait=max(self.wait, seconds))

    @property
    def ledger(self) -> str:
        """The table, as a person names it."""
        return f"{ledger.DATASET}.{ledger.table_of(self.target.name)}"

    def journal(self, *, read_only: bool = False) -> Journal:
        """The target's journal beside the warehouse."""
        return Journal(journal_path(self.warehouse), self.target.name, read_only=read_only)

    @contextmanager
    def locked(self) -> Iterator[Right]:
        """One send of a target at a time, on all machines. The locks end with the process."""
        until = time.monotonic() + self.wait
        with self.locked_here():
            left = max(0.0, until - time.monotonic())
            names = [f"{ledger.DATASET}/{self.target.name}"]
            with self.warehouse.reserved(names, "send", left) as right:
                yield right

    @contextmanager
    def locked_here(self) -> Iterator[None]:
        """One send of a target at a time on this machine."""
        warehouse = self.warehouse
        path = warehouse.home / f"send-{warehouse.lock_path.stem}-{self.target.name}.lock"
        try:
            handle = files.lock_file(files.private_folder(path.parent) / path.name)
        except OSError as error:
            if error.errno not in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
                raise
            raise SettingsError(
                f"The folder {path.parent} cannot be written ({error.strerror}), and without a journal nothing is "
                "sent: give this user the right to."
            ) from None
        with handle:
            acquire(handle, self.wait, f"Another send to {self.target.name} is at work")
            yield

    @contextmanager
    def reading(self, folder: Path | None = None) -> Iterator[SqlClient]:
        """An open sql_client that may only read; it waits for somebody who has the file open.

        Without a `folder` for what spills, the warehouse is locked meanwhile.
        """
        if folder is None:
            with self.warehouse.locked(self.wait) as ours, self.reading(ours) as client:
                yield client
            return
        # Of DuckDB's dataset main, so that a table without a dataset is found there.
        dataset = "main" if self.warehouse.destination == "duckdb" else ledger.DATASET
        destination = self.warehouse.dlt_destination([ledger.DATASET], read_only=True, spill=folder / "spill")
        client = confined_sql.reader(pipeline_for(dataset, destination, folder))
        waiting = Waiting(self.wait, f"Somebody has {self.warehouse} open")
        while True:
            try:
                with translate_errors():
                    self.warehouse.check_opens()
                    client.open_connection()
                break
            except LockedError:
                waiting.go_on("close that session, or wait for it with --wait 30m")
        try:
            yield client
        finally:
            client.close_connection()

    @contextmanager
    def writing(self, right: Right) -> Iterator[SqlClient]:
        """An open sql_client that may write beside the ledger, where several machines send."""
        with self.warehouse.locked(self.wait, "send", [ledger.DATASET, *right.lost()]) as folder:
            destination = self.warehouse.dlt_destination([ledger.DATASET])
            with pipeline_for(ledger.DATASET, destination, folder).sql_client() as client:
                yield client

    def begins(self, journal: Journal, right: Right) -> None:
        """Notes this send for the other machines, before its first request."""
        with self.writing(right) as client:
            begun_sends.note(client, self.target, journal.epoch or 0)

    def ends(self, journal: Journal, right: Right, other: begun_sends.Begun | None) -> None:
        """The ledger has all of this send, and of the one that was begun before it."""
        last = max(journal.epoch or 0, other.epoch if other else 0)
        with self.writing(right) as client:
            begun_sends.end(client, self.target, last)

    def load(self, journal: Journal, right: Right) -> None:
        """Loads what the ledger does not have yet.

        Where the right to send was lost meanwhile it is taken again for this, and what others sent since is heeded
        first.
        """
        if not journal.unloaded():
            return
        names, lost = ledger.datasets(self.target), right.lost()
        with self.warehouse.locked(self.wait, "send", [*names, *lost]) as folder:
            if lost:
                with self.reading(folder) as client:
                    mend(client, self.target, journal)
            outcomes = journal.unloaded()
            destination = self.warehouse.dlt_destination(names)
            with self.warehouse.held(self.wait, folder) as connection:
                loading.load(destination, folder, self.target, outcomes)
                if connection is not None:
                    comments.refresh(connection)
        journal.loaded(outcomes)

    def forget(self, journal: Journal) -> Iterator[str]:
        """Has the books forget what is old (see forgetting.py); a sentence where there was any."""
        names, warehouse = ledger.datasets(self.target), self.warehouse
        with warehouse.locked(self.wait, "forget", names) as folder, warehouse.held(self.wait, folder):
            told = forgetting.forget(warehouse.dlt_destination(names), folder, self.target, journal)
        if told is not None:
            yield told

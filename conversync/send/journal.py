"""The journal: a SQLite file beside the warehouse in which every request stands before it goes out.

Three tables. `intents`: a request that may be on its way. `outcomes`: what came of the last one, and whether the
ledger has it (`loaded`). `epochs`: the number of the last send (see epoch.py). Each change is on the disk (WAL,
synchronous FULL) before the call returns: where that fails nothing is sent. One file a warehouse, for all targets; any
number of threads may share a `Journal`, and what they write at the same time is one commit.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from types import TracebackType
from typing import Self

from conversync.errors import ConversyncError
from conversync.send.records import Known, Record
from conversync.types import Values
from conversync.warehouse import files
from conversync.warehouse.warehouse import DISK_FULL, Warehouse

_COLUMNS = [field.name for field in fields(Record)]
_whole = attrgetter(*_COLUMNS)
# What a request that is on its way is known by; the rest of its record follows from its being in doubt.
_INTENDED = ("content_hash", "content", "attempts", "first_sent_at", "sent_at")
# Columns that journals of older versions lack.
_ADDED = {"identities": "text", "occurred_on": "text", "outbox": "text", "epoch": "integer"}
_SCHEMA = """
create table if not exists intents (
    target text, send_key text, content_hash text, content text, attempts integer, first_sent_at text,
    begun_at text, primary key (target, send_key)
) without rowid;
create table if not exists outcomes (
    target text, send_key text, status text, reason text, response_code integer, attempts integer, content_hash text,
    content text, answer text, first_sent_at text, sent_at text, tables text, loaded integer,
    primary key (target, send_key)
) without rowid;
create index if not exists unloaded on outcomes (target) where loaded = 0;
create table if not exists epochs (target text primary key, epoch integer) without rowid;
"""
_PUT = (
    f"insert or replace into outcomes (target, {', '.join(_COLUMNS)}, loaded) "  # noqa: S608 - our own names
    f"values ({', '.join('?' * (len(_COLUMNS) + 2))})"
)
_INTEND = (
    f"insert or replace into intents (target, send_key, content_hash, content, attempts, first_sent_at, begun_at, "  # noqa: S608
    f"{', '.join(_ADDED)}) values ({', '.join('?' * (7 + len(_ADDED)))})"
)
_FORGET = "delete from intents where target = ? and send_key = ?"
_BEGIN = "insert or replace into epochs values (?, ?)"
_intended = attrgetter(*_INTENDED, *_ADDED)
Statement = tuple[str, Values]
# Lines read at once.
_PART = 5_000
# Seconds in which another process may finish its commit.
BUSY = 30.0


def journal_path(warehouse: Warehouse) -> Path:
    """Where the journal of this warehouse stands: beside it, and not among what a run cleans."""
    return warehouse.home / f"journal-{warehouse.lock_path.stem}.sqlite"


@dataclass(slots=True)
class _Writing:
    """What one thread wants written; once it does not wait any more, it was, or there is the `error`."""

    statements: Sequence[Statement]
    waits: bool = True
    error: BaseException | None = None


class Journal:
    """`with Journal(path, target) as journal:` the part of the journal that is one target's.

    `read_only`: nothing is written or created; without a file it is empty.
    """

    def __init__(self, path: Path, target: str, *, read_only: bool = False) -> None:
        self.path = path
        self.target = target
        self.read_only = read_only
        self.is_new = not path.exists()
        self._lock = threading.Lock()
        self._queue: deque[_Writing] = deque()
        with self._understood():
            if read_only:
                # Without a log beside it nobody has it open: then it is read without making one.
                still = "immutable=1" if not path.with_name(path.name + "-wal").exists() else "mode=ro"
                place = ":memory:" if self.is_new else f"{path.absolute().as_uri()}?{still}"
            else:
                files.new_file(files.private_folder(path.parent) / path.name)
                place = str(path)
            self._db = sqlite3.connect(
                place, uri=read_only, isolation_level=None, check_same_thread=False, timeout=BUSY
            )
            if not read_only or self.is_new:
                self._db.execute("pragma journal_mode = wal")
                self._db.execute("pragma synchronous = full")
                # What is written over is not to be found in the file's unused parts.
                self._db.execute("pragma secure_delete = on")
                self._db.executescript(_SCHEMA)
                self._add_columns()
            self._present = {table: self._names(table) for table in ("intents", "outcomes")}
            self.epoch = self._epoch()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._db.close()

    def _names(self, table: str) -> set[str]:
        return {str(row[1]) for row in self._db.execute(f"pragma table_info({table})")}

    def _add_columns(self) -> None:
        if all(self._names(table) >= _ADDED.keys() for table in ("intents", "outcomes")):
            return
        with self._transaction():
            for table in ("intents", "outcomes"):
                for name in _ADDED.keys() - self._names(table):
                    self._db.execute(f"alter table {table} add column {name} {_ADDED[name]}")

    def _epoch(self) -> int | None:
        if not self._names("epochs"):
            return None
        rows = self._db.execute("select epoch from epochs where target = ?", (self.target,)).fetchall()
        return int(rows[0][0]) if rows else None

    def targets(self) -> list[str]:
        """Whatever was sent to from here that is noted in the file, whoever's part of it this is."""
        tables = [name for name in ("epochs", "intents", "outcomes") if self._names(name)]
        lines = {"outcomes": " where loaded = 0"}  # an index has them; what is loaded has begun once
        query = " union ".join(f"select target from {name}{lines.get(name, '')}" for name in tables)  # noqa: S608
        with self._lock, self._understood():
            return [str(name) for (name,) in self._db.execute(f"{query} order by 1")] if tables else []

    def begin(self, epoch: int) -> None:
        """A send of this number begins: all that it writes bears it."""
        self._write([(_BEGIN, (self.target, epoch))])
        self.epoch = epoch

    def intend(self, record: Record) -> None:
        """The request is about to go out; `attempts` counts it."""
        self._write([(_INTEND, (self.target, record.send_key, *_intended(record)[:-1], self.epoch))])

    def withdraw(self, send_key: str) -> None:
        """The request surely had no effect: what stood before it stands again."""
        self._write([(_FORGET, (self.target, send_key))])

    def conclude(self, *records: Record) -> None:
        """What came of the requests, in place of their intents; the ledger does not have it yet."""
        statements = []
        for record in records:
            *values, _, tables = _whole(record)
            put = (_PUT, (self.target, *values, self.epoch, tables, 0))
            statements += [put, (_FORGET, (self.target, record.send_key))]
        self._write(statements)

    def intents(self) -> list[Record]:
        """Requests of a run that ended before their answer, as the outcomes that they are: in doubt."""
        rows = self._read(
            "select i.send_key, i.attempts, i.content_hash, i.content, coalesce(o.answer, '{}'), i.first_sent_at, "  # noqa: S608
            f"i.begun_at, {self._pick('intents', _ADDED, 'i.')} from intents i "
            "left join outcomes o on o.target = i.target and o.send_key = i.send_key "
            "where i.target = ? order by i.begun_at"
        )
        reason = "the run ended before the answer was known"
        return [Record(key, "in_doubt", reason, None, *rest) for key, *rest in rows]

    def states(self) -> dict[str, tuple[Known, bool]]:
        """By send_key, what is known, and whether the ledger should have it."""
        columns = self._pick("outcomes", Known._fields)
        rows = self._read(f"select send_key, {columns}, loaded from outcomes where target = ?")  # noqa: S608
        return {key: (Known.of(*known), bool(loaded)) for key, *known, loaded in rows}

    def record(self, send_key: str) -> Record | None:
        """The whole line of a key."""
        columns = self._pick("outcomes", _COLUMNS)
        query = f"select {columns} from outcomes where target = ? and send_key = ?"  # noqa: S608 - our own names
        rows = self._read(query, send_key)
        return Record(*rows[0]) if rows else None

    def records(self) -> Iterator[Record]:
        """Every line, by its key, a part at a time."""
        columns = self._pick("outcomes", _COLUMNS)
        query = f"select {columns} from outcomes where target = ? and send_key > ? order by send_key limit {_PART}"  # noqa: S608
        last = ""
        while rows := self._read(query, last):
            yield from (Record(*row) for row in rows)
            last = rows[-1][0]

    def older(self, before: str, holding: Sequence[str]) -> list[str]:
        """The keys whose settled line, which the ledger has, is from before that moment, with a content like these."""
        like = " or ".join(["content like ?"] * len(holding))
        query = (
            "select send_key from outcomes where target = ? and sent_at < ? and loaded = 1 and status <> 'in_doubt' "  # noqa: S608
            f"and ({like}) and send_key not in (select send_key from intents where intents.target = outcomes.target)"
        )
        return [key for (key,) in self._read(query, before, *holding)]

    def forget(self, records: Iterable[Record]) -> None:
        """These lines in place of what stood there, which leaves the file, too."""
        self.fill(records)
        with self._lock, self._understood():
            self._db.execute("pragma wal_checkpoint(truncate)")

    def in_doubt(self) -> list[Record]:
        """Every row in doubt, the oldest first."""
        columns = self._pick("outcomes", _COLUMNS)
        query = f"select {columns} from outcomes where target = ? and status = 'in_doubt' order by sent_at"  # noqa: S608
        return [Record(*row) for row in self._read(query)]

    def fill(self, records: Iterable[Record]) -> None:
        """Takes over what the ledger has."""
        self._write([(_PUT, (self.target, *_whole(record), 1)) for record in records])

    def unload(self, keys: Iterable[str]) -> None:
        """The ledger lost these: they are to be loaded again."""
        update = "update outcomes set loaded = 0 where target = ? and send_key = ?"
        self._write([(update, (self.target, key)) for key in keys])

    def unloaded(self) -> list[Record]:
        """What the ledger does not have yet."""
        columns = ", ".join(_COLUMNS)
        query = f"select {columns} from outcomes where target = ? and loaded = 0 order by sent_at"  # noqa: S608
        rows = self._read(query)
        return [Record(*row) for row in rows]

    def rename_outbox(self, keys: Iterable[str], outbox: str) -> None:
        """The outbox of these is called so now. The ledger hears of it when the row is sent again."""
        update = "update outcomes set outbox = ? where target = ? and send_key = ?"
        self._write([(update, (outbox, self.target, key)) for key in keys])

    def loaded(self, records: Iterable[Record]) -> None:
        """The ledger has exactly these."""
        update = "update outcomes set loaded = 1 where target = ? and send_key = ? and sent_at = ?"
        self._write([(update, (self.target, one.send_key, one.sent_at)) for one in records])

    def _pick(self, table: str, names: Iterable[str], prefix: str = "") -> str:
        """The columns for a select; null for those that an older journal, open to be read, does not have."""
        return ", ".join(prefix + name if name in self._present[table] else "null" for name in names)

    def _read(self, query: str, *values: str) -> list[Values]:
        with self._lock, self._understood():
            return self._db.execute(query, (self.target, *values)).fetchall()

    def _write(self, statements: Sequence[Statement]) -> None:
        """All of them or none. What threads want written meanwhile goes with them: a commit waits for the disk."""
        mine = _Writing(statements)
        self._queue.append(mine)
        with self._lock:
            if mine.waits:
                self._write_queue()
        if mine.error is not None:
            raise mine.error

    def _write_queue(self) -> None:
        together, error = [self._queue.popleft() for _ in range(len(self._queue))], None
        try:
            with self._understood(), self._transaction():
                for one in together:
                    for statement, values in one.statements:
                        self._db.execute(statement, values)
        except BaseException as failure:
            error = failure
            raise
        finally:
            for one in together:
                one.waits, one.error = False, error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
            self._db.execute("commit")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise ConversyncError(_explained(self.path, error)) from error


def _explained(path: Path, error: Exception) -> str:
    """What is wrong with the journal, and the way out."""
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_FULL" or name.startswith("SQLITE_IOERR"):
        return f"The journal {path} cannot be written, so nothing more was sent. {DISK_FULL}"
    if name in {"SQLITE_NOTADB", "SQLITE_CORRUPT"}:
        return (
            f"The journal {path} is damaged. Nothing was sent. Restore it from a copy; or move it away, and the "
            "next send fills a new one from the ledger, which does not know of requests after its last load."
        )
    return f"The journal {path} cannot be used ({error}). Nothing more was sent."

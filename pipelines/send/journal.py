"""The journal: a SQLite file beside the warehouse in which every request stands before it goes out.

Two tables. `intents`: a request that may be on its way. `outcomes`: what came of the last one, and whether the
ledger has it (`loaded`). Each change is on the disk (WAL, synchronous FULL) before the call returns: where that
fails nothing is sent. One file a warehouse, for all targets; any number of threads may share a `Journal`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipelines.send.records import Known, Record
from pipelines.warehouse import DISK_FULL, Warehouse
from wire.errors import ConversyncError

_COLUMNS = ", ".join(field.name for field in fields(Record))
_KNOWN = ", ".join(Known._fields)
_SCHEMA = f"""
create table if not exists intents (
    target text, send_key text, content_hash text, content text, attempts integer, first_sent_at text,
    begun_at text, primary key (target, send_key)
) without rowid;
create table if not exists outcomes (
    target text, {_COLUMNS}, loaded integer, primary key (target, send_key)
) without rowid;
create index if not exists unloaded on outcomes (target) where loaded = 0;
"""
_PUT = f"insert or replace into outcomes values ({', '.join('?' * (len(fields(Record)) + 2))})"  # noqa: S608 - marks
_INTEND = "insert or replace into intents values (?, ?, ?, ?, ?, ?, ?)"
_FORGET = "delete from intents where target = ? and send_key = ?"
# Seconds in which another process may finish its commit.
BUSY = 30.0


def journal_path(warehouse: Warehouse) -> Path:
    """Where the journal of this warehouse stands: beside it, and not among what a run cleans."""
    return warehouse.home / f"journal-{warehouse.lock_path.stem}.sqlite"


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
        with self._understood():
            if read_only:
                # Without a log beside it nobody has it open: then it is read without making one.
                still = "immutable=1" if not path.with_name(path.name + "-wal").exists() else "mode=ro"
                place = ":memory:" if self.is_new else f"{path.absolute().as_uri()}?{still}"
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                place = str(path)
            self._db = sqlite3.connect(
                place, uri=read_only, isolation_level=None, check_same_thread=False, timeout=BUSY
            )
            if not read_only or self.is_new:
                self._db.execute("pragma journal_mode = wal")
                self._db.execute("pragma synchronous = full")
                self._db.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._db.close()

    def intend(self, record: Record) -> None:
        """The request is about to go out; `attempts` counts it."""
        row = (record.content_hash, record.content, record.attempts, record.first_sent_at, record.sent_at)
        self._write([(_INTEND, (self.target, record.send_key, *row))])

    def withdraw(self, send_key: str) -> None:
        """The request surely had no effect: what stood before it stands again."""
        self._write([(_FORGET, (self.target, send_key))])

    def conclude(self, record: Record) -> None:
        """What came of the request, in place of its intent; the ledger does not have it yet."""
        self._write([self._put(record, loaded=False), (_FORGET, (self.target, record.send_key))])

    def intents(self) -> list[Record]:
        """Requests of a run that ended before their answer, as the outcomes that they are: in doubt."""
        rows = self._read(
            "select i.send_key, i.attempts, i.content_hash, i.content, coalesce(o.answer, '{}'), i.first_sent_at, "
            "i.begun_at from intents i left join outcomes o on o.target = i.target and o.send_key = i.send_key "
            "where i.target = ? order by i.begun_at"
        )
        reason = "the run ended before the answer was known"
        return [Record(key, "in_doubt", reason, None, *rest) for key, *rest in rows]

    def states(self) -> dict[str, tuple[Known, bool]]:
        """By send_key, what is known, and whether the ledger should have it."""
        rows = self._read(f"select send_key, {_KNOWN}, loaded from outcomes where target = ?")  # noqa: S608
        return {key: (Known(*known), bool(loaded)) for key, *known, loaded in rows}

    def answer(self, send_key: str) -> str:
        """The JSON that the vendor's answer left, `{}` if none."""
        rows = self._read("select answer from outcomes where target = ? and send_key = ?", send_key)
        return str(rows[0][0]) if rows else "{}"

    def fill(self, records: Iterable[Record]) -> None:
        """Takes over what the ledger has."""
        self._write([self._put(record, loaded=True) for record in records])

    def unload(self, keys: Iterable[str]) -> None:
        """The ledger lost these: they are to be loaded again."""
        update = "update outcomes set loaded = 0 where target = ? and send_key = ?"
        self._write([(update, (self.target, key)) for key in keys])

    def unloaded(self) -> list[Record]:
        """What the ledger does not have yet."""
        query = f"select {_COLUMNS} from outcomes where target = ? and loaded = 0 order by sent_at"  # noqa: S608
        rows = self._read(query)
        return [Record(*row) for row in rows]

    def loaded(self, records: Iterable[Record]) -> None:
        """The ledger has exactly these."""
        update = "update outcomes set loaded = 1 where target = ? and send_key = ? and sent_at = ?"
        self._write([(update, (self.target, one.send_key, one.sent_at)) for one in records])

    def _put(self, record: Record, *, loaded: bool) -> tuple[str, tuple[Any, ...]]:
        return _PUT, (self.target, *astuple(record), int(loaded))

    def _read(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with self._lock, self._understood():
            return self._db.execute(query, (self.target, *values)).fetchall()

    def _write(self, statements: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
        with self._lock, self._understood(), self._transaction():
            for statement, values in statements:
                self._db.execute(statement, values)

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

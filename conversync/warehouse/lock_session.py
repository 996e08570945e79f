"""The session that holds locks on a PostgreSQL, and the fences that others pass (see write_lock.py)."""

from __future__ import annotations

import hashlib
import os
import secrets
import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC
from typing import Any, NamedTuple, Self

from conversync.errors import LockedError
from conversync.settings import lookup

# What a transaction is refused with; PostgreSQL's codes of this class are final to dlt, which tries others again.
LOST = "The right to write was lost"
LOST_CODE = "42V01"
TELLS = (
    f"{LOST}: the server ended the session that held it, or the network between did. What was committed before stands, "
    "and nothing was written since. Run it again."
)
# Seconds after which a session of which nothing is heard counts as gone: here, and at the server.
SILENCE = {"idle": 10, "interval": 5, "count": 3}
# Seconds in which it has to answer: fewer than those, so that who is given up knows it first.
ANSWERED = 15.0
# For so many seconds a session is believed to be there, if nothing has come from it.
BELIEVED = 1.0
# What PostgreSQL cuts off a longer name of an application, in bytes.
LONGEST_NAME = 63


class Place(NamedTuple):
    """A database, by its connection string, and of several lakes with their catalogs in it, which."""

    credentials: str
    lake: str = ""


class LockSession:
    """A session that holds locks, as long as it is entered and its transaction is open."""

    def __init__(self, place: Place, names: Sequence[str], what: str, *, together: bool = False) -> None:
        self.names = names
        self._together = together
        self._place = place
        self._keys = {self._key("right", name): name for name in names}
        self._fences = {self._key("fence", name): name for name in names}
        # Held by this session alone, so that others of the run can tell whether it is there.
        self._own = _signed(secrets.token_bytes(8))
        self._what = what
        self._lock = threading.Lock()
        self._heard = 0.0
        self._connection: Any = None
        # Other sessions, between two transactions whose fences they are.
        self._gates: list[Any] = []

    def __enter__(self) -> Self:
        # Asked without blocking, so that none of its answers is waited for without end.
        self._connection = self._connected(is_async=True)
        try:
            self._answered()
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for one in (*self._gates, self._connection):
            one.close()

    def _connected(self, *, is_async: bool) -> Any:
        import psycopg2  # type: ignore[import-untyped] # its stubs are a package of their own

        return psycopg2.connect(
            self._place.credentials,
            async_=is_async,
            application_name=_named(self._what, [name.rpartition("/")[2] for name in self.names]),
            keepalives=1,
            **{f"keepalives_{name}": value for name, value in SILENCE.items()},
        )

    def _key(self, kind: str, name: str) -> int:
        return _key(f"{kind} in {self._place.lake}" if self._place.lake else kind, name)

    @property
    def fence(self) -> str:
        """SQL that ends its transaction where the right is lost, and else keeps who takes it next waiting."""
        shared = " ".join(f"perform pg_advisory_xact_lock_shared({key});" for key in self._fences)
        return (
            f"do $$ begin {shared} if pg_try_advisory_xact_lock_shared({self._own}) "
            f"then raise exception '{LOST}' using errcode = '{LOST_CODE}'; end if; end $$"
        )

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Within, the fence is passed, for a transaction that is not the server's.

        Raises dlt's DatabaseTerminalException where the right is lost.
        """
        import psycopg2

        gate = self._gate()
        try:
            yield
        finally:
            with suppress(psycopg2.Error):  # it is gone, and what it held with it
                gate.rollback()
                self._gates.append(gate)

    def _gate(self) -> Any:
        """A session in whose transaction the fence is passed; one that ended meanwhile is not asked twice."""
        import psycopg2

        from conversync.dlt_internals import DatabaseTerminalException

        while True:
            with self._lock:
                kept = self._gates.pop() if self._gates else None
            gate = kept or self._connected(is_async=False)
            try:
                with gate.cursor() as cursor:
                    cursor.execute(self.fence)
            except psycopg2.Error as error:
                gate.close()
                if kept is None or error.pgcode == LOST_CODE:
                    raise DatabaseTerminalException(error) from error
            else:
                return gate

    def take(self) -> tuple[str, str] | None:
        """None, and all is held; or what is not, and who has it, as words for a sentence."""
        # Whatever is the rule for other sessions, this one keeps no snapshot and writes nothing.
        self._ask("begin isolation level read committed read only")
        self._ask(_SETTLED, [list(_SETTINGS), list(_SETTINGS.values())])
        if busy := self._busy(list(self._keys), "_shared" if self._together else ""):
            return _told(self._keys[busy[0]]), self._who(busy[0])
        if not self._together and (busy := self._let_in()):
            return _told(self._fences[busy[0]]), NOT_OVER
        self._heard = time.monotonic()
        return None

    def _let_in(self) -> list[int]:
        """Lets our own transactions in; nothing is done where some that passed a fence before are open: their keys."""
        self._ask("savepoint before")
        if busy := self._busy(list(self._fences)):
            return busy
        self._ask("rollback to savepoint before")
        self._ask("select pg_advisory_xact_lock(%s)", [self._own])
        return []

    def take_turn(self) -> bool:
        """Whether it is ours now, among those who hold the right together; LockedError where the right is lost."""
        self.check()
        self._ask("savepoint turn")
        if not self._busy([self._key("turn", name) for name in self.names]) and not self._let_in():
            return True
        self.end_turn()
        return False

    def whose_turn(self) -> str:
        """Who has it, as words for the end of a sentence."""
        return self._who(self._key("turn", self.names[0])) or NOT_OVER

    def end_turn(self) -> None:
        """The next one may write; where the session is gone, it may already."""
        if self.is_there():
            # Released as well: a shard asks for its turn twenty times a second, and the server keeps each savepoint.
            self._ask("rollback to savepoint turn")
            self._ask("release savepoint turn")

    def let_go(self) -> None:
        """Nothing of it is held any more."""
        self._ask("rollback")

    def check(self) -> None:
        """LockedError if it is not there any more."""
        if not self.is_there():
            raise LockedError(TELLS)

    def is_there(self) -> bool:
        """Whether it is; asked if something came from it, or if that is long ago."""
        import psycopg2

        with self._lock:
            try:
                if self._connection.closed:
                    return False
                came = select.select([self._connection], [], [], 0)[0]
                if came or time.monotonic() - self._heard >= BELIEVED:
                    self._ask("select 1")
                    self._heard = time.monotonic()
            except (psycopg2.Error, OSError):
                self._connection.close()
                return False
            return True

    def _busy(self, keys: Sequence[int], how: str = "") -> list[int]:
        """Takes these locks; those that somebody else has. `how` may be `_shared`."""
        query = f"select key, pg_try_advisory_xact_lock{how}(key) from unnest(%s::bigint[]) as key"  # noqa: S608 - ours
        return [key for key, is_ours in self._ask(query, [keys]) if not is_ours]

    def _ask(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(query, list(values) or None)
            self._answered()
            return list(cursor.fetchall()) if cursor.description else []

    def _answered(self) -> None:
        """Waits for the server, but no longer than it takes itself to give us up."""
        import psycopg2
        from psycopg2.extensions import POLL_OK, POLL_WRITE  # type: ignore[import-untyped] # as above

        until, ours = time.monotonic() + ANSWERED, [self._connection]
        while (state := self._connection.poll()) != POLL_OK:
            reads, writes = ([], ours) if state == POLL_WRITE else (ours, [])
            if not any(select.select(reads, writes, [], max(0.0, until - time.monotonic()))):
                raise psycopg2.OperationalError(f"the server did not answer within {ANSWERED:g} s")

    def _who(self, key: int) -> str:
        """Who holds it, as far as the server tells this role."""
        rows = self._ask(_HOLDER, [key])
        if not rows or not rows[0][0]:
            return ""
        name, address, since = rows[0]
        told = [name]
        told += [f"from {address}"] if address else []
        told += [f"since {since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"] if since else []
        return f": {', '.join(told)}"


def _named(what: str, names: Sequence[str]) -> str:
    """What others are told: what is done, as many names as there is room for, and where, the project's folder too."""
    host, pid = _plain(socket.gethostname()), os.getpid()
    places = [
        f"({host[:20]}, {_plain(lookup.project_dir().absolute().name)}, pid {pid})",
        f"({host[:20]}, pid {pid})",
        f"({host[:8]}, pid {pid})",
    ]
    for place in places:
        for count in range(len(names), 0, -1):
            more = ", ..." if count < len(names) else ""
            if len(told := f"{what} {', '.join(names[:count])}{more} {place}") <= LONGEST_NAME:
                return told
    return f"{f'{what} {names[0]}'[: LONGEST_NAME - 4 - len(place)]}... {place}"


def _plain(text: str) -> str:
    """Of signs that a server keeps as they are, a byte each."""
    return text.encode("ascii", "replace").decode()


def _told(name: str) -> str:
    dataset, _, target = name.partition("/")
    return f"the sends to {target}" if target else dataset


def _key(kind: str, name: str) -> int:
    """The same on all machines; PostgreSQL keeps the locks of each database apart."""
    return _signed(hashlib.sha256(f"conversync {kind} {name}".encode()).digest()[:8])


def _signed(eight: bytes) -> int:
    return int.from_bytes(eight, "big", signed=True)


NOT_OVER = ": what a run that lost its right was doing there is not over yet"
# Of the transaction that is open for a whole run. Those of TCP make a server notice that a machine is gone.
_SETTINGS = {
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
    **{f"tcp_keepalives_{name}": str(value) for name, value in SILENCE.items()},
}
# A server has those of its version.
_SETTLED = """
    select set_config(there.name, wanted.value, true)
    from pg_settings as there join unnest(%s, %s) as wanted (name, value) on wanted.name = there.name
"""
_HOLDER = """
    select a.application_name, host(a.client_addr), a.xact_start
    from pg_locks as l join pg_stat_activity as a on a.pid = l.pid
    where l.locktype = 'advisory' and l.granted and l.objsubid = 1
        and l.database = (select oid from pg_database where datname = current_database())
        and ((l.classid::bigint << 32) | l.objid::bigint) = %s
"""

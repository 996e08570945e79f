"""The right to write where several machines can: locks that lie on the server which has the tables.

Each dataset is a lock of its own (and a target's sends are one: `sent/<target>`), PostgreSQL's advisory ones. They are
held by a session that does nothing else, in a transaction that stays open for the whole run: it holds no snapshot, so
it keeps no vacuum from its work, and it is one session's whatever pools of connections lie in between. However the run
ends, the server ends that session, and the locks with it.

A run that lost its session must write no more, though its other sessions may live on. So each of their transactions
begins with a fence (see fenced_client.py): it is let only while the session of the right is there. Who takes a right
waits until no transaction that passed the fence before is open.

Shards of a backfill hold the right together, which keeps all others out, and each writes only in its turn: then the
turn is its alone, and only then its fences let its transactions in.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import select
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC
from typing import Any, Self

from conversync.errors import LockedError
from conversync.settings import dlt_settings, lookup
from conversync.warehouse import sessions
from conversync.warehouse.waiting import Waiting

log = logging.getLogger("conversync")

# Destinations that have such locks, by dlt's name for their type.
LOCKING = "dlt.destinations.postgres"
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
# After so many seconds of somebody else's turn it is told whose it is: a turn is a commit, which takes some.
LONG_TURN = 60.0
# What PostgreSQL cuts off a longer name of an application, in bytes.
LONGEST_NAME = 63


_asked_for = ["<name>"]  # last: what is said of a destination's settings names their section


def credentials_section() -> str:
    """Where the credentials of the destination stand that this process works with, as a person writes it."""
    return f"[destination.{_asked_for[-1]}.credentials]"


def has_locks(destination: str) -> bool:
    """Whether a destination of this name, as dlt knows it, has locks that runs on other machines see."""
    return bool(_found(destination).destination_type == LOCKING)


class Right:
    """What is held, of `names`; of a destination without locks, nothing, and it is never lost."""

    def __init__(self, sessions: Sequence[_Session] = ()) -> None:
        self._sessions = sessions

    @property
    def is_shared(self) -> bool:
        """Whether it is one among several machines."""
        return bool(self._sessions)

    def check(self) -> None:
        """LockedError where it is lost, as soon as the end of its session has come here; a second later else."""
        for session in self._sessions:
            session.check()

    def lost(self) -> list[str]:
        """The names that are lost."""
        return [name for session in self._sessions if not session.is_there() for name in session.names]

    @contextmanager
    def turn(self, name: str, moment: Callable[[], None]) -> Iterator[None]:
        """Within, who holds the right to `name` with others is the only one to write there; `moment` waits a little.

        LockedError where the right is lost.
        """
        [session] = [one for one in self._sessions if name in one.names]
        told_at = time.monotonic() + LONG_TURN
        while not session.take_turn():
            if time.monotonic() >= told_at:
                log.warning("%s: waiting for the turn of another shard%s.", name, session.whose_turn())
                told_at = float("inf")
            moment()
        try:
            yield
        finally:
            session.end_turn()

    def fences(self) -> dict[str, str]:
        """By dataset, what a transaction that writes there begins with."""
        return {name: session.fence for session in self._sessions for name in session.names}


@contextmanager
def taken(
    destination: str, names: Sequence[str], what: str, wait: float, *, together: bool = False
) -> Iterator[Right]:
    """All of these, or none; LockedError after `wait` seconds without. `what` tells others who holds it.

    A name is a dataset's, or something of one: `sent/keitaro.conversions`. Where several waited for each other's, each
    lets go of all of its own before it tries again. `together`: with all who take it so, to write in turns.
    """
    if not names or not has_locks(destination):
        yield Right()
        return
    _has_driver(destination)
    with ExitStack() as open_:
        sessions = [
            open_.enter_context(_Session(credentials, group, f"conversync {what}", together=together))
            for credentials, group in _sessions(destination, names, together=together)
        ]
        waiting: Waiting | None = None
        while busy := next(filter(None, (session.take() for session in sessions)), None):
            for session in sessions:
                session.let_go()
            held = f"Another run holds {busy[0]} on {destination}{busy[1]}"
            waiting = waiting or Waiting(wait, held)
            waiting.go_on("try again when it has ended, or wait for it with --wait 30m", held)
        yield Right(sessions)


def fenced(destination: str, right: Right) -> Any:
    """dlt's destination, whose sessions write only while the right is held, where there is one."""
    if not has_locks(destination):
        return _found(destination)
    if not (fences := right.fences()):
        raise ValueError("who writes there holds the right to it")
    return sessions.settled(_found(destination), fences)


def patient(destination: str) -> Any:
    """dlt's destination, whose sessions only read, and wait for nobody without end, where that can be told."""
    found = _found(destination)
    return sessions.settled(found) if has_locks(destination) else found


def _found(destination: str) -> Any:
    from conversync.dlt_internals import Destination

    dlt_settings.pin_dlt_settings()
    _asked_for[:] = [destination]
    return Destination.from_reference(destination)


def _has_driver(destination: str) -> None:
    """dlt's own error where the package is missing that it talks to such a server with."""
    from conversync.dlt_internals import MissingDependencyException

    try:
        import psycopg2  # type: ignore[import-untyped] # noqa: F401 - its stubs are a package of their own
    except ImportError:
        raise MissingDependencyException(f"{destination} destination", ["dlt[postgres]"]) from None


def _sessions(
    destination: str, names: Sequence[str], *, together: bool
) -> Iterator[tuple[str, Sequence[str]]]:
    """What each session is for: all of a place, or one dataset where each has turns of its own."""
    for credentials, group in _by_place(destination, names).items():
        for some in [[name] for name in group] if together else [group]:
            yield credentials, some


def _by_place(destination: str, names: Sequence[str]) -> dict[str, list[str]]:
    """The names by the server and database they lie in: dlt lets each pipeline have one of its own."""
    from conversync.dlt_internals import ConfigSectionContext, inject_section

    found: dict[str, list[str]] = defaultdict(list)
    place = _found(destination)
    for name in sorted(set(names)):
        dataset = name.partition("/")[0]
        with inject_section(ConfigSectionContext(pipeline_name=f"conversync_{dataset}", sections=())):
            config = place.configuration(place.spec()._bind_dataset_name(dataset_name=dataset))  # noqa: SLF001 - as dlt does
        found[config.credentials.to_native_representation()].append(name)
    return found


class _Session:
    """A session that holds locks, as long as it is entered and its transaction is open."""

    def __init__(self, credentials: str, names: Sequence[str], what: str, *, together: bool = False) -> None:
        self.names = names
        self._together = together
        self._keys = {_key("right", name): name for name in names}
        self._fences = {_key("fence", name): name for name in names}
        # Held by this session alone, so that others of the run can tell whether it is there.
        self._own = _signed(secrets.token_bytes(8))
        self._credentials = credentials
        self._what = what
        self._lock = threading.Lock()
        self._heard = 0.0
        self._connection: Any = None

    def __enter__(self) -> Self:
        import psycopg2

        # Asked without blocking, so that none of its answers is waited for without end.
        self._connection = psycopg2.connect(
            self._credentials,
            async_=True,
            application_name=_named(self._what, [name.rpartition("/")[2] for name in self.names]),
            keepalives=1,
            **{f"keepalives_{name}": value for name, value in SILENCE.items()},
        )
        try:
            self._answered()
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @property
    def fence(self) -> str:
        """SQL that ends its transaction where the right is lost, and else keeps who takes it next waiting."""
        shared = " ".join(f"perform pg_advisory_xact_lock_shared({key});" for key in self._fences)
        return (
            f"do $$ begin {shared} if pg_try_advisory_xact_lock_shared({self._own}) "
            f"then raise exception '{LOST}' using errcode = '{LOST_CODE}'; end if; end $$"
        )

    def take(self) -> tuple[str, str] | None:
        """None, and all is held; or what is not, and who has it, as words for a sentence."""
        # Whatever is the rule for other sessions, this one keeps no snapshot and writes nothing.
        self._ask("begin isolation level read committed read only")
        self._ask(_SETTLED, [list(_SETTINGS), list(_SETTINGS.values())])
        if busy := self._busy(list(self._keys), "_shared" if self._together else ""):
            return _told(self._keys[busy[0]]), self._who(busy[0])
        if not self._together and (busy := self._let_in()):
            return _told(self._fences[busy[0]]), _NOT_OVER
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
        if not self._busy([_key("turn", name) for name in self.names]) and not self._let_in():
            return True
        self.end_turn()
        return False

    def whose_turn(self) -> str:
        """Who has it, as words for the end of a sentence."""
        return self._who(_key("turn", self.names[0])) or _NOT_OVER

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


_NOT_OVER = ": what a run that lost its right was doing there is not over yet"
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

"""The right to write where several machines can: locks that lie on the server which has the tables.

Each dataset is a lock of its own (and a target's sends are one: `sent/<target>`), PostgreSQL's advisory ones. They are
held by a session that does nothing else, in a transaction that stays open for the whole run: it holds no snapshot, so
it keeps no vacuum from its work, and it is one session's whatever pools of connections lie in between. However the run
ends, the server ends that session, and the locks with it.

A run that lost its session must write no more, though its other sessions may live on. So each of their transactions
begins with a fence (see fenced_client.py): it is let only while the session of the right is there. Who takes a right
waits until no transaction that passed the fence before is open.

A DuckLake whose catalog is on a PostgreSQL has its locks there. Its transactions are DuckDB's, so the fence of each is
a transaction of its own beside it, from before it begins until it is over (see lake_client.py).

Shards of a backfill hold the right together, which keeps all others out, and each writes only in its turn: then the
turn is its alone, and only then its fences let its transactions in.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from conversync.settings import dlt_settings
from conversync.warehouse import lake, merge_strategies, sessions
from conversync.warehouse.lock_session import LockSession, Place
from conversync.warehouse.waiting import Waiting

log = logging.getLogger("conversync")

# The destination that has such locks, by dlt's name for its type; and how the catalog of a lake names it.
LOCKING = "dlt.destinations.postgres"
SERVERS = ("postgres", "postgresql")
# After so many seconds of somebody else's turn it is told whose it is: a turn is a commit, which takes some.
LONG_TURN = 60.0


_asked_for = ["<name>"]  # last: what is said of a destination's settings names their section


def credentials_section() -> str:
    """Where the credentials of the destination stand that this process works with, as a person writes it."""
    return f"[destination.{_asked_for[-1]}.credentials]"


def is_postgres(destination: str) -> bool:
    """Whether a destination of this name, as dlt knows it, is a PostgreSQL."""
    return bool(_found(destination).destination_type == LOCKING)


def is_lake(destination: str) -> bool:
    """Whether it is a DuckLake."""
    return bool(_found(destination).destination_type == lake.LAKE)


def has_locks(destination: str, dataset: str) -> bool:
    """Whether a dataset lies where there are locks that runs on other machines see."""
    return is_postgres(destination) or bool(_by_place(destination, [dataset]))


# Within one of them, the right to write is there, or who takes it waits.
Gate = Callable[[], AbstractContextManager[None]]


class Right:
    """What is held, of `names`; of a destination without locks, nothing, and it is never lost."""

    def __init__(self, sessions: Sequence[LockSession] = ()) -> None:
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

    def gates(self) -> dict[str, Gate]:
        """By dataset, within what a transaction has to be that writes there and is no transaction of the server's."""
        return {name: session.passed for session in self._sessions for name in session.names}


@contextmanager
def taken(
    destination: str, names: Sequence[str], what: str, wait: float, *, together: bool = False
) -> Iterator[Right]:
    """All of these, or none; LockedError after `wait` seconds without. `what` tells others who holds it.

    A name is a dataset's, or something of one: `sent/keitaro.conversions`. Where several waited for each other's, each
    lets go of all of its own before it tries again. `together`: with all who take it so, to write in turns.
    """
    places = _by_place(destination, names)
    if not places:
        yield Right()
        return
    _has_driver(destination)
    with ExitStack() as open_:
        sessions = [
            open_.enter_context(LockSession(place, group, f"conversync {what}", together=together))
            for place, group in _sessions(places, together=together)
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
    found = _found(destination)
    if found.destination_type != LOCKING:
        return lake.settled(found, right.gates())
    if not (fences := right.fences()):
        raise ValueError("who writes there holds the right to it")
    return sessions.settled(found, fences)


def patient(destination: str) -> Any:
    """dlt's destination, whose sessions only read, and wait for nobody without end, where that can be told."""
    found = _found(destination)
    return sessions.settled(found) if found.destination_type == LOCKING else lake.settled(found)


def _found(destination: str) -> Any:
    from conversync.dlt_internals import Destination

    dlt_settings.pin_dlt_settings()
    _asked_for[:] = [destination]
    found = Destination.from_reference(destination)
    if found is None:
        raise ValueError("a destination has a name")
    return merge_strategies.settled(found)


def _has_driver(destination: str) -> None:
    """dlt's own error where the package is missing that it talks to such a server with."""
    from conversync.dlt_internals import MissingDependencyException

    try:
        import psycopg2  # type: ignore[import-untyped] # noqa: F401 - its stubs are a package of their own
    except ImportError:
        raise MissingDependencyException(f"{destination} destination", ["dlt[postgres]"]) from None


def _sessions(places: Mapping[Place, list[str]], *, together: bool) -> Iterator[tuple[Place, list[str]]]:
    """What each session is for: all of a place, or one dataset where each has turns of its own."""
    for place, group in places.items():
        for some in [[name] for name in group] if together else [group]:
            yield place, some


def _by_place(destination: str, names: Sequence[str]) -> dict[Place, list[str]]:
    """The names by where their locks lie, without those that have none.

    dlt lets each pipeline have a server of its own.
    """
    from conversync.dlt_internals import ConfigSectionContext, inject_section

    found: dict[Place, list[str]] = defaultdict(list)
    there = _found(destination)
    if there.destination_type not in (LOCKING, lake.LAKE):
        return found
    for name in sorted(set(names)):
        dataset = name.partition("/")[0]
        with inject_section(ConfigSectionContext(pipeline_name=f"conversync_{dataset}", sections=())):
            config = there.configuration(there.spec()._bind_dataset_name(dataset_name=dataset))  # noqa: SLF001 - as dlt does
        if place := _place(config.credentials):
            found[place].append(name)
    return found


def _place(credentials: Any) -> Place | None:
    """Of the credentials of a PostgreSQL, or of a DuckLake: None where its catalog is on no such server."""
    catalog = getattr(credentials, "catalog", None)
    if catalog is None:
        return Place(credentials.to_native_representation())
    if catalog.drivername not in SERVERS:
        return None
    return Place(catalog.to_native_representation(), credentials.metadata_schema or credentials.ducklake_name)

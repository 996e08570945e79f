"""Sends that have begun, as the destination knows them, where several machines send out of one.

What a machine sent stands in its own journal until its send ends, and then in the ledger. One that was killed, or lost
the right to send and did not get it back, has sent what nobody else knows. So before its first request a send is noted
in `sent.sends`, one row a target; while it is not over, no other machine sends.
"""

from __future__ import annotations

import socket
from typing import NamedTuple

from conversync.send import ledger
from conversync.send.epoch import what_it_has
from conversync.send.records import moment
from conversync.send.target import Target
from conversync.types import SqlClient

TABLE = "sends"


class Begun(NamedTuple):
    """The last send of a target that began: its number, where, when (UTC), and whether the ledger has all of it."""

    epoch: int
    machine: str
    at: str
    is_over: bool


def last(client: SqlClient, target: Target) -> Begun | None:
    """None where none was ever noted. `client` is an open sql_client."""
    return every(client).get(target.name)


def every(client: SqlClient) -> dict[str, Begun]:
    """By target, its last one: also of accounts that the settings here do not name."""
    query = f"select target, epoch, machine, begun_at, is_over from {_place(client)}"  # noqa: S608 - our own names
    rows = ledger.ask(client, query)
    return {name: Begun(int(n), machine, moment(at), bool(over)) for name, n, machine, at, over in rows}


def note(client: SqlClient, target: Target, epoch: int) -> None:
    """This one begins. The caller holds the target's right, and the ledger's."""
    place = _place(client)
    with client.begin_transaction():
        client.execute_sql(f"create schema if not exists {client.escape_column_name(ledger.DATASET)}")
        client.execute_sql(f"create table if not exists {place} {_COLUMNS}")
        client.execute_sql(f"delete from {place} where target = %s", target.name)  # noqa: S608 - our own names
        client.execute_sql(
            f"insert into {place} values (%s, %s, %s, current_timestamp, false)",  # noqa: S608 - as above
            *(target.name, epoch, socket.gethostname()),
        )


def end(client: SqlClient, target: Target, epoch: int) -> None:
    """The ledger has all of the send of this number, and of those before it. The caller holds what `note` wants."""
    client.execute_sql(
        f"update {_place(client)} set is_over = true where target = %s and epoch <= %s",  # noqa: S608 - our own names
        *(target.name, epoch),
    )


def refusal(target: str, begun: Begun | None, journal: int | None) -> str | None:
    """Why nothing may be sent from here, as a sentence with the way out; `journal` is the number of its last send."""
    if begun is None or begun.is_over or begun.epoch == journal:
        return None
    return (
        f"Send number {begun.epoch:,} of {target}, which began on {begun.machine} at {begun.at[:16].replace('T', ' ')} "
        f"UTC, has not ended: what it sent is not in {ledger.DATASET}.{ledger.table_of(target)} yet, and would be sent "
        f"again. Nothing was sent. Run conversync send {target} there, which brings it in; or, if that machine is "
        f"gone, see {what_it_has(target)}, and go on with --after-restore."
    )


def _place(client: SqlClient) -> str:
    return ".".join(client.escape_column_name(name) for name in (ledger.DATASET, TABLE))


# No primary key: a DuckLake has none, and who writes a target's row holds the right to.
_COLUMNS = """(
    target varchar not null, epoch bigint not null, machine varchar not null,
    begun_at timestamp with time zone not null, is_over boolean not null
)"""

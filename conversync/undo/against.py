"""What stands against taking a load back: something of it was sent, or was reported in a period that is closed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import pendulum

from conversync.books import store
from conversync.books.explained import key_of, logs
from conversync.books.histories import CHANGES
from conversync.books.lines import has, place
from conversync.count_words import counted
from conversync.send import begun_sends, ledger
from conversync.send.journal import Journal, journal_path
from conversync.send.target_books import all_targets
from conversync.types import SqlClient
from conversync.undo.loads import Load
from conversync.vendors import Vendor, is_of_another
from conversync.warehouse.query import rows
from conversync.warehouse.warehouse import Warehouse

# So many of the rows that were sent are named.
MOST_NAMED = 10
# What the vendor has of a row, or may have.
GONE_OUT = ("sent", "in_doubt")
# The column of a view `conversions` that says as which id a conversion was sent, where that is another one.
STANDS_FOR = "replaces"


class _Sent(NamedTuple):
    target: str
    send_key: str
    at: datetime


def reasons(client: SqlClient, warehouse: Warehouse, load: Load) -> list[str]:
    """A sentence each, without its full stop; none where it may be taken back.

    What was sent is told by its send_key, which ends with the conversion's id, as `explain` does.
    """
    return [*_unknown(client, warehouse), *_sent(client, warehouse, load), *_reported(client, load)]


def _unknown(client: SqlClient, warehouse: Warehouse) -> Iterator[str]:
    """Sends of other machines that did not end: what they sent is not in the ledger."""
    for target, last in begun_sends.every(client).items():
        with Journal(journal_path(warehouse), target, read_only=True) as journal:
            own = journal.epoch
        if not last.is_over and last.epoch != own:
            yield (
                f"a send to {target} that began on {last.machine} has not ended, and nobody else knows what it "
                f"sent: run conversync send {target} there"
            )


def _sent(client: SqlClient, warehouse: Warehouse, load: Load) -> Iterator[str]:
    touched = _touched(client, load)
    if not touched:
        return
    # By two clocks: that of the machine when the load began, and when it was committed.
    since = min(load.since, load.committed_at)
    by_target: dict[str, list[str]] = {}
    for one in _all_sent(client, warehouse):
        if _is_of(one, touched, since) and not is_of_another(one.send_key, load.vendor):
            by_target.setdefault(one.target, []).append(one.send_key)
    for target, keys in by_target.items():
        named = sorted(set(keys))
        more = f" and {len(named) - MOST_NAMED:,} more" if len(named) > MOST_NAMED else ""
        yield f"{counted(len(named), 'row')} of it went to {target}: {', '.join(named[:MOST_NAMED])}{more}"


def _is_of(one: _Sent, touched: Mapping[str, bool], since: datetime) -> bool:
    """Of what the load brought first, all was sent after it, whatever a clock said; of anything else what is later."""
    names = [name for name in _names(one.send_key) if name in touched]
    return any(touched[name] for name in names) or (bool(names) and one.at >= since)


def _names(send_key: str) -> Iterator[str]:
    """The ids that a send_key may end with."""
    yield send_key
    yield from (send_key[number + 1 :] for number, sign in enumerate(send_key) if sign in "-:")


def _touched(client: SqlClient, load: Load) -> dict[str, bool]:
    """The conversions of which the load stated anything, each with whether it was the first to."""
    vendor, found = load.vendor, dict[str, bool]()
    if not any(table.name == "conversions" for table in vendor.tables):
        return found
    key, changes = key_of(vendor), place(client, vendor.dataset, CHANGES)
    for table in logs(vendor):
        if not has(client, vendor.dataset, table.name):
            continue
        query = _STATED.format(key=key, log=place(client, vendor.dataset, table.name))
        for name, is_new in rows(client, query, load.point, load.point, load.since):
            found[name] = found.get(name, True) and bool(is_new)
    if has(client, vendor.dataset, CHANGES):
        query = f"select distinct conversion_id from {changes} where known_at > %s"  # noqa: S608 - our own names
        found = {str(name): False for (name,) in rows(client, query, load.since)} | found
    return dict.fromkeys(_stood_for(client, vendor, key, found), False) | found


def _stood_for(client: SqlClient, vendor: Vendor, key: str, touched: Collection[str]) -> Iterator[str]:
    """As what those of these were sent that were read under another id first."""
    if not has(client, vendor.dataset, "conversions", STANDS_FOR):
        return
    query = _OTHERS.format(key=key, other=STANDS_FOR, view=place(client, vendor.dataset, "conversions"))
    yield from (str(other) for name, other in rows(client, query) if name in touched)


_STATED = """
    select cast({key} as varchar), min(_dlt_load_id) > %s from {log}
    where {key} in (select {key} from {log} where _dlt_load_id > %s or valid_to > %s) group by 1
"""
_OTHERS = "select cast({key} as varchar), cast({other} as varchar) from {view} where {other} is not null"


def _all_sent(client: SqlClient, warehouse: Warehouse) -> Iterator[_Sent]:
    """By the ledgers, and by this machine's journal, which has what did not come into them yet.

    Of every account, also one that the settings name no more. A ledger that we may not read is one all the same.
    """
    targets = all_targets(warehouse)
    for name in dict.fromkeys([*map(ledger.table_of, targets), *ledger.all_of(client)]):
        own = place(client, ledger.DATASET, name)
        query = f"select send_key, sent_at from {own} where status in {GONE_OUT}"  # noqa: S608 - our own names
        for key, at in ledger.ask(client, query):
            yield _Sent(f"{ledger.DATASET}.{name}", key, pendulum.instance(at))
    for target in targets:
        with Journal(journal_path(warehouse), target, read_only=True) as journal:
            lines = [one for one in journal.unloaded() if one.status in GONE_OUT] + journal.intents()
        for line in lines:
            yield _Sent(
                f"{ledger.DATASET}.{ledger.table_of(target)}",
                line.send_key,
                pendulum.instance(datetime.fromisoformat(line.sent_at)),
            )


def _reported(client: SqlClient, load: Load) -> Iterator[str]:
    """Changes that a closed period reported. Those that came after it was closed are corrections, and may go."""
    vendor = load.vendor
    closed: Sequence[store.Closing] = [one for one in store.closings(client, [vendor]) if one.is_closed]
    for one in closed if has(client, vendor.dataset, CHANGES) else ():
        query = (
            f"select count(distinct conversion_id) from {place(client, vendor.dataset, CHANGES)} "  # noqa: S608
            "where known_at > %s and known_at <= %s and occurred_on between %s and %s"
        )
        [[count]] = rows(client, query, load.since, one.known_until, one.first_day, one.last_day)
        if count:
            yield (
                f"{counted(int(count), 'conversion')} of it stand in {one.period} as it was reported by "
                f"{vendor.label}: conversync reopen {one.period} first"
            )

"""Journal and ledger, brought together: what each must take from the other, whichever machine it was sent from."""

from __future__ import annotations

from dataclasses import dataclass

from conversync.send import ledger
from conversync.send.begun_sends import Begun, last
from conversync.send.journal import Journal
from conversync.send.records import Known, Record, newer
from conversync.send.target import Target
from conversync.types import SqlClient


@dataclass(frozen=True)
class Mending:
    """What journal and ledger must take from each other; `known` is what both know together."""

    known: dict[str, Known]
    to_journal: list[str]
    to_ledger: list[str]
    doubts: list[Record]
    ledgers_epoch: int | None
    begun: Begun | None


def compare(client: SqlClient, target: Target, journal: Journal) -> Mending:
    """Journal and ledger beside each other; where they disagree, the later one is right."""
    of_ledger, of_journal = ledger.states(client, target), journal.states()
    known = dict(of_ledger)
    to_ledger, to_journal = [], []
    for key, (state, loaded) in of_journal.items():
        other = of_ledger.get(key)
        if other is None or newer(state, other):
            known[key] = state
            if loaded:
                to_ledger.append(key)
        elif newer(other, state):
            to_journal.append(key)
        else:  # the same, but for the outbox's name, which the journal may know better
            known[key] = state
    to_journal += [key for key in of_ledger if key not in of_journal]
    doubts = journal.intents()
    for one in doubts:
        known[one.send_key] = Known(
            "in_doubt",
            one.content_hash,
            one.sent_at,
            one.first_sent_at,
            one.attempts,
            one.occurred_on,
            one.outbox,
        )
    return Mending(known, to_journal, to_ledger, doubts, ledger.epoch(client, target), last(client, target))


def mend(client: SqlClient, target: Target, journal: Journal) -> Mending:
    """Brings the journal up to what both know; what the ledger lacks stands in it as not loaded."""
    mending = compare(client, target, journal)
    journal.fill(ledger.records(client, target, mending.to_journal))
    journal.unload(mending.to_ledger)
    for doubt in mending.doubts:
        journal.conclude(doubt)
    return mending

"""Asks a vendor what became of the requests that are in doubt, where it can tell. Such a question changes nothing."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal

from conversync.http.client import Client, Response
from conversync.send.identities import Identities
from conversync.send.journal import Journal
from conversync.send.outbox import KEY
from conversync.send.records import Record, as_json, moment
from conversync.send.target import Outcome, RowRefusedError, Target
from conversync.types import Row


@dataclass
class Resolved:
    """`notes` are sentences without their full stop; `rejected` the reasons of rows that came to nothing, by key."""

    notes: list[str] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)


def resolve(target: Target, settings: object, journal: Journal) -> Resolved:
    """Settles what can be settled, in the journal.

    Raises what the client raises: nothing else was done then.
    """
    doubts = journal.in_doubt()
    if not doubts:
        return Resolved()
    rejected = dict[str, str]()
    found = Counter[str]()
    with target.client(settings) as client:
        for record in doubts:
            if (outcome := _asked(target, settings, client, record)) is None:
                found["cannot be asked for: the vendor knows them by no name"] += 1
                continue
            found[_WORDS[outcome.status].format(reason=outcome.reason)] += 1
            if outcome.status == "rejected":
                rejected[record.send_key] = outcome.reason or "it came to nothing"
            journal.conclude(_after(record, outcome))
    return Resolved([f"in doubt, and asked for: {count:,} {what}" for what, count in found.items()], rejected)


_WORDS = {
    "sent": "arrived",
    "rejected": "came to nothing ({reason}); --retry-rejected sends them again",
    "in_doubt": "cannot be told yet ({reason})",
}


def _asked(target: Target, settings: object, client: Client, record: Record) -> Outcome | None:
    reference = Identities.of(record, target).last
    row: Row = {**json.loads(record.content, parse_float=Decimal), KEY: record.send_key}
    previous_response = json.loads(record.answer)
    try:
        request = None if reference is None else target.lookup(reference, row, settings)
    except RowRefusedError:
        request = None
    if request is None or reference is None:
        return None

    def decode(answer: Response) -> Outcome:
        return target.looked_up(answer, reference, row, settings, previous_response)

    return client.request(
        request.method, request.path, params=request.params, label=request.label, accept=(404,), decode=decode
    )


def _after(record: Record, outcome: Outcome) -> Record:
    return replace(
        record,
        status=outcome.status,
        reason=outcome.reason or "the vendor was asked, and has it",
        answer=as_json(outcome.answer) if outcome.answer else record.answer,
        tables=as_json(outcome.tables),
        sent_at=moment(),
    )

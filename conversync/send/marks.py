"""Rows that are noted in the books without a request: taken for sent (--adopt), or left out (--since)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from conversync.send.identities import Identities
from conversync.send.outbox import Entry
from conversync.send.plan import Mark
from conversync.send.records import Record, moment
from conversync.send.target import RowRefusedError, Target


def marked(marks: Iterable[Mark], target: Target, outbox: str) -> Iterator[Record]:
    """Their lines. What stands at the vendor stays what it was; of a row that it is to have, its identity is noted."""
    for mark in marks:
        if mark.record is not None:
            yield _noted(mark, mark.record)
        elif mark.entry is not None:
            yield _new(mark, mark.entry, target, outbox)


def _noted(mark: Mark, record: Record) -> Record:
    """A row that the books have: in doubt, or changed beyond what the vendor takes."""
    now, entry = moment(), mark.entry
    content = record.content if entry is None else entry.content
    fingerprint = record.content_hash if entry is None else entry.hash
    return replace(
        record, status=mark.status, reason=mark.reason, content=content, content_hash=fingerprint, sent_at=now
    )


def _new(mark: Mark, entry: Entry, target: Target, outbox: str) -> Record:
    now, identities = moment(), Identities()
    if mark.status == "sent" and entry.identity is not None:
        try:
            withdraws = target.withdraws(entry.row)
        except RowRefusedError:
            withdraws = False
        identities.sent(entry.identity, entry.content, now, withdraws=withdraws)
    return Record(
        send_key=entry.send_key,
        status=mark.status,
        reason=mark.reason,
        response_code=None,
        attempts=0,
        content_hash=entry.hash,
        content=entry.content if mark.status == "sent" else "{}",
        answer="{}",
        first_sent_at=now,
        sent_at=now,
        identities=identities.text(),
        occurred_on=entry.day,
        outbox=outbox,
    )

"""What takes a row back, or one of the identities that it had."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from conversync.send.identities import Identities, Standing
from conversync.send.outbox import KEY, Entry, content_of, fingerprint
from conversync.send.plan import Pending
from conversync.send.records import Record
from conversync.send.target import RowRefusedError, Target


def taken_back(one: Pending, standing: Standing, target: Target, settings: object) -> Pending | None:
    """What takes back one identity of the row; None where that cannot be."""
    key = one.entry.send_key
    row = target.withdrawal({**standing.content, KEY: key})
    if row is None:
        return None
    try:
        request = target.request(row, settings, {})
    except RowRefusedError:
        return None
    content = content_of(row)
    entry = Entry(key, row, content, fingerprint(content), standing.identity, one.entry.day)
    return replace(
        one,
        entry=entry,
        kind="withdrawn",
        request=request,
        refusal=None,
        attempts=0,
        content=content,
        withdraws=True,
    )


def all_taken_back(
    record: Record, standing: Sequence[Standing], target: Target, settings: object
) -> list[Pending]:
    """What takes back all that still counts of a row that left its outbox; none where one of it cannot be."""
    key = record.send_key
    left = Pending(
        Entry(key, {KEY: key}, record.content, record.content_hash, None, record.occurred_on),
        "withdrawn",
        json.loads(record.answer),
        None,
        None,
        0,
        record.first_sent_at,
        Identities.of(record, target),
        record.content,
    )
    back = [one for each in standing if (one := taken_back(left, each, target, settings)) is not None]
    return back if len(back) == len(standing) else []

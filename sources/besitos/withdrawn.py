"""What the vendor serves no more: events that are held, and were not in a reading of their whole day.

Nothing of them is deleted. `withdrawn_events` tells since when an event is not served, and the view `conversions`
says so. Only a piece that was read whole proves an absence, and only of what its own walk serves: originals of the
one over everything, reversals of the one over reversals. An original whose reversal is there has merely left the feed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

import pyarrow as pa

from conversync.extract.absence import absent as keys_absent
from conversync.extract.absence import is_unlikely, refusal, whole_days
from conversync.extract.catalogue import held
from conversync.extract.columns import UTC_MICROSECONDS, digest
from conversync.extract.reading import Read
from conversync.extract.spill import SpillFile, SpillFiles
from conversync.types import Document, Row

from .replaced import Replacements
from .tables import CONVERSION_EVENTS, WITHDRAWN_EVENTS, WITHDRAWN_HISTORY

_GONE = "withdrawn_at is not null"
_OF_EVENTS = [name for name in WITHDRAWN_EVENTS.schema.names if name not in {"withdrawn_at", "replaced_by"}]
# A reversal's key without its reward; of an original, what is no key of a reversal's.
_INSTANT = "regexp_replace(event_key, ':[^:]*$', '')"


def absent(
    read: Read, spill_files: SpillFiles, come: Sequence[SpillFile], *, reversals: bool
) -> tuple[list[Document], list[Document], int]:
    """The events of the whole pieces' days that did not come, though held and open; and how many are held at all.

    Of each its key, transaction, kind and day. Originals that have a reversal are told apart: they may have left.
    """
    found: list[Document] = []
    known = 0
    kind = "is_reversal" if reversals else "not is_reversal"
    for days in whole_days(read):
        condition = (
            f"valid_to is null and {kind} and occurred_on >= '{days.start}' and occurred_on < '{days.end}'"
        )
        for gone, count in keys_absent(spill_files, come, "conversion_events", "event_key", condition):
            known += count
            if gone:
                found += _events(f"valid_to is null and event_key in ({_listed(gone)})")
    lost = found if reversals else without_reversal(found, spill_files, come)
    keys = {row["event_key"] for row in lost}
    return lost, [row for row in found if row["event_key"] not in keys], known


def restated(rows: Sequence[Document], spill_files: SpillFiles, come: Sequence[SpillFile]) -> int:
    """How many of these events are reversals of which another came, of the same instant: another reward was stated."""
    instants = [row["event_key"].rpartition(":")[0] for row in rows if row["is_reversal"]]
    came = spill_files.among(come, _INSTANT, instants)
    return sum(instant in came for instant in instants)


def refuse_most(read: Read, gone: int, known: int) -> None:
    """InvalidResponseError where so much is gone that it is not believed."""
    if is_unlikely(read, gone, known):
        raise refusal("Besitos", read, gone, known, "though each day was asked for alone.")


def _events(condition: str) -> list[Document]:
    """Of each event what `withdrawn_events` says of it."""
    return held(CONVERSION_EVENTS, condition, _OF_EVENTS)


def _listed(keys: Iterable[str]) -> str:
    """Keys as SQL literals. They are numbers, words and times of our own making."""
    return ", ".join("'" + key.replace("'", "''") + "'" for key in keys)


def without_reversal(
    rows: list[Document], spill_files: SpillFiles, come: Sequence[SpillFile]
) -> list[Document]:
    """Of originals, those of whose transaction neither a reversal is held nor anything came."""
    if not rows:
        return []
    ids = [row["transaction_id"] for row in rows]
    listed = ", ".join(map(str, ids))
    reversed_ = {
        row["transaction_id"] for row in _events(f"is_reversal and transaction_id in ({listed})")
    } | spill_files.among(come, "transaction_id", ids)
    return [row for row in rows if row["transaction_id"] not in reversed_]


def days_of(rows: Iterable[Document]) -> list[date]:
    """The days on which something is absent, in order."""
    return sorted({row["occurred_on"] for row in rows})


def known() -> set[str]:
    """The events that are known to be served no more."""
    return {row["event_key"] for row in held(WITHDRAWN_EVENTS, _GONE)}


def table(
    gone: Sequence[Document],
    left: Sequence[Document],
    spill_files: SpillFiles,
    come: Sequence[SpillFile],
    at: datetime,
    *,
    counts: bool,
) -> tuple[pa.Table, str | None]:
    """The rows of `withdrawn_events` that change: what is gone for the first time, and what is served again.

    And what a reading found gone, as a sentence; None where it is nothing new. `left` are originals that came no more
    either, and have a reversal. `counts`: what is gone stays in the sums.
    """
    open_ = {row["event_key"]: row for row in held(WITHDRAWN_EVENTS, _GONE)}
    back = spill_files.among(come, "event_key", list(open_))
    news = {
        row["event_key"]: {**row, "withdrawn_at": at, "replaced_by": None}
        for row in gone
        if row["event_key"] not in open_
    }
    replacements = Replacements(open_, news, left, back, spill_files, come)
    changed = list(replacements.changed(at))
    found = [row for row in changed if row["withdrawn_at"] == at]
    others = [row for row in found if not replacements.is_replaced(row)]
    gave_way = _with_another(others, spill_files, come)
    told = _told(len(found), len(found) - len(others), gave_way, counts=counts) if found else None
    return pa.Table.from_pylist(changed, schema=WITHDRAWN_EVENTS.schema), told


def history(changed: pa.Table) -> pa.Table:
    """What `withdrawn_history` does not state yet of `withdrawn_events` as these rows change it.

    Not the changes alone: tables are committed one after the other, so a killed run may have left a state that no
    history has, and an earlier version kept none.
    """
    names, keys = changed.schema.names, set(changed["event_key"].to_pylist())
    before = [row for row in held(WITHDRAWN_EVENTS, "true") if row["event_key"] not in keys]
    rows = pa.concat_tables([changed, pa.Table.from_pylist(before, schema=changed.schema)])
    stated = {
        row["event_key"]: row["statement_hash"]
        for row in held(WITHDRAWN_HISTORY, "valid_to is null", ["event_key", "statement_hash"])
    }
    hashes = digest(rows, names)
    # Of what was served again before there was a history, it has nothing to say.
    is_news = [
        stated.get(key, None if at else text) != text
        for key, at, text in zip(
            *(rows[name].to_pylist() for name in ("event_key", "withdrawn_at")),
            hashes.to_pylist(),
            strict=True,
        )
    ]
    nothing = pa.nulls(rows.num_rows, UTC_MICROSECONDS)
    more = {"statement_hash": hashes, "valid_from": nothing, "valid_to": nothing}
    columns = {**dict(zip(names, rows.columns, strict=True)), **more}
    schema = WITHDRAWN_HISTORY.schema
    return pa.table([columns[name] for name in schema.names], schema=schema).filter(
        pa.array(is_news, pa.bool_())
    )


def _with_another(rows: Iterable[Row], spill_files: SpillFiles, come: Sequence[SpillFile]) -> int:
    """How many of these are reversals of whose transaction another one came, which counts alone."""
    ids = [row["transaction_id"] for row in rows if row["is_reversal"]]
    came = spill_files.among(come, "case when is_reversal then transaction_id end", ids)
    return sum(one in came for one in ids)


def _told(gone: int, replaced: int, gave_way: int, *, counts: bool) -> str:
    """What became of so many events, as a sentence without its full stop."""
    they = (
        "event no more that it served before: it is"
        if gone == 1
        else "events no more that it served before: they are"
    )
    parts = [f"Besitos serves {gone:,} {they} kept, and listed in withdrawn_events"]
    if replaced:
        again = (
            "another id, which counts in its place"
            if replaced == 1
            else "other ids, which count in their place"
        )
        parts.append(f"{_some(replaced, gone)} came again under {again}")
    if gave_way:
        parts.append(f"{_some(gave_way, gone)} gave way to another reversal, which counts alone")
    if left := gone - replaced - gave_way:
        who = ("it" if left == 1 else "they") if left == gone else _others(left)
        verb = "count" + ("s" if left == 1 else "")
        how = f"still {verb}" if counts else f"{verb} no more"
        parts.append(f"{who} {how} (besitos_withdrawn_counts)")
    return "; ".join(parts)


def _some(some: int, of_all: int) -> str:
    if some < of_all:
        return f"{some:,} of them"
    return "it" if some == 1 else "all of them"


def _others(left: int) -> str:
    return "the other one" if left == 1 else f"the other {left:,}"

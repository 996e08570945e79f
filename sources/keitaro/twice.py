"""Conversions that came again under other ids: the old ones are kept, so both count. It is told as long as it is so.

For a tracker, a click's id and a transaction's (`sub_id`, `tid`) name a conversion. One that is absent from days that
were read whole, while one of the same names came later under another id, stands twice in the tables; without a `tid`,
one of the same click, status, revenue, currency and instant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import pyarrow as pa

from conversync.count_words import counted, noun
from conversync.extract import renamed_events
from conversync.extract.catalogue import held
from conversync.extract.spill import SpillFile, SpillFiles
from conversync.http.redact import quoted
from conversync.types import Row, State, Values

from .tables import CONVERSION_EVENTS

KEY = "conversion_id"
_NAMES = ("sub_id", "tid")
_ALIKE = ("sub_id", "status", "revenue", "currency", "occurred_at")
_NO_TID = "coalesce(tid, '') = ''"
_COLUMNS = (KEY, *dict.fromkeys((*_NAMES, *_ALIKE)))
_STATED, _FIRST = (*_COLUMNS, "valid_from"), (KEY, "valid_from")
_SCHEMA = pa.schema([CONVERSION_EVENTS.schema.field(name) for name in _STATED])
# So many are remembered, and so many ids are named.
MOST, NAMED = 5_000, 3


def told(
    missed: Sequence[str],
    spill_files: SpillFiles,
    come: Sequence[SpillFile],
    state: State,
    *,
    is_last: bool,
    is_accepted: bool,
) -> str | None:
    """What stands twice, as a sentence; None where nothing does, or where a later reading of the night tells it.

    `missed` are the ids that are absent. Each pair is kept in `twice` of the `state`, the old id with the new one,
    until both are served, or one of them is held no more. What a person said is right (`is_accepted`) is not told:
    its old ids are kept in `accepted_twice`.
    """
    known: dict[str, str] = state.get("twice", {})
    accepted = set(state.get("accepted_twice", ())).intersection(missed)
    search = [key for key in missed if key not in known and key not in accepted]
    new = dict(_pairs(search, spill_files, come, {*known, *known.values()}))
    if is_accepted:
        accepted |= new.keys()
        new = {}
    state["accepted_twice"] = sorted(accepted)[:MOST]
    stand = _standing({**known, **new}, spill_files, come)[-MOST:]
    state["twice"] = dict(stand)
    return _sentence(stand) if stand and (new or is_last) else None


def _standing(
    pairs: Mapping[str, str], spill_files: SpillFiles, come: Sequence[SpillFile]
) -> list[tuple[str, str]]:
    """Those of which both are there, and not both were served; one that came again while the other did not is new."""
    ids = [*pairs, *pairs.values()]
    came = spill_files.among(come, KEY, ids)
    stated = held(CONVERSION_EVENTS, f"valid_to is null and {_of(ids)}", _FIRST) if ids else []
    there = came.union(row[KEY] for row in stated)
    turned = ((now, old) if old in came and now not in came else (old, now) for old, now in pairs.items())
    return [pair for pair in turned if there.issuperset(pair) and not came.issuperset(pair)]


def _pairs(
    missed: Sequence[str], spill_files: SpillFiles, come: Sequence[SpillFile], taken: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Each that is absent with one that came, and was first stated later; no new one twice."""
    gone = held(CONVERSION_EVENTS, f"valid_to is null and {_of(missed)}", _STATED) if missed else []
    candidates = _by_name(_came_alike(gone, spill_files, come), {*taken, *missed})
    first = _first_stated([key for keys in candidates.values() for key in keys])
    gone.sort(key=lambda row: str(row[KEY]))
    for row, new in renamed_events.pairs(gone, candidates, first, _name):
        yield row[KEY], new


def _by_name(rows: Iterable[Row], but: Collection[str]) -> Mapping[Values, list[str]]:
    """The ids of rows of one name, in their order, `but` these."""
    found: defaultdict[Values, list[str]] = defaultdict(list)
    for row in sorted((row for row in rows if row[KEY] not in but), key=lambda row: str(row[KEY])):
        found[_name(row)].append(row[KEY])
    return found


def _came_alike(gone: Sequence[Row], spill_files: SpillFiles, come: Sequence[SpillFile]) -> list[Row]:
    """What came by the names of these, or is as they are where they have none."""
    named = pa.Table.from_pylist([row for row in gone if row["tid"]], schema=_SCHEMA).select(_NAMES)
    alike = pa.Table.from_pylist([row for row in gone if not row["tid"]], schema=_SCHEMA).select(_ALIKE)
    found = spill_files.alike(come, named, _COLUMNS, "tid <> ''")
    found += spill_files.alike(come, alike, _COLUMNS, _NO_TID)
    return list({row[KEY]: row for row in found}.values())


def _name(row: Row) -> Values:
    return tuple(row[name] for name in (_NAMES if row["tid"] else _ALIKE))


def _first_stated(keys: Sequence[str]) -> dict[str, datetime]:
    """When these conversions were stated first; those that are not held are left out."""
    rows = held(CONVERSION_EVENTS, _of(keys), _FIRST) if keys else []
    return renamed_events.first_stated(rows, lambda row: str(row[KEY]))


def _of(keys: Iterable[str]) -> str:
    """SQL for these conversions, whose ids are the vendor's words."""
    listed = ", ".join("'" + key.replace("'", "''") + "'" for key in keys)
    return f"{KEY} in ({listed})"


def _sentence(pairs: Sequence[tuple[str, str]]) -> str:
    count, more = len(pairs), ", ..." if len(pairs) > NAMED else ""
    names = ", ".join(f"{quoted(old, 60)} is {quoted(new, 60)}" for old, new in pairs[:NAMED])
    came, each = counted(count, "conversion"), noun(count, "it", "each")
    return (
        f"{came} came from Keitaro under another id than before ({names}{more}): {each} is kept under both and counts "
        "twice. Ask who runs the tracker what became of its ids. If the new ones stay, delete the old ones from "
        "keitaro.conversion_events; the source's README.md has a query that lists them"
    )

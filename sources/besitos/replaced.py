"""Events that came again under other ids: a vendor gave new ones to some of its rows, and both must not count.

An original that is gone is replaced by one of the same content, under another transaction id, that was first stated
later: one for one, and no event in the place of two. `replaced_by` names the one that counts now: where that one is
replaced in its turn, the next; and where an old id is served again and the new one is not, the old.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import pyarrow as pa

from conversync.extract import renamed_events
from conversync.extract.catalogue import held
from conversync.extract.spill import SpillFile, SpillFiles
from conversync.types import Row, Values

from .tables import CONVERSION_EVENTS

Content = Values
# The content of an event, but for its currency, which may go without saying.
_ALIKE = ("user_key", "offer_id", "goal_id", "survey_id", "type", "occurred_at", "payout", "reward")
_COLUMNS = ("transaction_id", "event_key", "is_reversal", "currency", *_ALIKE)
_STATED = (*_COLUMNS, "occurred_on", "valid_from")
_SCHEMA = pa.schema([CONVERSION_EVENTS.schema.field(name) for name in _STATED])


class Replacements:
    """`withdrawn_events` as one load leaves it, as far as originals came again under other ids.

    `open_` is what was gone before, by its key, `gone` what is for the first time, `left` the originals that are not
    served either, and have a reversal, `back` the keys of what came again.
    """

    def __init__(
        self,
        open_: Mapping[str, Row],
        gone: Mapping[str, Row],
        left: Iterable[Row],
        back: Collection[str],
        spill_files: SpillFiles,
        come: Sequence[SpillFile],
    ) -> None:
        self._rows = {**open_, **gone}
        self._gone, self._back = gone, set(back)
        self._left = {row["event_key"]: row for row in left if row["event_key"] not in open_}
        self._spill_files, self._come = spill_files, come
        self._instead: dict[int, int] = {}
        self._stands_for: defaultdict[int, set[int]] = defaultdict(set)
        for row in open_.values():
            if row["replaced_by"] is not None:
                self._put(_number(row), row["replaced_by"])

    def changed(self, at: datetime) -> Iterator[Row]:
        """The rows that change, what is gone and what came again among them.

        And the originals that were taken back, whose reversals are gone as well, where another one came for both.
        """
        self._give_back()
        self._pair(self._stated(key for key, row in self._gone.items() if not row["is_reversal"]), [])
        reversed_ = self._reversed()
        self._pair(reversed_, self._reversed_anew(reversed_))
        more = self._left | {row["event_key"]: row for row in reversed_}
        for row in filter(self.is_replaced, more.values()):
            yield {**row, "withdrawn_at": at, "replaced_by": self._instead[row["transaction_id"]]}
        yield from self._noted()

    def _noted(self) -> Iterator[Row]:
        """Of what is gone, or was, the rows that change."""
        for key, row in self._rows.items():
            now = None if row["is_reversal"] else self._instead.get(row["transaction_id"])
            if key in self._back:
                yield {**row, "withdrawn_at": None, "replaced_by": None}
            elif key in self._gone or now != row["replaced_by"]:
                yield {**row, "replaced_by": now}

    def is_replaced(self, row: Row) -> bool:
        """Whether another transaction counts in the place of this event's."""
        return row["transaction_id"] in self._instead

    def _give_back(self) -> None:
        """An old id that is served again counts; and in the place of the new one, where that is served no more."""
        for key in sorted(self._back):
            row = self._rows[key]
            new = None if row["is_reversal"] else self._instead.pop(_number(row), None)
            if new is None:
                continue
            self._stands_for[new].discard(_number(row))
            key = f"{new}:original"
            if new not in self._instead and (self._is_gone(key) or key in self._left):
                self._replace(new, _number(row))

    def _is_gone(self, key: str) -> bool:
        return key in self._rows and key not in self._back

    def _replace(self, old: int, new: int) -> None:
        """The new one counts, in the place of all that the old one stood for, too."""
        for one in (old, *self._stands_for.pop(old, ())):
            self._put(one, new)

    def _put(self, old: int, new: int) -> None:
        self._instead[old] = new
        self._stands_for[new].add(old)

    def _pair(self, gone: Iterable[Row], more: Sequence[Row]) -> None:
        """What came in this load, or is of `more`, takes the place of what it is like (see renamed_events.py)."""
        gone = sorted((row for row in gone if not self.is_replaced(row)), key=_number)
        wanted = pa.Table.from_pylist(gone, schema=_SCHEMA).select(_ALIKE)
        came = self._spill_files.alike(self._come, wanted, _COLUMNS, "not is_reversal")
        candidates = self._candidates([*came, *more], gone)
        first = _first_stated([one for some in candidates.values() for one in some])
        for row, new in renamed_events.pairs(gone, candidates, first, _content):
            self._replace(_number(row), new)

    def _candidates(self, rows: Iterable[Row], gone: Iterable[Row]) -> Mapping[Content, list[int]]:
        """By content, the transactions that are served, and are not in another one's place yet."""
        taken = {*self._instead.values(), *map(_number, (*gone, *self._left.values(), *self._rows.values()))}
        found: dict[Content, list[int]] = defaultdict(list)
        for row in sorted(rows, key=_number):
            if _number(row) not in taken:
                taken.add(_number(row))
                found[_content(row)].append(_number(row))
        return found

    def _stated(self, keys: Iterable[str]) -> Sequence[Row]:
        """What holds of these originals."""
        listed = ", ".join(f"'{key}'" for key in keys)  # numbers and a word of our own
        return (
            held(CONVERSION_EVENTS, f"valid_to is null and event_key in ({listed})", _STATED)
            if listed
            else []
        )

    def _reversed(self) -> list[Row]:
        """Originals of which all reversals are gone, the last of them in this load, and nothing came.

        They left the feed when they were taken back, or are asked for by another walk.
        """
        ids = {_number(row) for row in self._gone.values() if row["is_reversal"]}
        ids -= self._spill_files.among(self._come, "transaction_id", sorted(ids))
        rows = held(CONVERSION_EVENTS, f"valid_to is null and {_of(ids)}", _STATED) if ids else []
        standing = {_number(row) for row in rows if self._is_standing_reversal(row)}
        return [row for row in rows if self._is_open_original(row) and _number(row) not in standing]

    def _is_open_original(self, row: Row) -> bool:
        return not row["is_reversal"] and row["event_key"] not in self._rows

    def _is_standing_reversal(self, row: Row) -> bool:
        return row["is_reversal"] and not self._is_gone(row["event_key"])

    def _reversed_anew(self, gone: Sequence[Row]) -> list[Row]:
        """Of the originals that are held, and are as these are, those of which a reversal came."""
        contents = {_content(row) for row in gone}
        instants = ", ".join(sorted({f"'{row['occurred_at'].astimezone(UTC)}'" for row in gone}))
        query = f"valid_to is null and not is_reversal and occurred_at in ({instants})"
        rows = (
            [row for row in held(CONVERSION_EVENTS, query, _STATED) if _content(row) in contents]
            if gone
            else []
        )
        came = self._spill_files.among(
            self._come, "case when is_reversal then transaction_id end", list(map(_number, rows))
        )
        return [row for row in rows if _number(row) in came]


def _number(row: Row) -> int:
    return int(row["transaction_id"])


def _content(row: Row) -> Content:
    """What has to be the same. A currency that is not told is USD."""
    return *(row[name] for name in _ALIKE), row["currency"] or "USD"


def _of(ids: Iterable[int]) -> str:
    return f"transaction_id in ({', '.join(map(str, sorted(ids)))})"


def _first_stated(ids: Sequence[int]) -> dict[int, datetime]:
    """When these originals were stated first; those that are not held are left out."""
    query = f"not is_reversal and {_of(ids)}"
    rows = held(CONVERSION_EVENTS, query, ("transaction_id", "valid_from")) if ids else []
    return renamed_events.first_stated(rows, _number)

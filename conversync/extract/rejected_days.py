"""Which rows set aside a vendor may have mended: the days that nights read again for them, and which are resolved.

A source's state remembers them in `set_aside`: raw_hash -> [first seen (ISO), times seen, stream, the two days of the
piece it came in, its own day, its id, and true where it is served no more]. Day and id are None where they cannot be
read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any, NamedTuple

from conversync.extract.windows import DAY, Window

# Nights read the day of a row again for so many days after it was first set aside.
WATCHED_DAYS = 31
# As many old days are read again in a night, for each stream: where there are more, they take turns.
MOST_DAYS = 31
# Where the state notes of a row that it is served no more, and did not come in another form.
_GONE = 7


class Days(NamedTuple):
    """What a run reads of a stream: what is due or was asked for, or `again`, old days for rows set aside on them."""

    stream: str
    window: Window
    again: bool = False


@dataclass(frozen=True)
class Traces:
    """How the day and the id of a row that was set aside are told from its JSON text, by the names of their fields.

    A time that tells its offset is of the day that it is in `zone`.
    """

    days: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    zone: tzinfo = UTC

    def of(self, raw: str) -> tuple[str | None, str | None]:
        """The day (ISO) and the id, each None where it cannot be read."""
        day = _day(_value(raw, self.days, '[^",}\\]]{10,40}'), self.zone)
        return str(day) if day else None, _value(raw, self.ids, "[0-9A-Za-z_-]+")


NO_TRACES = Traces()


def _value(raw: str, names: tuple[str, ...], form: str) -> str | None:
    if not names:
        return None
    found = re.search(rf'"(?:{"|".join(names)})"\s*:\s*"?\s*({form})', raw)
    return found[1] if found else None


def _day(text: str | None, zone: tzinfo = UTC) -> date | None:
    """The day that a text begins with, or that its instant is in the zone; None where there is no such day."""
    try:
        at = datetime.fromisoformat((text or "").strip())
        return (at if at.tzinfo is None else at.astimezone(zone)).date()
    except (ValueError, OverflowError):
        pass
    try:
        return date.fromisoformat((text or "").strip()[:10])
    except ValueError:
        return None


Noted = MutableMapping[str, list[Any]]
"""By their raw hashes, the rows that were set aside, each with what is noted of it in the state."""


class _Aside(NamedTuple):
    """A row set aside, as the state has it. `days`, both included, are those it may be served on."""

    raw_hash: str
    first_on: date
    times: int
    days: Window
    is_dated: bool
    id: str | None
    is_gone: bool


def _remembered(known: Mapping[str, Sequence[Any]], *streams: str) -> Iterator[_Aside]:
    """The rows of streams, but for those of an earlier version, which noted less.

    A day outside of the piece it came in is not the one the vendor goes by: such a row may be anywhere in the piece.
    """
    for raw_hash, (first, times, *where) in known.items():
        if len(where) < 5 or where[0] not in streams:
            continue
        piece, own = Window(date.fromisoformat(where[1]), date.fromisoformat(where[2])), _day(where[3])
        is_gone = len(where) > _GONE - 2
        is_dated = own is not None and piece.start <= own <= piece.end and not is_gone
        days = Window(own, own) if own is not None and is_dated else piece
        yield _Aside(
            raw_hash, datetime.fromisoformat(first).date(), times, days, is_dated, where[4] or None, is_gone
        )


def with_old_days(
    known: Mapping[str, Sequence[object]], streams: Sequence[str], due: Window, today: date
) -> tuple[Window, list[Window]]:
    """What is due of streams that are read together, and the old days to read again beside it, oldest first.

    They are those of rows that may have been mended: first set aside in the last `WATCHED_DAYS`. `MOST_DAYS` at most,
    of the rows that were met the fewest times first, then the newest. Each has the day after it, since a question may
    not cover its last day. Windows that touch are one, with what is due, too; no two share a day.
    """
    spans: dict[Window, int] = {}
    for row in _remembered(known, *streams):
        if row.days.start < due.start and (today - row.first_on).days <= WATCHED_DAYS:
            spans[row.days] = min(row.times, spans.get(row.days, row.times))
    chosen, left = list[Window](), MOST_DAYS
    for days in sorted(spans, key=lambda one: (spans[one], -one.start.toordinal())):
        length = (days.end - days.start).days + 1
        if length <= left:
            chosen.append(Window(days.start, min(days.end + DAY, max(today, days.end))))
            left -= length
    *old, due = _joined([*chosen, due])
    return due, old


def _joined(windows: Sequence[Window]) -> list[Window]:
    """The windows in their order, those that touch or overlap as one."""
    joined: list[Window] = []
    for window in sorted(windows):
        if joined and window.start <= joined[-1].end + DAY:
            joined[-1] = Window(joined[-1].start, max(joined[-1].end, window.end))
        else:
            joined.append(window)
    return joined


def resolved(
    known: Noted,
    stream: str,
    pieces: Sequence[Window],
    seen: Collection[str],
    loaded: Callable[[Sequence[str]], Collection[str]] | None = None,
    today: date = date.min,
) -> list[str]:
    """The raw hashes of rows set aside earlier that are mended, or gone for good; `known` forgets them.

    `pieces` are the days that were read whole, `seen` what was set aside this time, and `loaded` tells which of some
    ids came as rows that can be read. A row is mended if its days were read whole without it and its id came; or, where
    its day cannot be read, if its id came. One whose id came nowhere may come back, on another day too: it is looked
    for on all days of its piece until its month is over. Without `loaded`, or an id, days that are whole without it do.
    """
    absent = [row for row in _remembered(known, stream) if row.raw_hash not in seen]
    ids = _ids(absent)
    came = loaded(ids) if loaded and ids else ()
    gone = list[str]()
    for row in absent:
        is_whole = _is_whole(row, pieces)
        if _is_gone(row, is_whole, came, today) if loaded and row.id else is_whole:
            gone.append(row.raw_hash)
            del known[row.raw_hash]
        elif is_whole:
            known[row.raw_hash][_GONE:] = [True]
    return gone


def _ids(rows: Sequence[_Aside]) -> list[str]:
    return [row.id for row in rows if row.id]


def _is_whole(row: _Aside, pieces: Sequence[Window]) -> bool:
    """Whether the days that it may be served on were read whole."""
    return _holds(pieces, row.days.start) if row.is_dated else _hold(pieces, row.days)


def _is_gone(row: _Aside, is_whole: bool, came: Collection[str], today: date) -> bool:
    """Whether nobody need look for a row with an id any more; `is_whole`: its days were read without it."""
    if row.id in came and (is_whole or not row.is_dated):
        return True
    is_over = (today - row.first_on).days > WATCHED_DAYS
    return is_over and (is_whole or row.is_gone)


def _holds(pieces: Sequence[Window], day: date) -> bool:
    """Whether a day was read whole: the last one of a piece may not have been."""
    return any(piece.start <= day < piece.end for piece in pieces)


def _hold(pieces: Sequence[Window], days: Window) -> bool:
    """Whether all of these days were read again, one piece going on where another ends."""
    reach = days.start
    for piece in sorted(pieces):
        if piece.start <= reach:
            reach = max(reach, piece.end)
    return any(piece.start <= days.start for piece in pieces) and reach >= days.end

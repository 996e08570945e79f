"""Conversions that are held, and that the log serves no more on days that were read whole. They are kept, and told.

A conversion that is posted again moves to the day it is, so one that comes anywhere has not left the log. That day may
be read by a later step only, or not be covered before the next night: so what is absent is remembered, and told by the
load that has read the day on which it was missed. Most of them at once is no leaving: the ids are other ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import pyarrow as pa

from conversync.extract.absence import absent, is_unlikely, refusal, whole_days
from conversync.extract.reading import Read
from conversync.extract.spill import SpillFile, SpillFiles
from conversync.extract.vanished import spoilt_ids
from conversync.extract.windows import DAY, Window
from conversync.types import State

from . import twice

TABLE, KEY = "conversion_events", "conversion_id"
# So many conversions that are absent are remembered; and so many days of those that a person said are gone.
MOST, MOST_DAYS = 5_000, 400


class Absence:
    """Looks for what is absent from the readings of one load.

    `state` is the source's: in `absent`, the ids that were missed, each with the day of that, or None once it was told;
    in `accepted`, how many conversions of a day are gone, as a person said.
    """

    def __init__(self, done: Sequence[Read], spill_files: SpillFiles, state: State, today: date) -> None:
        self._done, self._spill_files, self._today = done, spill_files, today
        self._state = state
        self._missed: dict[str, str | None] = state.setdefault("absent", {})
        self._come = _spools(done)
        self._spoilt = set[str | None]().union(*map(spoilt_ids, done))
        # Each row that was set aside, and whose id cannot be read, may be any of them.
        self._unsure = len(_bad(done)) if None in self._spoilt else 0

    def told(self, accept_empty: bool) -> str | None:
        """What left the log, as a sentence; None where it is nothing new. InvalidResponseError where most is gone."""
        gone = [key for one in self._done for key in self._gone(one, accept_empty)]
        if self._unsure:
            return None
        self._remember(gone)
        return _sentence(self._news())

    def twice(self, accept_empty: bool) -> str | None:
        """What of that came again under another id, as a sentence; to be asked for after `told`."""
        missed = [] if self._unsure else list(self._missed)
        is_last = any(one.window.end >= self._today for one in self._done)
        return twice.told(
            missed, self._spill_files, self._come, self._state, is_last=is_last, is_accepted=accept_empty
        )

    def _remember(self, gone: Sequence[str]) -> None:
        """Forgets what came again, and the oldest where it is too much; what is known and gone, last."""
        if self._missed:
            keys = pa.table({KEY: pa.array(list(self._missed), pa.string())})
            absent_still = set(self._spill_files.absent(self._come, keys))
            for key in self._missed.keys() - absent_still:
                del self._missed[key]
        known = [key for key in gone if key in self._missed]
        self._missed.update(dict.fromkeys(sorted(set(gone) - self._missed.keys())[:MOST], str(self._today)))
        for key in known:
            self._missed[key] = self._missed.pop(key)
        for key in list(self._missed)[:-MOST]:
            del self._missed[key]

    def _news(self) -> int:
        """How many of them are to be told now; they are told once."""
        read = {str(day) for one in self._done for days in whole_days(one) for day in _each(days)}
        news = [key for key, missed_on in self._missed.items() if missed_on in read]
        self._missed.update(dict.fromkeys(news))
        return len(news)

    def _gone(self, one: Read, accept_empty: bool) -> list[str]:
        gone, known = self._absent(whole_days(one))
        if not is_unlikely(one, len(gone) - self._unsure, known):
            return gone
        accepted = self._accepted(one) + self._unsure
        if accept_empty:
            self._accept(one)
        elif is_unlikely(one, len(gone) - accepted, known - accepted):
            self._refuse(one, gone, accepted, known)
        return gone

    def _absent(self, some: Iterable[Window]) -> tuple[list[str], int]:
        """What is held of these days, `[start, end)` in UTC, and did not come; and how much is held."""
        gone, known = list[str](), 0
        for days in some:
            found = absent(self._spill_files, self._come, TABLE, KEY, _stated_on(days))
            for keys, count in found:
                gone += [key for key in keys if key not in self._spoilt]
                known += count
        return gone, known

    def _accepted(self, one: Read) -> int:
        """How many of a reading's conversions are gone, as a person said before."""
        accepted: dict[str, int] = self._state.get("accepted", {})
        days = [day for some in whole_days(one) for day in _each(some) if str(day) in accepted]
        return sum(min(accepted[str(day)], len(self._absent([Window(day, day + DAY)])[0])) for day in days)

    def _accept(self, one: Read) -> None:
        accepted = self._state.setdefault("accepted", {})
        for day in (day for some in whole_days(one) for day in _each(some)):
            accepted[str(day)] = len(self._absent([Window(day, day + DAY)])[0])
        for day in sorted(accepted)[:-MOST_DAYS]:
            del accepted[day]

    def _refuse(self, one: Read, gone: Sequence[str], accepted: int, known: int) -> None:
        """After the days until today were asked for, which may not have been read yet: they may all have moved."""
        later = Window(one.window.end, max(one.window.end, self._today) + DAY)
        pieces = list(one.reading.pieces.read(later))
        moved = self._spill_files.among(
            [scan.spill_file for piece in pieces for scan in piece.scans], KEY, gone
        )
        left = len(gone) - accepted - len(moved)
        if not is_unlikely(one, left, known - accepted):
            return
        new = self._never_served()
        remark = f"and {new:,} that it never served before: did the tracker change its ids?"
        raise refusal(
            "Keitaro", one, left, known - accepted, remark if new else "and nothing in their place."
        )

    def _never_served(self) -> int:
        """How many conversions came that are not held."""
        return self._spill_files.events(*self._come) - sum(
            count - len(keys)
            for keys, count in absent(self._spill_files, self._come, TABLE, KEY, "valid_to is null")
        )


def _spools(done: Sequence[Read]) -> list[SpillFile]:
    """What came in any pass, believed or not."""
    return [scan.spill_file for one in done for scan in one.scans]


def _bad(done: Sequence[Read]) -> set[str]:
    """The rows that were set aside, by their hashes."""
    return set[str]().union(*(scan.bad_hashes for one in done for scan in one.scans))


def _each(days: Window) -> Iterator[date]:
    """The days of `[start, end)`."""
    return Window(days.start, days.end - DAY).each_day()


def _stated_on(days: Window) -> str:
    """SQL of what is held of days of the log, which are UTC's."""
    first, end = (f"'{day} 00:00:00+00:00'" for day in days)
    return f"valid_to is null and occurred_at >= {first} and occurred_at < {end}"


def _sentence(gone: int) -> str | None:
    if not gone:
        return None
    if gone == 1:
        return "Keitaro serves 1 conversion no more that it served before: it is kept"
    more = ", or more" if gone >= MOST else ""
    return f"Keitaro serves {gone:,} conversions no more that it served before{more}: they are kept"

"""How late counts of a day still grow: what comes beside what is held, before it is replaced."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from conversync.extract.catalogue import held
from conversync.extract.lookback import Lookback, auto, watch
from conversync.extract.windows import Window
from conversync.types import Row, State

from .pairs import Pair
from .reading import Found, Todo
from .settings import InfobipSettings
from .tables import CONVERSION_RATES, LOOKBACK

LATE = Lookback(LOOKBACK, CONVERSION_RATES.name)
_KEY = CONVERSION_RATES.key
_COUNTS = ("start_count", "end_count")


def note_what_grew(
    state: State, settings: InfobipSettings, replies: Mapping[tuple[Todo, str], Found]
) -> None:
    """Adds to the state by how many users the days that are held changed, where the lookback is "auto".

    Days count as read that were read of all pairs together: a pair that is new is read by itself.
    """
    found = {one: reply for (one, stream), reply in replies.items() if stream == CONVERSION_RATES.name}
    if not auto(settings, [LATE]) or not found:
        return
    today, own = settings.today(), watch(state, settings, LATE)[0]
    windows = sorted({one.window for one in found if not one.again})
    whole = [one for one in windows if _pairs(found, one) == set(settings.pairs())]
    own.take(_came(found), today, [(one.start, one.end, today) for one in whole])


def _came(found: Mapping[Todo, Found]) -> list[tuple[date, int]]:
    """Each row's day, and by how many users it differs from the one that is held; 0 where none is."""
    first, last = min(one.window.start for one in found), max(one.window.end for one in found)
    within = f"day between '{first}' and '{last}'"
    before = {_key(row): row for row in held(CONVERSION_RATES, within, (*_KEY, *_COUNTS))}
    rows = (row for reply in found.values() for rows in reply.rows for row in rows.good)
    return [(row["day"], _grown(before.get(_key(row), row), row)) for row in rows]


def _pairs(found: Mapping[Todo, Found], window: Window) -> set[Pair]:
    return {one.pair for one in found if one.window == window and not one.again}


def _key(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in _KEY)


def _grown(before: Row, now: Row) -> int:
    """How many users more, or fewer, passed either tag."""
    return sum(abs(int(now[name] or 0) - int(before[name] or 0)) for name in _COUNTS)

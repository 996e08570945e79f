"""What a look at a vendor comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import pendulum

from conversync.extract.pagination import Page
from conversync.http.client import Response
from conversync.http.clock import TOLERANCE, http_date
from conversync.span_words import words

# Fewer rows than these, from a shorter time, or a silence shorter than this tell nothing about a zone.
ENOUGH, LONG, QUIET = 5, pendulum.duration(days=1), pendulum.duration(hours=1)
# No two zones are further apart: a feed that has been silent for longer has ended, whatever its zone.
FURTHEST = pendulum.duration(hours=26)
_EPOCH = pendulum.datetime(1970, 1, 1)


class CheckResult(NamedTuple):
    """One thing that was looked at: whether it is as it should be, and a sentence without its full stop."""

    good: bool
    text: str


def clock(answer: Response) -> Iterator[CheckResult]:
    """Whether this machine's clock agrees with the one of the answer's Date; nothing where it has none."""
    if (theirs := http_date(answer.headers.get("Date", ""))) is None:
        return
    apart = pendulum.now("UTC") - theirs
    if abs(apart) > TOLERANCE:
        yield CheckResult(
            False, f"this machine's clock and the vendor's are {words(apart)} apart: set the clock (NTP)"
        )
    else:
        yield CheckResult(True, "the clocks agree")


def newest_page(
    first: Page, ask: Callable[[int], Page], times: Callable[[Page], Sequence[datetime | None]]
) -> tuple[Sequence[datetime | None], bool]:
    """The times of the rows among which a listing's newest is, by its first page; and whether there is none newer.

    Nobody says how a vendor puts its rows in order: where the total tells that there are more pages than the first, the
    last one is asked for by `ask`, and the newer of the two taken.
    """
    held, received = times(first), first.decoded.received
    if first.total is None or not received or first.total <= received:
        return held, first.total is not None
    last = times(ask(-(-first.total // received)))
    if first.total <= 2 * received:
        return [*held, *last], True
    ends = sorted(
        ([*filter(None, page)] for page in (held, last)), key=lambda known: max(known, default=_EPOCH)
    )
    older, newer = ends
    return newer, bool(older) and min(newer) >= max(older)


def newest_row(
    times: Iterable[datetime | None], at: datetime, zone: str, doubt: str, *, newest: bool = True
) -> Iterator[CheckResult]:
    """Whether the newest of some rows' times (UTC) is plausible `at` this instant, if they are read in this zone.

    It cannot lie in the future. Nor can it be much older than the longest gap between a day's rows, if none newer was
    left out (`newest`): in a wrong zone, a feed that brings something every few minutes ended hours ago. `doubt` says
    what to look at.
    """
    known = sorted(one for one in times if one is not None)
    if not known:
        return
    age, gap = (
        at - known[-1],
        max((later - earlier for earlier, later in pairwise(known)), default=timedelta(0)),
    )
    if -age > TOLERANCE:
        yield CheckResult(
            False, f"the newest row lies {words(age)} in the future if its times are {zone}: {doubt}"
        )
    elif newest and _tells(known) and max(QUIET, 2 * gap) < age < FURTHEST + gap:
        yield CheckResult(
            False,
            f"the newest row is {words(age)} old if its times are {zone}, and before it there were never more than "
            f"{words(gap)} between two: {doubt}",
        )
    else:
        row = "the newest row" if newest else f"the newest of {len(known):,} rows"
        yield CheckResult(True, f"{row} is from {known[-1]:%Y-%m-%d %H:%M} UTC, plausible for {zone}")


def _tells(times: Sequence[datetime]) -> bool:
    """Whether so many times, in their order, tell anything about a zone."""
    return len(times) >= ENOUGH and times[-1] - times[0] >= LONG

"""Which days are read: whatever the nights were like, no day is left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversync.errors import SettingsError
from conversync.extract.windows import Window, advanced, day, first_day, lookback_window, split_window

BEGIN = date(2025, 1, 1)
NIGHTS = 400


def days(window: Window) -> Iterable[date]:
    """Every day of a window but its last, which is not surely covered whole."""
    return (window.start + timedelta(days=n) for n in range((window.end - window.start).days))


def night(
    through: date | None, lookback: int, today: date, pieces: int, done: int | None
) -> tuple[date | None, set[date]]:
    """One run: the cursor after it, and the days it read whole. It breaks off after `done` pieces."""
    read: set[date] = set()
    for window in list(split_window(lookback_window(through, BEGIN, lookback, today), pieces))[:done]:
        read.update(days(window))
        through = advanced(through, BEGIN, window, today)
    return through, read


@dataclass(frozen=True)
class Night:
    """Does the machine run at all, after how many windows does the run break off, how wrong is its clock?"""

    runs: bool
    done: int | None
    wrong: int


def some_nights(random: Random) -> list[Night]:
    """Four hundred nights with single failures and long outages."""
    found: list[Night] = []
    while len(found) < NIGHTS:
        length = random.choice((1, 1, 1, 2, 40)) if random.random() < 0.2 else 0
        found += [Night(False, None, 0)] * length
        done = random.choice((None, None, None, 0, 1, 2))
        found.append(Night(True, done, random.choice((0, 0, 0, 0, -1, 1))))
    return found[:NIGHTS]


@pytest.mark.more
@settings(max_examples=80, deadline=None)
@given(random=st.randoms(use_true_random=False), lookback=st.integers(1, 30), pieces=st.integers(1, 40))
def test_s13_four_hundred_nights_leave_no_gap(random: Random, lookback: int, pieces: int) -> None:
    """Outages, broken runs, a clock a day off: every day before the cursor was read, by a window that ended later."""
    through: date | None = None
    read: set[date] = set()
    unread = BEGIN
    for number, one in enumerate([*some_nights(random), Night(True, None, 0)]):
        if one.runs:
            today = BEGIN + timedelta(days=number + one.wrong)
            through, more = night(through, lookback, today, pieces, one.done)
            read |= more
        while unread in read:
            unread += timedelta(days=1)
        assert through is None or through <= unread
    assert through == BEGIN + timedelta(days=NIGHTS)


@settings(max_examples=40, deadline=None)
@given(random=st.randoms(use_true_random=False), lookback=st.integers(2, 30))
def test_s13_what_became_known_late_is_read_again(random: Random, lookback: int) -> None:
    """Each day is read by a night that comes at least `lookback - 1` days after it, whenever one came at all."""
    through: date | None = None
    last_read: dict[date, int] = {}
    nights = [number for number, one in enumerate(some_nights(random)) if one.runs]
    for number in nights:
        through, read = night(through, lookback, BEGIN + timedelta(days=number), 31, None)
        last_read.update(dict.fromkeys(read, number))
    for row_day, seen in last_read.items():
        due_again = (row_day - BEGIN).days + lookback - 1
        assert seen >= due_again or nights[-1] < due_again


def test_s17_an_outage_of_thirty_nights_is_caught_up() -> None:
    """From a week before the cursor to today, in pieces of the size asked for, each sharing a day with the next."""
    window = lookback_window(date(2026, 1, 10), BEGIN, 7, date(2026, 2, 9))
    assert window == Window(date(2026, 1, 3), date(2026, 2, 9))
    assert list(split_window(window, 31)) == [
        Window(date(2026, 1, 3), date(2026, 2, 2)),
        Window(date(2026, 2, 2), date(2026, 2, 9)),
    ]


@pytest.mark.parametrize("wrong", [1, 40, 30_000])
def test_a_cursor_in_the_future_counts_as_today(wrong: int) -> None:
    """It ran ahead for one night; then came a right night, an outage of thirty, and another night: all is read."""
    today = date(2026, 3, 1)
    through, _ = night(today, 7, today + timedelta(days=wrong), 31, None)
    through, _ = night(through, 7, today + timedelta(days=1), 31, None)
    assert through == today + timedelta(days=1)
    through, read = night(through, 7, today + timedelta(days=31), 31, None)
    assert through == today + timedelta(days=31)
    assert read >= set(days(Window(today, through)))


@pytest.mark.parametrize("wrong", [1, 40])
def test_a_today_in_the_past_costs_days_read_again_and_no_hole(wrong: int) -> None:
    """It ran behind for one night: the next reads from there."""
    today = date(2026, 3, 1)
    through, _ = night(today, 7, today - timedelta(days=wrong), 31, None)
    through, read = night(through, 7, today + timedelta(days=20), 31, None)
    assert through == today + timedelta(days=20)
    assert read >= set(days(Window(today - timedelta(days=7), through)))


dates = st.dates(BEGIN, BEGIN + timedelta(days=NIGHTS))


@given(through=st.none() | dates, first=dates, one=dates, other=dates, today=dates)
def test_days_that_were_asked_for_move_the_cursor_only_if_they_touch_it(
    through: date | None, first: date, one: date, other: date, today: date
) -> None:
    """`--from/--to`: never back behind a day that was read, never past today, never over days that nobody read."""
    window = Window(min(one, other), max(one, other))
    after = advanced(through, first, window, today)
    reached = min(through, today) if through else first
    touches = window.start <= reached <= window.end
    assert after == through or touches
    assert after is None or after >= min(reached, today)
    assert after is None or after <= max(today, reached) or after == through
    if touches:
        assert after is not None
        assert after >= min(window.end, today)


@given(one=dates, other=dates, pieces=st.integers(1, 500))
def test_pieces_cover_their_window_and_share_a_day(one: date, other: date, pieces: int) -> None:
    """Each begins on the day its neighbour ends, and none is longer than asked for."""
    window = Window(min(one, other), max(one, other))
    parts = list(split_window(window, pieces))
    assert (parts[0].start, parts[-1].end) == window
    assert all(before.end == after.start for before, after in pairwise(parts))
    step = max(pieces - 1, 1)
    assert all((part.end - part.start).days <= step for part in parts), "both ends count"
    assert len(parts) == max(1, -(-(window.end - window.start).days // step))


def test_a_first_run_reads_half_a_year_or_from_the_day_that_is_set() -> None:
    """And a day that is none is refused by the name of its setting."""
    today = date(2026, 1, 20)
    assert first_day(None, today, "besitos_start_date") == date(2025, 7, 24)
    assert first_day("2024-12-01", today, "besitos_start_date") == date(2024, 12, 1)
    assert lookback_window(None, date(2027, 1, 1), 7, today) == Window(today, today)
    with pytest.raises(SettingsError, match=r'besitos_start_date is "01\.12\.2024", which is no day'):
        day("01.12.2024", "besitos_start_date")

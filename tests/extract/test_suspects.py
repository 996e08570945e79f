"""A limit is learned where smaller questions brought all of it, and only there."""

from __future__ import annotations

from datetime import date

from conversync.extract.known_limits import Bounds
from conversync.extract.learned_limits import Suspects
from conversync.extract.windows import Window


def december(first: int, last: int) -> Window:
    """These days."""
    return Window(date(2024, 12, first), date(2024, 12, last))


def test_b05_a_range_that_came_in_parts_is_a_limit() -> None:
    """Of thirty-one days, which came in questions of nine: told once, and nine is what is asked for."""
    bounds = Bounds(31, 1000)
    suspects = Suspects(bounds)
    suspects.refused(december(1, 31))
    suspects.refused(december(1, 17))
    suspects.whole(december(1, 9))
    assert (bounds.days, bounds.found) == (31, [])
    suspects.whole(december(9, 17))
    assert (bounds.days, bounds.found) == (9, ["ranges of 17 days are refused"])
    suspects.whole(december(17, 25))
    suspects.whole(december(25, 31))
    assert bounds.found[1:] == ["ranges of 31 days are refused"]


def test_b05_a_day_that_cannot_be_had_clears_the_ranges_it_lies_in() -> None:
    """The eleventh is to blame: of the ranges that hold it nothing is learned, of the others what they show."""
    bounds = Bounds(31, 1000)
    suspects = Suspects(bounds)
    for days in (december(1, 31), december(1, 17), december(20, 29)):
        suspects.refused(days)
    suspects.whole(december(1, 10))
    suspects.short(december(11, 11))
    suspects.whole(december(12, 17))
    assert (bounds.days, bounds.found) == (31, [])
    suspects.whole(december(20, 24))
    suspects.whole(december(24, 29))
    assert (bounds.days, bounds.found) == (6, ["ranges of 10 days are refused"])


def test_b05_a_depth_is_learned_alike() -> None:
    """Pages beyond row 500 were failed at, and the days came in parts."""
    bounds = Bounds(31, 1000)
    suspects = Suspects(bounds)
    suspects.refused(december(1, 9), 500)
    suspects.whole(december(1, 5))
    assert not bounds.found
    suspects.whole(december(5, 9))
    assert (bounds.days, bounds.depth) == (31, 500)
    assert bounds.found == ["pages beyond row 500 are refused"]

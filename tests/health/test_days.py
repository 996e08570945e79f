"""What days and figures come to."""

from __future__ import annotations

from datetime import date, timedelta

from conversync.monitor.day_figures import ranges, volume

FIRST = date(2024, 12, 1)


def day(number: int) -> date:
    return FIRST + timedelta(days=number - 1)


def test_days_are_said_as_spans() -> None:
    """Days that follow one another are one span, and one alone is itself."""
    assert ranges([day(1), day(3), day(4), day(5)]) == ["2024-12-01", "2024-12-03 .. 2024-12-05"]


def test_a_day_is_held_against_its_own_weekday_and_else_against_the_fortnight() -> None:
    """A Sunday that is always weak is no drop; with too few Sundays known, the days before it are what is usual."""
    weeks = [day(number) for number in range(1, 30)]  # 1 December 2024 is a Sunday, and so is the 29th
    counts = {one: 20 if one.weekday() == 6 else 100 for one in weeks}
    same = volume(counts, weeks)
    assert same is not None
    assert (same.day, same.conversions, same.usual, same.drop_pct) == (day(29), 20, 20, 0)
    fortnight = volume(counts, weeks[:15])
    assert fortnight is not None
    assert (fortnight.usual, round(fortnight.drop_pct)) == (100, 80)


def test_a_quiet_or_a_young_source_has_no_usual_volume() -> None:
    """Fewer than ten a day, or fewer than three days before, say nothing."""
    weeks = [day(number) for number in range(1, 30)]
    assert volume(dict.fromkeys(weeks, 9), weeks) is None
    assert volume(dict.fromkeys(weeks, 100), weeks[:3]) is None

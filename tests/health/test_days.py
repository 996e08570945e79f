"""What days and figures come to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from pipelines.health.days import Reading, completeness, percentile, ranges, volume

FIRST = date(2024, 12, 1)


def day(number: int) -> date:
    return FIRST + timedelta(days=number - 1)


def reading(start: int, end: int, *, short: bool = False, narrowed: bool = False, at: int = 28) -> Reading:
    instant = datetime.combine(day(at), datetime.min.time(), UTC)
    return Reading("conversions", day(start), day(end), instant, instant, 1.0, short, narrowed)


def test_a_last_day_counts_once_a_later_window_began_on_it() -> None:
    """Whether a window's last day was whole is not known: 1..5 and 5..8 read seven days whole, 1..5 and 6..8 six."""
    touching = completeness([reading(1, 5), reading(5, 8)])
    assert (touching.first, touching.last, touching.never) == (day(1), day(7), ())
    assert completeness([reading(1, 5), reading(6, 8)]).never == (day(5),)


def test_a_day_that_was_only_read_short_is_told_until_it_is_read_whole() -> None:
    """A reading that received less than was announced proves a day as little as one that left rows out on purpose."""
    assert completeness([reading(1, 8), reading(8, 12, short=True)]).short == tuple(map(day, range(8, 12)))
    assert completeness([reading(1, 12), reading(8, 12, short=True)]).short == ()
    assert completeness([reading(1, 4), reading(4, 9, narrowed=True), reading(6, 9)]).never == (
        day(4),
        day(5),
    )


def test_a_window_that_reaches_into_the_future_covers_no_day_to_come() -> None:
    """Read on the 10th, 1..20 covers no day after the 10th."""
    assert completeness([reading(1, 20, at=10)]).last == day(10)


def test_a_span_that_is_asked_for_shows_what_was_never_read_before_and_after() -> None:
    """The last N days, whatever was read of them."""
    found = completeness([reading(5, 8)], day(3), day(10))
    assert ranges(found.never) == ["2024-12-03 .. 2024-12-04", "2024-12-08 .. 2024-12-10"]


def test_percentiles_are_days_that_really_came() -> None:
    """The least day by which so many had come; of one, that one; of none, none."""
    assert percentile({0: 900, 3: 99, 40: 1}, 0.5) == 0
    assert percentile({0: 900, 3: 99, 40: 1}, 0.999) == 3
    assert percentile({0: 900, 3: 98, 40: 2}, 0.999) == 40
    assert percentile({}, 0.5) is None


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

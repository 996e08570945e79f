"""Spans of time in words, and the days and clocks that they are counted from."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime

import pendulum
import pytest

from conversync.errors import SettingsError
from conversync.extract.columns import zone
from conversync.extract.windows import Window, split_window
from conversync.http import clock
from conversync.settings import lookup
from conversync.span_words import ago, old, words

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def nothing_heard() -> Iterator[None]:
    """No vendor's clock, before or after."""
    with clock.of_its_own():
        yield


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(seconds=0.3), "less than a second"),
        (timedelta(seconds=45.3), "45 seconds"),
        (timedelta(seconds=119), "1 minute 59 seconds"),
        (timedelta(minutes=10, seconds=20), "10 minutes"),
        (timedelta(hours=3, minutes=24), "3 hours 24 minutes"),
        (timedelta(hours=27, minutes=10), "1 day 3 hours"),
        (-timedelta(days=2), "2 days"),
        (timedelta(days=17, hours=3), "17 days"),
        (timedelta(days=4000), "4,000 days"),
    ],
    ids=str,
)
def test_a_span_is_said_as_exactly_as_it_matters(span: timedelta, said: str) -> None:
    """Days are counted and weeks are not; a sign is the sentence's matter."""
    assert words(span) == said


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(seconds=3), "a few seconds"),
        (timedelta(minutes=5), "5 minutes"),
        (timedelta(hours=2, minutes=40), "2 hours"),
        (timedelta(hours=30), "1 day"),
        (timedelta(days=22), "3 weeks"),
    ],
    ids=str,
)
def test_when_it_was_is_said_at_a_glance(span: timedelta, said: str) -> None:
    """For a table; the sentence beside it has the instant."""
    assert (ago(NOW - span, NOW), old(NOW - span, NOW)) == (f"{said} ago", said)


@pytest.mark.parametrize("days", [20, 40, 59, 400])
def test_a_clock_that_is_ahead_over_ends_of_months_is_set_right(days: int) -> None:
    """Months and days of a calendar are no span: taken back from another day, they end elsewhere."""
    theirs = pendulum.now("UTC").start_of("second") - timedelta(days=days)
    clock.mine().heard(format_datetime(theirs))
    assert abs(clock.now() - theirs) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "text",
    ["Tue, 31 Mar 2026 12:00:00 GMT", "Tue, 31 Mar 2026 12:00:00 -0000", "Tue, 31 Mar 2026 14:00:00 +0200"],
)
def test_a_date_of_a_header_is_an_instant_whatever_zone_this_machine_is_in(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-0000` says UTC and no more, and is read so on a machine in New York, too."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert clock.http_date(text) == NOW
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["", "yesterday", "2026-03-31", "Tue, 31 Foo 2026 12:00:00 GMT"])
def test_a_header_that_is_no_date_tells_nothing(text: str) -> None:
    """None, and no error."""
    assert clock.http_date(text) is None


def test_days_of_a_window() -> None:
    """Both ends count; its halves have no day in common; of one that ends before it starts, there is none."""
    window = Window(date(2024, 2, 27), date(2024, 3, 2))
    assert window.days == 5
    assert [str(day) for day in window.each_day()] == [
        "2024-02-27",
        "2024-02-28",
        "2024-02-29",
        "2024-03-01",
        "2024-03-02",
    ]
    assert window.halves() == (
        Window(date(2024, 2, 27), date(2024, 2, 29)),
        Window(date(2024, 3, 1), date(2024, 3, 2)),
    )
    assert window.last_days(2) == Window(date(2024, 3, 1), date(2024, 3, 2))
    assert window.last_days(100) == window
    backwards = Window(date(2024, 3, 2), date(2024, 3, 1))
    assert (backwards.days, list(backwards.each_day())) == (0, [])


def test_a_window_is_one_piece_where_pieces_are_longer_than_any_calendar() -> None:
    """`--window 999999999d` means "all at once"."""
    window = Window(date(2024, 1, 1), date(2026, 1, 1))
    assert list(split_window(window, lookup.days("999999999d", "--window"))) == [window]


@pytest.mark.parametrize(
    "text", ["1000000000d", "9" * 5000 + "s", "now", "PT30M", "-1h", "1.5h", ""], ids=len
)
def test_what_nobody_means_by_a_duration_is_refused_with_its_option(text: str) -> None:
    """Not only what has another form: numbers beyond any count of time, too."""
    with pytest.raises(SettingsError, match=r"--wait is .* which is no duration"):
        lookup.duration(text, "--wait")
    assert lookup.duration("90s", "--wait") == lookup.duration(" 90s ", "--wait") == 90


@pytest.mark.parametrize("name", ["", "America", "../UTC", "No/Such", "America/New_York\0", "+05:00"])
def test_what_is_no_zone_is_refused_with_its_setting(name: str) -> None:
    """Folders, paths and offsets are none."""
    with pytest.raises(SettingsError, match=r"besitos_zone is .* which is no time zone"):
        zone(name, "besitos_zone")

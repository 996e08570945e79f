"""Spans of time in words: how long, and how long ago."""

from __future__ import annotations

from datetime import datetime, timedelta

import pendulum

SECOND, MINUTE, HOUR, DAY = 1, 60, 3_600, 86_400


def words(span: timedelta) -> str:
    """How long it is, whichever way it runs: "45 seconds", "2 hours 5 minutes", "1 day 3 hours", "17 days".

    To the second below two minutes, to the minute below a day, to the hour below three days.
    """
    seconds = abs(span.total_seconds())
    if seconds >= 3 * DAY:
        # pendulum would say "2 weeks 3 days" of 17 days, which have to be counted to be found on a calendar.
        return f"{seconds / DAY:,.0f} days"
    step = SECOND if seconds < 2 * MINUTE else MINUTE if seconds < DAY else HOUR
    whole = round(seconds / step) * step
    return pendulum.duration(seconds=whole).in_words() if whole else "less than a second"


def ago(then: datetime, now: datetime) -> str:
    """When it was, as one looks at a clock: "2 hours ago", "3 weeks ago"; `words` is for what has to be exact."""
    return pendulum.format_diff(pendulum.interval(pendulum.instance(then), pendulum.instance(now)))


def old(then: datetime, now: datetime) -> str:
    """The same without the word for when: "2 hours"."""
    passed = pendulum.interval(pendulum.instance(then), pendulum.instance(now))
    return pendulum.format_diff(passed, absolute=True)

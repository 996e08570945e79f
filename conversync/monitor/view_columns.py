"""What the views of `views.py` say, and each of their columns."""

from __future__ import annotations

from conversync.extract.declared import BIGINT, BOOLEAN, DATE, INSTANT, STRING, Column, Staged, Table
from conversync.monitor.views import DAYS, LATENESS, REVERSALS

_TOLD = (
    "What is known of each day of each listing, up to today: the one place where completeness is worked out.",
    "What is known of each day of each listing, up to today.",
)


def _days(day: str, says: str, staged: str) -> Table:
    return Table(
        DAYS,
        says,
        (
            Column("stream", STRING, "Which listing."),
            Column("day", DATE, f"The day: {day}."),
            Column(
                "state",
                STRING,
                "whole: all rows came; short: some are missing, or it cannot be shown that none is; never: nobody "
                "read it; due: it is over, and the stream has not come since; open: it is not over.",
            ),
            Column(
                "missing",
                BIGINT,
                "How many rows the reading that counts is known to lack of all its days; 0 unless short, and where "
                "nothing shows that one is missing.",
            ),
            Column(
                "window_start",
                DATE,
                "The first day of the reading that counts, the latest that covers the day; null where none does.",
            ),
            Column("window_end", DATE, "The last day of that reading."),
            Column("read_at", INSTANT, "When that reading began."),
            Column(
                "last_read",
                INSTANT,
                "When the stream was last read up to its present; else, when it was last read; null where never.",
            ),
            Column(
                "is_current",
                BOOLEAN,
                "Whether the settings of the last load still name the stream; what left them is not missed.",
            ),
        ),
        staged=Staged(staged),
    )


_REVERSALS = Table(
    REVERSALS,
    "A row for each conversion that was taken back: when that became known.",
    (
        Column("conversion_id", STRING, "The conversion: the key."),
        Column("occurred_on", DATE, "The day on which it was earned."),
        Column(
            "reversed_at", INSTANT, "When it was reversed, as the vendor dates it; null where it does not."
        ),
        Column("first_seen_at", INSTANT, "When we first read the conversion."),
        Column("reversal_seen_at", INSTANT, "When we first read that it was reversed."),
        Column(
            "is_arrival_known",
            BOOLEAN,
            "Whether the day on which the reversal came is known: not where it was there already at a late first look.",
        ),
        Column(
            "known_on",
            DATE,
            "The day on which the reversal became known: when we read of it, or, where nobody knows when it came, when "
            "the vendor dates it.",
        ),
        Column(
            "days_until_known",
            BIGINT,
            "Days from occurred_on to known_on; null where a vendor dates a reversal by its conversion, and nobody "
            "knows when it came.",
        ),
    ),
    staged=Staged("When each reversal became known.", unique="conversion_id"),
)
_LATENESS = Table(
    LATENESS,
    "How late reversals become known, one row: of days that were watched equally long.",
    (
        Column(
            "watched_days",
            BIGINT,
            "For how many days each conversion that counts was watched: half of the days that were read, at most 180.",
        ),
        Column("watched_until", DATE, "The last day whose conversions count."),
        Column(
            "reversals",
            BIGINT,
            "How many of their reversals became known within watched_days: of these the shares are.",
        ),
        *(
            Column(f"days_for_{name}", BIGINT, f"Within so many days {share}; null of fewer than {least}.")
            for name, share, least in (
                ("half", "half of them were known", 10),
                ("95_percent", "95 of 100", 20),
                ("99_percent", "99 of 100", 100),
                ("99_9_percent", "999 of 1000", 1000),
            )
        ),
        Column("all_reversals", BIGINT, "How many reversals there are in all, of younger days too."),
        Column("dated_reversals", BIGINT, "Of how many of them it is known how late they came."),
        Column("latest_days", BIGINT, "The latest of these, in days."),
    ),
    staged=Staged("How late reversals become known, one row."),
)


def dated_views(day: str, *, lateness: bool) -> tuple[Table, ...]:
    """What these views say, and each of their columns; `day` is what a day of the vendor's is, in a few words."""
    return (_days(day, *_TOLD), *((_REVERSALS, _LATENESS) if lateness else ()))


def list_views() -> tuple[Table, ...]:
    """The same of a vendor whose listings have no days."""
    return (
        _days("a UTC day", "The days on which each list was read; a list has no days of its own.", _TOLD[1]),
    )

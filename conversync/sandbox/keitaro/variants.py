"""Every question about a Keitaro tracker that nobody answers, as one setting each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Variants:
    """One kind of tracker. The defaults are the likeliest one."""

    # Which tracker it is.
    generation: Literal["new", "old"] = "new"
    """Columns `event_id`, `datetime`, `version`, `status_history`, `conversion_type`; or `conversion_id`,
    `postback_datetime`, `previous_status`, `original_status`. A column of the other one is unknown."""
    edition: Literal["full", "no_api"] = "full"
    """An edition without an API answers 402."""
    front: Literal["tracker", "html_200", "html_404", "bot_check"] = "tracker"
    """What the domain shows: the tracker, or a page that is not its API; `bot_check` is a 403 page of who stands
    before it."""
    forbidden: frozenset[str] = frozenset()
    """Paths below the API's root that the key may not read (`domains`, `conversions/log`): a 403 in JSON."""
    zone: str = "Europe/Moscow"
    """The tracker's own, for a range without `timezone`."""

    # What it says of a conversion.
    partial: Literal["gross", "net"] = "gross"
    """`revenue` once a part of the payout was taken back: still the payout, or what is left of it."""
    statuses: Literal["classic", "newer"] = "classic"
    """lead, sale, rejected; or, on newer trackers, also registration, deposit, trash."""
    rejected_as: Literal["rejected", "canceled", "Rejected"] = "rejected"
    """The status of what was rejected, whose `conversion_type` stays `rejected`."""
    misses: int = 0
    """Every so many of the wall's conversions never reached the tracker."""
    misses_players: int = 0
    """Of every so many of the wall's players, none did."""
    history: Literal["list", "text"] = "list"
    """`status_history` as a list of objects, or as words with commas."""

    # How rows are written.
    amounts: Literal["number", "text"] = "number"
    """`revenue`, `cost` and `profit` of the log: JSON numbers or numeric strings."""
    zero: Literal["number", "empty"] = "number"
    """An amount of 0 in the log: 0, or the text `""`."""
    times: Literal["plain", "fraction", "zulu"] = "plain"
    """`2026-01-31 12:00:00` in the asked zone, or with `.000`; or in UTC, as `2026-01-31T12:00:00Z`."""
    ids_as_text: bool = False
    """Numeric ids as strings."""
    names: Literal["asked", "new"] = "asked"
    """`new`: `conversion_id` and `postback_datetime` are taken, and answered as `event_id` and `datetime`."""
    report_numbers: Literal["number", "text"] = "number"
    report_pages: bool = True
    """Does the report hear `limit` and `offset`? Without a limit it is whole."""
    report_words: Literal["both", "grouping", "dimensions"] = "grouping"
    """What the report's groups and sums are asked with: `grouping` and `metrics`, `dimensions` and `measures`."""
    report_unheard: Literal["dropped", "empty", "refused"] = "dropped"
    """Asked with the other words alone: as if there were none, so one row of nothing; no row; or a 406."""
    omits: frozenset[str] = frozenset()
    """Columns that are accepted and silently not returned."""
    unknown_column: str = "Unknown column: {column}"
    """The error's text; `{column}` is the first unknown one, `{columns}` all."""

    # How pages are cut.
    order: Literal["stable", "unstable", "page"] = "stable"
    """Rows that no sort tells apart (all rows, without a sort) keep one order, or take another each time; or stand in
    the opposite one on every second page, at each walk alike."""
    sorts: Literal["all", "first", "none"] = "all"
    """How much of the asked-for sort is heard."""
    page_cap: int = 10_000
    """The largest page; more may be asked for, and is silently not given."""
    limit_max: int = 0
    """A larger `limit` is a 406 (0: none is)."""
    range_limit: int = 0
    """A range of more days, both counted, is a 406 (0: none is)."""
    offset_limit: int = 0
    """An `offset` from so many rows on is a 406 (0: none is)."""
    beyond_limits: Literal["refused", "failed"] = "refused"
    """`failed`: a 500 without a reason instead, each time."""
    broken: str = ""
    """A page of the log that holds this conversion cannot be made: a 500, each time."""
    unreadable: str = ""
    """This conversion's row of the log has a revenue that is no number, until this is empty again: then the tracker has
    mended it. (Not of a row that is verbatim text.)"""
    departures: int = 0
    """So many conversions leave the log for good, each before another page than the first is answered: the first row
    that was asked for. The oracle knows nothing of it."""
    default_limit: int = 100
    total: Literal["right", "more", "less", "page", "text", "absent"] = "right"
    """`more`, `less`: wrong by one; `page`: the rows of this page alone; `text`: a numeric string."""
    total_cap: int = 0
    """`total` never says more (0: it may). The rows beyond come all the same."""
    total_behind: int = 0
    """`total` says so many rows fewer than there are (below 0: more), as one from a cache does."""
    short_page: bool = False
    """Any page but the first lacks its last row."""
    repeats: Literal["none", "first"] = "none"
    """`first`: the offset is not heard, every page is the first one."""
    to_inclusive: bool = True
    """Does a `to` without a time cover its whole day, or end as that day begins?"""
    arrivals_every: int = 0
    """Before every so many requests the world's clock moves on by `arrivals_hours`."""
    arrivals_hours: float = 6.0

    # What it does with a postback, and with a conversion by the API.
    postback_reply: Literal["text", "json", "empty"] = "text"
    """`Success`, `{"status":"success"}`, or nothing."""
    conversions_path: str = "conversions"
    """Where the API takes conversions, below its root: published nowhere."""
    unknown_subid: Literal["accepted", "ignored", "told"] = "accepted"
    """A click that the tracker does not know: recorded all the same, or answered alike and forgotten; `told`:
    forgotten, and the answer's text is "SubID not found"."""
    same_status: Literal["changes", "ignored", "told"] = "changes"
    """A posting with the status that its conversion has already: it changes the amount, or nothing; `told`: nothing,
    and the answer's text is that the conversion exists already."""
    queue_seconds: float = 0
    """How long a posting waits before the tracker knows of it."""

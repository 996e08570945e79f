"""Every question the vendor's document leaves open, as one setting each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from conversync.sandbox.readings import parse


@dataclass(frozen=True, kw_only=True)
class Variants:
    """One reading of the document. The defaults are the likeliest one."""

    # What a request means.
    omitted: Literal["both", "originals"] = "both"
    """Without is_reverse."""
    true: Literal["reversals", "reversed", "ignored"] = "reversals"
    """is_reverse=true: the reversals; or they and their originals; or as if omitted."""
    false: Literal["true", "originals"] = "true"
    """is_reverse=false: read as true, as PHP casts the text; or the originals."""
    is_reverse: Literal["cast", "one", "number", "rule", "refused", "never", "nothing"] = "cast"
    """How the parameter is understood: any text but `0` (and maybe `false`) is true; `1` alone is true, all else
    asks for the originals; it is compared with the row's number, so that any other text finds no row; `1` and `0`
    alone are allowed, all else is a 422; it is a 422 whatever is sent; any text asks for the originals; or finds none.
    (To be deaf to it altogether: `ignores=is_reverse`.)"""
    to_date_inclusive: bool = True
    """Does to_date cover its whole day, or end with that day's first second?"""
    page_cap: int = 1000
    """The largest page; more may be asked for, and is silently not given."""
    default_per_page: int = 1000
    ignores: frozenset[str] = frozenset()
    """Parameters this server does not listen to. (`page` as well: it echoes the first page.)"""

    # What may be asked. 0 is no limit; what is beyond one is refused.
    beyond_limits: Literal["refused", "failed"] = "refused"
    """A 422 that names the parameter in `errors`; or a 500 without a reason, each time."""
    offset_limit: int = 0
    """Pages that begin after so many rows."""
    per_page_limit: int = 0
    """A larger `per_page`. (Capped without a word: `page_cap`.)"""
    per_page_step: int = 0
    """A `per_page` that is no multiple of it. (`per_page_other`: what becomes of one.)"""
    per_page_other: Literal["refused", "rounded"] = "refused"
    """It is refused; or the next smaller multiple is given in its place, without a word but `meta.per_page`."""
    range_limit: int = 0
    """More days from `from_date` to `to_date`, both counted."""
    range_over: Literal["refused", "first", "last"] = "refused"
    """Such a range: a 422; or its first or last days alone are answered, without a word."""

    broken: int = 0
    """A page that holds this transaction (0: none) cannot be made: a 500, each time."""

    unreadable: int = 0
    """The rows of this transaction (0: none) have a payout that is no number, until this is 0 again: then the vendor
    has mended them. (Not of rows that are verbatim text.)"""
    spoilt: Literal[
        "none", "error", "page", "cut", "form", "empty", "unknown", "failed", "bad", "forbidden"
    ] = "none"
    """What some questions are answered with, each time: an `error` under 200; a web page; JSON that breaks off; JSON of
    another form; nothing at all; a 404; a 500; a 400 without a reason; a 403. Which questions is said below; by itself,
    it is all of them."""
    spoilt_day: str = ""
    """Those that hold this day, `2024-12-09`."""
    spoilt_page: int = 0
    """Those for this page."""
    spoilt_per_page: int = 0
    """Those for pages of more rows."""
    spoilt_range: int = 0
    """Those for more days, both counted."""
    spoilt_flag: Literal["any", "everything", "reversals", "filtered"] = "any"
    """Those without is_reverse, those with `is_reverse=true`, or those with any text for it."""

    # What a reversal says.
    reversal_dated: Literal["own", "original"] = "own"
    reversal_sign: Literal["positive", "negative"] = "positive"
    reversal_payout: Literal["present", "absent", "zero"] = "present"
    reverse: Literal["integer", "text", "boolean"] = "integer"
    """`1`, `"1"` or `true`."""
    original_disappears: bool = False
    """Does the original leave the feed once it is reversed?"""

    # What the feed takes back. Each meets every so many transactions (0: none) and happens `change_days` after the
    # event was first told. The last one needs reversals with a date of their own.
    withdrawn: int = 0
    """A conversion is served no more, nor are its reversals."""
    restated: int = 0
    """A reversal takes back a half at first; then, under the same date, all that it takes in the end."""
    instalments: int = 0
    """A reversal comes in two: a third, and then the rest beside it, of other dates where reversals have their own."""
    replaced: int = 0
    """A reversal is served no more, and one of the day after comes in its place."""
    change_days: float = 5.0

    # How rows are written.
    zone: Literal["EST", "America/New_York"] = "EST"
    numbers_as_text: bool = False
    ids_as_text: bool = False
    dates: Literal["local", "zulu", "offset"] = "local"
    """`2024-12-04 06:24:55` in the vendor's zone; or that instant in UTC, as `2024-12-04T11:24:55.000000Z` or
    `2024-12-04T11:24:55+00:00`. The days asked for stay the zone's."""
    currencies: frozenset[str] = frozenset()
    """An undocumented `currency` on rows: transactions take these in turn, `none` tells none. Rewards and payouts
    keep their numbers."""
    surveys: bool = True
    """Are surveys enabled? If not there are none, and no row has a `type`."""
    deal_type: Literal["deal", "offer"] = "deal"

    # How pages are cut.
    order: Literal["oldest", "newest", "shuffled", "random"] = "oldest"
    """`shuffled`: the right rows in any order within their page; `random`: another order at every request."""
    ties: Literal["stable", "page", "request"] = "stable"
    """Rows of one `date_time`: keep one order; stand in the opposite one on every even page, at each walk alike;
    or in another at every request. Scripted rows are then sorted by their `date_time`, too."""
    pages: Literal["right", "echoed", "second_repeats", "boundary"] = "right"
    """`echoed`: the first page's rows come whatever the page, which `meta` says was given; `second_repeats`: so on
    page 2 alone; `boundary`: page 2 begins with the last row of page 1, and its own first row is nowhere."""
    last_page: int = 0
    """A page beyond this one is answered with this one, which `meta` says was given. 0: each page is its own."""
    repeats: Literal["none", "counted", "uncounted"] = "none"
    """`counted`: every seventh row stands again at the end, and in `total`; `uncounted`: a page begins with
    the last row of the page before, beyond `per_page` and `total`."""
    past_end: Literal["empty", "last"] = "empty"
    """A page beyond the last one: empty, or the last page's rows again."""
    total_cap: int = 0
    """`total`, and `last_page` with it, never says more (0: it may). The rows beyond come all the same."""
    total_behind: int = 0
    """`total` says so many rows fewer than there are (below 0: more), as one from a cache does."""
    numbers: Literal["told", "untold"] = "told"
    """`untold`: there is neither `meta` nor `links`, so nothing tells how many rows or pages there are."""
    next_beyond: bool = False
    """Does a page from the told last one on name a next page while there are rows for it?"""
    arrivals_every: int = 0
    """Before every so many requests something arrives: the next of the vendor's `arriving` rows, at the top;
    without any, the world's clock moves on by `arrivals_hours`."""
    arrivals_hours: float = 6.0

    departures: int = 0
    """So many rows leave the feed for good, each before another page than the first is answered: the first row of
    the listing. The oracle knows nothing of it."""

    # How the document is written.
    data: Literal["list", "object"] = "list"
    """Rows as a list, or as an object whose keys are digits: a list that was filtered. Without rows it is `[]`."""
    links: Literal["sample", "full", "relative"] = "sample"
    """`?page=N` alone, as in the sample; or with the filters of the request; or `/?page=N`, of no host."""
    links_root: str = ""
    """Whose address the links show; by default the one that was asked."""
    last_is_one: bool = False
    """With a single page `links.last` is the number 1, as the table has it, and no URL, as in the sample."""
    trailing_comma: bool = False
    """After the last row, as in the sample."""

    # Whom it lets in, and how it says no.
    unauthenticated: Literal["json", "login"] = "json"
    """A token that is not taken: a 401, or a 302 to `/login`."""
    throttle: int = 0
    """So many requests in `throttle_seconds` of real time from the first; then a 429 with `Retry-After` and
    `X-RateLimit-Reset`. Each answer carries `X-RateLimit-Limit` and `X-RateLimit-Remaining`. 0 is no limit."""
    throttle_seconds: float = 60.0
    envelope: Literal["right", "error", "status"] = "right"
    """`error`, `status`: all is answered with 200, no rows and a total of 0, beside an `error` or a `status` of 401."""


def parse_variants(pairs: Iterable[str], base: Variants | None = None) -> Variants:
    """`["order=newest", "page_cap=100", "ignores=page,per_page"]` over `base`; ValueError says why not."""
    return parse(pairs, base or Variants())

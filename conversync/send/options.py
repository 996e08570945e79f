"""What a person asked of a send: the command line, then the target's own settings, then those of all targets.

A setting stands in `[send.keitaro.conversions]` (or `[send."keitaro.conversions"]`), `[send.keitaro]`, `[send]`, or at
the top, in .dlt/config.toml; the environment has the same names (SEND_RATE, SEND__KEITARO__CONVERSIONS__SEND_RATE) and
wins. Of an account with a name it stands in `[send.keitaro.accounts.eu.conversions]`, `[send.keitaro.accounts.eu]`, and
then where all accounts share it: `[send.keitaro.conversions]` is the first account's alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from conversync.errors import SettingsError
from conversync.extract.ranges import BUDGET
from conversync.extract.windows import day
from conversync.settings.accounts import SECTION
from conversync.settings.where_set import Given, choice, everywhere, number, standing
from conversync.vendors import parted, source_of

KILL_SWITCH = "send_enabled"
SWITCHED_OFF = f"Sending is switched off ({KILL_SWITCH} = false)"
MAX_ROWS = 10_000
# Content that changes for half of what was sent is a query that changed, not the world ...
MAX_CHANGE_PCT = 50.0
# ... but so few changes flood nobody. A share that somebody sets holds from the first row on.
FEW_CHANGES = 100
# An outbox is read whole, and each row of it remembered.
MAX_OUTBOX = 5_000_000
QUERY_SECONDS = 600.0
CONCURRENCY, MOST_AT_ONCE = 8, 64
HTTP_BUDGET = 600
# What becomes of rows that were sent and are in the outbox no more: told (exit 3), not told, or taken back.
MISSING = ("tell", "ignore", "take_back")
# What becomes of a row whose amount is null once more: refused, or sent as 0.
CLEARED = ("refuse", "zero")
# A table or view, with up to two names of where it is.
NAME = re.compile(r"[^\s.;'\"()]+(\.[^\s.;'\"()]+){0,2}")
# What begins so, behind comments, is a query, and no name; whether it is a good one the parser says.
QUERY = re.compile(
    r"(?:\s|--[^\n]*|/\*(?:[^*]|\*(?!/))*+\*/)*+"
    r"(?:\(|(?:select|with|from)\b|(?:pivot|unpivot|values|table)(?=[\s(\"/-]))",
    re.IGNORECASE,
)
# What a query is called in the books: whichever the settings have, or a fingerprint.
QUERIES = "query"
_RATE = re.compile(r"(\d+)/(s|m|h)")
_PER = {"s": 1.0, "m": 60.0, "h": 3600.0}
_SWITCH = {"true": True, "1": True, "yes": True, "on": True} | dict.fromkeys(
    ("false", "0", "no", "off"), False
)
# Requests leave a little slower than the rate, so that a network's jitter does not push one more into a second.
_MARGIN = 1.05


@dataclass(frozen=True)
class Options:
    """`interval`: seconds from one request's start to the next one's; `outbox`: a name or a query, of whichever;
    `label` is what the books call it.
    `since`: new rows of earlier days do not go; `adopt`: rows that wait for a person's word are marked as sent, without
    being sent; `missing` None: nobody said it; `after_restore`: books older than the last send are known to be so.
    """

    enabled: bool = True
    limit: int | None = None
    interval: float = 0.0
    max_rows: int = MAX_ROWS
    max_change_pct: float | None = None
    max_outbox: int = MAX_OUTBOX
    query_seconds: float = QUERY_SECONDS
    concurrency: int = CONCURRENCY
    http_budget: float = HTTP_BUDGET
    resend_in_doubt: bool = False
    retry_rejected: bool = False
    resolve_in_doubt: bool = False
    outbox: str | None = None
    label: str = ""
    since: date | None = None
    adopt: bool = False
    missing: str | None = None
    cleared: str = CLEARED[0]
    after_restore: bool = False


def options(
    target: str,
    *,
    outbox: str | None = None,
    limit: int | None = None,
    rate: str | None = None,
    max_rows: int | None = None,
    max_change_pct: float | None = None,
    since: str | None = None,
    **said: bool,
) -> Options:
    """The command's options, and the settings for what it leaves out; SettingsError for what cannot be meant.

    `said`: the options that are said or not: resend_in_doubt, retry_rejected, resolve_in_doubt, adopt, after_restore.
    """
    _check_limit(limit)
    configured = _own(target, "query") or _own(target, "from")
    chosen = outbox or configured
    found = {name: read(target, name) for name in RULES}
    return Options(
        enabled=found[KILL_SWITCH],
        limit=limit,
        interval=_interval(rate, "--rate") if rate else found["send_rate"],
        max_rows=max_rows if max_rows is not None else found["send_max_rows"],
        max_change_pct=max_change_pct if max_change_pct is not None else found["send_max_change_pct"],
        max_outbox=found["send_max_outbox"],
        query_seconds=found["send_query_seconds"],
        concurrency=found["send_concurrency"],
        http_budget=found["http_budget"],
        outbox=chosen,
        label=_label(chosen or "", configured),
        since=found["send_since"] if since is None else day(since.strip(), "--since"),
        missing=found["send_missing"],
        cleared=found["send_cleared_amounts"],
        **said,
    )


def _check_limit(limit: int | None) -> None:
    if limit is not None and limit < 1:
        raise SettingsError(f"--limit is {limit}, but must be at least 1.")


def check(targets: Iterable[str]) -> None:
    """SettingsError for all that is set for these targets and cannot be meant: each sentence once."""
    wrong: dict[str, None] = {}
    for target in targets:
        for name in RULES:
            try:
                read(target, name)
            except SettingsError as error:
                wrong.setdefault(str(error))
    if wrong:
        raise SettingsError(" ".join(wrong))


def _label(outbox: str, configured: str | None) -> str:
    """A query of the settings may be edited, and stays that outbox; any other is known by its text."""
    if not QUERY.match(outbox):
        return outbox
    if outbox == configured:
        return f"{QUERIES} of the settings"
    return f"{QUERIES} {hashlib.sha256(outbox.encode()).hexdigest()[:12]}"


def _interval(text: str, name: str) -> float:
    match = _RATE.fullmatch(text.strip())
    if not match or not int(match[1]):
        raise SettingsError(f'{name} is "{text}", which is no rate: write it like 5/s, 100/m or 1000/h.')
    return _PER[match[2]] / int(match[1]) * _MARGIN


def _switch(given: Given) -> bool:
    """The kill switch. What is neither yes nor no stops as well: nothing goes out by a typing error."""
    if given.text.lower() not in _SWITCH:
        raise given.wrong("true or false", " Nothing was sent.")
    return _SWITCH[given.text.lower()]


def _text(given: Given) -> str:
    if not given.text.strip():
        raise given.wrong("a text")
    return given.text


def _players(given: Given) -> str:
    if not NAME.fullmatch(given.text):
        raise given.wrong("a table (dataset.table), or user_id")
    return given.text


# What each setting of every send is without a value, and how its value is read; SettingsError for what cannot be meant.
RULES: dict[str, tuple[Any, Callable[[Given], Any]]] = {
    KILL_SWITCH: (True, _switch),
    "send_rate": (0.0, lambda given: _interval(given.text, f"{given.name} in {given.place}")),
    "send_max_rows": (MAX_ROWS, lambda given: int(number(given, 0, float("inf"), whole=True))),
    "send_max_change_pct": (None, lambda given: number(given, 0, float("inf"))),
    "send_max_outbox": (MAX_OUTBOX, lambda given: int(number(given, 1, float("inf"), whole=True))),
    "send_query_seconds": (QUERY_SECONDS, lambda given: number(given, 0, float("inf"), above=True)),
    "send_concurrency": (CONCURRENCY, lambda given: int(number(given, 1, MOST_AT_ONCE, whole=True))),
    "send_player_ids": (None, _players),
    "send_conversion_id": (None, _text),
    "send_since": (None, lambda given: day(given.text.strip(), f"{given.name} in {given.place}")),
    "send_missing": (None, lambda given: choice(given, MISSING)),
    "send_cleared_amounts": (CLEARED[0], lambda given: choice(given, CLEARED)),
    "http_budget": (HTTP_BUDGET, lambda given: number(given, *BUDGET)),
}


def read(target: str, name: str) -> Any:
    """The nearest value of a setting, as what it is; SettingsError where it cannot be meant.

    The kill switch stops from wherever it stands, whatever is nearer.
    """
    default, rule = RULES[name]
    if name == KILL_SWITCH:
        return all(rule(given) for given in everywhere(name, *sections(target)))
    given = standing(name, *sections(target))
    return default if given is None else rule(given)


def sections(target: str) -> list[tuple[str, ...]]:
    """Where a setting of a target is looked for, the nearest first: its own two, then what it shares with others."""
    own = own_sections(target)
    vendor, account = parted(source_of(target))
    of_account = [("send", vendor, SECTION, account)] if account else []
    return [*own, *of_account, ("send", vendor), ("send",), ()]


def own_sections(target: str) -> list[tuple[str, ...]]:
    """Where what is this target's alone stands."""
    source, _, what = target.partition(".")
    vendor, account = parted(source)
    nested = ("send", vendor, SECTION, account, what) if account else ("send", vendor, what)
    return [nested, ("send", target)]


def _own(target: str, name: str) -> str | None:
    """Of this target alone: a bare QUERY in the environment may be anybody's, and no account sends another's rows."""
    given = standing(name, *own_sections(target))
    return None if given is None else given.text

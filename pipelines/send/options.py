"""What a person asked of a send: the command line, then the target's own settings, then those of all targets.

A setting stands in `[send.keitaro.conversions]` (or `[send."keitaro.conversions"]`), `[send.keitaro]`, `[send]`, or at
the top, in .dlt/config.toml; the environment has the same names (SEND_RATE, SEND__KEITARO__CONVERSIONS__SEND_RATE) and
wins.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from wire.errors import SettingsError

MAX_ROWS = 10_000
# Content that changes for half of what was sent is a query that changed, not the world ...
MAX_CHANGE_PCT = 50.0
# ... but so few changes flood nobody. A share that somebody sets holds from the first row on.
FEW_CHANGES = 100
# An outbox is read whole, and each row of it remembered.
MAX_OUTBOX = 5_000_000
QUERY_SECONDS = 600.0
CONCURRENCY = 8
HTTP_BUDGET = 600
# What becomes of rows that were sent and are in the outbox no more: told (exit 3), not told, or taken back.
MISSING = ("tell", "ignore", "take_back")
# What becomes of a row whose amount is null once more: refused, or sent as 0.
CLEARED = ("refuse", "zero")
# What begins so is a query, and no name.
QUERY = re.compile(r"\s*(select|with|from)\b", re.IGNORECASE)
# What a query is called in the books: whichever the settings have, or a fingerprint.
QUERIES = "query"
_RATE = re.compile(r"(\d+)/(s|m|h)")
_PER = {"s": 1.0, "m": 60.0, "h": 3600.0}
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
    if limit is not None and limit < 1:
        raise SettingsError(f"--limit is {limit}, but must be at least 1.")
    configured = _own(target, "query") or _own(target, "from")
    given_rate = rate or setting(target, "send_rate")
    pct = max_change_pct if max_change_pct is not None else _number(target, "send_max_change_pct", None)
    return Options(
        enabled=_switch(target),
        limit=limit,
        interval=_interval(given_rate, "--rate" if rate else "send_rate") if given_rate else 0.0,
        max_rows=max_rows if max_rows is not None else int(_number(target, "send_max_rows", MAX_ROWS) or 0),
        max_change_pct=pct,
        max_outbox=int(_number(target, "send_max_outbox", MAX_OUTBOX) or MAX_OUTBOX),
        query_seconds=_number(target, "send_query_seconds", QUERY_SECONDS) or QUERY_SECONDS,
        concurrency=max(1, int(_number(target, "send_concurrency", CONCURRENCY) or 1)),
        http_budget=_number(target, "http_budget", HTTP_BUDGET) or 0.0,
        outbox=outbox or configured,
        label=_label(outbox or configured or "", configured),
        since=_day(since, "--since") or _day(setting(target, "send_since"), "send_since"),
        missing=_choice(target, "send_missing", MISSING),
        cleared=_choice(target, "send_cleared_amounts", CLEARED) or CLEARED[0],
        **said,
    )


def _label(outbox: str, configured: str | None) -> str:
    """A query of the settings may be edited, and stays that outbox; any other is known by its text."""
    if not QUERY.match(outbox):
        return outbox
    if outbox == configured:
        return f"{QUERIES} of the settings"
    return f"{QUERIES} {hashlib.sha256(outbox.encode()).hexdigest()[:12]}"


def _day(text: str | None, name: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise SettingsError(f'{name} is "{text}", which is no day: write it like 2024-12-31.') from None


def _choice(target: str, name: str, choices: Sequence[str]) -> str | None:
    text = setting(target, name)
    if text is not None and text not in choices:
        raise SettingsError(f'{name} is "{text}", but must be {", ".join(choices[:-1])} or {choices[-1]}.')
    return text


def _interval(text: str, name: str) -> float:
    match = _RATE.fullmatch(text.strip())
    if not match or not int(match[1]):
        raise SettingsError(f'{name} is "{text}", which is no rate: write it like 5/s, 100/m or 1000/h.')
    return _PER[match[2]] / int(match[1]) * _MARGIN


def _switch(target: str) -> bool:
    """The kill switch. What is neither yes nor no stops as well: nothing goes out by a typing error."""
    text = (setting(target, "send_enabled") or "true").lower()
    if text not in {"true", "false", "1", "0", "yes", "no", "on", "off"}:
        raise SettingsError(f'send_enabled is "{text}", but must be true or false. Nothing was sent.')
    return text in {"true", "1", "yes", "on"}


def _number(target: str, name: str, default: float | None) -> float | None:
    text = setting(target, name)
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise SettingsError(f'{name} is "{text}", but must be a number, 0 or more.')
    return number


def setting(target: str, name: str) -> str | None:
    """The nearest value of a setting, as text; None where it is set nowhere."""
    vendor, _, what = target.partition(".")
    return _first(name, ("send", vendor, what), ("send", target), ("send", vendor), ("send",), ())


def _own(target: str, name: str) -> str | None:
    """Of this target alone: a bare QUERY in the environment may be anybody's."""
    vendor, _, what = target.partition(".")
    return _first(name, ("send", vendor, what), ("send", target))


def _first(name: str, *places: tuple[str, ...]) -> str | None:
    """The first value that dlt's providers have, the environment before the files, the nearer place first."""
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    for provider in Container()[PluggableRunContext].providers.providers:
        for sections in places:
            value: Any = provider.get_value(name, str, None, *sections)[0]
            if value is not None and not isinstance(value, dict):
                return str(value)
    return None

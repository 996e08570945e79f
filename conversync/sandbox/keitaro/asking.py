"""What a request for rows asks: range, page, filters, sort. What is wrong with it is a `Refused`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from conversync.sandbox.keitaro.variants import Variants

GROUP_WORDS = ("grouping", "dimensions")
SUM_WORDS = ("metrics", "measures")
"""What the report is asked with, in the older and the newer word."""


class Refused(Exception):  # noqa: N818 - what the tracker does with a request, not an error of ours
    """The answer to a request that is wrong."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body)
        self.status = status
        self.body = body


@dataclass(frozen=True)
class Span:
    """`[start, end)` in UTC, None for an open side; `zone` is the asked one, for days and times."""

    start: datetime | None
    end: datetime | None
    zone: tzinfo

    def holds(self, instant: datetime) -> bool:
        """Is it in the range?"""
        return (self.start is None or self.start <= instant) and (self.end is None or instant < self.end)


@dataclass(frozen=True)
class Ask:
    """A request's body, understood. `limit` None is all there is."""

    span: Span
    limit: int | None
    offset: int
    columns: tuple[str, ...]
    grouping: tuple[str, ...]
    metrics: tuple[str, ...]
    filters: tuple[tuple[str, str, Any], ...]
    sort: tuple[tuple[str, bool], ...]
    """Names, and whether each descends."""
    unheard: bool
    """Were groups and sums asked for, and none of it in words that the tracker knows?"""


def zone_of(name: str) -> tzinfo:
    """An unknown zone is refused with 406."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise Refused(406, {"range": [f"Unknown timezone {name}"]}) from None


def body_of(body: bytes) -> dict[str, Any]:
    """The JSON object that was posted; anything else is a 400."""
    try:
        wish = json.loads(body or b"{}")
    except ValueError:
        wish = None
    if not isinstance(wish, dict):
        raise Refused(400, {"error": "The request body is not a JSON object"})
    return wish


def understood(body: bytes, variants: Variants, now: datetime) -> Ask:
    """Without a range everything is asked for; a limit of 0 is no limit."""
    wish = body_of(body)
    limit, offset = _whole(wish, "limit", variants.default_limit) or None, _whole(wish, "offset", 0)
    _refuse_beyond("limit", limit or 0, variants.limit_max, variants)
    _refuse_beyond("offset", offset + 1, variants.offset_limit, variants)
    span = _span(wish, variants, now)
    grouping, metrics = (_in_words(wish, pair, variants.report_words) for pair in (GROUP_WORDS, SUM_WORDS))
    heard = {"all": None, "first": 1, "none": 0}[variants.sorts]
    return Ask(
        span=span,
        limit=limit if limit is None else min(limit, variants.page_cap),
        offset=0 if variants.repeats == "first" else offset,
        columns=_names(wish, "columns"),
        grouping=grouping,
        metrics=metrics,
        filters=tuple(map(_filter, _list(wish, "filters"))),
        sort=tuple(map(_sort, _list(wish, "sort")))[:heard],
        unheard=not (grouping or metrics) and any(_names(wish, word) for word in (*GROUP_WORDS, *SUM_WORDS)),
    )


def _span(wish: Mapping[str, Any], variants: Variants, now: datetime) -> Span:
    """The range, Refused where it is longer than the tracker takes."""
    span = span_of(wish.get("range") or {"interval": "all_time"}, variants, now)
    if span.start is not None and span.end is not None:
        _refuse_beyond(
            "range", ceil((span.end - span.start) / timedelta(days=1)), variants.range_limit, variants
        )
    return span


FAILED = 500, {"error": "Internal Server Error"}
"""The answer of a tracker that gives no reason."""


def _refuse_beyond(name: str, asked: int, most: int, variants: Variants) -> None:
    """`most` 0 is no limit."""
    if most and asked > most:
        if variants.beyond_limits == "failed":
            raise Refused(*FAILED)
        raise Refused(406, {name: [f"must not be greater than {most}"]})


def _in_words(wish: Mapping[str, Any], pair: tuple[str, str], heard: str) -> tuple[str, ...]:
    """Names under the older word, the newer one, or both, as the tracker has it; other keys are dropped."""
    words = {"both": pair, "grouping": pair[:1], "dimensions": pair[1:]}[heard]
    return tuple(dict.fromkeys(name for word in words for name in _names(wish, word)))


def _whole(wish: Mapping[str, Any], name: str, default: int) -> int:
    value = wish.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Refused(406, {name: ["must be a whole number, 0 or more"]})
    return int(value)


def _list(wish: Mapping[str, Any], name: str) -> list[Any]:
    value = wish.get(name) or []
    if not isinstance(value, list):
        raise Refused(406, {name: ["must be an array"]})
    return value


def _names(wish: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(one) for one in _list(wish, name)))


def _filter(wish: Any) -> tuple[str, str, Any]:
    try:
        name, operator, expression = wish["name"], wish["operator"], wish.get("expression")
    except (TypeError, KeyError):
        raise Refused(406, {"filters": ["each has name, operator and expression"]}) from None
    if operator not in OPERATORS:
        raise Refused(400, {"error": f"Unknown operator: {operator}"})
    return name, operator, expression


def _sort(wish: Any) -> tuple[str, bool]:
    try:
        name, order = wish["name"], wish.get("order", "ASC")
    except (TypeError, KeyError):
        raise Refused(406, {"sort": ["each has name and order"]}) from None
    if str(order).upper() not in ("ASC", "DESC"):
        raise Refused(406, {"sort": ["order is ASC or DESC"]})
    return name, str(order).upper() == "DESC"


def span_of(wish: Any, variants: Variants, now: datetime) -> Span:
    """`from` and `to` are days or times in the asked zone, the last one included; or a named `interval`."""
    if not isinstance(wish, dict):
        raise Refused(406, {"range": ["must be an object"]})
    zone = zone_of(wish.get("timezone") or variants.zone)
    if wish.get("from") is None and wish.get("to") is None:
        return _interval(wish.get("interval") or "all_time", zone, now)
    start, end = wish.get("from"), wish.get("to")
    return Span(
        None if start is None else _instant(start, zone),
        None if end is None else _end(end, zone, inclusive=variants.to_inclusive),
        zone,
    )


def _instant(text: Any, zone: tzinfo) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
    except (TypeError, ValueError):
        raise Refused(406, {"range": [f"not a date: {text}"]}) from None


def _end(text: Any, zone: tzinfo, *, inclusive: bool) -> datetime:
    """A day covers itself to its end, or only its first second; a time covers its second or minute."""
    instant = _instant(text, zone)
    if len(text) == len("2026-01-31"):
        if not inclusive:
            return instant + timedelta(seconds=1)
        return _midnight(date.fromisoformat(text) + timedelta(days=1), zone)
    return (
        instant + timedelta(minutes=1)
        if len(text) == len("2026-01-31 12:00")
        else instant + timedelta(seconds=1)
    )


def _interval(name: str, zone: tzinfo, now: datetime) -> Span:
    """The named ranges that end today, and yesterday."""
    today = now.astimezone(zone).date()
    begins: dict[str, date] = {
        "today": today,
        "yesterday": today - timedelta(days=1),
        "7_days_ago": today - timedelta(days=7),
        "first_day_of_this_month": today.replace(day=1),
        "1_month_ago": today - timedelta(days=30),
        "first_day_of_this_year": today.replace(month=1, day=1),
        "1_year_ago": today - timedelta(days=365),
    }
    if name == "all_time":
        return Span(None, None, zone)
    if name not in begins:
        raise Refused(400, {"error": f"Unknown interval: {name}"})
    last = today if name == "yesterday" else today + timedelta(days=1)
    return Span(_midnight(begins[name], zone), _midnight(last, zone), zone)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise Refused(400, {"error": f"Not a number: {value}"}) from None


def _texts(expression: Any) -> set[str]:
    return {str(one) for one in (expression if isinstance(expression, list) else [expression])}


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "EQUALS": lambda have, want: str(have) == str(want),
    "NOT_EQUAL": lambda have, want: str(have) != str(want),
    "IN_LIST": lambda have, want: str(have) in _texts(want),
    "NOT_IN_LIST": lambda have, want: str(have) not in _texts(want),
    "CONTAINS": lambda have, want: str(want) in str(have),
    "NOT_CONTAIN": lambda have, want: str(want) not in str(have),
    "BEGINS_WITH": lambda have, want: str(have).startswith(str(want)),
    "ENDS_WITH": lambda have, want: str(have).endswith(str(want)),
    "MATCH_REGEXP": lambda have, want: re.search(str(want), str(have)) is not None,
    "GREATER_THAN": lambda have, want: have is not None and _number(have) > _number(want),
    "LESS_THAN": lambda have, want: have is not None and _number(have) < _number(want),
    "EQUALS_OR_GREATER_THAN": lambda have, want: have is not None and _number(have) >= _number(want),
    "EQUALS_OR_LESS_THAN": lambda have, want: have is not None and _number(have) <= _number(want),
}

"""Conversion rates and times as the vendor's document describes them: questions, answers, rows.

The document's table and its samples differ in names (`startTagTimeFrame`, `startTimeFrame`); both are read.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import pendulum
from pendulum import DateTime

from conversync.errors import InvalidResponseError, TooLongError
from conversync.extract.decoded import Rejected, note_names
from conversync.extract.field_kinds import INTEGER, TEXT
from conversync.extract.fields import Fields
from conversync.extract.page_decoder import dumps
from conversync.extract.times import read
from conversync.extract.values import is_blank, number, trimmed
from conversync.extract.windows import DAY, Window
from conversync.http.body_status import BodyStatusError, refuse_error, rows_of
from conversync.http.client import Response
from conversync.http.strictjson import Row
from conversync.types import Document

from .pairs import Pair

BY_DATE = "conversion-rate"
AVERAGE = "average-conversion-rate"
# A user counts as converted by a day's start tag if the end tag came within so many days.
CONVERTS_WITHIN = pendulum.duration(days=30)
# How many days the trailing average covers, the last one included.
TRAILING_DAYS = 30
# Of an answer: all of it is in memory together, and a month of days is 10 KB.
MOST_BYTES = 8 * 1024 * 1024
MILLISECOND = pendulum.duration(milliseconds=1)
# An end that is written as the last millisecond of a day is that day's end.
SLACK = pendulum.duration(seconds=1)

_LIKE = "2014-09-10T15:55:09.647+0200"
# JSON has no NaN; servers that divide by zero write it all the same, bare or in quotes.
_NOT_A_RATE = re.compile(rb'("conversionRate"\s*:\s*)(?:-?NaN|[+-]?Infinity|"-?NaN"|"[+-]?Infinity")')
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


class Instant:
    """A time with its offset, `2014-09-10T15:55:09.647+0200` (a colon or Z will do), as UTC."""

    def strict(self, value: object) -> datetime | None:
        if is_blank(value):
            return None
        found = read(str(trimmed(value)), _LIKE)
        if found.tzinfo is None:
            raise ValueError(f"is not a time like {_LIKE}")
        try:
            return found.astimezone(UTC)
        except OverflowError:
            raise ValueError("is a time that does not exist") from None


class Count:
    """How often: a whole number, zero or more."""

    def strict(self, value: object) -> int | None:
        count = INTEGER.strict(value)
        if count is not None and count < 0:
            raise ValueError("is negative")
        return count


class Measure:
    """A number, zero or more, as the double that the document speaks of; or its text."""

    def strict(self, value: object) -> float | None:
        if is_blank(value):
            return None
        measure = number(value)
        if not 0 <= measure < 10**18:
            raise ValueError("is negative, or larger than anything that is counted")
        return float(measure)


class Anything:
    """Whatever came."""

    def strict(self, value: object) -> Any:
        return value


INSTANT, COUNT, MEASURE, ANYTHING = Instant(), Count(), Measure(), Anything()


class Frame(NamedTuple):
    """What an average is counted over: start tags in `[start_from, start_to)`, end tags in `[end_from, end_to)`."""

    start_from: datetime
    start_to: datetime
    end_from: datetime
    end_to: datetime

    @property
    def params(self) -> dict[str, str]:
        """All of it as the document's parameters.

        Whether `to` belongs to a window is not known, so its last millisecond is asked for: what happens at the
        stroke of midnight (a scheduled message) is then in one day under either reading.
        """
        return {
            "from": stamp(self.start_from),
            "to": stamp(self.start_to - MILLISECOND),
            "end-tag-from": stamp(self.end_from),
            "end-tag-to": stamp(self.end_to - MILLISECOND),
        }


@dataclass
class Rows:
    """What answers came to: rows for the table, what was set aside, and how many items came."""

    good: list[Document] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    received: int = 0
    superseded: int = 0


def stamp(instant: datetime) -> str:
    """An instant as the vendor writes it: `2014-09-10T13:55:09.647+0000`."""
    return pendulum.instance(instant).in_timezone("UTC").format("YYYY-MM-DD[T]HH:mm:ss.SSSZZ")


def midnight(day: date) -> DateTime:
    """The first instant of a UTC day."""
    return pendulum.datetime(day.year, day.month, day.day)


def by_date_params(window: Window) -> dict[str, str]:
    """`[start, end + 1 day)`, so that the last day is whole whether or not the server takes `to` in."""
    return {"from": stamp(midnight(window.start)), "to": stamp(midnight(window.end) + DAY)}


def frames(window: Window, *, trailing: bool) -> list[Frame]:
    """One frame for each day, and one for the `TRAILING_DAYS` up to the last day's end."""
    starts = [midnight(day) for day in window.each_day()]
    found = [Frame(start, start + DAY, start, start + CONVERTS_WITHIN) for start in starts]
    if trailing:
        end = starts[-1] + DAY
        begin = end - DAY * TRAILING_DAYS
        found.append(Frame(begin, end, begin, end))
    return found


def rates(answer: Response, pair: Pair, window: Window) -> Rows:
    """The buckets of `conversion-rate` as rows of `conversion_rates`, one for each day of the window at most.

    A bucket is a day in UTC, in whatever offset it is written; where there is null in place of the buckets, or nothing,
    there is no row. The one after the last day, which a server may add that takes `to` in, is left out.
    InvalidResponseError where the granulation is no day.
    """
    envelope, items = _buckets(_rated(answer))
    granulation = str(envelope.pop("granulation", None) or "DAY")
    if "day" not in granulation.casefold():
        raise InvalidResponseError(
            f"Infobip counted {pair} by {granulation[:40]} where days were expected: ask the vendor what changed."
        )
    found = Rows(received=len(items))
    days: dict[date, tuple[Document, str]] = {}
    for item in items:
        try:
            row = _bucket(Fields({**envelope, **item.sound()}), window)
        except ValueError as reason:
            found.rejected.append(Rejected(item.raw, str(reason)))
            continue
        if row is not None:
            row |= {**pair._asdict(), "granulation": granulation}
            _keep(days, row, item.raw, found)
    for row, _ in days.values():
        note_names(found.unknown, row.pop("unknown"))
        found.good.append(row)
    return found


def times(answer: Response, pair: Pair, asked: Frame, today: date) -> Rows:
    """The answer of `average-conversion-rate` as a row of `conversion_times`, under the windows that were counted."""
    document = _rated(answer).row()
    refuse_error(document.value)
    if document.value is not None and not document.value.keys() & {
        "conversionRateStats",
        "averageConversionTime",
    }:
        raise InvalidResponseError("Infobip answered without conversionRateStats: is infobip_url right?")
    found = Rows(received=1)
    try:
        fields = Fields(document.sound())
        start = _answered(fields.inside("startTagTimeFrame", "startTimeFrame"), asked[:2], today)
        end = _answered(fields.inside("endTagTimeFrame", "endTimeFrame"), asked[2:], today)
        row = {**pair._asdict(), **Frame(*start, *end)._asdict(), **_figures(fields)}
        whole_days = (start[1] - start[0]) / DAY
        row["window_days"] = int(whole_days) if whole_days.is_integer() else None
        note_names(found.unknown, row.pop("unknown"))
        found.good.append(row)
    except ValueError as reason:
        found.rejected.append(Rejected(document.raw, str(reason)))
    return found


def _buckets(answer: Response) -> tuple[Document, list[Row]]:
    """The document around the buckets, and these. One that leaves them out must be no other document."""
    try:
        return rows_of(answer, "conversionRates")
    except BodyStatusError:
        raise
    except InvalidResponseError:
        document = answer.json()
        if not isinstance(document, dict) or document.pop("conversionRates", None) is not None:
            raise
        if document and "granulation" not in document:
            raise
        return document, []


def _rated(answer: Response) -> Response:
    """The answer with null for every rate that is no number. TooLongError where it is none about days."""
    if len(answer.body) > MOST_BYTES:
        raise TooLongError(
            f"Infobip answered with more than the {MOST_BYTES // 2**20} MB that statistics of days may take: ask it "
            "what changed."
        )
    return replace(answer, body=_NOT_A_RATE.sub(rb"\1null", answer.body))


def _bucket(fields: Fields, window: Window) -> Document | None:
    """One day of the window; None for the day after it. ValueError for anything else."""
    frame = fields.inside("startTimeFrame", "startTagTimeFrame")
    start, end = frame.need(INSTANT, "from"), frame.take(INSTANT, "to")
    if start != midnight(start) or not start < (end or start + DAY) <= start + DAY:
        raise ValueError("startTimeFrame is not a day in UTC")
    ends = fields.inside("endTimeFrame", "endTagTimeFrame")
    row = {
        "day": start.date(),
        "start_frame_from": start,
        "start_frame_to": end,
        "end_frame_from": ends.take(INSTANT, "from"),
        "end_frame_to": ends.take(INSTANT, "to"),
        **_figures(fields),
    }
    for name, count in (("startCount", row["start_count"]), ("endCount", row["end_count"])):
        if count is None:
            raise ValueError(f"conversionRateStats.{name} is missing")
    if row["day"] == window.end + DAY:
        return None
    if not window.start <= row["day"] <= window.end:
        raise ValueError("the day lies outside those that were asked for")
    return row


def _figures(fields: Fields) -> Document:
    """What both answers say: counts, rate and average time; a zero start count has no rate, whatever came."""
    stats, average = fields.inside("conversionRateStats"), fields.inside("averageConversionTime")
    start_count, end_count = stats.take(COUNT, "startCount"), stats.take(COUNT, "endCount")
    amount, unit = average.take(MEASURE, "time"), average.take(TEXT, "timeUnit")
    row = {
        "start_count": start_count,
        "end_count": end_count,
        "conversion_rate": _rate(stats, start_count, end_count),
        "average_seconds": _seconds(amount, unit),
        "average_time": amount,
        "time_unit": unit,
        "answered_start_tag": fields.take(TEXT, "startTag"),
        "answered_end_tag": fields.take(TEXT, "endTag"),
    }
    rest = fields.rest()
    return {**row, "extra": dumps(rest) if rest else None, "unknown": fields.unknown()}


def _rate(stats: Fields, start_count: int | None, end_count: int | None) -> float | None:
    """The rate; what follows from the counts where none came that can be read, which then stays among the rest."""
    served = stats.take(ANYTHING, "conversionRate")
    if start_count == 0:
        return None
    try:
        rate = None if served is None else MEASURE.strict(served)
    except ValueError as reason:
        if start_count is None or end_count is None:
            raise ValueError(f"conversionRateStats.conversionRate {reason}") from None
        stats.keep("conversionRate", served)
        rate = None
    if rate is None and start_count is not None and end_count is not None:
        return end_count / start_count
    return rate


def _seconds(amount: float | None, unit: str | None) -> float | None:
    """An average time in seconds: SECONDS, minutes, Hours and days, in whatever letters."""
    if amount is None:
        return None
    factor = _SECONDS.get((unit or "").strip().casefold().removesuffix("s"))
    if factor is None:
        raise ValueError("averageConversionTime.timeUnit is neither seconds, minutes, hours nor days")
    return amount * factor


def _answered(frame: Fields, asked: tuple[datetime, datetime], today: date) -> tuple[datetime, datetime]:
    """The window that was counted: the one asked for, also where its end is cut to now; else what the answer says."""
    start, end = frame.take(INSTANT, "from") or asked[0], frame.take(INSTANT, "to") or asked[1]
    now_or_so = midnight(today) < end < min(asked[1], midnight(today) + DAY)
    return asked if start == asked[0] and (now_or_so or abs(end - asked[1]) <= SLACK) else (start, end)


def _keep(days: dict[date, tuple[Document, str]], row: Document, raw: str, found: Rows) -> None:
    """Keeps one row a day: counts only grow, so of two contents the greater; the other is set aside."""
    kept = days.get(row["day"])
    if kept is None:
        days[row["day"]] = row, raw
    elif kept[1] != raw:
        (_, lost), winner = sorted([kept, (row, raw)], key=_counts)
        days[row["day"]] = winner
        found.superseded += 1
        found.rejected.append(
            Rejected(lost, f"superseded: another row of {row['day']} counts more, and was kept")
        )


def _counts(kept: tuple[Document, str]) -> tuple[int, int, str]:
    return kept[0]["start_count"], kept[0]["end_count"], kept[1]

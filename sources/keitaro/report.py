"""The report, `POST /admin_api/v1/report/build`: clicks, conversions and money by day and whatever else is asked.

A conversion counts on the day of its click, so past days change for as long as conversions come and are restated.
Whole days are replaced. Groupings and metrics that the tracker does not know are silently left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from conversync.errors import InvalidResponseError
from conversync.extract.columns import digest
from conversync.extract.declared import Column, Table
from conversync.extract.field_kinds import FieldType
from conversync.extract.page_decoder import Field, PageDecoder, fields_of
from conversync.extract.pagination import Page, PagedListing
from conversync.extract.windows import Window
from conversync.http.client import Response
from conversync.types import Document, Row

from .kinds import DAY, FIGURE, IDENTITY, MEASURE, REFERENCE
from .tables import CLEARED, REPORT_DAILY
from .tracker import Sample, Tracker, TurnedDownError, beside, page, sample, tells_whole

PATH = "/report/build"
# What a tracker calls the groupings and the metrics that are asked for; some hear only the second pair of words.
WORDS = (("grouping", "metrics"), ("dimensions", "measures"))
DAY_COLUMN = "day"
GROUPING = REPORT_DAILY.key
METRICS = tuple(one.name for one in REPORT_DAILY.served if one.name not in GROUPING)
# Groupings that name an entry of a list; any other is text.
REFERENCES = {
    f"{thing}_id"
    for thing in ("campaign", "campaign_group", "offer", "affiliate_network", "ts", "landing", "stream")
}
# Metrics that are sums of money; a rate, or an average, is no amount.
_AMOUNT = re.compile("revenue|cost|profit")
# Metrics that count; any other is a decimal(18,6).
COUNTS = {
    "clicks",
    "bots",
    "conversions",
    "leads",
    "sales",
    "rejected",
    "rebills",
    "deposits",
    "registrations",
    "trash",
}
RESERVED = {CLEARED, "extra", "event_key", "statement_hash"}


@dataclass(frozen=True)
class Report:
    """What is asked for: `grouping` begins with the day."""

    grouping: tuple[str, ...]
    metrics: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All that a row has."""
        return (*self.grouping, *self.metrics)

    @property
    def table(self) -> Table:
        """The table `report_daily` of these columns."""
        own = [
            Column(
                name,
                _kind(name, name in self.grouping),
                REPORT_DAILY.said.get(name, ""),
                required=name == DAY_COLUMN,
            )
            for name in self.columns
        ]
        return replace(REPORT_DAILY, columns=(*own, *REPORT_DAILY.named("extra", CLEARED)), key=self.grouping)

    @property
    def schema(self) -> pa.Schema:
        """Its columns as Arrow's."""
        return self.table.schema

    @property
    def fields(self) -> list[Field]:
        """How a row is decoded."""
        return fields_of(self.table.served)


def _kind(name: str, grouping: bool) -> FieldType:
    if name == DAY_COLUMN:
        return DAY
    if grouping:
        return REFERENCE if name in REFERENCES else IDENTITY
    if name in COUNTS or name.endswith("_clicks"):
        return REFERENCE
    return FIGURE if _AMOUNT.search(name) else MEASURE


def question(
    window: Window, report: Report, zone: str, limit: int, offset: int, words: tuple[str, str] = WORDS[0]
) -> Document:
    """The body of a request for the window's days in `zone`, and the day after them.

    Whether `to` covers its whole day is not known; asking for one day more, and leaving it off again, covers the
    window's last day either way.
    """
    return {
        "range": {"from": str(window.start), "to": str(window.end.add(days=1)), "timezone": zone},
        words[0]: list(report.grouping),
        words[1]: list(report.metrics),
        "sort": [{"name": name, "order": "ASC"} for name in report.grouping],
        "limit": limit,
        "offset": offset,
    }


@dataclass(frozen=True)
class Agreed:
    """What a tracker was found to answer: the metrics that it leaves out, the other keys of its envelope, and
    whether its `total` is known to count all groups. `words` are those of `WORDS` that it hears, `proven` by a row.
    """

    left_out: tuple[str, ...]
    envelope: tuple[str, ...]
    whole: bool
    words: tuple[str, str]
    proven: bool


@dataclass(frozen=True)
class Heard:
    """What an answer to some words came to: `lost` groupings, which it lacks; `before`: the words brought rows once."""

    agreed: Agreed
    lost: tuple[str, ...]
    before: bool

    @staticmethod
    def of(shown: Sample, report: Report, words: tuple[str, str], *, before: bool) -> Heard:
        """The answer of one row, or none."""
        absent = [name for name in report.columns if name not in shown.rows[0]] if shown.rows else []
        left_out = tuple(name for name in absent if name in report.metrics)
        agreed = Agreed(left_out, beside(shown.envelope), tells_whole(shown, 1), words, bool(shown.rows))
        return Heard(agreed, tuple(name for name in absent if name in report.grouping), before)

    def is_enough(self, report: Report) -> bool:
        """Whether no other words need be tried: a row shows what was asked for, or the days have none as often."""
        if not self.agreed.proven:
            return self.before
        return not self.lost and (not report.metrics or len(self.agreed.left_out) < len(report.metrics))

    def rank(self, report: Report) -> tuple[int, int]:
        """Of answers that are not enough, the least is believed: a whole one of words that surely were heard comes
        first, then what shows some of the columns, for a row without a single one says only that they were not heard.
        """
        if not self.lost:
            return (0 if self.agreed.proven or self.before else 2), 0
        shows_some = len(self.lost) + len(self.agreed.left_out) < len(report.columns)
        return (1 if shows_some else 3), len(self.lost)


def agree(
    tracker: Tracker, window: Window, report: Report, zone: str, known: Sequence[str] | None = None
) -> Agreed:
    """Looks at one row, asked for in the words that are `known` to work, and where they bring nothing in the others.

    Raises InvalidResponseError if the row lacks a grouping, for its figures would not be what was asked for; and the
    tracker's refusal, if it refuses both.
    """
    heard: list[Heard] = []
    refusals: list[TurnedDownError] = []
    for words in sorted(WORDS, key=lambda words: list(words) != list(known or WORDS[0])):
        try:
            shown = tracker.post(PATH, question(window, report, zone, 1, 0, words), sample)
        except TurnedDownError as refusal:
            if refusal.status not in (400, 406):
                raise
            refusals.append(refusal)
            continue
        heard.append(Heard.of(shown, report, words, before=list(words) == list(known or ())))
        if heard[-1].is_enough(report):
            return heard[-1].agreed
    if not heard:
        raise refusals[0]
    best = min(heard, key=lambda one: one.rank(report))
    if best.lost:
        raise InvalidResponseError(
            f"Keitaro's report leaves out the grouping {', '.join(best.lost)}, so its days cannot be replaced: check "
            "keitaro_report_grouping."
        )
    return best.agreed


def listing(
    tracker: Tracker,
    report: Report,
    agreed: Agreed,
    window: Window,
    limit: int,
    *,
    concurrency: int,
    zone: str,
    on_page: Callable[[int, int], None],
) -> PagedListing:
    """The window's groups, `limit` a page; a tracker that does not page its report gives them all at once."""
    decoder = PageDecoder(
        report.fields, rows="rows", beside=agreed.envelope, check=_anything, check_table=lambda _table: True
    )

    def ask(number: int, retry: bool, step: int) -> Page:
        asked = question(window, report, zone, limit, (number - 1) * step, agreed.words)
        return tracker.post(PATH, asked, partial(_page, decoder=decoder, whole=agreed.whole), retry=retry)

    return PagedListing(
        what=f"Keitaro report of {window}",
        ask=ask,
        derive=partial(_groups, report=report),
        size=limit,
        concurrency=concurrency,
        on_page=on_page,
        by_offset=True,
    )


def _anything(_values: Row) -> None:
    """Any row that decodes is right."""


def _page(answer: Response, decoder: PageDecoder, *, whole: bool) -> Page:
    return page(decoder.decode(answer.body), whole=whole)


def _groups(rows: pa.Table, report: Report) -> pa.Table:
    """Decoded rows with the `event_key` and the `statement_hash` that a walk asks for."""
    keyed = rows.append_column("event_key", digest(rows, report.grouping))
    return keyed.append_column("statement_hash", digest(rows, report.columns))


def whole_days(groups: Iterable[pa.Table], window: Window, report: Report) -> Iterator[pa.Table]:
    """The rows of the window's days as `report.schema`, and for each day without any, the row that clears it."""
    seen: set[date] = set()
    for table in groups:
        inside = pc.and_(
            pc.greater_equal(table[DAY_COLUMN], pa.scalar(window.start)),
            pc.less_equal(table[DAY_COLUMN], pa.scalar(window.end)),
        )
        kept = table.filter(inside).drop_columns(["event_key", "statement_hash"])
        seen.update(pc.unique(kept[DAY_COLUMN]).to_pylist())
        yield kept.append_column(CLEARED, pa.nulls(kept.num_rows, pa.bool_())).cast(report.schema)
    empty = [{DAY_COLUMN: day, CLEARED: True} for day in window.each_day() if day not in seen]
    yield pa.Table.from_pylist(empty, schema=report.schema)


def asked_for(grouping: Sequence[str], metrics: Sequence[str]) -> Report:
    """The report of these settings; the day leads, whether it was named or not."""
    others = [name for name in dict.fromkeys(grouping) if name != DAY_COLUMN]
    return Report((DAY_COLUMN, *others), tuple(dict.fromkeys(metrics)))

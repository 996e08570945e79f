"""The report, `POST /admin_api/v1/report/build`: clicks, conversions and money by day and whatever else is asked.

A conversion counts on the day of its click, so past days change for as long as conversions come and are restated.
Whole days are replaced. Groupings and metrics that the tracker does not know are silently left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from conversync.errors import InvalidResponseError
from conversync.extract.columns import digest
from conversync.extract.kinds import FieldType
from conversync.extract.page_decoder import Field, PageDecoder
from conversync.extract.pagination import Page, PagedListing
from conversync.extract.windows import Window
from conversync.http.client import Response

from .kinds import DAY, FIGURE, IDENTITY, MEASURE, REFERENCE
from .tracker import Pages, Sample, Tracker, TurnedDownError, beside, page, sample, tells_whole

PATH = "/report/build"
# What a tracker calls the groupings and the metrics that are asked for; some hear only the second pair of words.
WORDS = (("grouping", "metrics"), ("dimensions", "measures"))
DAY_COLUMN = "day"
# A day that became empty has one row with this set, which clears it and is not stored.
CLEARED = "is_cleared"

GROUPING = ("day", "campaign_id")
METRICS = ("clicks", "conversions", "revenue", "cost")
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
    def schema(self) -> pa.Schema:
        """The table `report_daily`."""
        declared = ((field.name, field.kind.arrow) for field in self.fields)
        return pa.schema([*declared, ("extra", pa.string()), (CLEARED, pa.bool_())])

    @property
    def fields(self) -> list[Field]:
        """How a row is decoded."""
        return [Field(name, _kind(name, name in self.grouping), name == DAY_COLUMN) for name in self.columns]


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
) -> dict[str, Any]:
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


def agree(
    tracker: Tracker, window: Window, report: Report, zone: str, known: Sequence[str] | None = None
) -> Agreed:
    """Looks at one row, asked for in the words that are `known` to work, and where they bring nothing in the others.

    Raises InvalidResponseError if the row lacks a grouping, for its figures would not be what was asked for; and the
    tracker's refusal, if it refuses both.
    """
    heard: list[tuple[Agreed, list[str]]] = []
    refusals: list[TurnedDownError] = []
    for words in sorted(WORDS, key=lambda words: list(words) != list(known or WORDS[0])):
        try:
            shown = tracker.post(PATH, question(window, report, zone, 1, 0, words), sample)
        except TurnedDownError as refusal:
            if refusal.status not in (400, 406):
                raise
            refusals.append(refusal)
            continue
        agreed, lost = _heard(shown, report, words)
        if agreed.proven and not lost and (len(agreed.left_out) < len(report.metrics) or not report.metrics):
            return agreed
        if not shown.rows and list(words) == list(known or ()):
            return agreed  # words that brought a row before, and days without one
        heard.append((agreed, lost))
    if not heard:
        raise refusals[0]
    # No row, or none of the metrics. What is shown is believed, then words that worked before, then any that are heard.
    whole = [agreed for agreed, lost in heard if not lost]
    surely = [agreed for agreed in whole if agreed.proven or list(agreed.words) == list(known or ())]
    # A row without a single column says only that the words were not heard.
    partly = [
        lost for agreed, lost in heard if lost and len(lost + list(agreed.left_out)) < len(report.columns)
    ]
    if surely or (whole and not partly):
        return (surely or whole)[0]
    lost = min(partly or [lost for _, lost in heard], key=len)
    raise InvalidResponseError(
        f"Keitaro's report leaves out the grouping {', '.join(lost)}, so its days cannot be replaced: check "
        "keitaro_report_grouping."
    )


def _heard(shown: Sample, report: Report, words: tuple[str, str]) -> tuple[Agreed, list[str]]:
    """What an answer to these words came to, and the groupings that it lacks."""
    absent = [name for name in report.columns if name not in shown.rows[0]] if shown.rows else []
    left_out = tuple(name for name in absent if name in report.metrics)
    agreed = Agreed(left_out, beside(shown.envelope), tells_whole(shown, 1), words, bool(shown.rows))
    return agreed, [name for name in absent if name in report.grouping]


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

    def ask(offset: int, retry: bool) -> Page:
        asked = question(window, report, zone, limit, offset, agreed.words)
        return tracker.post(PATH, asked, partial(_page, decoder=decoder, whole=agreed.whole), retry=retry)

    return PagedListing(
        what=f"Keitaro report of {window}",
        ask=Pages(ask).fetch,
        derive=partial(_groups, report=report),
        size=limit,
        concurrency=concurrency,
        on_page=on_page,
    )


def _anything(_values: Mapping[str, Any]) -> None:
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


def hints() -> dict[str, Any]:
    """The hints of `report_daily`: the days that come are replaced whole."""
    return {
        "write_disposition": {"disposition": "merge", "strategy": "delete-insert"},
        "merge_key": DAY_COLUMN,
        "columns": {"extra": {"data_type": "json"}, CLEARED: {"hard_delete": True}},
        "schema_contract": {"data_type": "freeze"},
    }


def asked_for(grouping: Sequence[str], metrics: Sequence[str]) -> Report:
    """The report of these settings; the day leads, whether it was named or not."""
    others = [name for name in dict.fromkeys(grouping) if name != DAY_COLUMN]
    return Report((DAY_COLUMN, *others), tuple(dict.fromkeys(metrics)))

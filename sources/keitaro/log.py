"""The conversions log, `POST /admin_api/v1/conversions/log`: its columns, its pages, and what a row states.

Only the columns that are asked for come back. A column that the tracker does not know is refused by name, one
that it knows may still not be returned. Newer trackers call a conversion's id `event_id` and its time `datetime`,
older ones `conversion_id` and `postback_datetime`. A conversion that is posted again keeps its id and moves its
time to now, and the range goes by that time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from conversync.errors import InvalidResponseError
from conversync.extract.columns import digest, local_day
from conversync.extract.declared import PAGE
from conversync.extract.decoded import Decoded
from conversync.extract.page_decoder import Field, PageDecoder, fields_of
from conversync.extract.pagination import Page, PagedListing
from conversync.extract.times import moments, plainly
from conversync.extract.windows import Window
from conversync.http.client import Response
from conversync.types import Document, Row

from . import statuses
from .kinds import IDENTITY, MOMENT
from .tables import CONVERSION_EVENTS
from .tracker import Sample, Tracker, TurnedDownError, beside, page, sample, tells_whole

PATH = "/conversions/log"
# Whichever comes back is the key; where both do, the first.
IDS = ("event_id", "conversion_id")
# Rows that are looked at to learn which columns and which id come back.
SAMPLE = 20

FIELDS = (
    *(Field(name, IDENTITY) for name in IDS),
    Field("datetime", MOMENT),
    Field("postback_datetime", MOMENT),
    Field("click_datetime", MOMENT),
    Field("sale_datetime", MOMENT),
    *fields_of(CONVERSION_EVENTS.served),
)
COLUMNS = tuple(one.name for one in FIELDS)
# The conversion's present time, by whichever name it comes.
TIMES = ("datetime", "postback_datetime")

STATEMENTS = CONVERSION_EVENTS.schema
# What a statement says: every column that we know. The instant stands for its text; other columns never make a
# new statement.
_OF_THE_READING = {"statement_hash", "valid_from", "valid_to", PAGE.name}
_NOT_STATED = {"date_time", "occurred_on", "extra", *_OF_THE_READING}
_STATED = [name for name in STATEMENTS.names if name not in _NOT_STATED]
# How a row that lost against another is shown.
SHOWN = [name for name in STATEMENTS.names if name not in _OF_THE_READING]

NO_ID = f"neither {IDS[0]} nor {IDS[1]} is there"


@dataclass(frozen=True)
class Agreed:
    """What a tracker was found to answer: columns it takes, those it does not know, and how its rows are decoded.

    `whole`: is `total` known to count all rows? `answer` is the first one without a refusal, of some `SAMPLE` rows.
    `strange` gathers, page by page, the statuses of no kind that we know.
    """

    columns: tuple[str, ...]
    unknown: tuple[str, ...]
    sort: str
    decoder: PageDecoder
    whole: bool
    answer: Response
    strange: set[str] = field(default_factory=set)


def question(
    window: Window,
    columns: Sequence[str],
    sort: str | None,
    limit: int,
    offset: int = 0,
    *,
    newest_first: bool = False,
) -> Document:
    """The body of a request for the window's days in UTC, both included, in an order that does not change."""
    order = [{"name": sort, "order": "DESC" if newest_first else "ASC"}] if sort else []
    return {
        "range": {"from": str(window.start), "to": str(window.end), "timezone": "UTC"},
        "columns": list(columns),
        "sort": order,
        "limit": limit,
        "offset": offset,
    }


def agree(tracker: Tracker, window: Window, wanted: Sequence[str]) -> Agreed:
    """Asks for the wanted columns, less each one that is refused by name, until the tracker answers.

    Raises InvalidResponseError if no id of a conversion comes back, and RequestRejectedError if the tracker refuses for
    another reason than a column.
    """

    def ask(columns: Sequence[str], sort: str | None) -> tuple[Response, Sample]:
        asked = question(window, columns, sort, SAMPLE)
        return tracker.post(PATH, asked, lambda answer: (answer, sample(answer)))

    columns = list(dict.fromkeys((*IDS, *wanted)))
    known: set[str] = set()
    while True:
        sort = next((name for name in IDS if name in columns), None)
        try:
            answer, shown = ask(columns, sort)
            break
        except TurnedDownError as refusal:
            unknown = _refused(refusal, columns, known, ask)
            if unknown is None:
                raise
            columns.remove(unknown)
    dropped = tuple(name for name in dict.fromkeys((*IDS, *wanted)) if name not in columns)
    return Agreed(
        columns=tuple(columns),
        unknown=dropped,
        sort=_identity(columns, shown.rows),
        decoder=_decoder(columns, beside(shown.envelope)),
        whole=tells_whole(shown, SAMPLE),
        answer=answer,
    )


def _refused(
    refusal: TurnedDownError,
    columns: Sequence[str],
    known: set[str],
    ask: Callable[[Sequence[str], str | None], object],
) -> str | None:
    """The column that a refusal is about; None if it is about none.

    A refusal may name several columns, and some trackers print all that they do know: then each is asked for alone.
    An id is always asked for alone, since it may have been refused as what to sort by.
    """
    if refusal.status not in (400, 406):
        return None
    places = {
        name: re.search(rf"(?<![\w.]){name}(?!\w|\.\w)", refusal.said)
        for name in columns
        if name not in known
    }
    named = sorted((place.start(), name) for name, place in places.items() if place)
    if len(named) == 1 and named[0][1] not in IDS:
        return named[0][1]
    for _, name in named:
        try:
            ask([name], None)
        except TurnedDownError:
            return name
        known.add(name)
    return None


def _identity(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """The id to sort by: one that the tracker takes as a column, if possible one that the rows have."""
    present = {name for row in rows for name in IDS if row.get(name) is not None}
    taken = [name for name in IDS if name in columns]
    if (rows and not present) or not taken:
        raise InvalidResponseError(_NO_ID_AT_ALL)
    return next(filter(present.__contains__, taken), taken[0])


_NO_ID_AT_ALL = (
    f"Keitaro returns conversions with neither {IDS[0]} nor {IDS[1]}, so they cannot be told apart: "
    "check the tracker's version, and that the API key may read those columns."
)


def _decoder(columns: Sequence[str], envelope: Sequence[str]) -> PageDecoder:
    """For rows of these columns, and of both ids and times, whichever was asked for; any other ends in `extra`."""
    return PageDecoder(
        [one for one in FIELDS if one.name in (*IDS, *TIMES, *columns)],
        rows="rows",
        beside=envelope,
        check=_has_id,
        check_table=lambda table: _ids(table).null_count == 0,
    )


def _has_id(values: Row) -> None:
    if all(values.get(name) is None for name in IDS):
        raise ValueError(NO_ID)


def _ids(rows: pa.Table) -> pa.ChunkedArray:
    return pc.coalesce(*(rows[name] for name in IDS if name in rows.column_names))


def listing(
    tracker: Tracker,
    agreed: Agreed,
    window: Window,
    limit: int,
    *,
    concurrency: int,
    zone: tzinfo,
    on_page: Callable[[int, int], None],
) -> PagedListing:
    """The window's conversions, `limit` a page. `zone` gives `occurred_on`."""

    def ask(number: int, retry: bool, step: int) -> Page:
        asked = question(window, agreed.columns, agreed.sort, limit, (number - 1) * step)
        return tracker.post(PATH, asked, partial(_page, agreed=agreed), retry=retry)

    return PagedListing(
        what=f"Keitaro conversions of {window}",
        ask=ask,
        derive=partial(statements, zone=zone),
        size=limit,
        concurrency=concurrency,
        on_page=on_page,
        by_offset=True,
        overlaps=True,
    )


def _page(answer: Response, agreed: Agreed) -> Page:
    return page(understand(answer, agreed), whole=agreed.whole)


def understand(answer: Response, agreed: Agreed) -> Decoded:
    """A page's rows; InvalidResponseError where not one of them has an id."""
    decoded = agreed.decoder.decode(answer.body)
    # A person asked for these: they are no news.
    decoded.unknown = Counter({n: c for n, c in decoded.unknown.items() if n not in agreed.columns})
    if not decoded.table.num_rows and any(bad.reason == NO_ID for bad in decoded.rejected):
        raise InvalidResponseError(_NO_ID_AT_ALL)
    agreed.strange.update(statuses.unknown(_words(decoded.table)))
    return decoded


def _words(rows: pa.Table) -> Iterator[tuple[str | None, str | None]]:
    """The (conversion_type, status) that a page's rows have, each once."""
    words = [
        rows[name] if name in rows.column_names else pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])
        for name in ("conversion_type", "status")
    ]
    found = pa.table(words, names=["conversion_type", "status"]).group_by(["conversion_type", "status"])
    yield from zip(*found.aggregate([]).to_pydict().values(), strict=True)


def statements(rows: pa.Table, zone: tzinfo) -> pa.Table:
    """Decoded rows, with times in UTC, as `STATEMENTS`; columns that did not come are null."""
    served = {name: rows[name] for name in rows.column_names}
    columns = dict(served)
    columns["conversion_id"] = _ids(rows)
    times = [served[name] for name in TIMES if name in served]
    columns["date_time"] = pc.coalesce(*times) if times else None
    columns["occurred_at"] = _instant(columns["date_time"])
    for name in ("click_datetime", "sale_datetime"):
        columns[name] = _instant(served.get(name))
    full = {one.name: _or_null(columns.get(one.name), one.type, rows.num_rows) for one in STATEMENTS}
    full["occurred_on"] = local_day(full["occurred_at"], zone)
    full["statement_hash"] = hashes(full)
    return pa.table([full[name] for name in STATEMENTS.names], schema=STATEMENTS)


def hashes(held: Mapping[str, pa.ChunkedArray] | pa.Table) -> pa.ChunkedArray:
    """The statement_hash of rows of the table: what it is of a row that comes and says the same."""
    stated = {name: held[name] for name in _STATED} | {"status_history": plainly(held["status_history"])}
    return digest(pa.table(stated), _STATED)


def _instant(times: pa.ChunkedArray | None) -> pa.ChunkedArray | None:
    """The answer's times are in the zone that was asked for, UTC, unless they tell their offset."""
    return None if times is None else moments(times, UTC)[0]


def _or_null(column: pa.ChunkedArray | None, kind: pa.DataType, rows: int) -> pa.ChunkedArray:
    return pa.chunked_array([pa.nulls(rows, kind)]) if column is None else column

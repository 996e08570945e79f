"""The two tables beside every feed: what was set aside, and what each reading of a window came to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import dlt
import pyarrow as pa
from dlt.common.pipeline import current_pipeline
from dlt.extract import DltResource

from conversync.extract.catalogue import held
from conversync.extract.columns import UTC_MICROSECONDS, now
from conversync.extract.decoded import Rejected
from conversync.extract.mended import NO_TRACES, Traces
from conversync.extract.page_decoder import dumps
from conversync.extract.pagination import Scan
from conversync.extract.piece import Piece
from conversync.extract.spill import SpillFiles
from conversync.extract.windows import Window

REJECTED_ROWS = pa.schema(
    [
        pa.field("raw_hash", pa.string(), nullable=False),
        ("raw", pa.string()),
        ("reason", pa.string()),
        ("stream", pa.string()),
        ("page", pa.int64()),
        ("window_start", pa.date32()),
        ("window_end", pa.date32()),
        ("first_seen", UTC_MICROSECONDS),
        ("last_seen", UTC_MICROSECONDS),
        ("times_seen", pa.int64()),
        ("resolved_at", UTC_MICROSECONDS),
    ]
)
WINDOWS = pa.schema(
    [
        pa.field("stream", pa.string(), nullable=False),
        pa.field("window_start", pa.date32(), nullable=False),
        pa.field("window_end", pa.date32(), nullable=False),
        pa.field("read_at", UTC_MICROSECONDS, nullable=False),
        ("filters", pa.string()),
        ("walks", pa.int64()),
        ("pages", pa.int64()),
        ("announced", pa.int64()),
        ("received", pa.int64()),
        ("statements", pa.int64()),
        ("superseded", pa.int64()),
        ("rejected", pa.int64()),
        ("rejected_new", pa.int64()),
        ("unknown_fields", pa.string()),
        ("note", pa.string()),
        ("missing", pa.int64()),
        ("proof", pa.string()),
    ]
)
# The state remembers this many rows that were set aside; beyond them, a known row counts as new again.
MOST_REMEMBERED = 10_000


@dataclass
class Quarantine:
    """The rows set aside while one piece is read, told apart into new ones and known ones.

    `known` is kept in the source's state (see mended.py). `note` is a sentence about the reading, for its evidence and
    for the summary of the run.
    """

    known: MutableMapping[str, list[Any]]
    stream: str
    window: Window
    read_at: datetime
    note: str | None = None
    traces: Traces = NO_TRACES
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    new: int = 0

    def add(self, rejected: Rejected, page: int | None) -> None:
        """Counts a row once for this reading, however often its pages repeat it."""
        if rejected.raw_hash in self.rows:
            return
        known = self.known.get(rejected.raw_hash)
        self.new += known is None
        first, times = known[:2] if known else (self.read_at.isoformat(), 0)
        if known or len(self.known) < MOST_REMEMBERED:
            # Two streams may show a row; the first of them shows it whatever it becomes, the other may not.
            where = [self.stream, str(self.window.start), str(self.window.end), *self.traces.of(rejected.raw)]
            is_anothers = known is not None and len(known) > 2 and known[2] != self.stream
            self.known[rejected.raw_hash] = [
                first,
                times + 1,
                *(known[2:7] if known and is_anothers else where),
            ]
        self.rows[rejected.raw_hash] = {
            "raw_hash": rejected.raw_hash,
            "raw": rejected.raw,
            "reason": rejected.reason,
            "stream": self.stream,
            "page": page,
            "window_start": self.window.start,
            "window_end": self.window.end,
            "first_seen": datetime.fromisoformat(first),
            "last_seen": self.read_at,
            "times_seen": times + 1,
            "resolved_at": None,
        }

    def add_all(self, scans: Sequence[Scan], spill_files: SpillFiles, columns: Sequence[str]) -> int:
        """Counts what all walks of the piece set aside; returns how many contents lost against another."""
        for rejected, page in (bad for scan in scans for bad in scan.bad):
            self.add(rejected, page)
        return self.supersede(spill_files.superseded([scan.spill_file for scan in scans], columns))

    def supersede(self, found: Iterable[tuple[str, str]]) -> int:
        """Sets aside contents, as JSON text, that lost against another one of their event; returns how many."""
        lost = list(found)
        for event, raw in lost:
            reason = (
                f"superseded: another row of {event} came in the same walk, and the later or greater was kept"
            )
            self.add(Rejected(raw, reason), None)
        return len(lost)


def resolved_rows(raw_hashes: Sequence[str], at: datetime) -> list[dict[str, Any]]:
    """The rows of `rejected_rows` as they are held, each resolved `at`."""
    if not raw_hashes:
        return []
    listed = ", ".join(f"'{raw_hash}'" for raw_hash in raw_hashes)  # hexadecimal digits of our own
    return [
        {**row, "resolved_at": at} for row in held("rejected_rows", REJECTED_ROWS, f"raw_hash in ({listed})")
    ]


def rejected_table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Rows that were set aside as `REJECTED_ROWS`; empty, yet typed, where there are none."""
    return pa.Table.from_pylist(list(rows), schema=REJECTED_ROWS)


def window_row(piece: Piece, aside: Quarantine, superseded: int, filters: Mapping[str, str]) -> pa.Table:
    """The evidence of one piece: its last pass's counts, and what all passes set aside."""
    return reading_row(
        aside,
        filters,
        scans=len(piece.scans),
        pages=piece.pages,
        announced=piece.announced,
        received=piece.received,
        statements=piece.statements,
        superseded=superseded,
        unknown=piece.scans[-1].unknown,
        missing=piece.missing,
        proof=piece.proof,
    )


def reading_row(
    aside: Quarantine,
    filters: Mapping[str, str],
    *,
    pages: int,
    announced: int | None,
    received: int,
    statements: int,
    scans: int = 1,
    superseded: int = 0,
    unknown: Mapping[str, int],
    missing: int | None = None,
    proof: str | None = None,
) -> pa.Table:
    """The evidence of one reading, as `WINDOWS`.

    `pages` are the answers, `unknown` the fields new to us by rows. `missing` rows were announced and did not come (0:
    the reading is whole; None: the vendor announces nothing); `proof` says why a whole one is believed.
    """
    row = {
        "stream": aside.stream,
        "window_start": aside.window.start,
        "window_end": aside.window.end,
        # A clock that was found ahead meanwhile makes no day of the future one that was read.
        "read_at": min(aside.read_at, now()),
        "filters": dumps(filters),
        "walks": scans,
        "pages": pages,
        "announced": announced,
        "received": received,
        "statements": statements,
        "superseded": superseded,
        "rejected": len(aside.rows),
        "rejected_new": aside.new,
        "unknown_fields": dumps(unknown),
        "note": aside.note,
        "missing": missing,
        "proof": proof,
    }
    return pa.Table.from_pylist([row], schema=WINDOWS)


@dataclass(frozen=True)
class Routed:
    """Rows on their way from the one resource that walks to the table that takes them."""

    table: str
    rows: pa.Table


def workplace() -> str | None:
    """The working directory of the pipeline that runs, which goes away with what a killed run left there."""
    pipeline = current_pipeline()
    return pipeline.working_dir if pipeline is not None else None


def routed(scan: DltResource, table: str, **hints: Any) -> DltResource:
    """The resource of `table`: what `scan` routes to it.

    A source has one unselected resource that walks and one of these for each table: sibling resources would be
    extracted in turns, the evidence before the rows.
    """

    def pick(item: Routed) -> Iterator[pa.Table]:
        if item.table == table:
            yield item.rows

    return dlt.transformer(pick, data_from=scan, name=table, **hints)


def rejected_rows(scan: DltResource) -> DltResource:
    """The table of what was set aside, one row for each distinct JSON text."""
    return routed(
        scan,
        "rejected_rows",
        write_disposition={"disposition": "merge", "strategy": "upsert"},
        primary_key="raw_hash",
    )


def windows(scan: DltResource) -> DltResource:
    """The table of evidence, one row for each reading of a window."""
    return routed(
        scan,
        "windows",
        write_disposition="append",
        columns={"filters": {"data_type": "json"}, "unknown_fields": {"data_type": "json"}},
    )

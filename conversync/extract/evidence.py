"""The two tables beside every feed: what was set aside, and what each reading of a window came to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import dlt
import pyarrow as pa

from conversync.dlt_internals import CurrentLoadPackageStateNotAvailable, current_pipeline
from conversync.extract.catalogue import held
from conversync.extract.columns import now
from conversync.extract.complete_piece import Piece
from conversync.extract.declared import (
    APPENDED,
    BIGINT,
    DATE,
    INSTANT,
    JSON,
    STRING,
    UPSERTED,
    Column,
    Staged,
    Table,
)
from conversync.extract.decoded import Rejected
from conversync.extract.page_decoder import dumps
from conversync.extract.pagination import Scan
from conversync.extract.rejected_days import NO_TRACES, Noted, Traces
from conversync.extract.spill import SpillFiles
from conversync.extract.windows import Window
from conversync.types import Document

REJECTED_ROWS = Table(
    "rejected_rows",
    "What was set aside, with its reason.",
    (
        Column("raw_hash", STRING, "The fingerprint of the row as it came: the key.", required=True),
        Column(
            "raw",
            STRING,
            "The row as it came, as JSON text; null once it is long resolved (retain_rejected_days). Not published: "
            "null.",
        ),
        Column("reason", STRING, "Why it was set aside."),
        Column("stream", STRING, "Which listing it came in."),
        Column("page", BIGINT, "The page it came on."),
        Column("window_start", DATE, "The first day of the window it came in."),
        Column("window_end", DATE, "The last day of that window."),
        Column("first_seen", INSTANT, "When it was first set aside."),
        Column("last_seen", INSTANT, "When it was last set aside."),
        Column("times_seen", BIGINT, "How many readings brought it."),
        Column(
            "resolved_at",
            INSTANT,
            "When the vendor no longer served it so: mended and loaded, or gone; null while it is open.",
        ),
    ),
    UPSERTED,
    ("raw_hash",),
    staged=None,
)
WINDOWS = Table(
    "windows",
    "The evidence of every reading: pages, rows announced, rows received.",
    (
        Column("stream", STRING, "Which listing was read.", required=True),
        Column(
            "window_start",
            DATE,
            "The first day that was asked for, in the vendor's zone.",
            required=True,
        ),
        Column("window_end", DATE, "The last day that was asked for, in the vendor's zone.", required=True),
        Column("read_at", INSTANT, "When the reading began.", required=True),
        Column("filters", JSON, "What the listing was narrowed by, as JSON text; {} for nothing."),
        Column("walks", BIGINT, "How often the pages were walked until two walks agreed."),
        Column("pages", BIGINT, "How many answers came."),
        Column("announced", BIGINT, "How many rows the vendor announced; null where it does not."),
        Column("received", BIGINT, "How many rows came."),
        Column("statements", BIGINT, "How many distinct rows could be read."),
        Column("superseded", BIGINT, "How many rows lost against another one of the same key."),
        Column("rejected", BIGINT, "How many rows were set aside."),
        Column("rejected_new", BIGINT, "How many of these were set aside for the first time."),
        Column(
            "unknown_fields",
            JSON,
            "Fields that the vendor's document does not know, and those that could not be stored as they came, with "
            "how often each came, as JSON text.",
        ),
        Column("note", STRING, "What the reading has to say, as a sentence."),
        Column(
            "missing",
            BIGINT,
            "How many of the rows announced did not come: 0 if the window was read whole; 1 where it cannot be shown "
            "that none is missing; null where the vendor announces nothing, or a version before this column wrote the "
            "row.",
        ),
        Column(
            "proof",
            STRING,
            "Why a window that was read whole is believed: count (the rows are as many as announced on every page), "
            "page (all came on one page), passes (several readings of one total add up to it).",
        ),
    ),
    APPENDED,
    staged=Staged("The evidence of every reading whose load was committed whole.", whole_loads=True),
)
# What every source has beside its own tables.
EVIDENCE = (REJECTED_ROWS, WINDOWS)
# The state remembers this many rows that were set aside; beyond them, a known row counts as new again.
MOST_REMEMBERED = 10_000


@dataclass
class Quarantine:
    """The rows set aside while one piece is read, told apart into new ones and known ones.

    `known` is kept in the source's state (see rejected_days.py). `note` is a sentence about the reading, for its
    evidence and for the summary of the run.
    """

    known: Noted
    stream: str
    window: Window
    read_at: datetime
    note: str | None = None
    traces: Traces = NO_TRACES
    rows: dict[str, Document] = field(default_factory=dict)
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


def resolved_rows(raw_hashes: Sequence[str], at: datetime) -> list[Document]:
    """The rows of `rejected_rows` as they are held, each resolved `at`."""
    if not raw_hashes:
        return []
    listed = ", ".join(f"'{raw_hash}'" for raw_hash in raw_hashes)  # hexadecimal digits of our own
    return [{**row, "resolved_at": at} for row in held(REJECTED_ROWS, f"raw_hash in ({listed})")]


def rejected_table(rows: Iterable[Document]) -> pa.Table:
    """Rows that were set aside as `REJECTED_ROWS`; empty, yet typed, where there are none."""
    return pa.Table.from_pylist(list(rows), schema=REJECTED_ROWS.schema)


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
    return pa.Table.from_pylist([row], schema=WINDOWS.schema)


def current_load() -> str | None:
    """The id of the load that is being extracted; None where there is none."""
    try:
        return str(dlt.current.load_package_state()["load_id"])
    except CurrentLoadPackageStateNotAvailable:
        return None


def its_load() -> str | None:
    """The id that each row of the load is to have in a file that dlt takes as it lies; None where it wants none."""
    is_told = bool(dlt.config.get("normalize.parquet_normalizer.add_dlt_load_id", bool))
    return current_load() if is_told else None


def spooled(**options: str) -> SpillFiles:
    """An empty folder for what is read (see `SpillFiles`), for the load that asks for it.

    It lies in the working directory of the pipeline that runs, which goes away with what a killed run left there.
    """
    pipeline = current_pipeline()
    return SpillFiles(pipeline.working_dir if pipeline is not None else None, load_id=its_load(), **options)

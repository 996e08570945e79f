"""What every feed does with its windows: walk them, route the rows, and leave the evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sources.columns import now
from sources.evidence import Aside, Routed, rejected_table, window_row
from sources.spool import Spools
from sources.walk import Listing, Walk
from sources.windows import Window


@dataclass(frozen=True)
class Reading:
    """One stream over one window. `filters` is what was asked besides the days, for the evidence."""

    stream: str
    window: Window
    listing: Listing
    filters: Mapping[str, str] = field(default_factory=dict)
    note: str | None = None
    """A sentence that the summary of the run should hold."""


@dataclass(frozen=True)
class Read:
    """A reading that stands, and the walks it took."""

    reading: Reading
    walks: Sequence[Walk]
    at: datetime


def statement_hints(key: str, *nested: str) -> dict[str, Any]:
    """The hints of a log of statements about the events of `key`; `nested` columns are JSON text."""
    return {
        "write_disposition": {
            "disposition": "merge",
            "strategy": "scd2",
            "row_version_column_name": "statement_hash",
            "validity_column_names": ["valid_from", "valid_to"],
        },
        "merge_key": key,
        "columns": {name: {"data_type": "json"} for name in nested},
        "schema_contract": {"data_type": "freeze"},
    }


def read(readings: Sequence[Reading], spools: Spools) -> list[Read]:
    """Walks them one after the other; raises UntrustedAnswerError if one cannot be read whole."""
    at = now()
    return [Read(reading, reading.listing.read(spools), at) for reading in readings]


def statements(done: Sequence[Read], spools: Spools, table: str) -> Iterator[Routed]:
    """One statement for each event of all readings, whatever walk saw it last; at least one table."""
    for rows in spools.fold([walk.spool for one in done for walk in one.walks]):
        yield Routed(table, rows)


def evidence(
    done: Sequence[Read], spools: Spools, state: MutableMapping[str, Any], columns: Sequence[str]
) -> Iterator[Routed]:
    """What the readings set aside, each row once, then their rows in `windows`. `columns` show a superseded row."""
    known = state.setdefault("set_aside", {})
    asides = [Aside(known, r.reading.stream, r.reading.window, r.at, r.reading.note) for r in done]
    superseded = [aside.add_all(one.walks, spools, columns) for one, aside in zip(done, asides, strict=True)]
    # Two streams may bring the same bad row; twice in one load it would stand twice in the table.
    rows = {raw_hash: row for aside in asides for raw_hash, row in aside.rows.items()}
    yield Routed("rejected_rows", rejected_table(rows.values()))
    for one, aside, lost in zip(done, asides, superseded, strict=True):
        yield Routed("windows", window_row(one.walks, aside, lost, one.reading.filters, spools))

"""Events that came and went while a listing was read: only a pass brought them that was given up.

A row that leaves moves all rows behind it, so the pass proves nothing, and another one is made; that one is whole, and
does not have the row. The vendor states it no more, and no earlier load held it for it: it is not loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from conversync.extract.complete_piece import Piece
from conversync.extract.reading import Read
from conversync.extract.spill import SpillFiles
from conversync.extract.windows import DAY, Window
from conversync.types import Document


def vanished(
    done: Sequence[Read], spill_files: SpillFiles, key: str, columns: Sequence[str], id_column: str, day: str
) -> list[Document]:
    """Their `key`, `day` and these columns, among which is `id_column`, which stands in a row set aside, too.

    `day` is SQL for the day on which an event is asked for. Only of days that are known whole without them, and only
    after each such day was asked for once more, alone.
    """
    found: dict[Any, Document] = {}
    for one in done:
        spoilt = spoilt_ids(one)
        if None in spoilt:
            continue  # a row that was set aside may be any of them
        believed = [scan.spill_file for other in done for scan in other.believed]
        given_up = {id(scan): scan.spill_file for scan in one.scans}
        for scan in one.believed:
            given_up.pop(id(scan), None)
        gone = spill_files.left_out(list(given_up.values()), believed, columns, day, one.proven)
        gone = [row for row in gone if str(row[id_column]) not in spoilt]
        found |= {row[key]: row for row in _still_gone(one, spill_files, key, gone)}
    return list(found.values())


def _still_gone(one: Read, spill_files: SpillFiles, key: str, gone: list[Document]) -> list[Document]:
    """Those that do not come either where their day is asked for alone, and comes; what comes is read, either way."""
    last, pieces, sure = one.window.end, list[Piece](), set[date]()
    for day in sorted({row["day"] for row in gone}):
        alone = list(one.reading.pieces.read(Window(day, min(day + DAY, last))))
        pieces += alone
        if not any(piece.missing for piece in alone):
            sure.add(day)
    one.pieces.extend(pieces)
    come = among(pieces, spill_files, key, gone)
    return [row for row in gone if row[key] not in come and row["day"] in sure]


def among(pieces: Sequence[Piece], spill_files: SpillFiles, key: str, rows: Sequence[Document]) -> set[str]:
    """The keys of those of these rows that came in the pieces."""
    files = [scan.spill_file for piece in pieces for scan in piece.scans]
    return spill_files.among(files, key, [row[key] for row in rows])


def spoilt_ids(read: Read) -> set[str | None]:
    """The ids of rows that came and were set aside; None among them where one cannot be read."""
    return {read.reading.traces.of(rejected.raw)[1] for rejected in read.bad}


def told(vendor: str, gone: Sequence[Document]) -> str | None:
    """What came and went, as a sentence without its full stop; None where it is nothing."""
    if not gone:
        return None
    if len(gone) == 1:
        return f"{vendor} listed a row that was gone before the reading was over: it is not loaded"
    return (
        f"{vendor} listed {len(gone):,} rows that were gone before the reading was over: they are not loaded"
    )

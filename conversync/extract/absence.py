"""What is held of days that were read whole, and comes no more; and how much of it a vendor is believed.

Nothing of it is deleted. Only a piece that was read whole proves an absence; its last day may not have been covered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conversync.errors import InvalidResponseError
from conversync.extract.catalogue import held_texts
from conversync.extract.reading import Read
from conversync.extract.spill import SpillFile, SpillFiles
from conversync.extract.windows import Window

# Fewer events than these may leave together.
MANY = 10


def whole_days(read: Read) -> Iterator[Window]:
    """The days of its whole pieces, `[start, end)`, neighbours together."""
    days: Window | None = None
    for piece in sorted(piece for piece in read.whole if piece.end > piece.start):
        if days is not None and piece.start <= days.end:
            days = Window(days.start, max(days.end, piece.end))
            continue
        if days is not None:
            yield days
        days = piece
    if days is not None:
        yield days


def absent(
    spill_files: SpillFiles, come: Sequence[SpillFile], table: str, key: str, condition: str
) -> Iterator[tuple[list[str], int]]:
    """The keys of held rows that did not come, and how many rows were looked at, some at a time.

    `condition` is SQL on the table's columns, ours and never a vendor's.
    """
    for keys in held_texts(table, key, condition):
        yield spill_files.absent(come, keys), keys.num_rows


def is_unlikely(read: Read, gone: int, known: int) -> bool:
    """Whether a vendor suddenly serves less than a fifth of what it served, and is not believed.

    Nor is one that serves nothing at all of old days: it may keep its rows for so long only.
    """
    is_purged = read.reading.is_again and gone > 0 and not any(scan.received for scan in read.believed)
    return is_purged or (gone >= MANY and 5 * gone > 4 * known)


def refusal(vendor: str, read: Read, gone: int, known: int, remark: str) -> InvalidResponseError:
    """The error that says so. `remark` goes on after "no more, "."""
    return InvalidResponseError(
        f"{vendor} serves {gone:,} of {known:,} {read.reading.stream} of {read.window} no more, {remark} Nothing was "
        "changed. Ask the vendor. If they are really gone, say so with --accept-empty: what is held stays, and counts, "
        "so the same ones under other ids would count twice."
    )


def refuse_most(vendor: str, read: Read, spill_files: SpillFiles, table: str) -> None:
    """InvalidResponseError where so much of a log of statements is gone that it is not believed.

    For events that keep their day. What was set aside may be any of them.
    """
    come = [scan.spill_file for scan in read.scans]
    gone, known = -sum(len(scan.bad) for scan in read.scans), 0
    for days in whole_days(read):
        condition = f"valid_to is null and occurred_on >= '{days.start}' and occurred_on < '{days.end}'"
        for keys, looked_at in absent(spill_files, come, table, "event_key", condition):
            gone, known = gone + len(keys), known + looked_at
    if is_unlikely(read, gone, known):
        raise refusal(
            vendor, read, gone, known, "and they are looked for by their ids: are these other ones?"
        )

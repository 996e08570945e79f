"""What a verification came to, for a person and for a program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from decimal import Decimal

from conversync.cli import screen, terminal
from conversync.cli.output import explain
from conversync.count_words import counted, noun
from conversync.monitor.verify import DIFFERENT, NOT_HERE, NOT_THERE, SEVERAL, Difference, Verified
from conversync.types import Document
from conversync.vendors import dataset, parted

# Differences that a person is shown of each table; the JSON has more.
SHOWN = 20
_HEADS = ("table", "", "vendor", "warehouse", "")


def show(found: Sequence[Verified]) -> None:
    """A line for each table and sum, then what differs."""
    with suppress(OSError, ValueError):
        out = screen.console()
        lines = [line for one in found for line in _lines(one)]
        if lines:
            out.print(screen.table(_HEADS, lines, right=(2, 3), is_narrow=True))
        for one in found:
            for sentence in _sentences(one):
                out.say(sentence)
    for one in found:
        if one.error is not None:
            terminal.say(f"conversync: {one.source}: {explain(one.error)}", error=True)


def show_json(found: Sequence[Verified]) -> None:
    """One document: counts as numbers, sums as text, the first thousand differences of each table."""
    terminal.emit({"event": "verify", "sources": [_fields(one) for one in found]})


def _fields(found: Verified) -> Document:
    return {
        "source": found.source,
        "from": str(found.start),
        "to": str(found.end),
        "exit_code": found.exit_code,
        "error": explain(found.error) if found.error else None,
        "note": found.note,
        "missing_views": found.missing_views,
        "mended": found.mended,
        "tables": [asdict(table) for table in found.tables],
    }


def _dataset(found: Verified) -> str:
    """Where its tables are."""
    return dataset(*parted(found.source))


def _lines(found: Verified) -> Iterator[tuple[str, ...]]:
    for table in found.tables:
        name = f"{_dataset(found)}.{table.table}"
        verdict = (
            "=" if not table.count and table.vendor.rows == table.here.rows else f"{table.count:,} differ"
        )
        yield name, "rows", f"{table.vendor.rows:,}", f"{table.here.rows:,}", verdict
        for group, figure in table.figures:
            there, here = (side.sum(group, figure) for side in (table.vendor, table.here))
            label = " ".join([figure, *(_GROUPS.get(word, word) for word in group.split())])
            yield "", label, _figure(there), _figure(here), "=" if there == here else "NOT EQUAL"


_GROUPS = {"false": "of conversions", "true": "of reversals"}


def _figure(value: Decimal) -> str:
    """A count as it is; money with its cents, and with all its decimals where there are more."""
    if value == value.to_integral_value() and value.as_tuple().exponent == 0:
        return f"{value:,}"
    cents = value.quantize(Decimal("0.01"))
    return f"{cents:,}" if cents == value else f"{value.normalize():,f}"


def _sentences(found: Verified) -> Iterator[str]:
    if found.note:
        yield f"{found.note}."
    for mended in found.mended:
        yield f"{found.source}: {mended}."
    for view in found.missing_views:
        yield f"{_dataset(found)}.{view}: the view is missing."
    for table in found.tables:
        for one in table.differences[:SHOWN]:
            yield f"{_dataset(found)}.{_said(one)}"
        if table.count > SHOWN:
            yield f"{_dataset(found)}.{table.table}: and {table.count - SHOWN:,} more"
    if found.error is None:
        days = str(found.start) if found.start == found.end else f"{found.start} .. {found.end}"
        yield f"{found.source} {days}: {_verdict(found)}."


def _verdict(found: Verified) -> str:
    if found.equal:
        return "the warehouse says what the vendor says"
    kept, rows = found.count(NOT_THERE), found.count(NOT_HERE, DIFFERENT, SEVERAL)
    parts = [f"{counted(rows, 'row')} {noun(rows, 'differs', 'differ')}"] if rows else []
    if kept:
        parts.append(
            f"{counted(kept, 'row')} that the vendor serves no more {noun(kept, 'is', 'are')} kept by design"
        )
    if found.missing_views:
        parts.append("a view is missing")
    way_out = f"; conversync verify {found.source} --repair mends what can be mended"
    is_mendable = rows or found.missing_views or not parts
    return (", and ".join(parts) or "the figures differ") + (
        way_out if is_mendable and not found.mended else ""
    )


def _said(one: Difference) -> str:
    apart = f" ({', '.join(one.columns)})" if one.columns else ""
    return f"{one.table} {one.key}: {one.what}{apart}"

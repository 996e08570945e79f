"""Health for a person, as tables that fit 80 columns, and for a program, as one JSON document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any

from conversync.cli import screen, terminal
from conversync.count_words import counted
from conversync.extract import lookback
from conversync.monitor.limits import Limits
from conversync.monitor.overview import Health
from conversync.monitor.problems import Problem, problems, stale
from conversync.monitor.source import SourceHealth
from conversync.span_words import ago, old
from conversync.types import Document


def show(health: Health, bounds: Limits, *, tables: bool = False) -> None:
    """The sources in a table each their line, then a sentence for everything that wants one."""
    with suppress(OSError, ValueError):
        out = screen.console()
        sources = (_line(one, health.at, bounds) for one in health.sources)
        out.print(screen.table(_HEADS, sources, right=range(3, 6), is_narrow=True))
        if health.sends:
            heads = ("sent to", "sent", "rejected", "in doubt")
            lines = [(s.target, f"{s.sent:,}", f"{s.rejected:,}", f"{s.in_doubt:,}") for s in health.sends]
            out.print(screen.table(heads, lines, right=range(1, 4), is_narrow=True))
        if tables:
            out.print(screen.table(_TABLE_HEADS, _tables(health), right=(1,), is_narrow=True))
        for sentence in _sentences(health):
            out.say(sentence)
        for problem in problems(health, bounds):
            out.say(f"LOOK  {problem.text}", style="yellow")


def show_json(health: Health, bounds: Limits) -> None:
    """Everything, as one document."""
    terminal.emit(fields(health, problems(health, bounds)), indent=2)


def show_lines(health: Health) -> None:
    """A JSON object a line for each table, as logs take them."""
    for source in health.sources:
        for table in source.tables:
            terminal.emit(asdict(table))


def fields(health: Health, found: Sequence[Problem]) -> Document:
    """Plain values, for JSON: days and times in ISO 8601, UTC."""
    document = _plain(asdict(health))
    for source, told in zip(document["sources"], health.sources, strict=True):
        if told.volume is not None:
            source["volume"]["drop_pct"] = round(told.volume.drop_pct, 1)
    return {**document, "problems": [one.fields() for one in found]}


_HEADS = ("source", "last load", "through", "unread", "short", "set aside", "reversals late")
_TABLE_HEADS = ("table", "rows", "newest day", "read through")


def _line(source: SourceHealth, now: datetime, bounds: Limits) -> tuple[str, ...]:
    aside = f"{source.rejects.rows:,}" + (f" ({source.rejects.new:,} new)" if source.rejects.new else "")
    never, short = (f"{len(source.days(what))} d" for what in ("never", "short"))
    if missing := sum(stream.days.missing for stream in source.current()):
        short += f" by {missing:,}"
    has_days = any(stream.days.first for stream in source.streams)
    return (
        source.source,
        _loaded(source, now, bounds),
        source.through or "",
        never if has_days else "",
        short if has_days else "",
        aside,
        _late(source),
    )


def _loaded(source: SourceHealth, now: datetime, bounds: Limits) -> str:
    if source.last_load is None:
        return "never"
    return ago(source.last_load, now) + (" (!)" if stale(source, now, bounds.stale_hours) else "")


def _late(source: SourceHealth) -> str:
    """The one measure of lateness, with what it is of: half and 95 % of so many; else the latest that is known."""
    late = source.lateness
    if late is None:
        return ""
    if late.days_for_half is None:
        return f"latest {late.latest} d"
    most = f", 95 % {late.days_for_95_percent}" if late.days_for_95_percent is not None else ""
    return f"half {late.days_for_half}{most} d of {late.rows:,}"


def _tables(health: Health) -> Iterator[tuple[str, ...]]:
    for source in health.sources:
        for t in source.tables:
            yield f"{t.dataset}.{t.table}", f"{t.rows:,}", t.newest or "", t.through or ""


def _sentences(health: Health) -> Iterator[str]:
    if health.note:
        yield f"{health.note}."
    for source in health.sources:
        yield from (f"{source.source}: {sentence}" for sentence in _of_source(source))
    if health.published:
        age = old(health.published.made, health.at)
        behind = "older than the warehouse" if health.published.behind else "as new as the warehouse"
        yield f"Published for readers: {health.published.path} ({age} old, {behind})"
    yield f"Warehouse: {health.warehouse}"


def _of_source(source: SourceHealth) -> Iterator[str]:
    for reason, rows in source.rejects.reasons:
        yield f"{rows:,} set aside: {reason}"
    if source.withdrawn:
        count = counted(source.withdrawn, "conversion")
        yield f"{count} that the vendor serves no more (withdrawn_at in {source.dataset}.conversions)"
    yield from (lookback.told(one) for one in source.lookbacks if one.is_auto)
    for stream in source.streams:
        if not stream.is_current:
            yield f"{stream.stream} is no longer in the settings, and no day of it is missed"


def _plain(value: object) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return str(value) if isinstance(value, date | Path) else value

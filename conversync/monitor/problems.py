"""What of a warehouse's health a person should act on, each as one sentence with its figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import pendulum

from conversync.count_words import counted, noun, rows
from conversync.extract.decoded import told_apart
from conversync.extract.windows import DAY
from conversync.monitor.day_figures import ranges
from conversync.monitor.limits import Limits
from conversync.monitor.overview import Health
from conversync.monitor.source import SourceHealth, StreamHealth
from conversync.span_words import words
from conversync.types import Document

# `status --strict` ends with 3 for these; what an alert is sent for stands in conversync/monitor/alert.py.
STRICT = frozenset({"stale", "incomplete", "short", "rejected", "set_aside", "in_doubt"})
NAMED = 3


@dataclass(frozen=True)
class Problem:
    """`kind` is one of failure, stale, incomplete, short, volume_drop, new_fields, rejected, set_aside, in_doubt."""

    kind: str
    source: str
    text: str
    figures: Document = field(default_factory=dict)

    def fields(self) -> Document:
        """Plain values, for JSON."""
        return {"kind": self.kind, "source": self.source, "text": self.text, **self.figures}


def problems(health: Health, bounds: Limits) -> list[Problem]:
    """All of them, the gravest kind of each source first."""
    found = [problem for source in health.sources for problem in _of_source(source, health.at, bounds)]
    for send in health.sends:
        if send.in_doubt:
            text = (
                f"{send.target}: {rows(send.in_doubt)} in doubt, the vendor may have them or not; find out, then "
                f"conversync send {send.target} --resend-in-doubt, or leave them."
            )
            found.append(Problem("in_doubt", send.target, text, {"rows": send.in_doubt}))
    return found


def stale(source: SourceHealth, now: datetime, hours: float) -> bool:
    """Whether a source that ought to be loaded was not, for longer than these hours."""
    if not source.expected:
        return False
    return source.last_load is None or now - source.last_load > pendulum.duration(hours=hours)


def _of_source(source: SourceHealth, now: datetime, bounds: Limits) -> Iterator[Problem]:
    if stale(source, now, bounds.stale_hours):
        yield _stale(source, now)
    yield from _streams_left_behind(source, now, bounds)
    if source.expected:
        yield from _incomplete(source)
    if (volume := source.volume) and volume.drop_pct > bounds.drop_pct:
        figures = {"day": str(volume.day), "conversions": volume.conversions, "usual": volume.usual}
        text = (
            f"{source.source}: {volume.conversions:,} conversions on {volume.day}, where {volume.usual:,.0f} are usual "
            f"({volume.drop_pct:.0f} % fewer)."
        )
        yield Problem("volume_drop", source.source, text, figures)
    if source.new_fields:
        yield Problem("new_fields", source.source, _of_fields(source), {"fields": list(source.new_fields)})
    yield from _set_aside(source)


def _of_fields(source: SourceHealth) -> str:
    """A sentence for the fields that are new to us, and one for those that could not be stored as they came."""
    told = told_apart(source.new_fields)
    texts = []
    if told.new:
        texts.append(f"fields that are new to us: {', '.join(told.new)}; they are kept in the column extra.")
    if told.altered:
        texts.append(
            f"not stored as it came: {', '.join(told.altered)}; what came is kept in the column extra."
        )
    if told.not_whole:
        texts.append(f"not held whole, in rows that are too long: {', '.join(told.not_whole)}.")
    return f"{source.source}: {' '.join(texts)}"


def _incomplete(source: SourceHealth) -> Iterator[Problem]:
    """Days that no reading covers, and those of which rows are missing: as the view `days` has them."""
    if not source.are_days_known:
        text = (
            f"{source.source}: which days are whole is not known, for the view {source.dataset}.days is missing: "
            f"the next conversync load {source.source} makes it."
        )
        yield Problem("incomplete", source.source, text, {"days": []})
    if days := source.days("never"):
        count, were = counted(len(days), "day"), noun(len(days), "was", "were")
        unread = [stream.stream for stream in source.current() if stream.last_read is None]
        all_of = f", all of {' and '.join(unread)}" if unread else ""
        text = f"{source.source}: {count} {were} never read ({_spans(days)}{all_of}): {_again(source, days)}"
        yield Problem("incomplete", source.source, text, {"days": [str(day) for day in days]})
    for stream in source.current():
        if short := list(stream.days.short):
            yield _short(source, stream, short)


def _short(source: SourceHealth, stream: StreamHealth, days: list[date]) -> Problem:
    missing = stream.days.missing
    if missing:
        lack, why = f"is short by {rows(missing)}", "not all that the vendor has of them came"
    else:
        lack, why = "cannot be shown to be whole", "what came of them may not be all"
    text = (
        f"{source.source}: {stream.stream} {lack} on {_spans(days)}: {why}. Every night reads what is due again; "
        f"by hand: {_again(source, days)}"
    )
    figures = {"stream": stream.stream, "rows": missing, "days": [str(day) for day in days]}
    return Problem("short", source.source, text, figures)


def _set_aside(source: SourceHealth) -> Iterator[Problem]:
    """Rows that are not in the tables: those that are new, which an alert tells once, and those that still are open."""
    query = f"select reason, raw from {source.dataset}.rejected_rows where resolved_at is null order by first_seen desc"  # noqa: S608
    new, known = source.rejects.new, source.rejects.rows - source.rejects.new
    if new:
        text = f"{source.source}: {rows(new)} newly set aside. See: {query}"
        yield Problem("rejected", source.source, text, {"rows": new})
    if known:
        text = f"{source.source}: {rows(known)} still set aside, and in no sum. See: {query}"
        yield Problem("set_aside", source.source, text, {"rows": known})


def _spans(days: Sequence[date]) -> str:
    spans = ranges(days)
    more = f" and {len(spans) - NAMED} more spans" if len(spans) > NAMED else ""
    return ", ".join(spans[:NAMED]) + more


def _again(source: SourceHealth, days: Sequence[date]) -> str:
    return f"conversync load {source.source} --from {days[0]} --to {days[-1] + DAY}"


def _stale(source: SourceHealth, now: datetime) -> Problem:
    if source.last_load is None:
        return Problem("stale", source.source, f"{source.source}: has its settings, and was never loaded.")
    age = now - source.last_load
    text = f"{source.source}: the last load is {words(age)} old ({source.last_load:%Y-%m-%d %H:%M} UTC)."
    return Problem("stale", source.source, text, {"hours": _hours(age)})


def _streams_left_behind(source: SourceHealth, now: datetime, bounds: Limits) -> Iterator[Problem]:
    """A source is loaded, but not all of it: its other streams are fresh, and this one is not."""
    if stale(source, now, bounds.stale_hours) or not source.expected:
        return
    for stream in source.current():
        age = now - (stream.last_read or now)
        if age > pendulum.duration(hours=bounds.stale_hours):
            how = " up to its present" if stream.was_read_since else ""
            since = ", since then only earlier days" if stream.was_read_since else ""
            text = f"{source.source}: {stream.stream} was last read{how} {words(age)} ago{since}."
            yield Problem("stale", source.source, text, {"stream": stream.stream, "hours": _hours(age)})


def _hours(span: timedelta) -> float:
    return round(span.total_seconds() / 3600, 1)

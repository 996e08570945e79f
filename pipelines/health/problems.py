"""What of a warehouse's health a person should act on, each as one sentence with its figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipelines import settings
from pipelines.health.days import DAY, ranges
from pipelines.health.look import Health
from pipelines.health.source import SourceHealth
from wire.errors import SettingsError

STALE_HOURS = 26.0
DROP_PCT = 50.0
# `status --strict` ends with 3 for these; what an alert is sent for stands in pipelines/alert.py.
STRICT = frozenset({"stale", "incomplete", "in_doubt"})
NAMED = 3


@dataclass(frozen=True)
class Problem:
    """`kind` is one of failure, stale, incomplete, volume_drop, new_fields, rejected, in_doubt."""

    kind: str
    source: str
    text: str
    figures: dict[str, Any] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"kind": self.kind, "source": self.source, "text": self.text, **self.figures}


@dataclass(frozen=True)
class Limits:
    """Beyond these a person is told: hours since a load, and the share of conversions that are missing."""

    stale_hours: float = STALE_HOURS
    drop_pct: float = DROP_PCT


def limits() -> Limits:
    """As set in the environment or config.toml: alert_stale_hours, alert_drop_pct."""
    return Limits(
        _number("alert_stale_hours", STALE_HOURS, 24 * 366), _number("alert_drop_pct", DROP_PCT, 100)
    )


def _number(name: str, default: float, most: float) -> float:
    text = settings.preference(name, f"CONVERSYNC_{name.upper()}")
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number <= most:
        raise SettingsError(f'{name} is "{text}", but must be a number above 0, at most {most:g}.')
    return number


def problems(health: Health, bounds: Limits) -> list[Problem]:
    """All of them, the gravest kind of each source first."""
    found = [problem for source in health.sources for problem in _of_source(source, health.at, bounds)]
    for send in health.sends:
        if send.in_doubt:
            text = (
                f"{send.target}: {_rows(send.in_doubt)} in doubt, the vendor may have them or not; find out, then "
                f"conversync send {send.target} --resend-in-doubt, or leave them."
            )
            found.append(Problem("in_doubt", send.target, text, {"rows": send.in_doubt}))
    return found


def stale(source: SourceHealth, now: datetime, hours: float) -> bool:
    """Whether a source that ought to be loaded was not, for longer than these hours."""
    if not source.expected:
        return False
    return source.last_load is None or (now - source.last_load).total_seconds() > hours * 3600


def _of_source(source: SourceHealth, now: datetime, bounds: Limits) -> Iterator[Problem]:
    if stale(source, now, bounds.stale_hours):
        yield _stale(source, now)
    yield from _streams_left_behind(source, now, bounds)
    for what, words in (("never", "were never read"), ("short", "were only read short")):
        if days := source.days(what):
            spans = ranges(days)
            more = f" and {len(spans) - NAMED} more spans" if len(spans) > NAMED else ""
            text = (
                f"{source.source}: {len(days)} days {words} ({', '.join(spans[:NAMED])}{more}): "
                f"conversync load {source.source} --from {days[0]} --to {days[-1] + DAY}"
            )
            yield Problem("incomplete", source.source, text, {"days": [str(day) for day in days]})
    if (volume := source.volume) and volume.drop_pct > bounds.drop_pct:
        figures = {"day": str(volume.day), "conversions": volume.conversions, "usual": volume.usual}
        text = (
            f"{source.source}: {volume.conversions:,} conversions on {volume.day}, where {volume.usual:,.0f} are usual "
            f"({volume.drop_pct:.0f} % fewer)."
        )
        yield Problem("volume_drop", source.source, text, figures)
    if source.new_fields:
        names = ", ".join(source.new_fields)
        text = f"{source.source}: fields that are new to us: {names}; they are kept in the column extra."
        yield Problem("new_fields", source.source, text, {"fields": list(source.new_fields)})
    if source.rejects.new:
        query = f"select reason, raw from {source.source}.rejected_rows order by first_seen desc"  # noqa: S608
        text = f"{source.source}: {_rows(source.rejects.new)} newly set aside. See: {query}"
        yield Problem("rejected", source.source, text, {"rows": source.rejects.new})


def _stale(source: SourceHealth, now: datetime) -> Problem:
    if source.last_load is None:
        return Problem("stale", source.source, f"{source.source}: has its settings, and was never loaded.")
    hours = (now - source.last_load).total_seconds() / 3600
    text = f"{source.source}: the last load is {age(hours)} old ({source.last_load:%Y-%m-%d %H:%M} UTC)."
    return Problem("stale", source.source, text, {"hours": round(hours, 1)})


def _streams_left_behind(source: SourceHealth, now: datetime, bounds: Limits) -> Iterator[Problem]:
    """A source is loaded, but not all of it: its other streams are fresh, and this one is not."""
    if stale(source, now, bounds.stale_hours) or not source.expected:
        return
    for stream in source.streams:
        hours = (now - stream.last_read).total_seconds() / 3600
        if hours > bounds.stale_hours:
            text = f"{source.source}: {stream.stream} was last read {age(hours)} ago."
            yield Problem("stale", source.source, text, {"stream": stream.stream, "hours": round(hours, 1)})


def age(hours: float) -> str:
    """ "12 min", "5 h", "3 d"."""
    if hours < 1:
        return f"{max(0, hours) * 60:.0f} min"
    return f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} d"


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"

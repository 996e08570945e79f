"""Beyond what a person is told: the settings alert_stale_hours and alert_drop_pct."""

from __future__ import annotations

from dataclasses import dataclass

from conversync.monitor.views import STALE_HOURS
from conversync.settings.where_set import number, of_project

DROP_PCT = 50.0


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
    given = of_project(name)
    return default if given is None else number(given, 0, most, above=True)

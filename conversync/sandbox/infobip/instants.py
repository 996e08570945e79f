"""Times as Infobip writes them: `2014-09-10T15:55:09.647+0200`, milliseconds, an offset without colon."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from conversync.sandbox.infobip.variants import Variants

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}")


def shown(instant: datetime, variants: Variants) -> str:
    """In the offset that the variant shows."""
    local = instant.astimezone(_offset(instant, variants))
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03}{local:%z}"


def read(text: str) -> datetime:
    """UTC. Only the documented form is understood; a `+` that was not percent-encoded arrives as a blank."""
    if not STAMP.fullmatch(text):
        raise ValueError(text)
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").astimezone(UTC)


def midnight(instant: datetime) -> datetime:
    """The beginning of its UTC day."""
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _offset(instant: datetime, variants: Variants) -> timezone:
    if variants.zone != "central-europe":
        return timezone(timedelta(hours=2 if variants.zone == "+0200" else 0))
    begins, ends = (_last_sunday(instant.year, month) for month in (3, 10))
    return timezone(timedelta(hours=2 if begins <= instant.astimezone(UTC) < ends else 1))


def _last_sunday(year: int, month: int) -> datetime:
    """01:00 UTC of the month's last Sunday; the month has 31 days."""
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last - timedelta(days=(last.weekday() + 1) % 7)

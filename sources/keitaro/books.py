"""How Keitaro's conversions are read as books."""

from __future__ import annotations

from conversync.books.histories import Books, log_of

from .tables import CONVERSION_EVENTS

# What revenue is in where the tracker does not tell: the dbt variable keitaro_currency is the same for the marts.
UNTOLD = "USD"


def books(zone: str) -> Books:
    """Of the tracker's days in `zone`. A rejected conversion keeps its revenue there: here it is taken back."""
    return Books(
        logs=(log_of(CONVERSION_EVENTS, "conversion_id", is_all="true"),),
        key="conversion_id",
        zone=zone,
        currency=f"upper(coalesce(nullif(currency, ''), '{UNTOLD}'))",
        gross="coalesce(revenue, 0)",
        reversed="case when is_rejected then coalesce(revenue, 0) else 0 end",
    )

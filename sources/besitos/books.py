"""How Besitos' conversions are read as books, and what was known of their logs at any moment."""

from __future__ import annotations

from conversync.books.histories import Books, Log, log_of
from conversync.monitor.views import text

from .tables import CONVERSION_EVENTS, WITHDRAWN_EVENTS

KEY = "transaction_id"
_COLUMNS = WITHDRAWN_EVENTS.schema.names
# What an earlier version found out stands in the history since the load that wrote it there, and holds since it was
# found; what no load has written there yet, in withdrawn_events alone.
_WITHDRAWN = f"""
    select
        {", ".join(_COLUMNS)},
        case when place = 1 and withdrawn_at < valid_from then withdrawn_at else valid_from end as valid_from,
        valid_to
    from (
        select *, row_number() over (partition by event_key order by valid_from) as place from withdrawn_history
    ) as found
    union all
    select {", ".join(_COLUMNS)}, withdrawn_at as valid_from, cast(null as timestamptz) as valid_to
    from withdrawn_events
    where withdrawn_at is not null and event_key not in (select event_key from withdrawn_history)
"""  # noqa: S608 - our own names
_LINKS = """
    select distinct transaction_id as conversion, replaced_by as other
    from withdrawn_history
    where replaced_by is not null
    union
    select transaction_id, replaced_by from withdrawn_events where replaced_by is not null
"""


def books(zone: str) -> Books:
    """Of the vendor's days in `zone`. An orphan takes nothing back of what we hold."""
    return Books(
        logs=(
            log_of(CONVERSION_EVENTS, KEY, is_all="not is_reversal"),
            Log(
                WITHDRAWN_EVENTS.name,
                _WITHDRAWN,
                _COLUMNS,
                "event_key",
                (KEY, "replaced_by"),
                is_view_a_log=False,
            ),
        ),
        key=KEY,
        zone=zone,
        currency="currency",
        gross="case when is_orphan then 0 else payout end",
        reversed="case when is_orphan then 0 else coalesce(reversed_payout, 0) end",
        reversed_on=f"cast(reversed_at at time zone {text(zone)} as date)",
        is_number=True,
        links=_LINKS,
    )

"""A run of Besitos: the two walks window by window, then the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from conversync.extract.evidence import EVIDENCE
from conversync.extract.lookback import Lookback
from conversync.extract.windows import asked_parts, with_its_last_day
from conversync.monitor import views as health
from conversync.types import Restored
from conversync.vendors import (
    InReport,
    LoadRequest,
    OnPage,
    Step,
    Vendor,
    divided,
    old_days,
    sql_files,
    windows,
)

from . import besitos, parts, plan
from .books import books
from .check import check
from .feed import hashes
from .settings import BesitosSettings
from .tables import CONVERSION_EVENTS, DEALS, OFFERS, TABLES, WITHDRAWN_EVENTS, WITHDRAWN_HISTORY
from .upgrade import name_reversals
from .walks import CONVERSIONS, LOOKBACKS, REVERSALS

_TABLES = [table.name for table in (CONVERSION_EVENTS, WITHDRAWN_EVENTS, WITHDRAWN_HISTORY, *EVIDENCE)]


def steps(state: Restored, settings: BesitosSettings, asked: LoadRequest) -> Iterator[Step]:
    """Each stream's windows, oldest first; the catalogue where a partner id is set and no days were asked for.

    Last the old days on which rows may have been mended, in one commit.
    """
    due, again = divided(plan(state, settings, asked.start, asked.end))
    for stream, planned, _ in due:
        window = with_its_last_day(planned, settings.today()) if asked.end else planned
        pieces = (
            asked_parts(window, asked.window_days, asked.shard)
            if asked.start
            else parts(state, stream, window, settings, asked.window_days)
        )
        for part, on_rest in windows(pieces):
            read = partial(
                besitos,
                part.start,
                part.end,
                streams=[stream],
                on_rest=on_rest,
                accept_empty=asked.accept_empty,
            )
            yield Step(f"{stream} {part}", partial(_feed, read), days=part, of=window, reads={stream: stream})
    if settings.besitos_partner_id and not asked.start:
        yield Step("catalogue", lambda _on_page: besitos().with_resources(OFFERS.name, DEALS.name))
    if again:
        read = partial(besitos, again=again, accept_empty=asked.accept_empty)
        yield Step(old_days(days[:2] for days in again), partial(_feed, read), is_extra=True)


def _feed(read: Callable[..., Any], on_page: OnPage) -> Any:
    """The source without its lists: they are a step of their own."""
    return read(on_page=on_page).with_resources(*_TABLES)


def _own(settings: BesitosSettings) -> dict[str, str]:
    """`conversions`, by the settings that say what counts."""
    return sql_files(
        __file__,
        reversal_takes_payout=str(settings.besitos_reversal_takes_payout).lower(),
        withdrawn_counts=str(settings.besitos_withdrawn_counts).lower(),
    )


def views(settings: BesitosSettings) -> dict[str, str]:
    """`conversions`; its changes; what is known of days and of lateness."""
    own = _own(settings)
    reversed_rows = _REVERSED.format(conversions=own["conversions"])
    zone = settings.besitos_zone
    changes = books(zone).views(own["conversions"])
    return {**own, **health.days(health.text(zone)), **health.lateness(reversed_rows, zone), **changes}


def functions(settings: BesitosSettings) -> dict[str, str]:
    """What `conversions` said at a moment."""
    return books(settings.besitos_zone).functions(_own(settings)["conversions"])


_REVERSED = """
    select
        cast(transaction_id as varchar) as conversion_id,
        occurred_on,
        occurred_at,
        first_seen_at,
        reversed_at,
        reversal_seen_at
    from (
{conversions}
    ) as conversions
    where is_reversed and not is_orphan
"""

# By keys that are read first: else DuckDB would hold all originals to join them.
_ORIGINALS = """
    left join (
        select transaction_id, occurred_on
        from conversion_events
        where valid_to is null and event_key in (select cast(transaction_id as varchar) || ':original' from late)
    ) as original on late.transaction_id = original.transaction_id
"""
_LOG = CONVERSION_EVENTS.name
# A reversal may be found by its own day alone, or by its original's: the earlier one is sure to find it.
_LATE = (
    Lookback(LOOKBACKS[CONVERSIONS], CONVERSIONS, _LOG, "not is_reversal", zone="besitos_zone"),
    Lookback(
        LOOKBACKS[REVERSALS],
        REVERSALS,
        _LOG,
        "is_reversal",
        "least(late.occurred_on, coalesce(original.occurred_on, late.occurred_on))",
        _ORIGINALS,
        zone="besitos_zone",
    ),
)
VENDOR = Vendor(
    name="besitos",
    title="Besitos",
    source=besitos,
    settings=BesitosSettings,
    hashes={CONVERSION_EVENTS.name: hashes},
    says="Conversions and reversals of an offerwall. Amounts are in `currency` (USD where none is told), but for "
    "points or coins in *_local_currency.",
    steps=steps,
    check=check,
    views=views,
    functions=functions,
    books=(CONVERSIONS, REVERSALS),
    lookbacks=_LATE,
    counting=("besitos_reversal_takes_payout", "besitos_withdrawn_counts"),
    tables=TABLES,
    upgrade=name_reversals,
    in_shards=True,
    account=("besitos_partner_id",),
    in_report=InReport(
        "blue",
        role="offerwall",
        without_offer="surveys",
        goals="select occurred_on, coalesce(currency, 'USD') as currency, offer_id, goal_id, note as goal "
        "from $dataset.conversion_events where valid_to is null and not is_reversal",
    ),
)

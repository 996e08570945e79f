"""The report: clicks and conversions summed by group, both on the day of the click."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from conversync.sandbox.keitaro.asking import Span
from conversync.sandbox.keitaro.clicks import SUB_IDS, Click
from conversync.sandbox.keitaro.events import Event, kind_of
from conversync.sandbox.keitaro.teller import by_sub_id

ZERO = Decimal(0)


def _sub_id(number: int) -> Callable[[Click, tzinfo], Any]:
    return lambda click, _: click.sub_ids[number - 1]


GROUPS: dict[str, Callable[[Click, tzinfo], Any]] = {
    "day": lambda click, zone: f"{click.at.astimezone(zone):%Y-%m-%d}",
    "hour": lambda click, zone: f"{click.at.astimezone(zone):%H}",
    "campaign": lambda click, _: click.campaign.name,
    "campaign_id": lambda click, _: click.campaign.id,
    "offer": lambda click, _: click.offer.name,
    "offer_id": lambda click, _: click.offer.id,
    "affiliate_network": lambda click, _: click.affiliate_network.name,
    "affiliate_network_id": lambda click, _: click.affiliate_network.id,
    "ts": lambda click, _: click.traffic_source.name,
    "ts_id": lambda click, _: click.traffic_source.id,
    "landing": lambda click, _: click.landing_page.name,
    "landing_id": lambda click, _: click.landing_page.id,
    "country": lambda click, _: click.country,
    "os": lambda click, _: click.os,
    "sub_id": lambda click, _: click.sub_id,
    **{f"sub_id_{number}": _sub_id(number) for number in range(1, SUB_IDS + 1)},
}


@dataclass
class Sums:
    """What is added up for one group."""

    clicks: int = 0
    conversions: int = 0
    leads: int = 0
    sales: int = 0
    rejected: int = 0
    rebills: int = 0
    cost: Decimal = ZERO
    lead_revenue: Decimal = ZERO
    sale_revenue: Decimal = ZERO
    rejected_revenue: Decimal = ZERO

    def add(self, click: Click, events: Iterable[Event]) -> None:
        """A click, with all conversions it brought."""
        self.clicks += 1
        self.cost += click.cost
        for event in events:
            kind = kind_of(event.status)
            self.conversions += 1
            self.leads += kind == "lead"
            self.sales += kind == "sale"
            self.rebills += kind == "rebill"
            self.rejected += kind == "rejected"
            self.lead_revenue += event.revenue if kind == "lead" else 0
            self.sale_revenue += event.revenue if kind in ("sale", "rebill") else 0
            self.rejected_revenue += event.revenue if kind == "rejected" else 0


def _ratio(part: Decimal | int, whole: int, places: str, times: int = 1) -> Decimal:
    if not whole:
        return ZERO
    return (Decimal(part) * times / whole).quantize(Decimal(places), ROUND_HALF_UP)


METRICS: dict[str, Callable[[Sums], Decimal | int]] = {
    "clicks": lambda sums: sums.clicks,
    "campaign_unique_clicks": lambda sums: sums.clicks,
    "conversions": lambda sums: sums.conversions,
    "leads": lambda sums: sums.leads,
    "sales": lambda sums: sums.sales,
    "rejected": lambda sums: sums.rejected,
    "rebills": lambda sums: sums.rebills,
    "cost": lambda sums: sums.cost,
    "revenue": lambda sums: sums.lead_revenue + sums.sale_revenue,
    "lead_revenue": lambda sums: sums.lead_revenue,
    "sale_revenue": lambda sums: sums.sale_revenue,
    "rejected_revenue": lambda sums: sums.rejected_revenue,
    "profit": lambda sums: sums.lead_revenue + sums.sale_revenue - sums.cost,
    "cr": lambda sums: _ratio(sums.conversions, sums.clicks, "0.01", 100),
    "epc": lambda sums: _ratio(sums.lead_revenue + sums.sale_revenue, sums.clicks, "0.0001"),
}
"""`revenue` is what may still be paid: that of rejected conversions is not in it."""


def build(
    clicks: Iterable[Click],
    events: list[Event],
    span: Span,
    grouping: Sequence[str],
    metrics: Sequence[str],
    keep: Callable[[Click], bool] = lambda _: True,
) -> list[dict[str, Any]]:
    """One row a group of the range's clicks, in the order of the groups; unknown names are left out."""
    groups = [name for name in grouping if name in GROUPS]
    brought = by_sub_id(events)
    found: dict[tuple[Any, ...], Sums] = {}
    for click in clicks:
        if span.holds(click.at) and keep(click):
            key = tuple(GROUPS[name](click, span.zone) for name in groups)
            found.setdefault(key, Sums()).add(click, brought.get(click.sub_id, ()))
    wanted = [name for name in metrics if name in METRICS]
    return [
        dict(zip(groups, key, strict=True)) | {name: METRICS[name](found[key]) for name in wanted}
        for key in sorted(found)
    ]

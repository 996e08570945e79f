"""The offers that earn most, and their goals."""

from __future__ import annotations

from conversync.report import charts, numbers
from conversync.report.markup import Html, join, strong
from conversync.report.parts import (
    Column,
    figure,
    finding,
    identifier,
    missing,
    money,
    more,
    queries,
    section,
    subheading,
    table,
    vendor_name,
)
from conversync.report.picture import picture
from conversync.report.reading import Reader


def offers(reader: Reader) -> Html:
    """Ten offers of each vendor and currency, by net revenue."""
    ranked, goals = reader.ask("offers"), reader.ask("offer_goals")
    if not ranked.rows:
        return section("offers", "Offers", missing("No offer had a conversion in these days."))
    pairs = ranked.pairs("vendor", "currency")
    shown = [_one(reader, vendor, currency) for vendor, currency in pairs]
    return section("offers", "Top offers", _said(reader, *pairs[0]), *shown, queries(ranked, goals))


def _said(reader: Reader, vendor: str, currency: str) -> Html:
    best = reader.ask("offers").of(vendor=vendor, currency=currency).rows[0]
    [total] = reader.ask("totals").of(vendor=vendor, currency=currency).rows
    words: list[object] = [
        strong(best["offer_name"]),
        f" earned most at {vendor_name(vendor)}: {numbers.amount(best['net_revenue'], currency)}",
    ]
    if total["net_revenue"] > 0:
        words.append(
            f", {numbers.share(float(best['net_revenue'] / total['net_revenue']))} of its net revenue"
        )
    return finding(*words, ". Margin is what is left after what the conversions cost.")


def _one(reader: Reader, vendor: str, currency: str) -> Html:
    ranked = reader.ask("offers").of(vendor=vendor, currency=currency)
    goals = reader.ask("offer_goals").of(vendor=vendor, currency=currency)
    name = vendor_name(vendor)
    best, least = ranked.rows[0], ranked.rows[-1]
    says = (
        f"The {numbers.many(len(ranked.rows), 'offer')} of {name} with the most net revenue: from {best['offer_name']} "
        f"with {numbers.amount(best['net_revenue'], currency)} to {least['offer_name']} with "
        f"{numbers.amount(least['net_revenue'], currency)}."
    )
    bars = [
        (row["offer_name"], float(row["net_revenue"]), numbers.money(row["net_revenue"]))
        for row in ranked.rows
    ]
    columns = (
        Column("offer_name", "Offer"),
        Column("conversions", "Conversions", numbers.count),
        Column("reversal_rate", "Reversed", numbers.share),
        money("net_revenue", "Net", currency),
        money("margin", "Margin", currency),
    )
    by_goal = (
        Column("offer_name", "Offer"),
        Column("goal", "Goal"),
        Column("conversions", "Reached", numbers.count),
        Column("reversal_rate", "Reversed", numbers.share),
        money("net_revenue", "Net revenue", currency),
    )
    said = f"The goals of {name}'s offers, in {currency}"
    return join(
        (
            subheading(f"{name}, {currency}", vendor=vendor),
            figure(
                picture(charts.ranked(bars, vendor), says, identifier("offers", vendor, currency)),
                table(ranked, columns, f"Offers of {name} by net revenue, in {currency}"),
                says,
            ),
            more(said, table(goals, by_goal, said, tall=True)) if goals.rows else None,
        )
    )

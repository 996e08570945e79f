"""The offers that earn most, and their goals."""

from __future__ import annotations

from conversync.report import charts, numbers
from conversync.report.parts import Column, Content, identifier, money
from conversync.report.picture import picture
from conversync.report.reading import Reader
from conversync.types import Document
from conversync.vendors import in_report, title


def offers(reader: Reader) -> Content:
    """Ten offers of each vendor and currency, by net revenue."""
    ranked, goals = reader.ask("offers"), reader.ask("offer_goals")
    if not ranked.rows:
        return Content(missing="No offer had a conversion in these days.")
    best = ranked.rows[0]
    [total] = reader.ask("totals").of(account=best["account"], currency=best["currency"]).rows
    return Content(
        {
            "best": best,
            "total": total["net_revenue"],
            "accounts": [_account(reader, *pair) for pair in ranked.pairs("account", "currency")],
        },
        queries=(ranked, goals),
    )


def _account(reader: Reader, vendor: str, currency: str) -> Document:
    """The values of one vendor and currency."""
    ranked = reader.ask("offers").of(account=vendor, currency=currency)
    name, colour = title(vendor), in_report(vendor).colour
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
    return {
        "name": name,
        "currency": currency,
        "colour": colour,
        "says": says,
        "picture": picture(charts.ranked(bars, colour), says, identifier("offers", vendor, currency)),
        "ranked": ranked,
        "goals": reader.ask("offer_goals").of(account=vendor, currency=currency),
        "by_offer": (
            Column("offer_name", "Offer"),
            Column("conversions", "Conversions", numbers.count),
            Column("reversal_rate", "Reversed", numbers.share),
            money("net_revenue", "Net", currency),
            money("margin", "Margin", currency),
        ),
        "by_goal": (
            Column("offer_name", "Offer"),
            Column("goal", "Goal"),
            Column("conversions", "Reached", numbers.count),
            Column("reversal_rate", "Reversed", numbers.share),
            money("net_revenue", "Net revenue", currency),
        ),
    }

"""What was earned, day by day."""

from __future__ import annotations

from pipelines.html import charts, numbers
from pipelines.html.markup import Html, join, strong
from pipelines.html.parts import (
    Column,
    figure,
    finding,
    key,
    missing,
    money,
    more,
    queries,
    section,
    subheading,
    table,
    vendor_name,
)
from pipelines.html.picture import picture
from pipelines.html.reading import Reader, Row


def revenue(reader: Reader) -> Html:
    """Net revenue by day, for each vendor and currency of its own."""
    totals, monthly, daily = (reader.ask(name) for name in ("totals", "revenue_monthly", "revenue_daily"))
    if not totals.rows:
        return section("revenue", "Net revenue", missing("No vendor told of a conversion in these days."))
    words: list[object] = [
        "Net revenue is what is left after reversals, counted on the day on which it was earned; "
    ]
    words.append("a day goes on shrinking while reversals arrive.")
    if len({row["vendor"] for row in totals.rows}) > 1:
        words.append(" The tracker counts conversions that the offerwall pays: ")
        words.append(strong("they are two accounts of the same money, never to be added."))
    return section(
        "revenue",
        "Net revenue",
        finding(*words),
        *(_one(reader, row) for row in totals.rows),
        queries(monthly, daily),
    )


def _one(reader: Reader, total: Row) -> Html:
    vendor, currency = total["vendor"], total["currency"]
    monthly = reader.ask("revenue_monthly").of(vendor=vendor, currency=currency)
    daily = reader.ask("revenue_daily").of(vendor=vendor, currency=currency)
    name = vendor_name(vendor)
    best = max(daily.rows, key=lambda row: (row["net_revenue"], row["occurred_on"]))
    says = (
        f"{name}: {numbers.amount(total['net_revenue'], currency)} net revenue in {numbers.many(total['days'], 'day')} "
        f"with conversions; most on {numbers.day(best['occurred_on'])}, with "
        f"{numbers.amount(best['net_revenue'], currency)}."
    )
    columns = (
        Column("month", "Month", numbers.month),
        Column("conversions", "Conversions", numbers.count),
        money("gross_revenue", "Earned", currency),
        money("reversed_revenue", "Taken back", currency),
        money("net_revenue", "Net", currency),
    )
    by_day = (
        Column("occurred_on", "Day", numbers.day),
        Column("conversions", "Conversions", numbers.count),
        Column("reversals", "Reversed", numbers.count),
        money("gross_revenue", "Earned", currency),
        money("reversed_revenue", "Taken back", currency),
        money("net_revenue", "Net revenue", currency),
    )
    keys = (
        key(vendor, "net revenue of the day"),
        key("gone", "taken back since"),
        key("ink", "mean of seven days", "stroke"),
    )
    cost = "Rewards to players" if vendor == "besitos" else "The clicks"
    return join(
        (
            subheading(f"{name}, {currency}", vendor=vendor),
            figure(
                picture(
                    charts.daily(daily.rows, vendor, currency), says, f"daily-{vendor}-{currency.lower()}"
                ),
                table(monthly, columns, f"{name} by month, in {currency}"),
                f"{says} {cost} cost {numbers.amount(total['net_cost'], currency)}, which leaves a margin of "
                f"{numbers.amount(total['margin'], currency)}.",
                keys=keys,
            ),
            more(
                f"Every day of {name}, {currency}",
                table(daily, by_day, f"{name} by day, in {currency}", tall=True),
            ),
        )
    )

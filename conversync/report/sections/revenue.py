"""What was earned, day by day."""

from __future__ import annotations

from decimal import Decimal

from conversync.report import charts, numbers
from conversync.report.markup import Html, join, strong
from conversync.report.parts import (
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
from conversync.report.picture import picture
from conversync.report.reading import Answer, Reader, Row


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
        f"{numbers.amount(best['net_revenue'], currency)}{_ours(best, currency)}."
    )
    columns = (
        Column("month", "Month", numbers.month),
        Column("conversions", "Conversions", numbers.count),
        money("gross_revenue", "Earned", currency),
        money("reversed_revenue", "Taken back", currency),
        money("net_revenue", "Net", currency),
    )
    by_day = (
        Column("occurred_on", "Day", numbers.day, lambda row: _READ[row["state"]]),
        Column("conversions", "Conversions", numbers.count),
        Column("reversals", "Reversed", numbers.count),
        money("gross_revenue", "Earned", currency),
        money("reversed_revenue", "Taken back", currency),
        money("net_revenue", "Net revenue", currency),
    )
    ours = sum(row["sent_by_us"] for row in daily.rows)
    states = {row["state"] for row in daily.rows}
    wanted = (
        (True, key(vendor, "net revenue of the day")),
        (bool(ours), key(vendor, "of it, sent there by us", "faint")),
        (True, key("gone", "taken back since")),
        (bool(states & {"open", "short"}), key(vendor, "not over, or read short", "hollow")),
        ("never" in states, key("muted", "never read", "hatch")),
        (
            True,
            key(
                "ink",
                "mean of seven days, all read whole" + (", without what we sent" if ours else ""),
                "stroke",
            ),
        ),
    )
    keys = [shown for is_wanted, shown in wanted if is_wanted]
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
                f"{numbers.amount(total['margin'], currency)}.{_sent(daily, currency)}",
                keys=keys,
            ),
            more(
                f"Every day of {name}, {currency}",
                table(daily, by_day, f"{name} by day, in {currency}", tall=True),
            ),
        )
    )


# What is noted beside a day; nothing beside one that was read whole.
_READ = {
    "whole": None,
    "open": "not over",
    "short": "read short",
    "never": "never read",
    "outside": "not asked for",
}


def _ours(day: Row, currency: str) -> str:
    """What of a day's net revenue we sent to the tracker ourselves."""
    if not day["sent_by_us"]:
        return ""
    return f", {numbers.amount(day['net_revenue_sent_by_us'], currency)} of it sent there by us"


def _sent(daily: Answer, currency: str) -> str:
    """What of a tracker's conversions we sent there ourselves, so that nobody takes them for new business."""
    conversions = sum(row["sent_by_us"] for row in daily.rows)
    if not conversions:
        return ""
    revenue = sum((row["net_revenue_sent_by_us"] for row in daily.rows), Decimal(0))
    return (
        f" {numbers.amount(revenue, currency)} of it is {numbers.many(conversions, 'conversion')} that conversync send "
        "told the tracker, most of them earned earlier."
    )

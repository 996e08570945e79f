"""What was earned, day by day."""

from __future__ import annotations

from decimal import Decimal

from conversync.report import charts, numbers
from conversync.report.parts import Column, Content, Figure, identifier, money
from conversync.report.picture import picture
from conversync.report.reading import Reader, Row
from conversync.types import Document
from conversync.vendors import in_report, title

# What is noted beside a day; nothing beside one that was read whole.
_READ = {
    "whole": None,
    "open": "not over",
    "short": "read short",
    "never": "never read",
    "outside": "not asked for",
}
_COST = {"offerwall": "Rewards to players", "tracker": "The clicks"}


def revenue(reader: Reader) -> Content:
    """Net revenue by day, for each vendor and currency of its own."""
    totals = reader.ask("totals").rows
    if not totals:
        return Content(missing="No vendor told of a conversion in these days.")
    return Content(
        {
            "is_told_twice": {"offerwall", "tracker"} <= {in_report(row["account"]).role for row in totals},
            "accounts": [_account(reader, row) for row in totals],
        },
        queries=(reader.ask("revenue_monthly"), reader.ask("revenue_daily")),
        figures=[_figure(row) for row in totals],
    )


def _account(reader: Reader, total: Row) -> Document:
    """The values of one vendor and currency."""
    vendor, currency = total["account"], total["currency"]
    daily = reader.ask("revenue_daily").of(account=vendor, currency=currency)
    name = title(vendor)
    best = max(daily.rows, key=lambda row: (row["net_revenue"], row["occurred_on"]))
    says = (
        f"{name}: {numbers.amount(total['net_revenue'], currency)} net revenue in {numbers.many(total['days'], 'day')} "
        f"with conversions; most on {numbers.day(best['occurred_on'])}, with "
        f"{numbers.amount(best['net_revenue'], currency)}{_ours(best, currency)}."
    )
    drawn = charts.daily(daily.rows, in_report(vendor).colour, currency)
    return {
        "vendor": vendor,
        "name": name,
        "currency": currency,
        "total": total,
        "says": says,
        "picture": picture(drawn, says, identifier("daily", vendor, currency)),
        "legend": _legend(daily.rows, in_report(vendor).colour),
        "cost": _COST.get(in_report(vendor).role, "The conversions"),
        # What of a tracker's conversions we sent there ourselves, so that nobody takes them for new business.
        "sent": sum(row["sent_by_us"] for row in daily.rows),
        "revenue_sent": sum((row["net_revenue_sent_by_us"] for row in daily.rows), Decimal(0)),
        "monthly": reader.ask("revenue_monthly").of(account=vendor, currency=currency),
        "daily": daily,
        **_columns(currency),
    }


def _columns(currency: str) -> dict[str, tuple[Column, ...]]:
    conversions = Column("conversions", "Conversions", numbers.count)
    earned, back = (
        money("gross_revenue", "Earned", currency),
        money("reversed_revenue", "Taken back", currency),
    )
    return {
        "by_month": (
            Column("month", "Month", numbers.month),
            conversions,
            earned,
            back,
            money("net_revenue", "Net", currency),
        ),
        "by_day": (
            Column("occurred_on", "Day", numbers.day, lambda row: _READ[row["state"]]),
            conversions,
            Column("reversals", "Reversed", numbers.count),
            earned,
            back,
            money("net_revenue", "Net revenue", currency),
        ),
    }


def _legend(days: tuple[Row, ...], colour: str) -> list[tuple[str, str, str]]:
    """What of the picture is there to be explained."""
    ours = any(row["sent_by_us"] for row in days)
    states = {row["state"] for row in days}
    keys = [(colour, "net revenue of the day", "box")]
    if ours:
        keys.append((colour, "of it, sent there by us", "faint"))
    keys.append(("gone", "taken back since", "box"))
    if states & {"open", "short"}:
        keys.append((colour, "not over, or read short", "hollow"))
    if "never" in states:
        keys.append(("muted", "never read", "hatch"))
    mean = "mean of seven days, all read whole"
    return [*keys, ("ink", f"{mean}, without what we sent" if ours else mean, "stroke")]


def _ours(day: Row, currency: str) -> str:
    """What of a day's net revenue we sent to the tracker ourselves."""
    if not day["sent_by_us"]:
        return ""
    return f", {numbers.amount(day['net_revenue_sent_by_us'], currency)} of it sent there by us"


def _figure(row: Row) -> Figure:
    return Figure(
        f"Net revenue, {title(row['account'])}",
        numbers.money(row["net_revenue"]),
        f"left of {numbers.money(row['gross_revenue'])} that {numbers.many(row['conversions'], 'conversion')} earned",
        in_report(row["account"]).colour,
        row["currency"],
    )

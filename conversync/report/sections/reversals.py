"""How much is taken back, and how late."""

from __future__ import annotations

from collections.abc import Iterator

from conversync.report import charts, numbers
from conversync.report.parts import Column, Content, Figure
from conversync.report.picture import picture
from conversync.report.reading import Answer, Reader, Row
from conversync.types import Document
from conversync.vendors import in_report, title


def reversals(reader: Reader) -> Content:
    """The rate by week of the conversion, and the days until a reversal came."""
    weekly, lookback = reader.ask("reversals_weekly"), reader.ask("lookback")
    figures = [*_taken(reader), *map(_half, lookback.rows[:1])]
    if not weekly.rows:
        words = "There are no conversions in these days that could be reversed."
        return Content(missing=words, figures=[one for one in figures if one])
    return Content(
        {
            "rates": [(vendor, *counts) for vendor, counts in _counted(reader).items()],
            "wait": _wait(lookback.rows[0]) if lookback.rows else "",
            "vendors": [_vendor(reader, vendor) for [vendor] in weekly.pairs("account")],
            "by_week": _BY_WEEK,
            "lookback": lookback,
            "by_share": _BY_SHARE,
            **(_late(reader.ask("lateness"), lookback.rows[0]) if lookback.rows else {}),
        },
        queries=(weekly, reader.ask("lateness"), lookback),
        figures=[one for one in figures if one],
    )


def _counted(reader: Reader) -> dict[str, tuple[int, int]]:
    """By vendor, over its currencies: how many conversions were taken back, of how many."""
    counted: dict[str, tuple[int, int]] = {}
    for row in reader.ask("totals").rows:
        taken, conversions = counted.get(row["account"], (0, 0))
        counted[row["account"]] = (taken + row["reversals"], conversions + row["conversions"])
    return counted


def _wait(row: Row) -> str:
    """The one measure of lateness, with the number of reversals that it is of, and no share that they do not carry."""
    of = (
        f"{numbers.many(row['reversals'], 'reversal')} of {title(row['account'])}'s days that were watched for "
        f"{numbers.many(row['watched_days'], 'day')}"
    )
    if row["days_for_half"] is None:
        return f"How late they become known cannot be said yet: there are {of}."
    names = {"half": "days_for_half", "95%": "days_for_95_percent", "99%": "days_for_99_percent"}
    names["99.9%"] = "days_for_99_9_percent"
    within = [
        f"{words} were known within {row[name]}" for words, name in names.items() if row[name] is not None
    ]
    within[0] += " days" if row["days_for_half"] != 1 else " day"
    return f"Of {of}, {numbers.listed(within)}; the latest of all came after {row['latest_days']}."


def _vendor(reader: Reader, vendor: str) -> Document:
    """The values of one vendor's weeks."""
    weekly = reader.ask("reversals_weekly").of(account=vendor)
    name, colour = title(vendor), in_report(vendor).colour
    settled = [row for row in weekly.rows if not row["is_rising"] and row["reversals"]]
    says = f"{name}: the share of each week's conversions that was reversed until now."
    if settled:
        worst = max(settled, key=lambda row: row["reversal_rate"])
        says += (
            f" Of the weeks that are settled, that of {numbers.day(worst['week'])} lost most: "
            f"{numbers.share(worst['reversal_rate'])}."
        )
    drawn = picture(charts.weekly_rate(weekly.rows, colour), says, f"rate-{vendor}")
    return {"name": name, "colour": colour, "says": says, "picture": drawn, "weekly": weekly}


def _late(lateness: Answer, most: Row) -> Document:
    """The picture of how late reversals become known, what it says, and its keys."""
    settled = most["days_for_95_percent"]
    says = f"How late a reversal becomes known, in days from its conversion. {_wait(most)}"
    if settled is not None:
        says += f" A week is called settled when its last day is more than {settled} days old."
    drawn = None
    if lateness.rows:
        longest = max(1, *(row["days"] for row in lateness.rows))
        colours = {vendor: in_report(vendor).colour for [vendor] in lateness.pairs("account")}
        drawn = picture(
            charts.lateness(lateness.rows, colours, _marks(lateness, most), longest), says, "late"
        )
    keys = [(in_report(vendor).colour, title(vendor), "stroke") for [vendor] in lateness.pairs("account")]
    return {"late_says": says, "late_picture": drawn, "late_keys": keys}


def _marks(lateness: Answer, most: Row) -> list[tuple[int, float, str]]:
    """The points of the longest curve that the sentence names."""
    shares = {
        row["days"]: float(row["share_until_then"]) for row in lateness.of(account=most["account"]).rows
    }
    wanted = (("days_for_half", "half"), ("days_for_95_percent", "95%"))
    return [
        (most[name], shares[most[name]], f"{words}: {numbers.many(most[name], 'day')}")
        for name, words in wanted
        if most[name] is not None and most[name] in shares and most[name] > 0
    ]


def _taken(reader: Reader) -> Iterator[Figure]:
    """What was reversed at the first vendor."""
    for vendor, (taken, conversions) in list(_counted(reader).items())[:1]:
        rows = reader.ask("totals").of(account=vendor).rows
        worth = numbers.listed([numbers.amount(row["reversed_revenue"], row["currency"]) for row in rows])
        yield Figure(
            f"Reversed, {title(vendor)}",
            numbers.share(taken / conversions if conversions else None),
            f"{numbers.count(taken)} of {numbers.count(conversions)} conversions were taken back, worth {worth}",
            in_report(vendor).colour,
        )


def _half(row: Row) -> Figure | None:
    """How long it takes until half of them are known; None where that cannot be said."""
    if row["days_for_half"] is None:
        return None
    return Figure(
        f"Lateness, {title(row['account'])}",
        numbers.many(row["days_for_half"], "day"),
        f"until half of {numbers.many(row['reversals'], 'reversal')} were known, of days watched for "
        f"{row['watched_days']}",
        in_report(row["account"]).colour,
    )


def _watched(row: Row) -> str:
    return f"days to {numbers.day(row['watched_until'])}, watched for {row['watched_days']}"


_BY_WEEK = (
    Column("week", "Week from", numbers.day),
    Column("conversions", "Conversions", numbers.count),
    Column("reversals", "Reversed", numbers.count),
    Column("reversal_rate", "Rate", numbers.share),
    Column("is_rising", "", lambda rising: "rising" if rising else "settled"),
)
_BY_SHARE = (
    Column("account", "Reversals of", title, _watched),
    Column("reversals", "Number", numbers.count),
    Column("days_for_half", "50%", numbers.count),
    Column("days_for_95_percent", "95%", numbers.count),
    Column("days_for_99_percent", "99%", numbers.count),
    Column("days_for_99_9_percent", "99.9%", numbers.count),
    Column("latest_days", "Latest of all", numbers.count),
)

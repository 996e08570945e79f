"""How much is taken back, and how late."""

from __future__ import annotations

from conversync.report import charts, numbers
from conversync.report.markup import Html, join, strong
from conversync.report.parts import (
    Column,
    figure,
    finding,
    key,
    missing,
    queries,
    section,
    spaced,
    subheading,
    table,
    vendor_name,
)
from conversync.report.picture import picture
from conversync.report.reading import Answer, Reader, Row


def reversals(reader: Reader) -> Html:
    """The rate by week of the conversion, and the days until a reversal came."""
    weekly = reader.ask("reversals_weekly")
    if not weekly.rows:
        return section(
            "reversals",
            "Reversals",
            missing("There are no conversions in these days that could be reversed."),
        )
    asked = (weekly, reader.ask("lateness"), reader.ask("lookback"))
    rates = [_rates(reader, vendor) for [vendor] in weekly.pairs("vendor")]
    return section("reversals", "Reversals", _said(reader), *rates, _late(reader), queries(*asked))


def _said(reader: Reader) -> Html:
    sentences: list[object] = []
    counted: dict[str, tuple[int, int]] = {}
    for row in reader.ask("totals").rows:
        conversions, taken = counted.get(row["vendor"], (0, 0))
        counted[row["vendor"]] = (conversions + row["conversions"], taken + row["reversals"])
    for vendor, (conversions, taken) in counted.items():
        rate = taken / conversions if conversions else None
        sentences.append(
            join(
                (
                    f"At {vendor_name(vendor)} ",
                    strong(numbers.share(rate)),
                    f" of {numbers.count(conversions)} conversions were taken back.",
                )
            )
        )
    sentences += [_wait(row) for row in reader.ask("lookback").rows[:1]]
    return finding(spaced(sentences))


def _wait(row: Row) -> str:
    """The one measure of lateness, with the number of reversals that it is of, and no share that they do not carry."""
    of = (
        f"{numbers.many(row['reversals'], 'reversal')} of {vendor_name(row['vendor'])}'s days that were watched for "
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


def _rates(reader: Reader, vendor: str) -> Html:
    weekly = reader.ask("reversals_weekly").of(vendor=vendor)
    name = vendor_name(vendor)
    settled = [row for row in weekly.rows if not row["is_rising"] and row["reversals"]]
    says = f"{name}: the share of each week's conversions that was reversed until now."
    if settled:
        worst = max(settled, key=lambda row: row["reversal_rate"])
        says += (
            f" Of the weeks that are settled, that of {numbers.day(worst['week'])} lost most: "
            f"{numbers.share(worst['reversal_rate'])}."
        )
    columns = (
        Column("week", "Week from", numbers.day),
        Column("conversions", "Conversions", numbers.count),
        Column("reversals", "Reversed", numbers.count),
        Column("reversal_rate", "Rate", numbers.share),
        Column("is_rising", "", lambda rising: "rising" if rising else "settled"),
    )
    keys = (
        key(vendor, "reversed until now"),
        key(vendor, "not settled, still rising", "hollow"),
    )
    return join(
        (
            subheading(f"{name}, by week of the conversion", vendor=vendor),
            figure(
                picture(charts.weekly_rate(weekly.rows, vendor), says, f"rate-{vendor}"),
                table(weekly, columns, f"Reversals of {name} by week of the conversion", tall=True),
                says,
                keys=keys,
            ),
        )
    )


def _late(reader: Reader) -> Html:
    lateness, lookback = reader.ask("lateness"), reader.ask("lookback")
    if not lookback.rows:
        return missing("Of no reversal is it known how late it came.")
    most = lookback.rows[0]
    settled = most["days_for_95_percent"]
    says = f"How late a reversal becomes known, in days from its conversion. {_wait(most)}" + (
        f" A week is called settled when its last day is more than {settled} days old."
        if settled is not None
        else ""
    )
    columns = (
        Column("vendor", "Reversals of", vendor_name, _watched),
        Column("reversals", "Number", numbers.count),
        Column("days_for_half", "50%", numbers.count),
        Column("days_for_95_percent", "95%", numbers.count),
        Column("days_for_99_percent", "99%", numbers.count),
        Column("days_for_99_9_percent", "99.9%", numbers.count),
        Column("latest_days", "Latest of all", numbers.count),
    )
    numbers_beside = table(
        lookback, columns, "Days until so many were known; blank where too few are known to say"
    )
    heading = subheading("How late a reversal becomes known")
    if not lateness.rows:
        return join((heading, figure(None, numbers_beside, says)))
    longest = max(1, *(row["days"] for row in lateness.rows))
    keys = [key(vendor, vendor_name(vendor), "stroke") for [vendor] in lateness.pairs("vendor")]
    drawn = picture(charts.lateness(lateness.rows, _marks(lateness, most), longest), says, "late")
    return join((heading, figure(drawn, numbers_beside, says, keys=keys)))


def _watched(row: Row) -> str:
    return f"days to {numbers.day(row['watched_until'])}, watched for {row['watched_days']}"


def _marks(lateness: Answer, most: Row) -> list[tuple[int, float, str]]:
    """The points of the longest curve that the sentence names."""
    shares = {row["days"]: float(row["share_until_then"]) for row in lateness.of(vendor=most["vendor"]).rows}
    wanted = (("days_for_half", "half"), ("days_for_95_percent", "95%"))
    return [
        (most[name], shares[most[name]], f"{words}: {numbers.many(most[name], 'day')}")
        for name, words in wanted
        if most[name] is not None and most[name] in shares and most[name] > 0
    ]

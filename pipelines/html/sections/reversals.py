"""How much is taken back, and how late."""

from __future__ import annotations

from pipelines.html import charts, numbers
from pipelines.html.markup import Html, join, strong
from pipelines.html.parts import (
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
from pipelines.html.picture import picture
from pipelines.html.reading import Answer, Reader, Row

MEASURES = {"stated": "as the vendor dates it", "seen": "as it reached us"}


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
    sentences += [_wait(row) for row in reader.ask("lookback").of(measure="stated").rows[:1]]
    return finding(spaced(sentences))


def _wait(row: Row) -> str:
    return (
        f"Half of {vendor_name(row['vendor'])}'s reversals came within {numbers.many(row['days_for_half'], 'day')}, "
        f"and 99.9% within {row['days_for_99_9_percent']}: a day's figures are final only then."
    )


def _rates(reader: Reader, vendor: str) -> Html:
    weekly = reader.ask("reversals_weekly").of(vendor=vendor)
    name = vendor_name(vendor)
    settled = [row for row in weekly.rows if not row["is_rising"] and row["reversals"]]
    says = f"{name}: the share of each week's conversions that was reversed until now."
    if settled:
        worst = max(settled, key=lambda row: row["reversal_rate"])
        says += (
            f" Of the weeks older than thirty days, that of {numbers.day(worst['week'])} lost most: "
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
        key(vendor, "younger than thirty days, still rising", "hollow"),
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
    says = f"How late reversals come, over all time. {_wait(most)}"
    columns = (
        Column("vendor", "Reversals of", vendor_name, lambda row: MEASURES.get(row["measure"])),
        Column("reversals", "Known", numbers.count),
        Column("days_for_half", "50%", numbers.count),
        Column("days_for_95_percent", "95%", numbers.count),
        Column("days_for_99_percent", "99%", numbers.count),
        Column("days_for_99_9_percent", "99.9%", numbers.count),
        Column("days_for_all", "all", numbers.count),
    )
    drawn = charts.lateness(
        lateness.rows, _marks(lateness, most), max(1, *(row["days"] for row in lateness.rows))
    )
    keys = [
        key(row["vendor"], f"{vendor_name(row['vendor'])}, {MEASURES.get(row['measure'], '')}", _stroke(row))
        for row in lookback.rows
    ]
    return join(
        (
            subheading("How late a reversal comes"),
            figure(
                picture(drawn, says, "late"),
                table(lookback, columns, "Days until so many of all reversals had come"),
                says,
                keys=keys,
            ),
        )
    )


def _stroke(row: Row) -> str:
    return "stroke" if row["measure"] == "stated" else "dashes"


def _marks(lateness: Answer, most: Row) -> list[tuple[int, float, str]]:
    """The points of the longest curve that the sentence names."""
    shares = {
        row["days"]: float(row["share_until_then"])
        for row in lateness.of(vendor=most["vendor"], measure=most["measure"]).rows
    }
    wanted = (("days_for_half", "half"), ("days_for_95_percent", "95%"))
    return [
        (most[name], shares[most[name]], f"{words}: {numbers.many(most[name], 'day')}")
        for name, words in wanted
        if most[name] in shares and most[name] > 0
    ]

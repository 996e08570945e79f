"""The head of the page: what it is about, and the key figures."""

from __future__ import annotations

from collections.abc import Iterator

from conversync.report import numbers
from conversync.report.markup import Html, join, tag
from conversync.report.parts import missing, queries, vendor_name
from conversync.report.reading import Reader, Row


def head(reader: Reader) -> Html:
    """The title, the period, and a figure or two of each section."""
    period = reader.period
    when = numbers.days(period.first, period.last)
    behind = (
        missing("Something was loaded after the marts were built: run conversync build, then report again.")
        if reader.is_behind()
        else None
    )
    figures = [
        one
        for part in (_revenue, _reversals, _late, _reconciled, _sms, _days, _aside)
        for one in part(reader)
    ]
    return join(
        (
            tag("p", "Conversync", class_="eyebrow"),
            tag("h1", "Conversions, ", tag("span", when, class_="when")),
            tag("p", _lead(reader), class_="lead"),
            behind,
            tag("dl", *figures, class_="figures"),
            queries(reader.ask("totals")),
        )
    )


def _lead(reader: Reader) -> str:
    read = [vendor_name(row["vendor"]) for row in reader.ask("sources").rows]
    if not read:
        return "The warehouse is empty: no source has been read yet."
    newest = numbers.moment(reader.period.newest_reading)
    return f"Ninety days as {numbers.listed(read)} told them, last read on {newest} UTC."


def _figure(label: str, value: str, says: str, token: str | None = None, unit: str | None = None) -> Html:
    mark = token and tag("i", class_=f"mark box c-{token}", aria_hidden="true")
    shown = (tag("span", unit, class_="unit"), " ", value) if unit else (value,)
    return tag(
        "div",
        tag("dt", mark or None, label),
        tag("dd", *shown, class_="value"),
        tag("dd", says, class_="says"),
    )


def _revenue(reader: Reader) -> Iterator[Html]:
    for row in reader.ask("totals").rows:
        yield _figure(
            f"Net revenue, {vendor_name(row['vendor'])}",
            numbers.money(row["net_revenue"]),
            f"left of {numbers.money(row['gross_revenue'])} that {numbers.many(row['conversions'], 'conversion')} "
            "earned",
            row["vendor"],
            row["currency"],
        )


def _reversals(reader: Reader) -> Iterator[Html]:
    totals = reader.ask("totals")
    first: Row
    for first in totals.rows[:1]:
        rows = totals.of(vendor=first["vendor"]).rows
        conversions, taken = (sum(row[name] for row in rows) for name in ("conversions", "reversals"))
        worth = numbers.listed([numbers.amount(row["reversed_revenue"], row["currency"]) for row in rows])
        yield _figure(
            f"Reversed, {vendor_name(first['vendor'])}",
            numbers.share(taken / conversions if conversions else None),
            f"{numbers.count(taken)} of {numbers.count(conversions)} conversions were taken back, worth {worth}",
            first["vendor"],
        )


def _late(reader: Reader) -> Iterator[Html]:
    for row in reader.ask("lookback").rows[:1]:
        if row["days_for_half"] is not None:
            yield _figure(
                f"Lateness, {vendor_name(row['vendor'])}",
                numbers.many(row["days_for_half"], "day"),
                f"until half of {numbers.many(row['reversals'], 'reversal')} were known, of days watched for "
                f"{row['watched_days']}",
                row["vendor"],
            )


def _reconciled(reader: Reader) -> Iterator[Html]:
    rows = reader.ask("reconciliation").rows
    compared = sum(row["compared"] for row in rows)
    matched = sum(row["compared"] for row in rows if row["outcome"] == "matched")
    if {"besitos", "keitaro"} <= {row["vendor"] for row in reader.ask("sources").rows} and compared:
        yield _figure(
            "Offerwall and tracker agree",
            numbers.share(matched / compared),
            f"{numbers.count(compared - matched)} of {numbers.count(compared)} transactions do not match, on days that "
            "both sides were read",
        )


def _sms(reader: Reader) -> Iterator[Html]:
    for row in reader.ask("sms_pairs").rows[:1]:
        yield _figure(
            f"SMS, {row['way']}",
            numbers.share(row["conversion_rate"]),
            f"of {numbers.count(row['start_count'])} converted, in {numbers.hours(row['average_hours'])} on average",
            "infobip",
        )


def _days(reader: Reader) -> Iterator[Html]:
    rows = reader.ask("missing").rows
    if not rows:
        return
    lacking = sum(row["short"] + row["never"] for row in rows)
    yield _figure(
        "Days missing",
        numbers.count(lacking),
        f"never read, or read short, of {numbers.many(len(rows), 'source')} since the first reading of each",
    )


def _aside(reader: Reader) -> Iterator[Html]:
    if reader.has_rejected_rows:
        total = sum(row["rows_set_aside"] for row in reader.ask("rejected").rows)
        yield _figure(
            "Rows set aside", numbers.count(total), "are open: they could not be read, and are in no figure"
        )

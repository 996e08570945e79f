"""The offerwall held against the tracker."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from conversync.report import charts, numbers
from conversync.report.parts import Column, Content, Figure, money
from conversync.report.picture import picture
from conversync.report.reading import Answer, Reader, Row
from conversync.vendors import known


def reconciliation(reader: Reader) -> Content:
    """By outcome: how many transactions match, and what is wrong with the others."""
    if absent := " and ".join(_absent(reader)):
        words = f"{absent} is not loaded into this warehouse: there is nothing to hold against the other."
        return Content(missing=words)
    outcomes, weekly, newest = (
        reader.ask(name) for name in ("reconciliation", "reconciliation_weekly", "differences")
    )
    if not outcomes.rows:
        return Content(missing="Neither side knows a transaction of these days.")
    compared, matched = _sum(outcomes, "compared"), _sum(outcomes.of(outcome="matched"), "compared")
    there = [outcome for [outcome] in weekly.pairs("outcome")]
    says = _says(outcomes, there) if compared else "Nothing is compared: no picture is needed."
    return Content(
        {
            "total": _sum(outcomes, "transactions"),
            "compared": compared,
            "matched": matched,
            "picture": picture(charts.differences(weekly.rows), says, "apart") if weekly.rows else None,
            "says": says,
            "keys": [(charts.OUTCOMES.get(outcome, "muted"), outcome, "box") for outcome in there],
            "outcomes": outcomes,
            "by_outcome": (*_BY_OUTCOME, *_amounts(outcomes)),
            "newest": newest,
            "details": (*_DETAILS, *_amounts(newest)),
        },
        queries=(outcomes, weekly, newest),
        figures=[_figure(matched, compared)] if compared else [],
    )


def _absent(reader: Reader) -> Iterator[str]:
    """The vendors of a side of which none was read."""
    loaded = {row["vendor"] for row in reader.ask("sources").rows}
    for role in ("offerwall", "tracker"):
        side = {vendor.name: vendor.title for vendor in known().values() if vendor.in_report.role == role}
        if not loaded & side.keys():
            yield " or ".join(side.values())


def _figure(matched: int, compared: int) -> Figure:
    return Figure(
        "Offerwall and tracker agree",
        numbers.share(matched / compared),
        f"{numbers.count(compared - matched)} of {numbers.count(compared)} transactions do not match, on days that "
        "both sides were read",
    )


def _sum(answer: Answer, column: str) -> int:
    return sum(row[column] for row in answer.rows)


def _says(outcomes: Answer, there: list[str]) -> str:
    """The sentence under the picture of the outcomes that are there."""
    if not there:
        return "All that is compared matches: no picture is needed."
    return f"What does not match, by week: {numbers.listed([_told(outcomes, outcome) for outcome in there])}."


def _told(outcomes: Answer, outcome: str) -> str:
    return f"{numbers.count(_sum(outcomes.of(outcome=outcome), 'compared'))} {outcome}"


def _amounts(answer: Answer) -> tuple[Column, ...]:
    """Both sides' amounts: with the currency in the head where all are in one, else beside each amount."""
    heads = [
        ("offerwall_net_revenue", "Offerwall, net", "offerwall_currency"),
        ("tracker_net_revenue", "Tracker, net", "tracker_currency"),
        ("net_difference", "Difference", "offerwall_currency"),
    ]
    heads = [head for head in heads if head[0] in answer.columns]
    told = {row[currency] for row in answer.rows for _, _, currency in heads} - {None}
    if len(told) == 1:
        [currency] = told
        return tuple(money(name, words, currency) for name, words, _ in heads)
    return tuple(
        Column(name, words, numbers.money, partial(_currency, currency)) for name, words, currency in heads
    )


def _currency(column: str, row: Row) -> str | None:
    told: str | None = row[column]
    return told


_BY_OUTCOME = (
    Column("outcome", "Outcome", numbers.sentence_case),
    Column("transactions", "Transactions", numbers.count),
    Column("compared", "Compared", numbers.count),
)
_DETAILS = (
    Column("transaction_id", "Transaction"),
    Column("occurred_on", "Day", numbers.day),
    Column("outcome", "Outcome", numbers.sentence_case),
    Column("offer_name", "Offer"),
)

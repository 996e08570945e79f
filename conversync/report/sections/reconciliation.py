"""The offerwall held against the tracker."""

from __future__ import annotations

from functools import partial

from conversync.report import charts, numbers
from conversync.report.markup import Html, strong
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
    table,
)
from conversync.report.picture import picture
from conversync.report.reading import Answer, Reader, Row

TITLE = "Offerwall against tracker"


def reconciliation(reader: Reader) -> Html:
    """By outcome: how many transactions match, and what is wrong with the others."""
    loaded = {row["vendor"] for row in reader.ask("sources").rows}
    if not {"besitos", "keitaro"} <= loaded:
        absent = " and ".join(
            name for code, name in (("besitos", "Besitos"), ("keitaro", "Keitaro")) if code not in loaded
        )
        return section(
            "reconciliation",
            TITLE,
            missing(
                f"{absent} is not loaded into this warehouse: there is nothing to hold against the other."
            ),
        )
    outcomes, weekly, newest = (
        reader.ask(name) for name in ("reconciliation", "reconciliation_weekly", "differences")
    )
    if not outcomes.rows:
        return section("reconciliation", TITLE, missing("Neither side knows a transaction of these days."))
    total, compared = (sum(row[name] for row in outcomes.rows) for name in ("transactions", "compared"))
    matched = sum(row["compared"] for row in outcomes.rows if row["outcome"] == "matched")
    columns = (
        Column("outcome", "Outcome", numbers.sentence_case),
        Column("transactions", "Transactions", numbers.count),
        Column("compared", "Compared", numbers.count),
        *_amounts(outcomes),
    )
    there = dict.fromkeys(row["outcome"] for row in weekly.rows)
    says = (
        f"What does not match, by week: {numbers.listed([_told(reader, outcome) for outcome in there])}."
        if there
        else "All that is compared matches: no picture is needed."
    )
    return section(
        "reconciliation",
        TITLE,
        _said(matched, compared, total),
        figure(
            picture(charts.differences(weekly.rows), says, "apart") if weekly.rows else None,
            table(outcomes, columns, "Transactions by outcome"),
            f"{says} The difference is the offerwall's net less the tracker's, where both are in one currency.",
            keys=[key(charts.OUTCOMES.get(outcome, "muted"), outcome) for outcome in there],
        ),
        more(
            "The newest that do not match",
            table(
                newest,
                (*_DETAILS, *_amounts(newest)),
                "The twenty newest transactions that do not match",
                tall=True,
            ),
        )
        if newest.rows
        else None,
        queries(outcomes, weekly, newest),
    )


def _said(matched: int, compared: int, total: int) -> Html:
    """The share, of days on which both sides were read whole: of the others nothing can be said."""
    apart = numbers.many(total - compared, "transaction")
    if not compared:
        return finding(
            strong("Nothing can be compared"),
            f": on no day of these {apart} were both sides read whole. What was not read is not missing.",
        )
    left_out = f" {numbers.sentence_case(apart)} of days that one side was not read whole are left out."
    return finding(
        strong(f"{numbers.share(matched / compared)} of {numbers.count(compared)} transactions match"),
        ": both sides know them, with the same amounts and reversals. “Reversal apart” means that one side has "
        "taken back what the other has not, or not yet.",
        left_out if total > compared else None,
    )


def _told(reader: Reader, outcome: str) -> str:
    rows = reader.ask("reconciliation").of(outcome=outcome).rows
    return f"{numbers.count(sum(row['transactions'] for row in rows))} {outcome}"


def _amounts(answer: Answer) -> tuple[Column, ...]:
    """Both sides' amounts: with the currency in the head where all are in one, else beside each amount."""
    sides = (("offerwall", "Offerwall, net"), ("tracker", "Tracker, net"))
    told = {row[f"{side}_currency"] for row in answer.rows for side, _ in sides} - {None}
    difference = ("net_difference", "Difference") if "net_difference" in answer.columns else None
    if len(told) == 1:
        [currency] = told
        heads = [(f"{side}_net_revenue", head) for side, head in sides] + ([difference] if difference else [])
        return tuple(money(name, head, currency) for name, head in heads)
    beside = [
        Column(f"{side}_net_revenue", head, numbers.money, partial(_currency, f"{side}_currency"))
        for side, head in sides
    ]
    if difference:
        beside.append(Column(*difference, numbers.money, partial(_currency, "offerwall_currency")))
    return tuple(beside)


def _currency(column: str, row: Row) -> str | None:
    told: str | None = row[column]
    return told


_DETAILS = (
    Column("transaction_id", "Transaction"),
    Column("occurred_on", "Day", numbers.day),
    Column("outcome", "Outcome", numbers.sentence_case),
    Column("offer_name", "Offer"),
)

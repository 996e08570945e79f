"""The parts of a page: sections, figures, tables of an answer, the query behind them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from conversync.report import numbers
from conversync.report.markup import Html, join, tag
from conversync.report.reading import Answer, Row

# How the vendors call themselves.
VENDORS = {"besitos": "Besitos", "infobip": "Infobip", "conductrics": "Conductrics", "keitaro": "Keitaro"}


@dataclass(frozen=True)
class Column:
    """A column of a table on the page: which of the answer it shows, its head, and how a value reads."""

    name: str
    head: str
    shown: Callable[[Any], str] = str
    note: Callable[[Row], str | None] | None = None

    @property
    def is_number(self) -> bool:
        """Whether it is set to the right."""
        return self.shown in (numbers.money, numbers.count, numbers.share, numbers.hours)


def money(name: str, head: str, currency: str) -> Column:
    """A column of amounts, with the currency in its head."""
    return Column(name, f"{head} ({currency})", numbers.money)


def vendor_name(vendor: str) -> str:
    """How a vendor is called on the page."""
    return VENDORS.get(vendor, vendor)


def table(answer: Answer, columns: Sequence[Column], caption: str, *, tall: bool = False) -> Html:
    """An answer as a table in a box of its own that scrolls, by keyboard too. `tall` boxes have a greatest height."""
    heads = tag(
        "tr",
        *(tag("th", c.head, scope="col", class_=c.is_number and "n", data_column=c.name) for c in columns),
    )
    lines = (
        tag("tr", *(_cell(column, row, first=not place) for place, column in enumerate(columns)))
        for row in answer.rows
    )
    body = tag(
        "table",
        tag("caption", caption),
        tag("thead", heads),
        tag("tbody", *lines),
        data_query=answer.name,
    )
    return tag(
        "div",
        body,
        class_="scroll tall" if tall else "scroll",
        role="region",
        aria_label=caption,
        tabindex="0",
    )


def _cell(column: Column, row: Row, *, first: bool) -> Html:
    value = row[column.name]
    shown: object = numbers.NOTHING if value is None else column.shown(value)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        shown = tag("data", shown, value=value)
    elif isinstance(value, datetime):
        shown = tag("time", shown, datetime=value.astimezone(UTC).isoformat(timespec="seconds"))
    elif isinstance(value, date):
        shown = tag("time", shown, datetime=value.isoformat())
    note = column.note(row) if column.note else None
    children = (shown, note and tag("small", note))
    if first:
        return tag("th", *children, scope="row", class_=column.is_number and "n")
    return tag("td", *children, class_=column.is_number and "n")


def section(key: str, title: str, *children: object) -> Html:
    """A section of the page, a landmark by its title."""
    return tag(
        "section", tag("h2", title, id=f"{key}-title"), *children, id=key, aria_labelledby=f"{key}-title"
    )


def finding(*words: object) -> Html:
    """What a section found, in sentences."""
    return tag("p", *words, class_="finding")


def missing(*words: object) -> Html:
    """Why there is nothing to see."""
    return tag("p", *words, class_="missing")


def figure(picture: Html | None, numbers_beside: Html, caption: str, *, keys: Iterable[Html] = ()) -> Html:
    """A picture with its numbers beside it, and the sentence that says what it shows."""
    shown = list(keys)
    left = picture and tag(
        "div", tag("p", *shown, class_="keys") if shown else None, picture, class_="picture"
    )
    return tag(
        "figure",
        left,
        tag("div", numbers_beside, class_="numbers"),
        tag("figcaption", caption),
        class_="plate" if left else "plate alone",
    )


def key(token: str, words: str, shape: str = "box") -> Html:
    """A key of a picture: a mark in its colour, and what it stands for."""
    return tag("span", tag("i", class_=f"mark {shape} c-{token}", aria_hidden="true"), words, class_="key")


def more(summary: str, *children: object) -> Html:
    """What is there for those who want it."""
    return tag("details", tag("summary", summary), *children)


def queries(*answers: Answer) -> Html:
    """The queries behind a section, as they ran."""
    unique = {answer.name: answer for answer in answers}.values()
    blocks = (tag("pre", tag("code", answer.sql), tabindex="0", data_sql=answer.name) for answer in unique)
    word = "The query" if len(unique) == 1 else "The queries"
    return tag("details", tag("summary", f"{word} behind this"), *blocks, class_="sql")


def subheading(*words: object, vendor: str | None = None) -> Html:
    """A heading within a section, with its vendor's colour."""
    mark = vendor and tag("i", class_=f"mark box c-{vendor}", aria_hidden="true")
    return tag("h3", mark or None, *words)


def spaced(parts: Iterable[object]) -> Html:
    """Sentences after one another."""
    return join(parts, " ")


def identifier(*words: str) -> str:
    """A name that an id may hold."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")

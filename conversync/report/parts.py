"""What the sections of the page are made of: what each says, its figures, and the columns of its tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from conversync.report import numbers
from conversync.report.reading import Answer, Reader, Row

TEMPLATES = Path(__file__).parent / "templates"
# Neither HTML nor SVG may hold these; a database may. The last ones are not seen, and turn or hide what stands beside.
_FORBIDDEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    r"\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


@dataclass(frozen=True)
class Figure:
    """A key figure of the head: its label, value and unit, the sentence below it, and a colour of the page."""

    label: str
    value: str
    says: str
    colour: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Content:
    """What a section shows: the values of its template, the queries behind it, and its figures in the head.

    `missing` is why there is nothing to see, and then stands alone.
    """

    values: Row = field(default_factory=dict)
    queries: Sequence[Answer] = ()
    figures: Sequence[Figure] = ()
    missing: str = ""


@dataclass(frozen=True)
class Section:
    """A section of the page: its id, its words in the navigation, its title, and what it shows (None: it is left out).

    Its template is `<key>.html` in `folder`. `after` is the key of the section that a vendor's own one follows.
    """

    key: str
    words: str
    title: str
    content: Callable[[Reader], Content | None]
    folder: Path = TEMPLATES
    after: str = ""


@dataclass(frozen=True)
class Cell:
    """A cell as it reads, what a machine reads of it, and what is noted below."""

    text: str
    number: object = None
    time: str | None = None
    note: str | None = None


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

    def cell(self, row: Row) -> Cell:
        """Its cell of a row."""
        value = row[self.name]
        note = self.note(row) if self.note else None
        shown = numbers.NOTHING if value is None else self.shown(value)
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return Cell(shown, number=value, note=note)
        if isinstance(value, datetime):
            return Cell(shown, time=numbers.utc(value).isoformat(timespec="seconds"), note=note)
        return Cell(shown, time=value.isoformat() if isinstance(value, date) else None, note=note)


def money(name: str, head: str, currency: str) -> Column:
    """A column of amounts, with the currency in its head."""
    return Column(name, f"{head} ({currency})", numbers.money)


def identifier(*words: str) -> str:
    """A name that an id may hold."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


def clean(text: str) -> str:
    """The text with every character that a page may not hold replaced."""
    return _FORBIDDEN.sub("\ufffd", text)

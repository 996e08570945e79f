"""A page as a test sees it: its tables with exact values, the queries it shows, its pictures and its text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "link", "br", "hr"}


@dataclass
class Element:
    """An element with its attributes and what it holds."""

    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text within."""
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def all(self, tag: str, **attributes: str) -> Iterator[Element]:
        """Every element of a kind within, with these attributes; `class_` is one of several classes."""
        for child in self.children:
            if isinstance(child, str):
                continue
            if child.tag == tag and all(child.has(name, value) for name, value in attributes.items()):
                yield child
            yield from child.all(tag, **attributes)

    def has(self, name: str, value: str) -> bool:
        """Whether it has an attribute of this value."""
        if name == "class_":
            return value in self.attributes.get("class", "").split()
        return self.attributes.get(name.replace("_", "-")) == value

    def one(self, tag: str, **attributes: str) -> Element:
        """The only such element within."""
        [found] = self.all(tag, **attributes)
        return found


@dataclass
class Table:
    """A table of the page: the query behind it, and its cells' exact values, by column."""

    query: str
    caption: str
    heads: dict[str, str]
    rows: list[dict[str, str]]


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


class Page:
    """A report that was written."""

    def __init__(self, path: Path) -> None:
        self.source = path.read_text(encoding="utf-8")
        builder = _Builder()
        builder.feed(self.source)
        builder.close()
        self.root = builder.root

    def section(self, key: str) -> Element:
        """A section by its id."""
        return self.root.one("section", id=key)

    def tables(self, query: str | None = None) -> list[Table]:
        """All tables, or those that show one query."""
        found = [_table(element) for element in self.root.all("table")]
        return [table for table in found if query in (None, table.query)]

    def queries(self) -> dict[str, str]:
        """The queries that the page shows, by name."""
        return {block.attributes["data-sql"]: block.text for block in self.root.all("pre")}

    def figures(self) -> dict[str, str]:
        """The key figures of the head, by their labels."""
        return {
            group.one("dt").text: group.one("dd", class_="value").text
            for group in self.root.one("dl", class_="figures").all("div")
        }


def _table(element: Element) -> Table:
    heads = list(element.one("thead").all("th"))
    names = [cell.attributes["data-column"] for cell in heads]
    rows = []
    for line in element.one("tbody").all("tr"):
        cells = [child for child in line.children if isinstance(child, Element)]
        rows.append(dict(zip(names, map(_value, cells), strict=True)))
    return Table(
        element.attributes["data-query"],
        element.one("caption").text,
        dict(zip(names, (cell.text for cell in heads), strict=True)),
        rows,
    )


def _value(cell: Element) -> str:
    """What a machine reads of a cell, or else its text without the note below it."""
    for kind, name in (("data", "value"), ("time", "datetime")):
        for element in cell.all(kind):
            return element.attributes[name]
    return "".join(
        child if isinstance(child, str) else child.text
        for child in cell.children
        if isinstance(child, str) or child.tag != "small"
    )


def alike(page: Path) -> str:
    """A page without what tells its place, and without the moments of the nights, which this machine's clock told.

    The two places were loaded one after the other: when they were read last is not the same instant. And queries are
    run in a shell of the database that they are for.
    """
    text = page.read_text(encoding="utf-8")
    text = re.sub(r'datetime="\d{4}-\d\d-\d\dT[^"]*"', "", text)
    text, moments = re.subn(r"\d{1,2} [A-Z][a-z]{2} \d{4}, \d\d:\d\d", "", text)
    assert moments > 10
    text, shells = re.subn(r"in (a DuckDB shell|psql) on the [^.]*\.", "", text)
    assert shells == 1
    return text

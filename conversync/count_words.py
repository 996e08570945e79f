"""Counts in words: "1 row", "2,000 rows"."""

from __future__ import annotations


def noun(number: int, one: str, more: str | None = None) -> str:
    """The word for so many: "row" of 1, else "rows", or `more` where an s does not make it."""
    return one if number == 1 else more or f"{one}s"


def counted(number: int, one: str, more: str | None = None) -> str:
    """So many of something: "1 day", "2,000 days"."""
    return f"{number:,} {noun(number, one, more)}"


def rows(number: int) -> str:
    """So many rows."""
    return counted(number, "row")

"""What a vendor's answers are changed by, and which of its questions that goes for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conversync.sandbox import Request
from tests.besitos.rows import DAY


def everything(asked: Request) -> bool:
    """Is it a page of the walk without is_reverse?"""
    return "is_reverse" not in asked.query


def on_a_day(asked: Request) -> bool:
    """Is it a page of the walk without is_reverse, over the day of the rows?"""
    return everything(asked) and asked.query["from_date"] <= DAY <= asked.query["to_date"]


def from_the_reversals_on() -> Callable[[Request], bool]:
    """Is it the first question for reversals alone, or any that comes after it?"""
    met = list[Request]()

    def is_after(asked: Request) -> bool:
        met.extend([asked] if "is_reverse" in asked.query else [])
        return bool(met)

    return is_after


def link(url: str) -> Callable[[dict[str, Any], Mapping[str, str]], dict[str, Any]]:
    """Changes the next link."""

    def change(document: dict[str, Any], _query: Mapping[str, str]) -> dict[str, Any]:
        document["links"]["next"] = url
        return document

    return change


def meta(**changes: Any) -> Callable[[dict[str, Any], Mapping[str, str]], dict[str, Any]]:
    """Changes what stands in meta."""

    def change(document: dict[str, Any], _query: Mapping[str, str]) -> dict[str, Any]:
        document["meta"].update(changes)
        return document

    return change

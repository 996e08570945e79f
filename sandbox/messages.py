"""What goes over the wire, apart from how: a request as it was asked, an answer as it would be given."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol


@dataclass
class Request:
    """One request as it came, kept for assertions on what was asked.

    `query` holds the last value of each name, percent-decoded; `target` is the untouched text. Header names
    are in lower case, values as sent. `time` is monotonic seconds; `clock` is the world's. `status` is what
    was answered (None: nothing yet, or raw bytes, or the connection was closed), `fault` whether a fault
    was delivered with it.
    """

    method: str
    target: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    time: float
    clock: datetime
    status: int | None = None
    fault: bool = False


class Raw(str):
    """JSON text that goes into a document verbatim, well-formed or not; bytes travel as surrogate escapes."""

    __slots__ = ()


@dataclass(frozen=True)
class Answer:
    """A right answer. `document` builds it anew at each call, so a fault may change it and `encode` it."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    document: Callable[[], dict[str, Any]] | None = None
    encode: Callable[[dict[str, Any]], bytes] = field(default=lambda document: to_json(document).encode())


class Vendor(Protocol):
    """A dialect. It answers the paths it knows and returns None for all others."""

    name: str

    def answer(self, request: Request) -> Answer | None:
        """The right answer at the world's present clock."""
        ...


def json_answer(status: int, value: object) -> Answer:
    """`value` as JSON, in UTF-8."""
    document = (lambda: deepcopy(value)) if isinstance(value, dict) else None
    return Answer(status, to_json(value).encode(), document=document)


def to_json(value: object) -> str:
    """Compact JSON; a Decimal becomes a number with exactly its digits or an error, NaN is written as NaN."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_number)


def _number(value: object) -> int | float:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} has no form in JSON")
    if value == value.to_integral_value():
        return int(value)
    if Decimal(repr(float(value))) != value:
        raise ValueError(f"a float cannot carry {value}: script the row as JSON text")
    return float(value)

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
    document: Callable[[], Any] | None = None
    encode: Callable[[Any], bytes] = field(default=lambda document: to_json(document).encode())


class Vendor(Protocol):
    """A dialect. It answers the paths it knows and returns None for all others."""

    name: str

    def answer(self, request: Request) -> Answer | None:
        """The right answer at the world's present clock."""
        ...


def json_answer(status: int, value: object) -> Answer:
    """`value` as JSON, in UTF-8; `Raw` may stand in it, in lists as well."""
    document = (lambda: deepcopy(value)) if isinstance(value, dict | list) else None
    return Answer(status, raw_json(value), document=document, encode=raw_json)


def raw_json(value: object) -> bytes:
    """JSON as bytes: Raw verbatim, and what UTF-8 cannot hold (a lone surrogate) in escapes."""
    return _raw_text(value).encode("utf-8", "surrogateescape")


def _raw_text(value: object) -> str:
    """Raw is looked for in objects within objects and in lists, not inside a list's rows."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, dict):
        return f"{{{','.join(f'{to_json(name)}:{_raw_text(one)}' for name, one in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(one if isinstance(one, Raw) else _utf8_text(one) for one in value)}]"
    return _utf8_text(value)


def _utf8_text(value: object) -> str:
    text = to_json(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text


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

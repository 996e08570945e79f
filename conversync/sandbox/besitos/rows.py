"""Rows as they are written: the story's statements under a variant, or exactly what a test scripted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from conversync.sandbox.besitos.statements import Statement, currency_of, is_reversed
from conversync.sandbox.besitos.variants import Variants
from conversync.sandbox.messages import Raw, raw_json, to_json

Scripted = Mapping[str, Any] | str | bytes
"""A row to serve: an object; or JSON text or bytes that go out verbatim."""


AnyRow = TypeVar("AnyRow")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the feed: its JSON text, its value for a fault to change, and what the filters look at."""

    text: str
    value: dict[str, Any] | Raw
    transaction_id: object
    is_reversal: bool
    date_time: str | None
    user_key: str | None
    offer_id: str | None
    type: str | None

    def copy(self) -> dict[str, Any] | Raw:
        """The value, free to be changed."""
        return dict(self.value) if isinstance(self.value, dict) else self.value


def written(statement: Statement, variants: Variants) -> Row:
    """A statement of the story, its keys in the order of the document's sample."""
    number = _digits if variants.numbers_as_text else _same
    value: dict[str, Any] = {
        "user_id": statement.user_id,
        "transaction_id": str(statement.transaction_id) if variants.ids_as_text else statement.transaction_id,
        "reward": number(statement.reward),
        "payout": None if statement.payout is None else number(statement.payout),
        "offer_id": statement.offer_id,
        "offer_name": statement.offer_name,
        "note": statement.note,
        "date_time": statement.date_time,
        "reward_local_currency": number(statement.reward_local_currency or Decimal(0)),
        "goal_id": statement.goal_id,
    }
    if statement.payout is None:
        del value["payout"]
    if statement.is_reversal:
        value["reverse"] = {"integer": 1, "text": "1", "boolean": True}[variants.reverse]
    if statement.type is not None:
        value["type"] = statement.type
    if statement.survey_id is not None:
        value["survey_id"] = statement.survey_id
    currency = currency_of(statement.transaction_id, variants)
    if currency is not None:
        value["currency"] = currency
    return Row(
        to_json(value),
        value,
        statement.transaction_id,
        statement.is_reversal,
        statement.date_time,
        statement.user_key,
        statement.offer_id,
        statement.type,
    )


def unreadable(row: Row) -> Row:
    """The row with a payout that is no number; verbatim text stays as it is."""
    if not isinstance(row.value, dict):
        return row
    value = {**row.value, "payout": "n/a"}
    return replace(row, value=value, text=_utf8_json(value))


def _same(number: Decimal) -> Decimal:
    return number


def _digits(number: Decimal) -> str:
    return f"{number:f}"


def scripted(row: Scripted) -> Row:
    """A test's row. What cannot be read of it stands in no filter's way, except that it is no reversal."""
    if isinstance(row, Mapping):
        value: dict[str, Any] | Raw = dict(row)
        text = _utf8_json(value)
        given = dict(row)
    else:
        text = row.decode("utf-8", "surrogateescape") if isinstance(row, bytes) else row
        value, given = Raw(text), _object(text)
    user_id = _text(given.get("user_id"))
    transaction_id = given.get("transaction_id")
    return Row(
        text,
        value,
        transaction_id if isinstance(transaction_id, int) else str(transaction_id),
        is_reversed(given.get("reverse")),
        _stamp(given.get("date_time")),
        None if user_id is None else user_id.casefold(),
        _text(given.get("offer_id")),
        _text(given.get("type")),
    )


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _utf8_json(value: object) -> str:
    """Text that UTF-8 cannot hold (a lone surrogate) is written in escapes."""
    text = to_json(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _stamp(value: object) -> str | None:
    """A date_time that a window's edges can be compared with; one with an offset stays as it is."""
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return f"{read:%Y-%m-%d %H:%M:%S}" if read.tzinfo is None else read.isoformat()


def page_json(rows: Sequence[str], tail: Mapping[str, Any], variants: Variants) -> bytes:
    """A page of rows that are JSON text already, with the paginator's part after them."""
    comma = "," if variants.trailing_comma and rows else ""
    if variants.data == "object" and rows:
        data = f"{{{','.join(f'{json.dumps(key)}:{row}' for key, row in keyed(rows).items())}{comma}}}"
    else:
        data = f"[{','.join(rows)}{comma}]"
    rest = f",{to_json(tail)[1:]}" if tail else "}"
    return f'{{"data":{data}{rest}'.encode("utf-8", "surrogateescape")


def keyed(rows: Sequence[AnyRow]) -> dict[str, AnyRow]:
    """Rows by their place in a list whose first and third entry were filtered out."""
    places = [1, *range(3, len(rows) + 2)]
    return {str(place): row for place, row in zip(places, rows, strict=True)}


def document_json(document: Mapping[str, Any], variants: Variants) -> bytes:
    """A page's document that a fault may have changed; rows of `data` may be Raw."""
    rows = document.get("data")
    tail = {name: value for name, value in document.items() if name != "data"}
    if not isinstance(rows, list) or not tail:
        return raw_json(document)
    texts = [row if isinstance(row, Raw) else _utf8_json(row) for row in rows]
    return page_json(texts, tail, variants)

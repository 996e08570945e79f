"""JSON as a column of text holds it: the same bytes for the same values, and nothing that a database refuses."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from conversync.http.jsontext import HALF, texts_changed


def dumps(value: Any) -> str:
    """JSON text with sorted keys; decimals as the number literals they came as.

    A text or a name that no database takes in JSON either, for a NUL or a half of a surrogate pair, stands there as the
    JSON that it was (a NUL as six characters, a backslash as two), and a byte that was no UTF-8 as \\xff.
    """
    try:
        text = _ENCODER.encode(value).decode()
        return text if _NUL not in text else _ENCODER.encode(texts_changed(value, _escaped)).decode()
    except UnicodeEncodeError:
        return _ENCODER.encode(texts_changed(value, _escaped)).decode()
    except OverflowError:
        raise ValueError("a field that the document does not know holds a number beyond 64 bits") from None


def _escaped(text: str) -> str:
    if "\0" not in text and not HALF.search(text):
        return text
    return json.dumps(text, ensure_ascii=False)[1:-1].translate(_HALVES)


def _written(half: int) -> str:
    byte = half - 0xDC00
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else f"\\u{half:04x}"


_HALVES = {half: _written(half) for half in range(0xD800, 0xE000)}
_ENCODER = msgspec.json.Encoder(decimal_format="number", order="sorted")
_NUL = "\\u0000"

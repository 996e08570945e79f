"""JSON that was cut off, closed where it ends: of a refusal that is read for its words alone."""

from __future__ import annotations

import re

# A text, whole or cut, or one of the signs that matter; a text's closing quote is told by its group.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(")?|[\[\]{},:]', re.DOTALL)
# Half of an escape at the end of a cut text.
_HALF = re.compile(r"((?:[^\\]|\A)(?:\\\\)*+)\\(?:u[0-9a-fA-F]{0,3})?\Z")
_CLOSING = {"[": "]", "{": "}"}


def closed(text: str) -> str:
    """The text up to its last whole value, or within the text that it ends in, and the brackets that are open there.

    What is no beginning of JSON comes back as something that is none either.
    """
    open_, end, closing, is_name = list[str](), 0, "", False
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign[0] == '"':
            if token[1] is None:
                return _HALF.sub(r"\1", text) + '"' + _closing(open_) if not is_name else text[:end] + closing
            if not is_name:
                end, closing = token.end(), _closing(open_)
        elif sign in _CLOSING:
            open_.append(sign)
        elif sign in "]}":
            open_ = open_[:-1]
            end, closing = token.end(), _closing(open_)
        elif sign == ",":
            end, closing = token.start(), _closing(open_)
        is_name = sign in "{," and open_[-1:] == ["{"]
    return text[:end] + closing


def _closing(open_: list[str]) -> str:
    return "".join(_CLOSING[sign] for sign in reversed(open_))

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
    open_, is_name = list[str](), False
    # Where the last whole value ends, and how many brackets are open there: they stay as they are until it moves.
    end = depth = 0
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign[0] == '"':
            if token[1] is None and not is_name:
                return _HALF.sub(r"\1", text) + '"' + _closing(open_)
            if token[1] is None:
                break
            if not is_name:
                end, depth = token.end(), len(open_)
        elif sign in _CLOSING:
            open_.append(sign)
        elif sign in "]}":
            del open_[-1:]
            end, depth = token.end(), len(open_)
        elif sign == ",":
            end, depth = token.start(), len(open_)
        is_name = sign in "{," and open_[-1:] == ["{"]
    return text[:end] + _closing(open_[:depth])


def _closing(open_: list[str]) -> str:
    return "".join(_CLOSING[sign] for sign in reversed(open_))

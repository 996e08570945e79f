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
        if sign[0] == '"' and token[1] is None:
            return text[:end] + _closing(open_[:depth]) if is_name else _within(text, open_)
        if sign in _CLOSING:
            open_.append(sign)
        elif sign in "]}":
            del open_[-1:]
        ended = _end(token, is_name=is_name)
        if ended is not None:
            end, depth = ended, len(open_)
        is_name = sign in "{," and open_[-1:] == ["{"]
    return text[:end] + _closing(open_[:depth])


def _end(token: re.Match[str], *, is_name: bool) -> int | None:
    """Where a value ends by this sign or text; None where none does."""
    sign = token[0]
    if sign == ",":
        return token.start()
    return token.end() if sign in "]}" or (sign[0] == '"' and not is_name) else None


def _within(text: str, open_: list[str]) -> str:
    """All of it, closed in the text that it ends in."""
    return _HALF.sub(r"\1", text) + '"' + _closing(open_)


def _closing(open_: list[str]) -> str:
    return "".join(_CLOSING[sign] for sign in reversed(open_))

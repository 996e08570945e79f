"""HTML as a value: whatever is not `Html` already is escaped where it is put into a tag. Nothing else makes tags."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

# Neither HTML nor SVG may hold these; a database may. The last ones are not seen, and turn or hide what stands beside.
_FORBIDDEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    r"\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_VOID = {"meta", "link", "br", "hr"}


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def clean(text: str) -> str:
    """The text with every character that a page may not hold replaced."""
    return _FORBIDDEN.sub("\ufffd", text)


def text(value: object) -> Html:
    """Any value as HTML: escaped, unless it is HTML."""
    return value if isinstance(value, Html) else Html(escape(clean(str(value))))


def tag(name: str, *children: object, **attributes: object) -> Html:
    """An element. Children that are None are left out; so are attributes that are None or False.

    `class_` and `for_` are written without their underscore, other underscores become hyphens.
    """
    told = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{text(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{told}>")
    return Html(f"<{name}{told}>{join(children)}</{name}>")


def join(children: Iterable[object], between: str = "") -> Html:
    """All of these after one another; None is left out."""
    return Html(between.join(text(child) for child in children if child is not None))


def strong(value: object) -> Html:
    """What a sentence is about."""
    return tag("strong", value)

"""What others say, fit to be shown: no secret in any of its forms, one line, cut to measure.

One home for it: vendors' words, exceptions, logs, plans and ledgers all pass through here.
"""

from __future__ import annotations

import base64
import html
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus

MASK = "***"
# A secret that is cut off is still one: as much of its beginning is masked, too.
SHORTEST_BEGINNING, LONGEST_BEGINNING = 8, 12
# Shorter ones would mask half of every sentence. They are masked where they are given to `redact` itself.
SHORTEST_KNOWN = 4

_known: set[str] = set()


def remember(*secrets: str) -> None:
    """From now on `redact` masks these wherever they turn up. Said as soon as a secret is read."""
    _known.update(secret for secret in secrets if len(secret) >= SHORTEST_KNOWN)


def redact(text: str, *secrets: str) -> str:
    """The text with every secret masked: those given, and all that this process remembers.

    Masked are, in upper and lower case: the secret itself, percent-encoded (once, twice, with "+"), escaped as in
    JSON (once, twice) and in HTML, in base64 alone or inside of something longer, and the beginning of any of these.
    """
    forms = _forms(frozenset({*secrets, *_known} - {""}))
    pieces, position = [], 0
    for start, end in _merged(sorted(place for form in forms for place in _places(text, form))):
        pieces += [text[position:start], MASK]
        position = end
    return "".join([*pieces, text[position:]])


def plain(text: str, *, lines: bool = False) -> str:
    """The text with every character that cannot be printed as its escape, \\x1b or \\u202e; a tab is a blank.

    What a terminal, a log or a reader's eye would obey is seen and not obeyed: escape sequences, changes of direction,
    line breaks. With `lines` the text has lines of its own, and their breaks stay.
    """
    if text.isprintable() or (lines and text.replace("\n", "").isprintable()):
        return text
    return "".join(c if c.isprintable() or (lines and c == "\n") else _shown(c) for c in text)


def for_chat(text: str) -> str:
    """`plain`, in one line, for a chat service: nothing in it calls a channel or a person, or is a link in disguise.

    The signs that mean something there are replaced by ones that look like them.
    """
    return plain(text).translate(_CHAT).replace("](", "] (")


def one_line(text: str) -> str:
    """Printable characters and single blanks: no line break, no escape sequence, no change of direction."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def quoted(text: str, most: int, *secrets: str) -> str:
    """Somebody's words for a sentence of ours: redacted, in one line without its full stop, `most` characters."""
    # What is far beyond the cut is not looked at: a vendor may say megabytes.
    text = text[: most * 8 + 1_000]
    line = redact(one_line(redact(text, *secrets)), *secrets).rstrip(".")
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


# Slack and Discord: <!channel>, <@user>, <http://a|b>; everywhere @all, @everyone.
_CHAT = str.maketrans({"<": "\u2039", ">": "\u203a", "@": "\uff20"})


def _shown(character: str) -> str:
    if character == "\t" or unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode()


@lru_cache(maxsize=64)
def _forms(secrets: frozenset[str]) -> frozenset[str]:
    return frozenset(form for secret in secrets for form in _forms_of(secret)) - {""}


def _forms_of(secret: str) -> Iterator[str]:
    yield secret
    for encoded in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield encoded
        yield quote(encoded, safe="")
    for ascii_only in (True, False):
        escaped = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        for one in (escaped, escaped.replace("/", "\\/")):
            yield one
            yield json.dumps(one, ensure_ascii=ascii_only)[1:-1]
    yield from _in_html(secret)
    yield from _in_base64(secret.encode("utf-8", "surrogatepass"))


def _in_html(secret: str) -> Iterator[str]:
    yield html.escape(secret, quote=False)
    escaped = html.escape(secret)
    for apostrophe in ("&#x27;", "&#39;", "&#039;", "&apos;"):
        for quotation in ("&quot;", "&#34;"):
            yield escaped.replace("&#x27;", apostrophe).replace("&quot;", quotation)


def _in_base64(secret: bytes) -> Iterator[str]:
    """At each of the three places where it may begin in a longer text, less what it shares with its neighbours."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + secret).decode().rstrip("=")
        shared_end = 1 if (before + len(secret)) % 3 else 0
        core = encoded[(before * 8 + 5) // 6 : len(encoded) - shared_end if before else len(encoded)]
        if len(core) >= SHORTEST_BEGINNING:
            yield core
            yield core.replace("+", "-").replace("/", "_")


def _places(text: str, form: str) -> Iterator[tuple[int, int]]:
    """Where the form stands, or anything that begins like it."""
    least = min(len(form), max(SHORTEST_BEGINNING, min(LONGEST_BEGINNING, len(form) // 2)))
    for match in re.finditer(re.escape(form[:least]), text, re.IGNORECASE):
        rest = text[match.end() : match.end() + len(form)]
        yield match.start(), match.end() + _alike(rest, form[least:])


def _alike(text: str, form: str) -> int:
    """How many characters of both are the same, whatever their case."""
    pairs = enumerate(zip(text, form, strict=False))
    return next((at for at, (a, b) in pairs if a.lower() != b.lower()), min(len(text), len(form)))


def _merged(places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Places in their order, those that overlap as one."""
    start = end = 0
    for first, last in places:
        if first > end:
            if end:
                yield start, end
            start = first
        end = max(end, last)
    if end:
        yield start, end

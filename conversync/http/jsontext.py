"""Reading JSON value by value: what cannot be read past is raised, what can is noted as a fault."""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from typing import Any

from conversync.types import Document

MAX_DEPTH = 64
"""Levels of brackets in a row, or in the document around the rows. Vendors' documents show four."""

MAX_DIGITS = 400
"""Of a number, its point and sign included. Python itself may refuse whole ones from 640 on, as the machine is set."""

MAX_NAMES = 1_000
"""Of one object. Vendors' rows have fifty at most; one whose names are numbers is a list, and has as many as it may."""

MAX_NAME = 4_096
"""Characters of one name."""

_SPACE = re.compile(r"[ \t\n\r]*+")
# A text that never ends is one to the end: a search that began anew within it would look at the rest for each quote.
_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f]")
# What is before the first text that holds a raw control character; of sound JSON otherwise all of it.
_SOUND = re.compile(r'[^"]*+(?:"[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+"[^"]*+)*+', re.DOTALL)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
# Half of a surrogate pair, which is no character. A byte that is no UTF-8 is read as the half U+DC00 more than it is.
HALF = re.compile(r"[\ud800-\udfff]")


_clock = threading.local()


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """What this thread reads inside is given up at that time of the monotonic clock, with a TimeoutError.

    It is looked at before each value of a `Reader`. One value is bounded by the size of a body.
    """
    _clock.deadline = deadline
    try:
        yield
    finally:
        _clock.deadline = math.inf


class SyntaxFaultError(Exception):
    """The text is no JSON at `position`."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.position = position


class Reader:
    """Reads values one after the other; what JSON forbids but can be read past is noted, not raised.

    `text` is UTF-8 of which each byte stands as one character (see `as_bytes`): what frames a value is ASCII, and a
    text with one character beyond the first 65,536 takes four times its bytes. Of a value's own text it is made.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._is_ascii = text.isascii()
        self.position = 0
        self._noted: list[str] = []
        self._decoder = _decoder(self._noted)
        self._deadline: float = getattr(_clock, "deadline", math.inf)

    def value(self, most: float = math.inf) -> Any:
        """The value that begins here; `fault_in` then tells what was wrong with it. TimeoutError past the deadline.

        One of more than `most` bytes is wrong, too, and None.
        """
        if time.monotonic() > self._deadline:
            raise TimeoutError
        self._noted.clear()
        start = self.space()
        try:
            value, self.position = self._decoder.raw_decode(self.text, start)
        except RecursionError:
            return self._too_deep(start)
        except json.JSONDecodeError as error:
            reason, position = error.msg, error.pos
        else:
            if self.position - start > most:
                self._noted[:] = [f"it has {self.position - start:,} bytes, more than {most:,}"]
                return None
            return value if self._is_ascii else self._in_its_characters(value, start)
        raise SyntaxFaultError(_phrase(reason, self.text, position), position)

    def _in_its_characters(self, value: Any, start: int) -> Any:
        """A value that was read byte by byte, as what its bytes stand for."""
        read = self.text[start : self.position]
        if read.isascii():
            return value
        del value
        self._noted.clear()
        return self._decoder.raw_decode(in_characters(read))[0]

    def _too_deep(self, start: int) -> Any:
        self._noted.append(f"it is nested more than {MAX_DEPTH} deep")
        self.position, _ = span(self.text, start)
        return None

    def fault_in(self, raw: str) -> str | None:
        """What is wrong with the value read last, whose text is `raw`. Whatever its texts hold is no fault."""
        if self._noted:
            return self._noted[0]
        brackets = raw.count("[") + raw.count("{") if raw[:1] in "[{" else 0
        if brackets > MAX_DEPTH and span(raw, 0)[1] > MAX_DEPTH:
            return f"it is nested more than {MAX_DEPTH} deep"
        return None

    def space(self) -> int:
        """Goes past white space; the position after it."""
        match = _SPACE.match(self.text, self.position)
        if match:
            self.position = match.end()
        return self.position

    def peek(self) -> str:
        """The next character that is no white space, "" at the end."""
        start = self.space()
        return self.text[start : start + 1]

    def take(self, expected: str) -> str:
        """One of the expected characters, which is now behind us."""
        found = self.peek()
        if not found or found not in expected:
            choices = " or ".join(f"'{character}'" for character in expected)
            raise SyntaxFaultError(f"expected {choices}", self.position)
        self.position += 1
        return found

    def skip(self, character: str) -> bool:
        """Whether this character came next; if so, it is now behind us."""
        found = self.peek() == character
        self.position += found
        return found

    def end(self) -> None:
        """Nothing but white space may follow."""
        if self.peek():
            raise SyntaxFaultError("there is more after its end", self.position)


class _Hooks:
    """What is made of objects and numbers, and noted of them.

    It knows no `Reader`: one that its decoder led back to would keep a body until the next collection of garbage.
    """

    def __init__(self, noted: list[str]) -> None:
        self._noted = noted

    def object(self, pairs: list[tuple[str, Any]]) -> Document:
        if len(pairs) > MAX_NAMES and not all(name.isdigit() for name, _ in pairs):
            self._noted.append(f"an object has {len(pairs):,} fields")
            return {}
        found = dict(pairs)
        if any(len(name) > MAX_NAME for name in found):
            self._noted.append(f"a field's name is longer than {MAX_NAME} characters")
        if len(found) != len(pairs):
            self._noted.append(twice(pairs))
        return found

    def decimal(self, literal: str) -> Decimal:
        if len(literal) > MAX_DIGITS:
            self._noted.append(f"a number has {len(literal)} digits")
            return Decimal(0)
        try:
            return Decimal(literal)
        except InvalidOperation:
            self._noted.append("a number has an exponent out of all bounds")
        return Decimal(0)

    def integer(self, literal: str) -> int:
        if len(literal) > MAX_DIGITS:
            self._noted.append(f"a number has {len(literal)} digits")
            return 0
        return int(literal)

    def constant(self, name: str) -> None:
        self._noted.append(f"{name} is not a number that JSON knows")


def _decoder(noted: list[str]) -> json.JSONDecoder:
    hooks = _Hooks(noted)
    # Not strict: a raw control character is a row's fault, and json's own error for it counts the lines before it.
    return json.JSONDecoder(
        object_pairs_hook=hooks.object,
        parse_float=hooks.decimal,
        parse_int=hooks.integer,
        parse_constant=hooks.constant,
        strict=False,
    )


def as_bytes(body: bytes) -> str:
    """A text whose characters are the bytes: it takes no more of them, whatever they stand for."""
    return body.decode("latin-1")


def in_characters(read: str, errors: str = "surrogateescape") -> str:
    """What a piece of such a text stands for. A byte that is no UTF-8 becomes half of a surrogate pair (see `HALF`)."""
    return read if read.isascii() else read.encode("latin-1").decode("utf-8", errors)


def twice(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    key = next((key for key, _ in pairs if key in seen or seen.add(key)), "")  # type: ignore[func-returns-value]
    return f"the key {ascii(key[:60])[1:-1]} stands twice"


def span(text: str, start: int) -> tuple[int, int]:
    """Where the value that begins at `start` ends, by its brackets alone, and how deep they go."""
    depth = deepest = 0
    for match in _BRACKET.finditer(text, start):
        if match.group() in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif match.group() in "]}":
            depth -= 1
            if depth == 0:
                return match.end(), deepest
    raise SyntaxFaultError("its brackets are not closed", len(text))


def leaves(value: Any) -> Iterator[Any]:
    """Every key and every value that is no container, at any depth, without recursion."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(item)
            stack.extend(item.values())
        elif isinstance(item, (list, tuple)):
            stack.extend(item)
        else:
            yield item


def has_raw_control(raw: str) -> bool:
    """Whether a text in this JSON holds a control character that is not escaped."""
    sound = _SOUND.match(raw) if _CONTROL.search(raw) else None
    return sound is not None and sound.end() < len(raw)


def whole(value: Any, raw: str) -> Any:
    """A value no deeper than `MAX_DEPTH`, read from `raw`, with U+FFFD for every `HALF` in its texts and names."""
    if not raw.isascii() or _SURROGATE_ESCAPE.search(raw):
        return texts_changed(value, lambda text: HALF.sub("\N{REPLACEMENT CHARACTER}", text))
    return value


def texts_changed(value: Any, change: Callable[[str], str]) -> Any:
    """A value no deeper than `MAX_DEPTH` with every text and every name in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(name): texts_changed(item, change) for name, item in value.items()}
    if isinstance(value, list):
        return [texts_changed(item, change) for item in value]
    return value


def _phrase(message: str, text: str, position: int) -> str:
    comma = text.rfind(",", 0, position)
    blank = _SPACE.match(text, comma + 1) if comma >= 0 else None
    if blank and blank.end() >= position:
        return "a comma with nothing after it"
    return message[:1].lower() + message[1:]

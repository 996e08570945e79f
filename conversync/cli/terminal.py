"""Prints lines and JSON; tables and bars are drawn by screen.py. What others wrote is seen in them, and never obeyed.

Foreign text (a vendor's words, names, ids, contents of a database) is cleaned here, where it is printed: control
characters, changes of direction and line breaks appear as their escapes, and markup of rich as what it is. Beneath,
`conversync.cli.process` keeps from the standard streams whatever did not come this way. JSON has escapes of its own.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import IO

from conversync.http.redact import plain


def say(text: str, *, error: bool = False, lines: bool = False) -> None:
    """One line on standard output, or on standard error, whoever has closed it; several where it has `lines`."""
    _print(plain(text, lines=lines), error=error)


def emit(document: object, *, error: bool = False, indent: int | None = None) -> None:
    """The document as JSON on a line, or set in; whoever has closed the stream."""
    _print(json.dumps(document, indent=indent), error=error)


def _print(text: str, *, error: bool) -> None:
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr if error else sys.stdout, flush=error)


def line_to(stream: IO[str], text: str) -> None:
    """One line on a stream of the caller's, whoever has closed it."""
    with suppress(OSError, ValueError):
        print(text, file=stream, flush=True)

"""Lines and tables as they are printed: what others wrote is seen in them, and never obeyed.

Foreign text (a vendor's words, names, ids, contents of a database) is cleaned here, where it is printed: control
characters, changes of direction and line breaks appear as their escapes, and markup of rich as what it is. Beneath,
`conversync.cli.process` keeps from the standard streams whatever did not come this way. JSON has escapes of its own.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import lru_cache
from typing import Any

from conversync.cli import process
from conversync.http.redact import plain


def say(text: str, *, error: bool = False) -> None:
    """One line on standard output, or on standard error, whoever has closed it."""
    with suppress(OSError, ValueError):
        print(plain(text), file=sys.stderr if error else sys.stdout, flush=error)


# Columns of a table where there is no terminal, so that a file or a mail can be read.
PIPED = 100


def screen(*, error: bool = False) -> Any:
    """A rich console on standard output or error: as wide as the terminal, or as `PIPED` where it is none.

    Its `say` prints one line, in a style of ours. Texts that are printed otherwise may have lines of their own, and
    ours may have markup.
    """
    stream = sys.stderr if error else sys.stdout
    return _class()(
        file=process.styled(stream),
        highlight=False,
        emoji=False,
        soft_wrap=True,
        width=None if stream.isatty() else PIPED,
    )


def cell(text: Any) -> Any:
    """What stands in a table: text without markup; what is rich's already is left alone."""
    return styled(text) if isinstance(text, str) else text


def styled(text: str, style: str = "") -> Any:
    """A text of rich's, in a style of ours."""
    from rich.text import Text

    return Text(plain(text), style=style)


@lru_cache(maxsize=1)
def _class() -> Any:
    from rich.console import Console
    from rich.text import Text

    class Screen(Console):
        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(plain(text, lines=True), **options)

        def say(self, text: str, style: str | None = None) -> None:
            self.print(plain(text), markup=False, style=style)

    return Screen

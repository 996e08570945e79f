"""The one module that prints: lines, JSON, tables and bars. What others wrote is seen in them, and never obeyed.

Foreign text (a vendor's words, names, ids, contents of a database) is cleaned here, where it is printed: control
characters, changes of direction and line breaks appear as their escapes, and markup of rich as what it is. Beneath,
`conversync.cli.process` keeps from the standard streams whatever did not come this way. JSON has escapes of its own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from conversync.cli import process
from conversync.http.redact import plain

if TYPE_CHECKING:
    from rich.console import JustifyMethod
    from rich.progress import Progress
    from rich.table import Table
    from rich.text import Text

    from conversync.cli.screen import Screen

# Columns of a table where there is no terminal, so that a file or a mail can be read.
PIPED = 100


def say(text: str, *, error: bool = False, lines: bool = False) -> None:
    """One line on standard output, or on standard error, whoever has closed it; several where it has `lines`."""
    _print(plain(text, lines=lines), error=error)


def emit(document: object, *, error: bool = False, indent: int | None = None) -> None:
    """The document as JSON on a line, or set in; whoever has closed the stream."""
    _print(json.dumps(document, indent=indent), error=error)


def _print(text: str, *, error: bool) -> None:
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr if error else sys.stdout, flush=error)


def screen(*, error: bool = False) -> Screen:
    """A rich console on standard output or error: as wide as the terminal, or as `PIPED` where it is none."""
    from conversync.cli.screen import Screen

    stream = sys.stderr if error else sys.stdout
    return Screen(
        file=process.styled(stream),
        highlight=False,
        emoji=False,
        soft_wrap=True,
        width=None if stream.isatty() else PIPED,
    )


def table(
    heads: Sequence[str],
    lines: Iterable[Sequence[str | Text]],
    *,
    right: Collection[int] = (),
    unbroken: Collection[int] = (),
    title: str | None = None,
    title_style: str | None = None,
    is_narrow: bool = False,
) -> Table:
    """A table of texts, or of rich's own.

    The columns `right` hold figures, which stand at the right. What is too long for the screen is folded, but in the
    columns `unbroken`. `is_narrow`: columns stand a character apart in place of two.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0) if is_narrow else (0, 1),
        title=title,
        title_justify="left",
        title_style=title_style,
    )
    for number, head in enumerate(heads):
        side: JustifyMethod = "right" if number in right else "left"
        made.add_column(head, justify=side, no_wrap=number in unbroken, overflow="fold")
    for line in lines:
        made.add_row(*(styled(one) if isinstance(one, str) else one for one in line))
    return made


def styled(text: str, style: str = "") -> Text:
    """A text of rich's, in a style of ours."""
    from rich.text import Text

    return Text(plain(text), style=style)


def bars(screen: Screen) -> Progress:
    """Bars on this screen, which are gone at the end."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    described = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), described, BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=screen, transient=True)


def line_to(stream: IO[str], text: str) -> None:
    """One line on a stream of the caller's, whoever has closed it."""
    with suppress(OSError, ValueError):
        print(text, file=stream, flush=True)

"""Draws tables and bars, with rich; not imported before something is drawn, for that takes its time."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from conversync.cli import process
from conversync.http.redact import plain

# Columns of a table where there is no terminal, so that a file or a mail can be read.
PIPED = 100
# Wider than any table.
WIDEST = 10_000


class Screen(Console):
    """Shows what others wrote as what it is.

    Its `say` prints one line, in a style of ours. Texts that are printed otherwise may have lines of their own, and
    ours may have markup.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Rich's own, of a text without control characters."""
        return super().render_str(plain(text, lines=True), **options)

    def say(self, text: str, style: str | None = None) -> None:
        """One line."""
        self.print(plain(text), markup=False, style=style)

    def fits(self, made: Table) -> bool:
        """Whether all columns of a table can be as wide as what is in them."""
        return self.measure(made, options=self.options.update(width=WIDEST)).maximum <= self.width


def console(*, error: bool = False) -> Screen:
    """A rich console on standard output or error: as wide as the terminal, or as `PIPED` where it is none."""
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


def fitted(out: Screen, heads: Sequence[str], lines: Sequence[Sequence[str | Text]]) -> Table:
    """A table of figures behind a name: where it must, heads of several words stand on as many lines."""
    figures = range(1, len(heads))
    made = table(heads, lines, right=figures, unbroken=figures)
    if out.fits(made):
        return made
    broken = [heads[0], *(head.replace(" ", "\n") for head in heads[1:])]
    return table(broken, lines, right=figures, unbroken=figures, is_narrow=True)


def styled(text: str, style: str = "") -> Text:
    """A text of rich's, in a style of ours."""
    return Text(plain(text), style=style)


def bars(console: Screen) -> Progress:
    """Bars on this console, which are gone at the end."""
    described = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), described, BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console, transient=True)

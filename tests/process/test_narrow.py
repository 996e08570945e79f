"""Tables of figures on a narrow screen."""

from __future__ import annotations

from io import StringIO

import pytest

from conversync.cli.output import figures
from conversync.cli.screen import Screen

HEADS = ("sent", "already sent", "rejected", "in doubt", "taken back", "cannot go", "requests")
COUNTS = (1_234_567, 8, 0, 3, 0, 0, 12_345)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_figure_and_no_word_of_a_head_is_broken(width: int) -> None:
    """A number in two pieces reads as two numbers. Where there is too little room, the name goes on below."""
    shown = StringIO()
    out = Screen(file=shown, width=width, soft_wrap=True)
    out.print(figures(out, ("target", *HEADS), [("keitaro:eu.conversions", COUNTS, 12.3, None)]))
    words = shown.getvalue().split()
    assert {*" ".join(HEADS).split(), "seconds"} <= set(words)
    assert {f"{count:,}" for count in COUNTS} <= set(words)
    assert max(map(len, shown.getvalue().splitlines())) <= width
    assert ("already sent" in shown.getvalue()) == (width > 100), "on one line where there is room"

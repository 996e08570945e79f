"""What taking a load back does, in words."""

from __future__ import annotations

from collections.abc import Iterator

from conversync.count_words import noun, rows
from conversync.undo.take_back import Part, Undoing


def told(found: Undoing, *, is_done: bool) -> Iterator[str]:
    """A line each: the load, its tables, the money by currency, what stands against it."""
    commits = len(found.load.commits)
    several = f", {commits} {noun(commits, 'commit')}" if commits > 1 else ""
    yield f"{'taken back' if is_done else 'would take back'}: {found.load}{several}"
    for part in found.parts:
        yield f"  {part.table}: {_part(part, is_done=is_done)}"
    for currency, change in found.money.items():
        yield f"  net revenue {'moved' if is_done else 'moves'} by {change:+f} {currency}"
    if not found.money and found.load.vendor.books:
        yield f"  no revenue {'moved' if is_done else 'moves'}"
    for reason in found.against:
        yield f"  refused: {reason}"


def _part(part: Part, *, is_done: bool) -> str:
    go = ("went" if is_done else "goes") if part.gone == 1 else ("went" if is_done else "go")
    come = "came" if is_done else "comes" if part.back == 1 else "come"
    stand = "stand" if part.back != 1 else "stands"
    back = f"{rows(part.back)} {f'{stand} again' if part.is_log else f'{come} back as before'}"
    return f"{rows(part.gone)} {go}, {back}" if part.back else f"{rows(part.gone)} {go}"

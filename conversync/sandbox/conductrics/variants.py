"""Every question that Conductrics' document leaves open, as one setting each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Variants:
    """One reading of the document. The defaults are the likeliest one."""

    # How a goal is told.
    count_max: Literal["shown", "absent"] = "shown"
    """A `countMax` of 1, the default: told, or left out."""
    unset: Literal["absent", "null"] = "absent"
    """A goal without values: no `valueMin` and `valueMax`, or null ones."""
    detail: Literal["object", "list"] = "object"
    """`data` of the detail: the goal, or a list with the goal."""
    extras: bool = True
    """The undocumented `diagram` and `tags` of the detail."""
    order: Literal["stable", "shuffled"] = "stable"
    """Of goals in the list, and of agents in a goal."""

    # What is taken.
    slashes: Literal["encoded", "any"] = "encoded"
    """A code's slashes in the path: percent-encoded, or as they are too."""
    dashes: bool = True
    """May a code hold `-`, as the samples' do though the text does not say so?"""

    written: Literal["goal", "status", "empty"] = "goal"
    """What a PUT or DELETE is answered with: the goal (or its code) as `data`, the status alone, or nothing."""

    # What goes wrong.
    errors: Literal["http", "body"] = "http"
    """`body`: an error is HTTP 200, and only the body's `status` tells."""
    body_status: int = 0
    """Every answer is HTTP 200 with this `status` in its body and no data."""
    empty: Literal["never", "once", "always"] = "never"
    """The list of goals is suddenly empty: at its next request, or at each."""
    vanishing: frozenset[str] = frozenset()
    """Goals that the list still holds, and that are gone when their detail is asked for."""

"""What a look at a vendor comes to."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """One thing that was looked at: whether it is as it should be, and a sentence without its full stop."""

    good: bool
    text: str

"""What stands before all vendors alike, as a web server or a load balancer does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Variants:
    """How answers leave the house. Frozen: change one with `dataclasses.replace`, or `server.NAME=VALUE`."""

    date: Literal["none", "clock"] = "none"
    """The Date of an answer: without one, or by the world's clock, wherever that is moved to."""


@dataclass
class Front:
    """The one there is; its variants may change at any time."""

    variants: Variants = field(default_factory=Variants)

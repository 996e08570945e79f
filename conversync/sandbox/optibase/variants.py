"""Every question that Optibase's document leaves open, as one setting each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Variants:
    """One reading of the document. The defaults are the likeliest one."""

    reply: Literal["json", "text", "empty", "no_content"] = "json"
    """What a taken conversion is answered with: `{"success":true}`, `OK`, nothing, or 204."""
    repeats: Literal["counted", "ignored", "conflict"] = "counted"
    """The same conversion of the same user again: counted twice; or the conversion is set up as one per visitor, and
    the repeat is answered alike, or with 409."""
    errors: Literal["http", "body"] = "http"
    """`body`: an error is HTTP 200, and only the body tells."""
    wrong_key: Literal["401", "403", "400", "404"] = "401"
    """The status for a public key that is not the account's."""
    unknown_users: frozenset[str] = frozenset()
    """Ids, of either kind, that no tested user has."""
    unknown_status: Literal["404", "400", "422"] = "404"
    """The status for these."""
    conversions: frozenset[str] = frozenset()
    """The ids of the Programmatic Conversions there are; none named: any."""

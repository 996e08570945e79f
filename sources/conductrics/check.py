"""Whether the account can be reached with the key that is set, and whether its list is one of goals."""

from __future__ import annotations

from collections.abc import Iterator

from conversync.extract.check_results import Finding, clock
from conversync.http.client import Answer

from . import ConductricsSettings
from .goals import code_of


def check(settings: ConductricsSettings) -> Iterator[Finding]:
    """Asks for the list of goals, and for none of them. Raises the errors of `conversync.errors`."""
    heard: list[Answer] = []
    access = settings.access()
    with access.client(settings.http_budget) as client:
        rows = access.goal_list(client, heard.append)
    yield Finding(True, f"reached, and let in: {len(rows)} goals")
    yield from clock(heard[0])
    for row in rows:
        try:
            code_of(row.sound())
        except ValueError as reason:
            yield Finding(False, f"a goal would be set aside: {reason}")
    yield Finding(
        True, "complete by one page: each list comes whole in one answer, and an empty one is asked for twice"
    )

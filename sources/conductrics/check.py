"""Whether the account can be reached with the key that is set, and whether its list is one of goals."""

from __future__ import annotations

from collections.abc import Iterator

from conversync.extract.check_results import CheckResult, clock
from conversync.http.client import Response

from .goals import code_of
from .settings import ConductricsSettings


def check(settings: ConductricsSettings) -> Iterator[CheckResult]:
    """Asks for the list of goals, and for none of them. Raises the errors of `conversync.errors`."""
    heard: list[Response] = []
    access = settings.access()
    with access.client(settings.http_budget) as client:
        rows = access.goal_list(client, heard.append)
    yield CheckResult(True, f"reached, and let in: {len(rows)} goals")
    yield from clock(heard[0])
    for row in rows:
        try:
            code_of(row.sound())
        except ValueError as reason:
            yield CheckResult(False, f"a goal would be set aside: {reason}")
    yield CheckResult(
        True, "complete by one page: each list comes whole in one answer, and an empty one is asked for twice"
    )

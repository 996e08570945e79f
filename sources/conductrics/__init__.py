"""Conductrics' goal types: what they are, which agents they belong to, and what became of them.

    import dlt
    from sources.conductrics import conductrics

    dlt.pipeline("goals", destination="duckdb", dataset_name="conductrics").run(conductrics())

reads the lists as they are now, with one request for each goal. Rests on the vendor's "Goal Management API" page;
what that leaves open is listed in README.md beside this file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime

import dlt
import pyarrow as pa
from dlt.extract import DltResource

from conversync.errors import InvalidResponseError
from conversync.extract.catalogue import held
from conversync.extract.columns import now
from conversync.extract.declared import Table
from conversync.extract.evidence import EVIDENCE, Quarantine, reading_row, rejected_table, resolved_rows
from conversync.extract.mistrusted import nothing_of
from conversync.extract.rejected_days import resolved
from conversync.extract.routing import Routed, routed
from conversync.extract.windows import Window
from conversync.types import Document, State

from .asking import Listed
from .goals import goal_agents, versions
from .settings import ConductricsSettings as ConductricsSettings
from .tables import AGENTS, GOAL_AGENTS, GOAL_HISTORY, GOALS

# A list is read whole, whenever a row of it was set aside.
ALWAYS = Window(date.min, date.max)


@dlt.source(name="conductrics", max_table_nesting=0, spec=ConductricsSettings)
def conductrics(
    *,
    accept_empty: bool = False,
    settings: ConductricsSettings = None,  # type: ignore[assignment] # dlt resolves it
    on_page: Callable[[int, int], None] = lambda _received, _announced: None,
) -> list[DltResource]:
    """`goals`, `goal_agents`, `goal_history` and `agents` as they are now, and the evidence.

    A list that is empty, twice in a row, where the table has rows, is an InvalidResponseError unless `accept_empty`.
    `on_page` is told the goals read and listed. What the vendor does not give of it, while it answers for others, stays
    as it was. Raises the errors of `conversync.errors`; then nothing is loaded.
    """

    @dlt.resource(name="walk", selected=False)
    def scan() -> Iterator[Routed]:
        yield from _read(dlt.current.source_state(), settings, accept_empty, on_page)

    return routed(scan, (GOALS, GOAL_AGENTS, GOAL_HISTORY, AGENTS, *EVIDENCE))


def _read(
    state: State,
    settings: ConductricsSettings,
    accept_empty: bool,
    on_page: Callable[[int, int], None],
) -> Iterator[Routed]:
    """Asks for both lists, then routes: goals and agents, what was set aside, the evidence."""
    access, read_at = settings.access(), now()
    with access.client(settings.http_budget) as client, nothing_of("Conductrics' goals and agents"):
        goals = access.goals(client, on_page)
        agents = access.agents(client)
    _believe(GOALS, goals, accept_empty)
    yield _whole(GOALS, goals.rows, goals)
    yield _whole(GOAL_AGENTS, goal_agents(goals.rows), goals)
    yield _whole(GOAL_HISTORY, versions(goals.rows), goals, "valid_to is null")
    if not agents.missing:
        _believe(AGENTS, agents, accept_empty)
    yield _whole(AGENTS, agents.rows, agents)
    yield from _evidence(state, {"goals": goals, "agents": agents}, settings.today(), read_at)


def _whole(table: Table, rows: list[Document], found: Listed, current: str = "true") -> Routed:
    """The whole of a table: the rows read, and of those held the ones that a bad row, or no list, stands for.

    A goal whose row had to be set aside is still there at the vendor, so it stays as it was last known.
    """
    kept: list[Document] = []
    if found.missing or found.spoilt or found.nameless:
        kept = [row for row in held(table, current) if found.missing or found.stands_for(row["code"])]
    return Routed(table.name, pa.Table.from_pylist([*rows, *kept], schema=table.schema))


def _believe(table: Table, found: Listed, accept_empty: bool) -> None:
    """Refuses an empty list where the table has rows: they would all be gone, and their history closed."""
    if found.rows or found.rejected or accept_empty:
        return
    if known := len(held(table, "true")):
        raise InvalidResponseError(
            f"Conductrics lists no {table.name} any more, where {known} were known; nothing was changed. "
            "If they are really gone, say so with --accept-empty."
        )


def _evidence(state: State, lists: dict[str, Listed], today: date, read_at: datetime) -> Iterator[Routed]:
    """What was set aside, each once, then a row of evidence for each list."""
    known = state.setdefault("set_aside", {})
    set_aside: dict[str, Document] = {}
    gone: list[str] = []
    for name, found in lists.items():
        aside = Quarantine(known, name, Window(today, today), read_at, found.note(name))
        for rejected in found.rejected:
            aside.add(rejected, None)
        set_aside |= aside.rows
        if not found.missing:
            gone += resolved(known, name, [ALWAYS], set_aside)
        row = reading_row(
            aside,
            {},
            pages=found.requests,
            announced=found.received,
            received=found.received,
            statements=len(found.rows),
            unknown=found.unknown,
            missing=len(found.failed) or (1 if found.error else None),
        )
        yield Routed("windows", row)
    yield Routed("rejected_rows", rejected_table([*set_aside.values(), *resolved_rows(gone, read_at)]))

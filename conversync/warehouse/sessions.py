"""What each session of ours on a PostgreSQL is told when it begins, whether it reads or writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conversync.types import Destination

# Seconds for which a statement waits for who holds a table, such as a reader whose transaction stays open where a
# column is added, or somebody who changes a table that is read; dlt tries the jobs of a load some times more.
PATIENCE = 60.0
# PostgreSQL's code for a lock that was not had, and the attribute of an error that names who has it.
NOT_HAD, HELD_BY = "55P03", "held_by"
# A session as a person is told of it, of a row of pg_stat_activity.
WHO = "concat_ws(' ', a.usename, a.application_name, 'pid ' || a.pid)"


def settled(destination: Destination, fences: Mapping[str, str] | None = None) -> Any:
    """dlt's destination, whose sessions are patient from now on; with `fences`, they write (see fenced_client.py).

    A dataset without a fence is not to be written then.
    """
    make = destination.client

    def client(schema: Any, initial_config: Any = None) -> Any:
        made = make(schema, initial_config)
        # Here, so that dlt says it where the driver is missing.
        from conversync.warehouse.fenced_client import Fenced, Patient

        made.sql_client.credentials = _patient(made.sql_client.credentials)
        made.sql_client.__class__ = Patient if fences is None else Fenced
        if fences is not None:
            made.sql_client.fence = fences[made.config.dataset_name]
        return made

    vars(destination).update(client=client)
    return destination


def held_by(error: BaseException) -> str:
    """Who holds what the error says was not had, as far as it is known."""
    seen: BaseException | None = error
    while seen is not None:
        if found := getattr(seen, HELD_BY, ""):
            return str(found)
        seen = seen.__cause__ or seen.__context__
    return ""


def _patient(credentials: Any) -> Any:
    """As an option of the start, which holds after dlt's `reset all`; what a person set there counts."""
    query = dict(credentials.query or {})
    if "lock_timeout" in (options := query.get("options", "")):
        return credentials
    patient = credentials.copy()
    patient.query = {**query, "options": f"{options} -clock_timeout={int(PATIENCE * 1000)}".strip()}
    return patient

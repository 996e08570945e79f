"""One DuckDB for all sessions on a DuckLake, where dlt begins a new one for each of the fifty of a load.

A new one takes in its extensions, which took longer than what most sessions ask. The lake is attached to it while a
session is open, and no longer, as with dlt: between two of them nothing of its catalog is held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from conversync.types import Destination

if TYPE_CHECKING:
    from conversync.warehouse.lake_client import Engine

# dlt's name for the type of such a destination.
LAKE = "dlt.destinations.ducklake"


def settled(
    destination: Destination, gates: Mapping[str, Callable[[], AbstractContextManager[None]]] | None = None
) -> Destination:
    """dlt's DuckLake destination, whose sessions from now on share a DuckDB; any other as it is.

    `gates`: by dataset, within what its transactions have to be (see write_lock.py); those of others need nothing.
    """
    if destination.destination_type != LAKE:
        return destination
    make = destination.client
    # By lake: dlt lets each pipeline have one of its own.
    engines: dict[str, Engine] = {}

    def client(schema: Any, initial_config: Any = None) -> Any:
        # Here, so that a command on another destination does not import it.
        from conversync.warehouse.lake_client import Engine, LakeSession

        made = make(schema, initial_config)
        sessions = made.sql_client
        sessions.__class__ = LakeSession
        sessions.engine = engines.setdefault(sessions.attach_statement, Engine(sessions.credentials))
        sessions.credentials.conn_pool = sessions.engine
        sessions.gate = (gates or {}).get(made.config.dataset_name)
        return made

    vars(destination).update(client=client)
    return destination

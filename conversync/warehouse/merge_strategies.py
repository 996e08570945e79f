"""Which ways a destination has to keep tables, by what its client says; those it lacks are said by those it has.

A table names the way it is kept (see extract/declared.py). Logs of statements need dlt's `scd2`, which nothing can take
the place of. All else is flat tables with a key, and can be said by `delete-insert`, in one transaction: the row of a
key is replaced (`upsert`); of rows whose key is held none comes (`insert-only`); everything goes, and what came is all
there is (`cdc`, of a list that comes whole).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import wraps
from importlib.util import find_spec
from typing import Any

from conversync.types import Destination

REPLACES = "delete-insert"
# What a destination must have, by dlt's names.
NEEDED = {
    "scd2": "close a statement and open another (scd2)",
    REPLACES: "put rows in the place of others (delete-insert)",
}
# What can be said by it, and is where the destination lacks it.
SAID = ("upsert", "insert-only", "cdc")
# Where dlt's client merges outside of any transaction, whatever the capabilities say (by dlt's names for the type).
UNTRANSACTED = ("dlt.destinations.databricks", "dlt.destinations.synapse")
# dlt's name for the type that reaches databases by SQLAlchemy, and SQLAlchemy's for the one that is let.
SQLALCHEMY, MARIADB = "dlt.destinations.sqlalchemy", "mariadb+pymysql"
# What that needs.
PACKAGES = ("sqlalchemy", "pymysql")
# How a table is to be kept, where a merge is made of it that says so by other means.
WANTED = "x-conversync-strategy"


def lacking(destination: Destination) -> str | None:
    """Why our tables cannot be kept there, as the end of a sentence on it; None where they can. Asks nobody."""
    can = destination.capabilities()
    has = can.supported_merge_strategies or ()
    if lacks := [what for strategy, what in NEEDED.items() if strategy not in has]:
        return (
            f"cannot {lacks[0]}, so what is read twice would stand there twice: name one that can, such as duckdb "
            "or postgres (published_lake makes a lake of a DuckDB file)."
        )
    if can.supports_transactions is False or destination.destination_type in UNTRANSACTED:
        return (
            "merges rows without transactions, so a load that is killed halfway would leave a statement closed and the "
            "next one not opened: name one that has them, such as duckdb or postgres."
        )
    return _no_mariadb(destination) if destination.destination_type == SQLALCHEMY else None


def _no_mariadb(destination: Destination) -> str | None:
    """The same of what dlt reaches by SQLAlchemy."""
    if not all(map(find_spec, PACKAGES)):
        return "is for MariaDB alone, and needs packages that are not installed: pip install 'conversync[mariadb]'."
    config = destination.configuration(destination.spec()._bind_dataset_name(dataset_name="sent"))  # noqa: SLF001 - as dlt does
    if (driver := str(config.credentials.drivername)) == MARIADB:
        return None
    return (
        f"is for MariaDB alone, with credentials that begin with {MARIADB}://, and not for {driver}: no other database "
        "was proven to keep amounts and keys exactly there."
    )


def is_by_sqlalchemy(name: str) -> bool:
    """Whether a destination of this name, as dlt knows it, is reached by SQLAlchemy."""
    from conversync.dlt_internals import Destination

    found = Destination.from_reference(name)
    return found is not None and found.destination_type == SQLALCHEMY


def settled(destination: Destination) -> Any:
    """dlt's destination, which from now on keeps tables in every way, and merges in transactions where it has them."""
    if destination.destination_type == SQLALCHEMY:
        # Here, since who has none need not have its packages.
        from conversync.warehouse import mariadb

        mariadb.settle()
    can = destination.capabilities()
    has = can.supported_merge_strategies or ()
    if can.supports_transactions is None:
        # dlt merges outside of them unless it is told; its clients have them all the same.
        destination.caps_params["supports_transactions"] = True
    lacks = [strategy for strategy in SAID if strategy not in has]
    if not lacks or REPLACES not in has:
        return destination
    destination.caps_params["supported_merge_strategies"] = [*has, *lacks]
    make = destination.client

    def client(schema: Any, initial_config: Any = None) -> Any:
        made = make(schema, initial_config)
        prepare = made.prepare_load_table

        def prepare_load_table(name: str) -> Any:
            table = prepare(name)
            wanted = table.get("x-merge-strategy")
            return {**table, WANTED: wanted, "x-merge-strategy": REPLACES} if wanted in lacks else table

        made.prepare_load_table = prepare_load_table
        return made

    vars(destination).update(client=client)
    _merge_what_is_wanted()
    return destination


def _merge_what_is_wanted() -> None:
    """From now on dlt's merges heed what a table wants; once is enough."""
    from conversync.dlt_internals import SqlMergeFollowupJob

    theirs = SqlMergeFollowupJob._gen_table_setup_clauses.__func__  # type: ignore[attr-defined] # noqa: SLF001 - dlt has it to be overridden
    if hasattr(theirs, "__wrapped__"):
        return

    @wraps(theirs)
    def setup(cls: Any, table_chain: Sequence[Any], sql_client: Any) -> list[str]:
        return [*theirs(cls, table_chain, sql_client), *_before(table_chain[0], sql_client)]

    SqlMergeFollowupJob._gen_table_setup_clauses = classmethod(setup)  # type: ignore[method-assign, assignment] # noqa: SLF001 - as above


def _before(table: Any, client: Any) -> list[str]:
    """What is done before rows are replaced; each a line, in words that every dialect has."""
    from conversync.dlt_internals import get_columns_names_with_prop

    held, staged = client.get_qualified_table_names(table["name"])
    if table.get(WANTED) == "cdc":
        return [f"DELETE FROM {held} WHERE 1 = 1;"]  # noqa: S608 - our own names
    if table.get(WANTED) == "insert-only":
        keys = map(client.escape_column_name, get_columns_names_with_prop(table, "primary_key"))
        is_held = " AND ".join(f"{held}.{key} = {staged}.{key}" for key in keys)
        return [f"DELETE FROM {staged} WHERE EXISTS (SELECT 1 FROM {held} WHERE {is_held});"]  # noqa: S608 - as above
    return []

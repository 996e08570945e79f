"""Which datasets of a DuckDB file are accounts of a vendor: told by what their loads noted, not by a name alone."""

from __future__ import annotations

from conversync.types import Connection
from conversync.vendors import Vendor, of_dataset
from conversync.warehouse.allowed import STAGING


def accounts(connection: Connection) -> list[Vendor]:
    """The accounts with a name that were ever loaded, by their datasets, whether or not the settings still name them.

    A copy that somebody made of a dataset, under whatever name, is none: its state is that of another.
    """
    found = []
    for (name,) in connection.execute(_STATES).fetchall():
        source = None if name.endswith(STAGING) else of_dataset(name)
        if source is not None and source.of_account:
            query = f'select 1 from "{name}"._dlt_pipeline_state where pipeline_name = ? limit 1'  # noqa: S608 - of the catalogue
            if connection.execute(query, [f"conversync_{name}"]).fetchone():
                found.append(source)
    return found


_STATES = """
    select schema_name from duckdb_tables()
    where table_name = '_dlt_pipeline_state' and database_name = current_database() order by schema_name
"""

"""Which datasets of a warehouse are accounts of a vendor: told by what their loads noted, not by a name alone."""

from __future__ import annotations

from conversync.vendors import Vendor, of_dataset
from conversync.warehouse.privileges import STAGING
from conversync.warehouse.query import Rows

# Where dlt keeps what the loads of a dataset noted.
STATE = "_dlt_pipeline_state"


def pipeline_name(dataset: str) -> str:
    """Under which name the state of a dataset's loads is kept."""
    return f"conversync_{dataset}"


def accounts(rows: Rows) -> list[Vendor]:
    """The accounts with a name that were ever loaded, by their datasets, whether or not the settings still name them.

    `rows` asks a DuckDB file or a PostgreSQL. A copy that somebody made of a dataset, under whatever name, is none: its
    state is that of another.
    """
    found = []
    for (name,) in rows(_STATES):
        source = None if name.endswith(STAGING) else of_dataset(name)
        if source is not None and source.of_account:
            pipeline = pipeline_name(name).replace("'", "''")
            mine = f"pipeline_name = '{pipeline}'"
            if rows(f'select 1 from "{name}".{STATE} where {mine} limit 1'):  # noqa: S608 - of the catalogue
                found.append(source)
    return found


_STATES = f"""
    select table_schema from information_schema.tables
    where table_name = '{STATE}' and table_catalog = current_database() order by table_schema
"""  # noqa: S608 - our own name

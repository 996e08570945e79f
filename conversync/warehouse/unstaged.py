"""On DuckDB, what came is merged from its files as they lie: no copy of it is written into the warehouse first.

Such a copy cost as much as the merge itself, and its pages stayed in the file for good. dlt's statements are as they
would be, but read the files where they named the staging table.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

# In this form dlt writes whatever comes, unless a resource asks for another.
WRITTEN_AS = "parquet"


def as_they_lie(destination: Any) -> Any:
    """dlt's DuckDB destination, which from now on merges files of parquet without a staging table."""
    # Here, so that a command that loads nothing does not import them.
    from conversync.warehouse.unstaged_client import FilesAsTheyLie

    make = destination.client

    def client(schema: Any, initial_config: Any = None) -> Any:
        made = make(schema, initial_config)
        made.__class__ = FilesAsTheyLie
        return made

    vars(destination).update(client=client)
    destination.caps_params["preferred_loader_file_format"] = WRITTEN_AS
    return destination


def rows_of(table: str, files: Iterable[str | Path]) -> str:
    """What stands for a staging table: the rows of these files, with the table's types, and all of its columns."""
    none = f"SELECT * FROM {table} WHERE false"  # noqa: S608 - our own names
    listed = ", ".join(f"'{file}'" for file in files)  # no path of ours holds a quote
    if not listed:
        return f"({none})"
    read = f"SELECT * FROM read_parquet([{listed}], union_by_name = true)"  # noqa: S608 - as above
    return f"({none} UNION ALL BY NAME {read})"


def drop_copies(client: Any) -> None:
    """Removes the staging schema, which an earlier version made, or a table that comes in another form than parquet.

    What dlt noted there of its tables goes with them: who found it would not make them again. Of a schema that holds
    anything else, only dlt's tables go.
    """
    from conversync.dlt_internals import DatabaseException

    with client.sql_client.with_staging_dataset() as staging:
        found = {name for [name] in staging.execute_sql(_TABLES, staging.dataset_name)}
        if not found:
            return
        staging.drop_tables(*sorted(found & client.schema.tables.keys()))
        with suppress(DatabaseException):  # not empty
            staging.execute_sql(f"drop schema {staging.fully_qualified_dataset_name()}")


def is_merged_so(client: Any) -> bool:
    """Whether a dlt destination client is one of these."""
    from conversync.warehouse.unstaged_client import FilesAsTheyLie

    return isinstance(client, FilesAsTheyLie)


_TABLES = """
    select table_name from duckdb_tables() where database_name = current_catalog() and schema_name = %s
"""

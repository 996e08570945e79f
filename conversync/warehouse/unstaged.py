"""On DuckDB, what came is merged from its files as they lie: no copy of it is written into the warehouse first.

Such a copy cost as much as the merge itself, and its pages stayed in the file for good. dlt's statements are as they
would be, but read the files where they named the staging table.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any


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
    return destination


def rows_of(table: str, files: Iterable[str | Path]) -> str:
    """What stands for a staging table: the rows of these files, with the table's types, and all of its columns."""
    listed = ", ".join(f"'{file}'" for file in files)  # no path of ours holds a quote
    read = f"SELECT * FROM read_parquet([{listed}], union_by_name = true)"  # noqa: S608 - our own names
    return f"(SELECT * FROM {table} WHERE false UNION ALL BY NAME {read})"  # noqa: S608 - as above


def drop_copies(client: Any, tables: Iterable[str]) -> None:
    """Removes the staging tables that an earlier version made; a killed load of it may have left rows in them."""
    with client.sql_client.with_staging_dataset() as staging:
        for table in tables:
            staging.execute_sql(f"drop table if exists {staging.make_qualified_table_name(table)}")


def is_merged_so(client: Any) -> bool:
    """Whether a dlt destination client is one of these."""
    from conversync.warehouse.unstaged_client import FilesAsTheyLie

    return isinstance(client, FilesAsTheyLie)

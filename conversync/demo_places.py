"""Where the demo's tables are: its own DuckDB file, or a PostgreSQL in which nothing of ours stands yet."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from conversync.build import SCHEMAS, relations
from conversync.dlt_errors import translate_errors
from conversync.errors import SettingsError
from conversync.load import pipeline_for
from conversync.types import SqlClient
from conversync.vendors import vendors
from conversync.warehouse import confined_sql, query
from conversync.warehouse.query import Rows
from conversync.warehouse.warehouse import Warehouse

# The schema of what a user's own database would hold.
OWN = "main"


@contextmanager
def reading(warehouse: Warehouse) -> Iterator[Rows]:
    """What asks the warehouse."""
    with tempfile.TemporaryDirectory() as folder, translate_errors():
        destination = warehouse.dlt_destination([OWN], read_only=True)
        with confined_sql.reading(pipeline_for(OWN, destination, Path(folder))) as client:
            yield partial(query.rows, client)


@contextmanager
def writing(warehouse: Warehouse) -> Iterator[SqlClient]:
    """A session that may write into the demo's own schema, all or nothing."""
    with warehouse.locked(what="demo", names=[OWN]) as folder, translate_errors():
        destination = warehouse.dlt_destination([OWN])
        with (
            warehouse.held(0, folder),
            pipeline_for(OWN, destination, folder).sql_client() as client,
            client.begin_transaction(),
        ):
            yield client


def refuse_what_stands(warehouse: Warehouse) -> None:
    """SettingsError where a server has tables of ours: the demo's are nobody's, and would be among them."""
    if warehouse.destination == "duckdb":
        return
    if not warehouse.is_postgres:
        raise SettingsError(f"The demo runs on DuckDB and on PostgreSQL, and {warehouse} is neither.")
    with reading(warehouse) as rows:
        there = {name.partition(".")[0] for name in relations(rows)}
    if found := sorted(there & {*vendors(), *SCHEMAS, "sent", "books", OWN}):
        raise SettingsError(
            f"The demo wants a database of its own, and in that of {warehouse} stands {', '.join(found)}: make an "
            "empty one (createdb) and name it in the credentials, or drop what an earlier demo left."
        )

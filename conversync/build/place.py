"""Where dbt builds: a DuckDB file, a PostgreSQL or a DuckLake, of which dbt is told as dlt's settings tell us."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from conversync.build import lake_profile
from conversync.dlt_errors import translate_errors
from conversync.errors import SettingsError
from conversync.load import pipeline_for
from conversync.types import Pipeline, Values
from conversync.vendors import of_dataset
from conversync.warehouse import confined_sql, datasets, files, privileges, query
from conversync.warehouse.query import Rows
from conversync.warehouse.warehouse import Warehouse

# What the models are written into; a file of such a name could not be told from the schema.
SCHEMAS = ("staging", "intermediate", "marts")
# The dataset by which dlt is asked for the database that dbt builds in; its builds are one at a time.
MARTS = SCHEMAS[-1]
# What the models read beside the vendors' datasets.
NO_SOURCES = ("sent", "books")
# The setting of how much memory DuckDB may take for them.
MEMORY = "CONVERSYNC_BUILD_MEMORY"
# How libpq calls what it finds in its file of services.
SERVICE = "conversync"


def check(warehouse: Warehouse) -> None:
    """SettingsError where dbt, or its adapter for this destination, is not installed, or there is none of ours."""
    if warehouse.destination != "duckdb" and not warehouse.is_postgres and not warehouse.is_lake:
        raise SettingsError(
            f"The models are built on DuckDB, PostgreSQL and DuckLake, and {warehouse} is none."
        )
    extra, adapter = ("dbt-postgres",) * 2 if warehouse.is_postgres else ("dbt", "dbt-duckdb")
    try:
        version(adapter), version("dbt-core")
    except PackageNotFoundError:
        raise SettingsError(
            f'{adapter} is not installed, and build runs it: pip install "conversync[{extra}]".'
        ) from None


@contextmanager
def asked(warehouse: Warehouse, folder: Path) -> Iterator[Rows]:
    """What asks a server before dbt does.

    SettingsError where this user may not make the schemas there, or not read what the models are made of.
    """
    with translate_errors(), confined_sql.reading(_pipeline(warehouse, folder)) as client:

        def rows(text: str) -> Sequence[Values]:
            return query.rows(client, text)

        privileges.check(client, SCHEMAS)
        if warehouse.is_postgres:
            privileges.check_seen(rows, _is_read)
        yield rows


def _is_read(schema: str, name: str, _: bool) -> bool:
    """Whether the models would do without a whole dataset if this relation in it were missing."""
    if schema in NO_SOURCES:
        return True
    return (
        name == datasets.STATE and not schema.endswith(privileges.STAGING) and of_dataset(schema) is not None
    )


def place_of(warehouse: Warehouse, folder: Path) -> dict[str, str]:
    """What dbt's profile asks the environment for; of a server with its password, in a name that dbt shows nowhere.

    What else its sessions need (`sslmode`, how long a lock is waited for) libpq reads from a file in `folder`.
    """
    if warehouse.destination == "duckdb":
        return {
            "DBT_TARGET": "duckdb",
            "CONVERSYNC_WAREHOUSE": str(warehouse.path.absolute()),
            "CONVERSYNC_BUILD_SPILL": str(folder / "spill"),
        }
    if warehouse.is_lake:
        with translate_errors(), confined_sql.reading(_pipeline(warehouse, folder)) as client:
            return lake_profile.environment(client, folder, os.environ.get(MEMORY, "500MB"))
    own = _pipeline(warehouse, folder).sql_client().credentials
    named = {"HOST": own.host, "PORT": own.port, "USER": own.username, "DATABASE": own.database}
    services = folder / "pg_service.conf"
    told = "".join(f"{name}={value}\n" for name, value in own.get_query().items())
    files.write(services, f"[{SERVICE}]\n{told}")
    return {
        "DBT_TARGET": "postgres",
        "DBT_ENV_SECRET_CONVERSYNC_POSTGRES_PASSWORD": own.password or "",
        "PGSERVICEFILE": str(services),
        "PGSERVICE": SERVICE,
        **{f"CONVERSYNC_POSTGRES_{name}": str(value) for name, value in named.items()},
    }


def _pipeline(warehouse: Warehouse, folder: Path) -> Pipeline:
    """What dlt asks the database of the marts with."""
    destination = warehouse.dlt_destination([MARTS], read_only=True)
    pipeline: Pipeline = pipeline_for(MARTS, destination, folder)
    return pipeline

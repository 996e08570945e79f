"""dbt's profile for a DuckLake: how it is attached to a DuckDB in memory, and what lets that read the data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conversync.errors import SettingsError
from conversync.types import Document, SqlClient
from conversync.warehouse import files
from conversync.warehouse.query import rows

# How the models' lake is called in dbt's session, and dlt's schema in which a name without one is looked for.
ALIAS, FIRST = "lake", "main"
# The names of dbt whose values it shows nowhere.
SECRET = "DBT_ENV_SECRET_CONVERSYNC_"  # noqa: S105 - the name of one
# What dlt tells an S3 of, by DuckDB's names for it; an empty one is not told.
_S3 = {
    "key_id": "aws_access_key_id",
    "secret": "aws_secret_access_key",
    "session_token": "aws_session_token",
    "region": "region_name",
}


def environment(client: SqlClient, folder: Path, memory: str) -> dict[str, str]:
    """Writes the profile into `folder`, which is the run's own; what dbt is told besides, secrets among it.

    `client` is an open sql_client of the lake; `memory` as DuckDB has it. SettingsError for a lake that dbt cannot be
    told of.
    """
    credentials: Any = client.credentials
    catalog, told = _catalog(credentials)
    secrets, kept = _secrets(credentials.storage)
    [[extensions]] = rows(client, "select current_setting('extension_directory')")
    output = {
        "type": "duckdb",
        "path": ":memory:",
        "database": ALIAS,
        "schema": "marts",
        "threads": 1,
        "attach": [
            {"path": catalog, "alias": ALIAS, "options": {"data_path": credentials.storage_url, **told[0]}}
        ],
        "secrets": secrets,
        "config_options": {
            "extension_directory": str(extensions) or str(Path.home() / ".duckdb" / "extensions"),
            "autoinstall_known_extensions": False,
            "allow_community_extensions": False,
            "memory_limit": memory,
            "threads": 1,
            "temp_directory": str(folder / "spill"),
        },
        "settings": {"TimeZone": "UTC", "schema": f"{ALIAS}.{FIRST}"},
    }
    place = files.private_folder(folder / "profiles")
    profile = {"conversync": {"target": ALIAS, "outputs": {ALIAS: output}}}
    # YAML is JSON, too.
    files.write(place / "profiles.yml", json.dumps(profile))
    return {"DBT_TARGET": ALIAS, "DBT_PROFILES_DIR": str(place), **told[1], **kept}


def _catalog(credentials: Any) -> tuple[str, tuple[Document, Mapping[str, str]]]:
    """What is attached, with which options, and what the environment has to hold for it."""
    catalog = credentials.catalog
    if catalog.drivername == "duckdb":
        return f"ducklake:{catalog.database}", ({}, {})
    if catalog.drivername == "sqlite":
        return f"ducklake:{catalog.database}", ({"META_TYPE": "sqlite", "META_JOURNAL_MODE": "WAL"}, {})
    if catalog.drivername in ("postgres", "postgresql"):
        named = {"dbname": catalog.database, "host": catalog.host, "port": catalog.port}
        named |= {"user": catalog.username, **(catalog.query or {})}
        words = " ".join(f"{name}={_word(value)}" for name, value in named.items() if value is not None)
        options = {"METADATA_SCHEMA": credentials.metadata_schema or credentials.ducklake_name}
        return f"ducklake:postgres:{words}", (options, {"PGPASSWORD": catalog.password or ""})
    raise SettingsError(
        f"The models are built in a DuckLake whose catalog is in DuckDB, SQLite or PostgreSQL, and not in "
        f"{catalog.drivername}."
    )


def _word(value: object) -> str:
    """A value as libpq has it."""
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _secrets(storage: Any) -> tuple[list[Document], dict[str, str]]:
    """What lets DuckDB read where the data is, and the environment in which its values are."""
    if storage.is_local_filesystem:
        return [], {}
    if storage.protocol != "s3":
        raise SettingsError(
            f"The models are built in a DuckLake whose data is on disk or in S3, and not by {storage.protocol}://."
        )
    given = storage.credentials
    values = {name: value for name, theirs in _S3.items() if (value := getattr(given, theirs, None))}
    secret: Document = {"type": "s3", "scope": storage.bucket_url}
    secret |= {name: f"{{{{ env_var('{_kept(name)}') }}}}" for name in values}
    if given.endpoint_url:
        scheme, _, host = given.endpoint_url.partition("://")
        secret |= {"endpoint": host, "use_ssl": str(scheme == "https").lower()}
        secret["url_style"] = given.s3_url_style or "path"
    if "key_id" not in values:
        secret["provider"] = "credential_chain"
    return [secret], {_kept(name): str(value) for name, value in values.items()}


def _kept(name: str) -> str:
    """By which name the environment has a part of a secret."""
    return f"{SECRET}{name.upper()}"

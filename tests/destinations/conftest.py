"""Each destination that can be run here, with a project of its own and two nights of one story to load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conversync.sandbox import Sandbox
from tests.dbt.cluster import Cluster, binary
from tests.destinations import mariadb
from tests.destinations.places import ARE_INSTALLED, Elsewhere, Storage, bucket, in_file, lake
from tests.process.conftest import one_nursery, sandbox
from tests.process.support import ProcessPool

__all__ = ["one_nursery", "sandbox"]  # fixtures

IN_FILE, ON_SERVER, ON_S3 = LAKES = (
    "ducklake, its catalog in DuckDB",
    "ducklake, its catalog in PostgreSQL",
    "ducklake, its data on S3",
)
CLEARED = "drop schema if exists {0} cascade; drop schema if exists {0}_staging cascade; select 1"


@pytest.fixture(scope="session")
def s3() -> Iterator[Storage]:
    """One server for all tests of a worker."""
    with bucket() as storage:
        yield storage


@pytest.fixture(scope="session")
def maria() -> Iterator[mariadb.Server]:
    """As above."""
    with mariadb.server() as server:
        yield server


@pytest.fixture
def on_mariadb(
    request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox, nursery: ProcessPool
) -> Iterator[Elsewhere]:
    """With no tables yet."""
    if mariadb.SERVER is None:
        # As of PostgreSQL: make cannot install a server, which is the system's; .ci/run has one installed.
        pytest.skip("no MariaDB server is installed here")
    if not mariadb.HAS_DRIVER:
        pytest.fail("its driver is not installed: make test-destinations does it")
    server: mariadb.Server = request.getfixturevalue("maria")
    made = Elsewhere(tmp_path, sandbox, nursery, "sqlalchemy", server.ask)
    made.env["DESTINATION__SQLALCHEMY__CREDENTIALS"] = server.url
    yield made
    for dataset in ("besitos", "keitaro", "infobip", "conductrics", "sent"):
        server.run(f"drop database if exists {dataset}")
        server.run(f"drop database if exists {dataset}_staging")


@pytest.fixture(params=["duckdb", "postgres", "mariadb", *LAKES])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox, nursery: ProcessPool
) -> Iterator[Elsewhere]:
    """As above, wherever it is."""
    kind = str(request.param)
    if "postgres" in kind.lower() and binary("postgres") is None:
        pytest.skip("no PostgreSQL server is installed here")
    if kind in LAKES and not ARE_INSTALLED:
        pytest.fail("DuckDB's extensions are not installed: make test-destinations does it")
    if kind == "duckdb":
        yield Elsewhere(tmp_path, sandbox, nursery, "duckdb", in_file(tmp_path))
        return
    if kind == "mariadb":
        yield request.getfixturevalue("on_mariadb")
        return
    if kind in (IN_FILE, ON_S3):
        file = tmp_path / "catalog.duckdb"
        where = tmp_path.name
        storage = (
            request.getfixturevalue("s3").within(where) if kind == ON_S3 else Storage(str(tmp_path / "lake"))
        )
        with lake(tmp_path, storage, f"duckdb:///{file}", f"ducklake:{file}") as (settings, ask):
            made = Elsewhere(tmp_path, sandbox, nursery, "ducklake", ask)
            made.env |= settings
            yield made
        return
    database: Cluster = request.getfixturevalue("database")
    if kind == "postgres":
        made = Elsewhere(tmp_path, sandbox, nursery, "postgres", database.ask)
        made.env["DESTINATION__POSTGRES__CREDENTIALS"] = database.url
        yield made
        for dataset in ("besitos", "sent"):
            database.ask(CLEARED.format(dataset))
        return
    attached = f"ducklake:postgres:{database.url.replace('postgresql:', 'postgres:')}"
    files = Storage(str(tmp_path / "lake"))
    # The catalog is in a schema that dlt calls so unless told otherwise.
    with lake(tmp_path, files, database.url, attached, "metadata_schema 'ducklake'") as (settings, ask):
        made = Elsewhere(tmp_path, sandbox, nursery, "ducklake", ask)
        made.env |= settings
        yield made
        database.ask("drop schema if exists ducklake cascade; select 1")

"""The published lake as others read it: by DuckDB's own readers of Delta and Iceberg, on disk and in a bucket."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from conversync.sandbox import Sandbox
from tests.destinations.places import ARE_INSTALLED, EXTENSIONS, OF_LAKES, Storage
from tests.process.lakes import TABLES, Lake
from tests.process.support import Place, ProcessPool

pytestmark = pytest.mark.destinations
DISK, BUCKET = "on disk", "in a bucket"
# What of a bucket is in the environment under the same name.
KEYS = ("aws_access_key_id", "aws_secret_access_key")

Read = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(params=[DISK, BUCKET])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """A folder, or one of a bucket."""
    if not ARE_INSTALLED:
        pytest.fail("DuckDB's extensions are not installed: make test-destinations does it")
    if request.param == DISK:
        return Storage(str(tmp_path / "lake"))
    storage: Storage = request.getfixturevalue("s3")
    return storage.within(tmp_path.name)


@pytest.fixture(params=["delta", "iceberg"])
def lake(
    request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox, nursery: ProcessPool, where: Storage
) -> Lake:
    """With no warehouse yet."""
    place = Place(tmp_path, sandbox, nursery)
    made = Lake(place, str(request.param))
    place.env["CONVERSYNC_PUBLISHED_LAKE"] = where.url
    if where.settings:
        told = {name.removeprefix("CREDENTIALS__").lower(): value for name, value in where.settings.items()}
        place.env |= {
            "AWS_ENDPOINT_URL": told["endpoint_url"],
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
        }
        place.env |= {name.upper(): told[name] for name in KEYS}
        if made.kind == "iceberg":
            ours = {
                "TYPE": "sql",
                "URI": f"sqlite:///{tmp_path}/catalog.sqlite",
                "S3__ENDPOINT": told["endpoint_url"],
            }
            place.env |= {f"PYICEBERG_CATALOG__OURS__{name}": value for name, value in ours.items()}
            place.env["CONVERSYNC_PUBLISHED_LAKE_CATALOG"] = "ours"
    return made


@pytest.fixture
def read(lake: Lake, where: Storage) -> Iterator[Read]:
    """What DuckDB says of a table, in a query that knows it as {}."""
    from duckdb_extensions import import_extension  # type: ignore[import-not-found,import-untyped,unused-ignore] # no types

    home = str(lake.place.folder / EXTENSIONS)
    with duckdb.connect(
        config={"extension_directory": home, "autoinstall_known_extensions": False}
    ) as connection:
        for name in OF_LAKES:
            import_extension(name, con=connection)
            connection.execute(f"load {name}")
        connection.execute("set timezone = 'UTC'")
        connection.execute(where.secret)

        def ask(name: str, query: str = "from {} order by all") -> list[tuple[Any, ...]]:
            scan = f"{lake.kind}_scan('{located(lake, where, name)}')"
            return connection.execute(query.format(scan)).fetchall()

        yield ask


def located(lake: Lake, where: Storage, name: str) -> str:
    """Where a table is: a folder, or the newest metadata as the catalog has it."""
    schema, _, table = name.partition(".")
    if lake.kind == "delta":
        return f"{where.url}/{schema}/{table}"
    folder = lake.place.folder if where.settings else Path(where.url)
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as catalog:
        [[found]] = catalog.execute(
            "select metadata_location from iceberg_tables where table_namespace = ? and table_name = ?",
            (schema, table),
        )
    return str(found)


def stored(where: Storage, folder: str) -> list[str]:
    """The files below a folder of the lake, as the store itself names them."""
    if not where.settings:
        return [str(one) for one in Path(where.url, folder).rglob("*") if one.is_file()]
    from pyarrow.fs import FileSelector, FileType, S3FileSystem

    store = S3FileSystem(
        access_key="none",
        secret_key="none",
        region="us-east-1",
        endpoint_override=where.settings["CREDENTIALS__ENDPOINT_URL"],
    )
    path = f"{where.url.removeprefix('s3://')}/{folder}"
    found = store.get_file_info(FileSelector(path, recursive=True, allow_not_found=True))
    return [one.path for one in found if one.type == FileType.File]


def test_others_read_what_the_copy_holds(lake: Lake, read: Read) -> None:
    """Every table, row and type, after a night and after another; then what changed is another version."""
    types = (
        "select column_name, if(data_type = 'JSON', 'VARCHAR', data_type) from duckdb_columns() "
        "where schema_name || '.' || table_name = '{0}' order by column_index"
    )
    for night in (25, 40):
        lake.place.sandbox.world.now = lake.place.sandbox.world.day(night)
        lake.place.loaded()
        for name, _ in lake.copy(TABLES):
            described = read(name, "select column_name, column_type from (describe from {})")
            assert described == lake.copy(types.format(name)), name
            assert read(name) == lake.copy(f"from {name} order by all"), name


def test_what_the_copy_has_no_more_leaves_a_lake_and_its_bucket(
    lake: Lake, read: Read, where: Storage
) -> None:
    """And an earlier version does, at once where none is kept."""
    lake.place.loaded()
    lake.place.change("create table main.mine as select 1 as x; create table main.other as select 1 as x")
    lake.publish()
    assert read("main.mine") == [(1,)]
    lake.place.env["CONVERSYNC_PUBLISHED_LAKE_KEEP"] = "0h"
    lake.place.change("drop table main.mine; update main.other set x = 2")
    lake.publish()
    assert read("main.other") == [(2,)]
    assert stored(where, "main/mine") == []
    assert len([one for one in stored(where, "main/other") if one.endswith(".parquet")]) == 1


@pytest.mark.parametrize("where", [BUCKET], indirect=True)
def test_a_store_that_refuses_is_told_without_a_secret(lake: Lake) -> None:
    """Exit 1 and its words; the copy is published. What a folder says is told of in tests/process."""
    lake.place.env["CONVERSYNC_PUBLISHED_LAKE"] = "s3://nowhere/lake"
    lake.place.env["AWS_SECRET_ACCESS_KEY"] = "a-secret-of-the-tests"
    done = lake.place.load()
    assert done.code == 1, done.told
    assert "not the lake s3://nowhere/lake" in done.err
    assert "a-secret-of-the-tests" not in done.told
    assert lake.copy("select count(*) > 0 from besitos.conversion_events") == [(True,)]

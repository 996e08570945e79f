"""Sessions on a DuckLake: one DuckDB for all of them, and nobody kept waiting by it between two."""

from __future__ import annotations

import pytest

from conversync.load import pipeline_for
from conversync.warehouse.query import rows
from conversync.warehouse.warehouse import Warehouse
from tests.destinations.conftest import LAKES, ON_SERVER
from tests.destinations.places import Elsewhere
from tests.houses import environment

pytestmark = pytest.mark.destinations
SEEN = "select seen from memory.main.mark"
ATTACHED = "select database_name from duckdb_databases() where database_name = 'ducklake'"


@pytest.mark.parametrize("place", LAKES, indirect=True)
def test_sessions_share_a_duckdb_and_hold_the_lake_while_they_are_open(place: Elsewhere) -> None:
    """One that ends takes the lake from no other; after the last, another process can load into it."""
    with environment(place.env):
        destination = Warehouse(place.warehouse, place.destination).dlt_destination(
            ["besitos"], read_only=True
        )
        pipeline = pipeline_for("besitos", destination, place.folder / "work")
        with pipeline.sql_client() as outer:
            outer.execute_sql("create table memory.main.mark as select 1 as seen")
            with pipeline.sql_client() as inner:
                assert rows(inner, SEEN) == [(1,)]
            assert rows(outer, ATTACHED) == [("ducklake",)]
            assert rows(outer, "select current_database()") == [("ducklake",)]
        done = place.load()
        assert done.code == 0, done.told
        with pipeline.sql_client() as later:
            assert rows(later, SEEN) == [(1,)]
            [[count]] = rows(later, "select count(*) from besitos.conversions")
    assert count > 0


@pytest.mark.parametrize("place", [ON_SERVER], indirect=True)
def test_a_catalog_that_lets_nobody_in_is_told_otherwise_than_one_that_is_away(place: Elsewhere) -> None:
    """With the server's words, and without the address around them, in which the password is."""
    name = "DESTINATION__DUCKLAKE__CREDENTIALS__CATALOG"
    catalog = place.env[name]
    place.env[name] = catalog.replace("//postgres:none@", "//nobody:hidden@")
    done = place.load()
    done.refused(2, 'The destination does not let this user in (role "nobody" does not exist)', "password")
    assert "hidden" not in done.told
    server, _, database = catalog.rpartition("/")
    place.env[name] = f"{server.rpartition(':')[0]}:9/{database}"
    place.load().refused(4, "The destination cannot be reached", "Check its address")


@pytest.mark.parametrize("place", [ON_SERVER], indirect=True)
def test_data_elsewhere_than_the_catalog_says_is_a_setting(place: Elsewhere) -> None:
    """As from a second machine, whose settings name another folder: exit 2, since no later run ends otherwise."""
    done = place.load()
    assert done.code == 0, done.told
    place.env["DESTINATION__DUCKLAKE__CREDENTIALS__STORAGE__BUCKET_URL"] += "-of-others"
    place.load().refused(2, "has its data elsewhere", "bucket_url")

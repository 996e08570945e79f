"""What was measured about dlt and DuckDB and is built on: settings around a run do not change what it makes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sandbox import Sandbox
from tests.process.conftest import two_nights
from tests.process.support import FEED, ROOT, Held, Nursery, Place

# What a person may have set for other pipelines, in the broadest form and in the form for ours.
FOREIGN = {
    "DESTINATION__DUCKDB__CREDENTIALS": "elsewhere.duckdb",
    "DESTINATION__DUCKDB__CREATE_INDEXES": "true",
    "DESTINATION__DUCKDB__DESTINATION_NAME": "other",
    "DESTINATION__REPLACE_STRATEGY": "staging-optimized",
    "DESTINATION__STAGING_DATASET_NAME_LAYOUT": "other_%s",
    "DESTINATION__ENABLE_DATASET_NAME_NORMALIZATION": "false",
    "CREDENTIALS": "elsewhere.duckdb",
    "DATASET_NAME": "other",
    "DATASET_NAME_LAYOUT": "prefix_%s",
    "PIPELINE_NAME": "other",
    "PIPELINES_DIR": "/nonexistent",
    "DEV_MODE": "true",
    "FULL_REFRESH": "true",
    "REFRESH": "drop_sources",
    "RESTORE_FROM_DESTINATION": "false",
    "USE_SINGLE_DATASET": "false",
    "IMPORT_SCHEMA_PATH": "schemas",
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "false",
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_ID": "true",
    "NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS": "7",
    "NORMALIZE__LOADER_FILE_FORMAT": "insert_values",
    "NORMALIZE__WORKERS": "4",
    "EXTRACT__DATA_WRITER__BUFFER_MAX_ITEMS": "3",
    "EXTRACT__WORKERS": "7",
    "LOAD__WORKERS": "1",
    "LOAD__TRUNCATE_STAGING_DATASET": "false",
    "LOAD__DELETE_COMPLETED_JOBS": "false",
    "LOAD__RAISE_ON_FAILED_JOBS": "false",
    "LOAD__AUTO_ABORT_ON_TERMINAL_ERROR": "true",
    "SCHEMA__NAMING": "direct",
    "SCHEMA_CONTRACT": "evolve",
    "DATA_WRITER__COMPRESSION": "gzip",
    "RUNTIME__INTERCEPT_SIGNALS": "true",
    "RUNTIME__DLTHUB_TELEMETRY": "true",
    "TOKEN": "somebody-else-s",
    "BASE_URL": "http://127.0.0.1:9",
    "URL": "http://127.0.0.1:9",
    "START": "2024-12-20",
    "END": "2024-12-20",
    "STREAMS": '["reversals"]',
    "USER_ID": "nobody",
    "OFFER_ID": "none",
    "TYPE": "survey",
    "SETTINGS": "x",
}


def shape(place: Place) -> list[tuple[Any, ...]]:
    """Every table and view with its columns, types and whether they may be null."""
    return place.query(
        "select schema_name, table_name, column_name, data_type, is_nullable from duckdb_columns() "
        "where not internal order by schema_name, table_name, column_index"
    )


def rows(place: Place) -> dict[str, int]:
    tables = place.query("select schema_name || '.' || table_name from duckdb_tables() order by all")
    return {name: place.query(f"select count(*) from {name}")[0][0] for (name,) in tables}


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Iterator[tuple[Place, Place]]:
    """The same two nights' warehouse, after the first and after the second, made with no settings around."""
    with Sandbox(two_nights()) as sandbox:
        first = Place(tmp_path_factory.mktemp("plain"), sandbox, nursery)
        first.loaded()
        second = first.copy(tmp_path_factory.mktemp("plain-second"))
        sandbox.world.advance(hours=15 * 24)
        second.loaded()
        yield first, second


def two_loads(place: Place) -> Place:
    """Both nights, loaded into `place`."""
    place.sandbox.world.now = two_nights().now
    place.loaded()
    place.sandbox.world.advance(hours=15 * 24)
    place.loaded()
    return place


def new_place(nights: tuple[Place, Place], folder: Path) -> Place:
    return Place(folder, nights[0].sandbox, nights[0].nursery)


def test_settings_for_other_pipelines_do_not_change_the_tables(
    nights: tuple[Place, Place], tmp_path: Path
) -> None:
    """A first and a second night under an environment full of foreign settings make the same tables and rows."""
    place = new_place(nights, tmp_path)
    place.env |= FOREIGN
    two_loads(place)
    assert shape(place) == shape(nights[1])
    assert rows(place) == rows(nights[1])
    assert place.held() == nights[1].held()
    assert place.leftovers() == []


def test_a_first_run_with_config_toml_makes_the_same_tables(
    nights: tuple[Place, Place], tmp_path: Path
) -> None:
    """The project's own config.toml holds preferences: with it and without it the same tables come of a run."""
    place = new_place(nights, tmp_path)
    (tmp_path / ".dlt").mkdir()
    shutil.copy(ROOT / ".dlt" / "config.toml", tmp_path / ".dlt")
    two_loads(place)
    assert shape(place) == shape(nights[1])
    assert rows(place) == rows(nights[1])
    assert place.held() == nights[1].held()


def test_nothing_is_told_to_dlt_s_makers(place: Place) -> None:
    """Even where telemetry was switched on for others: no request but the feed's, no id of this machine on disk."""
    place.env |= {
        "RUNTIME__DLTHUB_TELEMETRY": "true",
        "RUNTIME__DLTHUB_TELEMETRY_ENDPOINT": f"{place.sandbox.url}/telemetry",
        "RUNTIME__SLACK_INCOMING_HOOK": f"{place.sandbox.url}/hook",
        "RUNTIME__SENTRY_DSN": f"{place.sandbox.url.replace('//', '//x@')}/1",
    }
    place.load()
    assert {request.path for request in place.sandbox.requests} == {FEED}
    assert place.leftovers() == []


def test_an_error_within_a_merge_leaves_all_of_it_or_none(
    nights: tuple[Place, Place], tmp_path: Path
) -> None:
    """dlt's merge is several statements; on an error between two of them the table is as before, or as after."""
    first, second = nights
    possible: list[Held] = [first.held(), second.held()]
    seen = set()
    for number, point in enumerate(Random(7).sample(range(130, 160), 4)):
        place = first.copy(tmp_path / str(number))
        done = place.load(at=point, number=0)
        held = place.held()
        assert held in possible, f"torn by an error at point {point}"
        seen.add((done.code, possible.index(held)))
    assert (1, 0) in seen, "no error came before the commit"

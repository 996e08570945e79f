"""What was measured about dlt and DuckDB and is built on: settings around a run do not change what it makes."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.process.nights import Nights
from tests.process.support import FEED, ROOT, Place

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


def two_loads(nights: Nights, folder: Path, **env: str) -> Place:
    """Both nights in a new place, under this environment."""
    place = Place(folder, nights.sandbox, nights.nursery)
    place.env |= env
    for night in (1, 2):
        nights.stand_at(night)
        place.loaded()
    return place


@pytest.mark.more
def test_settings_for_other_pipelines_do_not_change_the_tables(nights: Nights, tmp_path: Path) -> None:
    """A first and a second night under an environment full of foreign settings make the same tables and rows."""
    place = two_loads(nights, tmp_path, **FOREIGN)
    assert shape(place) == shape(nights.second)
    assert rows(place) == rows(nights.second)
    assert place.held() == nights.after
    assert place.leftovers() == []


@pytest.mark.more
def test_a_first_run_with_config_toml_makes_the_same_tables(loaded: Place, all_nights: Nights) -> None:
    """The project's own config.toml holds preferences: with it and without it the same tables come of a run."""
    loaded.warehouse.unlink()
    (loaded.folder / ".dlt").mkdir()
    shutil.copy(ROOT / ".dlt" / "config.toml", loaded.folder / ".dlt")
    loaded.loaded()
    assert shape(loaded) == shape(all_nights.first)
    assert rows(loaded) == rows(all_nights.first)
    assert loaded.held() == all_nights.before


def test_nothing_is_told_to_dlt_s_makers(place: Place) -> None:
    """Even where telemetry was switched on for others: no request but the feed's, no id of this machine on disk."""
    place.env |= {
        "RUNTIME__DLTHUB_TELEMETRY": "true",
        "RUNTIME__DLTHUB_TELEMETRY_ENDPOINT": f"{place.sandbox.url}/telemetry",
        "RUNTIME__SLACK_INCOMING_HOOK": f"{place.sandbox.url}/hook",
        "RUNTIME__SENTRY_DSN": f"{place.sandbox.url.replace('//', '//x@')}/1",
    }
    place.loaded()
    assert {request.path for request in place.sandbox.requests} == {FEED}
    assert place.leftovers() == []


def test_a_merge_that_fails_halfway_leaves_the_table_as_it_was(nights: Nights, tmp_path: Path) -> None:
    """dlt closes old statements first and adds the new ones then: where the second fails, the first never was."""
    place = nights.first.copy(tmp_path)
    place.change("create unique index only_once on besitos.conversion_events (event_key)")
    done = place.load()
    assert done.code == 1, done.told
    assert place.held() == nights.before
    place.change("drop index besitos.only_once")
    place.loaded()
    assert place.held() == nights.after


@pytest.mark.more
@pytest.mark.parametrize("count", [3, pytest.param(30, marks=pytest.mark.long)])
def test_an_error_that_passes_within_a_load_is_healed_or_leaves_no_trace(
    nights: Nights, tmp_path: Path, count: int
) -> None:
    """An error between any two statements: the run ends with all of the night or with nothing of it."""
    for number, point in enumerate(Random(7).sample(range(100, 200), count)):
        place = nights.first.copy(tmp_path / str(number))
        done = place.load(at=point, number=0)
        held = place.held()
        assert held in (nights.before, nights.after), f"torn by an error at point {point}"
        assert held == nights.after or done.code == 1

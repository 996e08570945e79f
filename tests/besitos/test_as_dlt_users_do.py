"""The source in a pipeline of a person's own: dlt's steps and hints do what they do elsewhere, or are refused."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from conversync import SettingsError, besitos, make_views
from conversync.sandbox import Sandbox, World
from conversync.settings import dlt_settings
from tests.support import tables

DAYS = ("2024-12-01", "2024-12-09")
Change = Callable[[Any], Any]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Nine days."""
    with Sandbox(World(7, date(2024, 12, 1), 9, players=40, conversions_a_day=8)) as running:
        yield running


@pytest.fixture
def pipeline(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A person's, into a file of its own."""
    for name, value in sandbox.settings().items():
        monkeypatch.setenv(name, value)
    warehouse = dlt.destinations.duckdb(str(tmp_path / "warehouse.duckdb"), supports_transactions=True)
    return dlt.pipeline("rewards", str(tmp_path / "dlt"), destination=warehouse, dataset_name="besitos")


def events(pipeline: Any, columns: str = "*") -> list[tuple[Any, ...]]:
    """The rows of `conversion_events`, by their key."""
    with pipeline.sql_client() as client:
        query = f"select {columns} from conversion_events order by event_key"
        return list(client.execute_sql(query))


def schema(pipeline: Any) -> list[tuple[Any, ...]]:
    """The columns of `conversion_events`, with their types."""
    with pipeline.sql_client() as client:
        query = (
            "select column_name, data_type, is_nullable from information_schema.columns "
            "where table_name = 'conversion_events' and table_schema = 'besitos' order by ordinal_position"
        )
        return list(client.execute_sql(query))


def test_a_step_is_given_rows_and_the_table_keeps_its_types(pipeline: Any) -> None:
    """The same rows as without it but for what it does; its own column comes last. A later run without it agrees."""
    pipeline.run(besitos(*DAYS))
    plain, columns = events(pipeline), schema(pipeline)
    met = list[type]()

    def hidden(row: dict[str, Any]) -> dict[str, Any]:
        met.append(type(row))
        more = {"told": {"a": [1]}} if row["user_id"] < "m" else {}
        return {**row, **more, "user_id": None, "doubled": row["payout"] * 2}

    source = besitos(*DAYS)
    source.conversion_events.add_map(hidden)
    other = dlt.pipeline(
        "mapped", pipeline.pipelines_dir, destination=pipeline.destination, dataset_name="besitos_mapped"
    )
    other.run(source)
    assert met == [dict] * len(plain)
    with other.sql_client() as client:
        kept = client.execute_sql(
            "select event_key, payout, user_id, doubled from conversion_events order by 1"
        )
        told = client.execute_sql("select distinct told from conversion_events where told is not null")
    assert kept == [(row[0], row[11], None, row[11] * 2) for row in plain]
    assert told == [('{"a": [1]}',)]
    pipeline.run(besitos(*DAYS))
    assert (events(pipeline), schema(pipeline)) == (plain, columns)
    mapped = besitos(*DAYS)
    mapped.conversion_events.add_map(lambda row: row)
    pipeline.run(mapped)
    assert (events(pipeline), schema(pipeline)) == (plain, columns)


def test_a_filter_lets_rows_through_one_by_one(pipeline: Any) -> None:
    """Not the file that they come in; where it lets none through, the table is there, and empty."""
    source = besitos(*DAYS)
    source.conversion_events.add_filter(lambda row: row["payout"] > Decimal(1000))
    pipeline.run(source)
    assert events(pipeline) == []
    source = besitos(*DAYS)
    source.conversion_events.add_filter(lambda row: row["payout"] > Decimal(10))
    pipeline.run(source)
    found = events(pipeline, "payout")
    assert found
    assert all(payout > Decimal(10) for [payout] in found)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        pytest.param(
            lambda row: {**row, "payout": 1.5}, "gave payout a value that is no decimal", id="a float"
        ),
        pytest.param(lambda _row: None, "gave back something else than a row", id="nothing"),
    ],
)
def test_what_a_step_may_not_give_back_is_a_sentence(pipeline: Any, step: Change, words: str) -> None:
    """With the table and the column; nothing is loaded."""
    source = besitos(*DAYS)
    source.conversion_events.add_map(step)
    with pytest.raises(PipelineStepFailed, match=words):
        pipeline.run(source)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(lambda pipeline: pipeline.run(besitos(*DAYS), write_disposition="append"), id="a run's"),
        pytest.param(
            lambda pipeline: pipeline.run(besitos(*DAYS), write_disposition="replace"), id="a run's, replace"
        ),
        pytest.param(lambda pipeline: pipeline.run(_hinted("conversion_events")), id="a hint's"),
        pytest.param(lambda pipeline: pipeline.run(_hinted("offers")), id="a list's"),
    ],
)
def test_a_disposition_that_would_double_is_refused(pipeline: Any, asked: Change) -> None:
    """Whoever says it; what stood there stays."""
    pipeline.run(besitos(*DAYS))
    before = events(pipeline)
    with pytest.raises(PipelineStepFailed) as refused:
        asked(pipeline)
    assert re.search(
        r"(conversion_events|offers) is kept by the write disposition \w+, not by", str(refused.value)
    )
    pipeline.abort_packages()
    assert events(pipeline) == before


def _hinted(table: str) -> Any:
    source = besitos(*DAYS)
    source.resources[table].apply_hints(write_disposition="append")
    return source


def test_dlt_has_nothing_to_warn_of(pipeline: Any, caplog: pytest.LogCaptureFixture) -> None:
    """JSON comes as text, which is as it should be; other words of dlt's come through."""
    logging.getLogger("dlt").propagate = True
    with caplog.at_level(logging.WARNING, logger="dlt"):
        pipeline.run(besitos(*DAYS))
        assert caplog.messages == []
        besitos(*DAYS).add_limit(1)
        assert any("has no effect" in message for message in caplog.messages)


def test_views_are_made_for_a_persons_own_pipeline(
    pipeline: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `conversync load` makes them; of a pipeline that loaded nothing yet, and for no vendor, there are none."""
    with pytest.raises(SettingsError, match="Nothing was loaded by the pipeline rewards yet"):
        make_views(pipeline, "besitos")
    # Whatever ran before in this process may have set it for good, as our commands do.
    monkeypatch.setitem(dlt_settings.FIXED, "add_dlt_load_id", False)
    other = dlt.pipeline("untold", pipeline.pipelines_dir, destination=pipeline.destination)
    other.run(besitos(*DAYS))
    with pytest.raises(SettingsError, match="add_dlt_load_id"):
        make_views(other, "besitos")
    monkeypatch.setitem(dlt_settings.FIXED, "add_dlt_load_id", True)
    monkeypatch.setenv("NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID", "true")
    pipeline.run(besitos(*DAYS))
    made = make_views(pipeline, "besitos")
    assert {"conversions", "days", "conversions_as_of", "revenue_changes"} <= set(made)
    with pipeline.sql_client() as client:
        [[known]] = client.execute_sql("select sum(net_payout) from conversions")
        [[dated]] = client.execute_sql("select sum(net_payout) from conversions_as_of(now())")
    assert known == dated > 0
    assert make_views(pipeline, "besitos") == made
    with pytest.raises(SettingsError, match="besitos"):
        make_views(pipeline, "besito")
    assert "conversions" in tables(tmp_path / "warehouse.duckdb")

"""A destination that has fewer ways to keep tables keeps them all the same, and never half of a merge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

import tests.support  # noqa: F401 - settles dlt before it is imported

# isort: split
import dlt
from dlt.common.destination import Destination
from dlt.destinations.job_client_impl import SqlLoadJob

from conversync.extract.declared import (
    BIGINT,
    BOOLEAN,
    INSERTED,
    MERGED,
    STRING,
    UPSERTED,
    WHOLE_DAYS,
    WHOLE_LIST,
    Column,
    Kept,
    Table,
)
from conversync.load import pipeline_for
from conversync.warehouse import merge_strategies, write_lock
from conversync.warehouse.query import rows

FEWER = ["delete-insert", "scd2"]
COLUMNS = (
    Column("part", STRING, required=True),
    Column("number", BIGINT, required=True),
    Column("said", STRING),
    Column("is_gone", BOOLEAN, clears=True),
)
Row = tuple[str, int, str | None, bool | None]
# What comes, load after load: new keys, held ones with something else, one that is cleared, a list that is shorter.
LOADS: list[list[Row]] = [
    [("a", 1, "first", None), ("a", 2, "first", None), ("b", 1, None, None)],
    [("a", 1, "second", None), ("b", 1, "known", None), ("b", 2, "new", None)],
    [("a", 2, "first", True), ("c", 1, "new", False)],
    [("a", 2, "again", None)],
]


KINDS = [UPSERTED, INSERTED, WHOLE_LIST, MERGED, WHOLE_DAYS]


def table_of(kept: Kept) -> Table:
    """One that is kept so."""
    return Table("things", "", COLUMNS, kept, ("part", "number"), day="part")


def kept_so(folder: Path, kept: Kept, *, has_fewer: bool) -> list[list[tuple[Any, ...]]]:
    """The table after each load, as a destination of these ways keeps it."""
    table = table_of(kept)
    told: dict[str, Any] = {"supported_merge_strategies": FEWER} if has_fewer else {}
    destination = dlt.destinations.duckdb(str(folder / f"{has_fewer}.duckdb"), **told)
    pipeline = pipeline_for("things", merge_strategies.settled(destination), folder / str(has_fewer))
    found = []
    for load in LOADS:
        came = [pa.table(list(map(list, zip(*load, strict=True))), schema=table.schema)]
        pipeline.run(dlt.resource(came, name=table.name, **table.hints))
        with pipeline.sql_client() as client:
            found.append(rows(client, "select part, number, said from things.things order by all"))
    return [list(one) for one in found]


@pytest.mark.parametrize("kept", KINDS)
def test_tables_are_kept_the_same_where_a_destination_has_fewer_ways(tmp_path: Path, kept: Kept) -> None:
    """Row by row what one with all of dlt's ways holds, after each of four loads."""
    expected = kept_so(tmp_path, kept, has_fewer=False)
    assert kept_so(tmp_path, kept, has_fewer=True) == expected
    assert len({tuple(one) for one in expected}) > 2, "the loads change something"


# Where dlt would have it.
JOB = "jobs/conversion_events.0123456789.0.sql"
# Those whose clients need no driver to say what they can do.
LET = ("snowflake", "bigquery", "mssql", "fabric", "redshift", "ducklake", "motherduck")


@pytest.mark.parametrize("name", LET)
def test_a_merge_of_statements_is_one_transaction_wherever_it_is_let(name: str) -> None:
    """dlt opens one for it only where it was told that there are any."""
    found = write_lock.patient(name)
    assert merge_strategies.lacking(found) is None
    begun = []

    @contextmanager
    def begin_transaction() -> Iterator[None]:
        begun.append(name)
        yield

    job: Any = SqlLoadJob(JOB)
    vars(job).update(
        _job_client=SimpleNamespace(capabilities=found.capabilities()),
        _sql_client=SimpleNamespace(begin_transaction=begin_transaction),
    )
    with job.maybe_transaction("UPDATE t SET valid_to = now();\nINSERT INTO t SELECT * FROM s;"):
        assert begun == [name]


def test_dlt_has_no_transactions_where_we_say_so() -> None:
    """Its client of Databricks begins none, and its jobs on Synapse are run outside of any."""
    for reference in merge_strategies.UNTRANSACTED:
        found = Destination.from_reference(reference)
        assert found is not None
        assert found.capabilities().supports_transactions is not False
    job = SqlLoadJob(JOB)
    vars(job).update(_job_client=type("SynapseClient", (), {})())
    assert job._has_out_of_transaction_commands("UPDATE t SET valid_to = now()")  # noqa: SLF001 - dlt's rule

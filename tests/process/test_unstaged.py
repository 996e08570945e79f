"""On DuckDB a load is merged from its files as they lie."""

from __future__ import annotations

from pathlib import Path

from conversync.sandbox import Sandbox
from tests.process.support import Place, ProcessPool

STAGED = "select table_name from duckdb_tables() where schema_name = 'besitos_staging'"
COPY = """
    create schema if not exists besitos_staging;
    create table besitos_staging.conversion_events as select * from besitos.conversion_events
"""


def test_nothing_of_a_load_is_kept_beside_its_tables(place: Place) -> None:
    """No staging table, and of the working directory nothing; what an earlier version left is removed."""
    place.loaded()
    assert place.query(STAGED) == []
    place.change(COPY)
    place.loaded()
    assert place.query(STAGED) == []
    assert place.leftovers() == []


def test_a_path_may_hold_what_ends_a_statement(
    tmp_path: Path, sandbox: Sandbox, nursery: ProcessPool
) -> None:
    """Semicolons and blanks, of which dlt's jobs are made."""
    folder = tmp_path / "of a;  drop -- b"
    folder.mkdir()
    Place(folder, sandbox, nursery).loaded()

"""What the vendors declare of their tables is what stands in the warehouse, and what dbt is told of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from conversync import staging
from conversync.build import SCHEMAS, project
from conversync.extract.declared import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INSTANT,
    LOAD_ID,
    MONEY,
    STRING,
    Table,
)
from conversync.extract.evidence import EVIDENCE
from conversync.sandbox import Sandbox, World
from conversync.vendors import vendors
from tests.houses import VendorWorkspace, forget_settings

TYPES = {
    STRING: "VARCHAR",
    BIGINT: "BIGINT",
    DOUBLE: "DOUBLE",
    BOOLEAN: "BOOLEAN",
    DATE: "DATE",
    INSTANT: "TIMESTAMP WITH TIME ZONE",
    MONEY: "DECIMAL(18,6)",
}
RELATIONS = """
    select table_name, comment from duckdb_tables() where schema_name = '{dataset}'
    union all
    select view_name, comment from duckdb_views() where schema_name = '{dataset}'
"""
COLUMNS = """
    select table_name, column_name, data_type, comment, is_nullable from duckdb_columns()
    where schema_name = '{dataset}' order by table_name, column_index
"""
Stored = tuple[str, str, str, bool]


def stored(table: Table) -> list[Stored]:
    """Name, type, sentence of each column, and whether it may be null, as they are declared."""
    columns = [*table.columns, LOAD_ID] if table.kept else table.columns
    return [
        (
            one.name,
            "JSON" if one.is_json else TYPES[one.type],
            one.says,
            one.field.nullable or not table.kept,
        )
        for one in columns
    ]


@pytest.mark.parametrize("name", sorted(vendors()))
def test_a_load_makes_what_is_declared(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table and view that the vendor declares, no other, each with its columns, types and sentences."""
    forget_settings(monkeypatch)
    monkeypatch.chdir(tmp_path)
    world = World(start=date(2026, 1, 1), days=10, conversions_a_day=5)
    with Sandbox(world) as sandbox:
        house = VendorWorkspace(name, sandbox, tmp_path, {f"{name.upper()}_START_DATE": str(world.start)})
        house.load()
    declared = {one.name: one for one in (*vendors()[name].tables, *EVIDENCE)}
    said = dict(house.query(RELATIONS.format(dataset=name)))
    held: dict[str, list[Stored]] = {}
    for table, *column in house.query(COLUMNS.format(dataset=name)):
        held.setdefault(table, []).append(tuple(column))
    ours = {table for table in held if not table.startswith("_dlt_")}
    assert ours == declared.keys()
    assert {table: said[table] for table in ours} == {table: declared[table].says for table in ours}
    assert {table: held[table] for table in ours} == {table: stored(declared[table]) for table in ours}


def test_what_dbt_is_told_is_current() -> None:
    """Its sources and staging models are those that `make generate` writes, no more and no fewer."""
    folder = project() / "models" / SCHEMAS[0]
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == staging.files()

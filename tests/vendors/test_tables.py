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
from conversync.send import ledger, loading
from conversync.send.records import Record, moment
from conversync.vendors import known, targets, vendors
from conversync.warehouse import comments
from conversync.warehouse.warehouse import Warehouse
from sources.infobip.tables import MESSAGE_RESULTS
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
SENT, AT = ("keitaro.conversions", "conductrics.goals"), moment()


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


def relations(house: VendorWorkspace, dataset: str) -> tuple[dict[str, str], dict[str, list[Stored]]]:
    """Of each table and view of a dataset that is not dlt's its sentence, and its columns as they stand."""
    told = {name: says for name, says in house.query(RELATIONS.format(dataset=dataset)) if name[:1] != "_"}
    held: dict[str, list[Stored]] = {name: [] for name in told}
    for name, *column in house.query(COLUMNS.format(dataset=dataset)):
        if name in held:
            held[name].append(tuple(column))
    return told, held


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
    said, held = relations(house, name)
    assert said == {table: one.says for table, one in declared.items()}
    assert held == {table: stored(one) for table, one in declared.items()}


def test_what_dbt_is_told_is_current() -> None:
    """Its sources and staging models are those that `make generate` writes, no more and no fewer."""
    folder = project() / "models" / SCHEMAS[0]
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == staging.files()


def test_a_ledger_is_what_is_declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each target's is declared; two of them are looked at, with their columns, types and sentences."""
    forget_settings(monkeypatch)
    monkeypatch.chdir(tmp_path)
    house = VendorWorkspace("sent", Sandbox(World()), tmp_path)
    warehouse, row = Warehouse(house.path), Record("k", "sent", None, 200, 1, "h", "{}", "{}", AT, AT)
    with warehouse.locked(0) as folder:
        destination = warehouse.dlt_destination([ledger.DATASET])
        with warehouse.held(0, folder) as connection:
            for name in SENT:
                loading.load(destination, folder, targets()[name], [row])
            comments.refresh(connection)
    declared = {table.name: table for vendor in known().values() for table in vendor.ledgers}
    assert declared.keys() == {*map(ledger.table_of, targets()), MESSAGE_RESULTS.name}
    said, held = relations(house, ledger.DATASET)
    made = [ledger.table_of(name) for name in SENT]
    assert said == {name: declared[name].says for name in made}
    assert held == {name: stored(declared[name]) for name in made}

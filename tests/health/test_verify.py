"""`conversync verify`: it names exactly what differs between vendor and warehouse, and changes neither."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from conversync.sandbox import Fault, Sandbox, Variants, World
from tests.besitos.rows import reversal, row
from tests.health.support import Workspace, change, run
from tests.process.support import ProcessPool

DAYS = ("--from", "2024-12-03", "--to", "2024-12-06")


@pytest.fixture
def loaded(house: Workspace) -> Workspace:
    """Three conversions and a reversal within the days, two rows outside of them."""
    house.sandbox.besitos.rows = [
        row(1), row(2, payout=0.1), row(3), reversal(3), row(4, date_time="2024-12-02 23:59:59"),
        row(5, date_time="2024-12-07 00:00:00"),
    ]  # fmt: skip
    house.load("2024-12-01", "2024-12-08")
    return house


def differences(document: str) -> list[tuple[str, str, list[str]]]:
    [source] = json.loads(document)["sources"]
    return [(d["key"], d["what"], d["columns"]) for table in source["tables"] for d in table["differences"]]


def test_what_the_vendor_says_is_what_the_warehouse_says(loaded: Workspace) -> None:
    """Exit 0; rows and sums of exactly these days, to the cent; the warehouse's file is not touched."""
    before = loaded.path.read_bytes()
    ended = run(loaded, "verify", "besitos", *DAYS, "--json")
    assert ended.code == 0, ended.err
    [table] = json.loads(ended.out)["sources"][0]["tables"]
    assert table["vendor"] == table["here"]
    assert table["here"]["rows"] == 4
    assert table["here"]["sums"]["false USD"] == {"payout": "22.200000", "reward": "120.000000"}
    assert "the warehouse says what the vendor says" in run(loaded, "verify", "besitos", *DAYS).out
    assert loaded.path.read_bytes() == before
    assert sorted(path.name for path in loaded.folder.iterdir()) == [
        ".conversync", "warehouse.duckdb",
    ]  # fmt: skip


@pytest.mark.more
def test_a_restated_a_missing_and_an_additional_row_are_named(loaded: Workspace) -> None:
    """By key, with the columns that are apart; what differs outside of the days is none of them. Exit 3."""
    loaded.sandbox.besitos.rows = [
        row(1), row(2, payout=0.11), row(3), row(6), row(5, date_time="2024-12-07 00:00:00", payout=99),
    ]  # fmt: skip
    ended = run(loaded, "verify", "besitos", *DAYS, "--json")
    assert ended.code == 3
    assert differences(ended.out) == [
        ("2:original", "different", ["payout"]),
        ("3:reversal:2024-12-06 09:00:00:40.000000", "not at the vendor", []),
        ("6:original", "not here", []),
    ]
    shown = run(loaded, "verify", "besitos", *DAYS)
    assert shown.code == 3
    assert "besitos.conversion_events 2:original: different (payout)" in shown.out
    assert "NOT EQUAL" in shown.out
    loaded.load("2024-12-01", "2024-12-08")
    assert differences(run(loaded, "verify", "besitos", *DAYS, "--json").out) == [
        ("3:reversal:2024-12-06 09:00:00:40.000000", "not at the vendor", [])
    ]


@pytest.mark.more
def test_s22_sums_are_of_one_currency_each(loaded: Workspace) -> None:
    """A row that tells no currency is of USD, as is one that says so, and one from before there was the column."""
    told = loaded.sandbox.besitos.rows
    loaded.sandbox.besitos.rows = [*(told or ()), row(6, currency="EUR"), row(7, currency="USD", payout=1)]
    loaded.load("2024-12-01", "2024-12-08")
    change(loaded, "update besitos.conversion_events set currency = null where transaction_id = 1")
    ended = run(loaded, "verify", "besitos", *DAYS, "--json")
    [table] = json.loads(ended.out)["sources"][0]["tables"]
    payouts = {group: sums["payout"] for group, sums in table["here"]["sums"].items()}
    assert payouts == {"false EUR": "11.050000", "false USD": "23.200000", "true USD": "11.050000"}
    assert (ended.code, table["here"]) == (0, table["vendor"])
    shown = run(loaded, "verify", "besitos", *DAYS).out
    assert "payout of conversions EUR" in shown
    assert "payout of conversions USD" in shown
    change(loaded, "update besitos.conversion_events set currency = 'USD' where transaction_id = 6")
    assert run(loaded, "verify", "besitos", *DAYS).code == 3


@pytest.mark.more
def test_the_last_day_is_compared_whole_whatever_the_vendor_takes_it_for(loaded: Workspace) -> None:
    """Where to_date ends with its day's first second, rows of that day's noon are neither missing here nor there."""
    loaded.sandbox.besitos.variants = Variants(to_date_inclusive=False)
    ended = run(loaded, "verify", "besitos", "--from", "2024-12-03", "--to", "2024-12-04", "--json")
    assert (ended.code, differences(ended.out)) == (0, [])
    assert json.loads(ended.out)["sources"][0]["tables"][0]["vendor"]["rows"] == 3


def test_a_vendor_that_refuses_or_fails_is_told_with_its_own_code(loaded: Workspace) -> None:
    """5 and 6 with a sentence; backwards days are 2, before any request; so is a source without settings."""
    for fault, code in ((Fault(status=401), 5), (Fault(status=503), 6)):
        loaded.sandbox.faults.clear()
        loaded.sandbox.faults.add(fault)
        ended = run(loaded, "verify", "besitos", *DAYS, HTTP_BUDGET="0")
        assert (ended.code, ended.err.count("conversync: besitos: Besitos")) == (code, 1)
        assert "Traceback" not in ended.err
    asked = len(loaded.sandbox.requests)
    assert run(loaded, "verify", "besitos", "--from", "2024-12-06", "--to", "2024-12-03").code == 2
    assert run(loaded, "verify", "besitos", *DAYS, BESITOS_TOKEN="").code == 2
    assert len(loaded.sandbox.requests) == asked


@pytest.mark.more
def test_verify_goes_on_while_a_run_holds_the_warehouse(loaded: Workspace) -> None:
    """It compares with the published copy then, and says so."""
    assert run(loaded, "publish").code == 0
    with duckdb.connect(str(loaded.path)):
        ended = run(loaded, "verify", "besitos", *DAYS)
    assert ended.code == 0, ended.err
    assert "this is the published copy" in ended.out


@pytest.fixture
def everything(tmp_path: Path, nursery: ProcessPool) -> Iterator[Workspace]:
    """All four vendors' story in one warehouse."""
    with Sandbox(World(7, date(2024, 12, 1), 9, players=40, conversions_a_day=8)) as sandbox:
        starts = {f"{name}_START_DATE": "2024-12-01" for name in ("BESITOS", "INFOBIP", "KEITARO")}
        house = Workspace("besitos", sandbox, tmp_path, {**sandbox.settings(), **starts}, nursery=nursery)
        ended = run(house, "load", "--from", "2024-12-01", "--to", "2024-12-10")
        assert ended.code == 0, ended.err
        yield house


@pytest.mark.more
def test_every_vendor_is_compared_by_its_own_tables(everything: Workspace) -> None:
    """Equal after a load; then one figure of each vendor is altered in the warehouse, and each is named."""
    days = ("--from", "2024-12-04", "--to", "2024-12-06", "--json")
    ended = run(everything, "verify", *days)
    assert ended.code == 0, ended.out + ended.err
    tables = [table for source in json.loads(ended.out)["sources"] for table in source["tables"]]
    assert all(table["here"]["rows"] for table in tables)
    assert len(tables) == 8
    for table, what, where in (
        ("infobip.conversion_rates", "end_count = end_count + 1", "day = date '2024-12-05'"),
        ("infobip.conversion_times", "average_seconds = 1", "cast(start_from as date) = date '2024-12-05'"),
        ("conductrics.goals", "name = 'another'", "true"),
        ("keitaro.report_daily", "clicks = clicks + 1", "day = date '2024-12-05'"),
    ):
        change(everything, f"update {table} set {what} where {where}")
    change(everything, "delete from keitaro.conversion_events where occurred_on = date '2024-12-05'")
    ended = run(everything, "verify", *days)
    assert ended.code == 3
    tables = [table for source in json.loads(ended.out)["sources"] for table in source["tables"]]
    assert {(table["table"], one["what"]) for table in tables for one in table["differences"]} == {
        ("conversion_rates", "different"),
        ("conversion_times", "different"),
        ("goals", "different"),
        ("report_daily", "different"),
        ("conversion_events", "not here"),
    }

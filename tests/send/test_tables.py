"""What answers leave for other tables: keys of what was created, one row each, beside what the loads keep there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.houses import VendorWorkspace, forget_settings

# isort: split
from conversync.sandbox import Sandbox, World
from conversync.send.options import options
from conversync.send.run import SendReport, send
from conversync.vendors import targets
from conversync.warehouse.warehouse import Warehouse


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VendorWorkspace]:
    """Infobip's, with a small world."""
    forget_settings(monkeypatch)
    with Sandbox(World(days=10, players=20, conversions_a_day=5)) as sandbox:
        yield VendorWorkspace("infobip", sandbox, tmp_path)


def sent(house: VendorWorkspace, target: str, query: str) -> SendReport:
    with house.set():
        report = send(
            Warehouse(house.path),
            targets()[target],
            options(target, outbox=query),
            lambda _: None,
            lambda _: None,
        )
    if report.error:
        raise report.error
    return report


@pytest.mark.more
@pytest.mark.parametrize("first", ["load", "send"])
def test_a_created_process_stands_beside_those_of_the_settings(house: VendorWorkspace, first: str) -> None:
    """Whichever comes first; a later load keeps it, and its tag is sent with the key that came back."""
    days = [str(house.sandbox.world.day(day).date()) for day in (5, 6)]
    if first == "load":
        house.load(*days)
    else:
        import duckdb

        duckdb.connect(str(house.path)).close()
    query = "select 'p1' as send_key, 'Checkout' as name, 'from the test' as description"
    assert sent(house, "infobip.processes", query).sent.sent == 1
    [(key,)] = house.query("select key from infobip.processes where name = 'Checkout'")
    house.load(*days)
    tags = (
        "select 't1' as send_key, key as process_key, 'Paid' as name, 'END_TAG' as process_tag_type, "
        "null as description from infobip.processes where name = 'Checkout'"
    )
    assert sent(house, "infobip.tags", tags).sent.sent == 1
    house.load(*days)
    assert house.query("select process_key from infobip.tags where name = 'Paid'") == [(key,)]
    of_settings = {pair["process_key"] for pair in house.sandbox.infobip.pairs}
    assert {one for (one,) in house.query("select key from infobip.processes")} == {key, *of_settings}
    assert house.query("select answer ->> 'key' from sent.infobip_processes") == [(key,)]
    assert os.environ.get("INFOBIP_URL") is None

"""The source in anybody's own script, and the command around it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

import sources.keitaro
from conversync.sandbox import World
from sources.keitaro.check import check
from tests.houses import VendorWorkspace, readme_script, run_script
from tests.keitaro.books import LISTS, vendor_at
from tests.keitaro.conftest import MakeHouse
from tests.support import command

README = Path(sources.keitaro.__file__).with_name("README.md")


def test_the_readmes_script_works(make_house: MakeHouse) -> None:
    """Five lines and two settings: every table is there, with every conversion of the window."""
    house = make_house(World(days=3, conversions_a_day=5))
    script = readme_script(README)
    assert len(script.strip().splitlines()) <= 5
    world = house.sandbox.world
    run_script(
        script.replace("2026-01-01", str(world.start)).replace("2026-01-31", str(world.day(4).date())),
        house.folder,
        {name: value for name, value in house.environment.items() if name.startswith("KEITARO_")},
    )
    [file] = house.folder.glob("*.duckdb")
    with duckdb.connect(str(file), read_only=True) as connection:
        tables = {
            row[0]
            for row in connection.execute("select table_name from information_schema.tables").fetchall()
        }
        [(conversions,)] = connection.execute("select count(*) from keitaro.conversion_events").fetchall()
    assert {"conversion_events", "report_daily", "rejected_rows", "windows", *LISTS} <= tables
    assert conversions == len(house.sandbox.keitaro.oracle.events())


@pytest.mark.more
def test_the_command_loads(make_house: MakeHouse) -> None:
    """`load keitaro`, in a process of its own."""
    house = make_house(World(days=3, conversions_a_day=5))
    world = house.sandbox.world
    days = ["--from", str(world.start), "--to", str(world.day(3).date())]
    loaded = command("load", "keitaro", *days, cwd=house.folder, environment=house.environment)
    assert loaded.code == 0, loaded.err
    assert "keitaro: the tracker does not know the columns" in loaded.out
    assert house.sandbox.keitaro.api_key not in loaded.out + loaded.err


@pytest.mark.long
def test_the_command_looks(make_house: MakeHouse) -> None:
    """`status` and `check`, each in a process of its own."""
    house = make_house(World(days=3, conversions_a_day=5))
    house.load()
    shown = command("status", "keitaro", "--tables", cwd=house.folder, environment=house.environment)
    assert "keitaro.conversion_events" in shown.out
    looked = command("check", "keitaro", cwd=house.folder, environment=house.environment)
    assert looked.code == 0, looked.out + looked.err
    assert house.sandbox.keitaro.api_key not in looked.out + looked.err


def findings(house: VendorWorkspace) -> list[tuple[bool, str]]:
    """What `check` says, by the world's clock."""
    vendor = vendor_at(house.sandbox)
    with house.set():
        from conversync.settings import lookup

        return [(one.good, one.text) for one in check(lookup.resolve(vendor.settings, "keitaro"))]


def test_check_says_what_it_found(make_house: MakeHouse) -> None:
    """Reached, the id, the columns that are unknown, and that the report is as asked; nothing is loaded."""
    house = make_house(World(days=3, conversions_a_day=5))
    said = findings(house)
    assert [good for good, _ in said] == [True] * len(said)
    text = "\n".join(text for _, text in said)
    assert "conversions in the last 3 days" in text
    assert "told apart by event_id" in text
    assert "does not know the columns conversion_id, postback_datetime" in text
    assert not house.path.exists()


def test_check_sees_times_that_lie_ahead(make_house: MakeHouse) -> None:
    """A tracker that answers in its own zone, not in UTC, shows conversions from the future."""
    house = make_house(World(days=3, conversions_a_day=5))
    from conversync.extract.columns import now

    ahead = now() + timedelta(hours=3)
    house.sandbox.keitaro.rows = [{"event_id": "c1", "datetime": f"{ahead:%Y-%m-%d %H:%M:%S}"}]
    house.sandbox.world.now = ahead
    doubt = "the tracker may not heed the zone that it was asked for"
    assert (
        False,
        f"the newest row lies 3 hours in the future if its times are UTC: {doubt}",
    ) in findings(house)

"""A DuckLake whose catalog is on a PostgreSQL, and several machines: the right to write lies there."""

from __future__ import annotations

import signal

import pytest

from conversync.dlt_errors import translate_errors
from conversync.errors import LockedError
from conversync.load import pipeline_for
from conversync.warehouse.warehouse import Warehouse
from tests.dbt.cluster import Cluster
from tests.destinations.conftest import ON_SERVER
from tests.destinations.places import Elsewhere
from tests.destinations.test_oracle import RECEIVED, second_night, well
from tests.houses import environment
from tests.process.gate import Gate
from tests.process.support import Forked, Wish
from tests.send.receiver import PUBLIC_KEY, Receiver, serve

pytestmark = [pytest.mark.destinations, pytest.mark.parametrize("place", [ON_SERVER], indirect=True)]
DAYS = ["load", "besitos", "--from", "2024-11-30", "--to", "2024-12-03", "--window", "400d"]
RIGHTS = "from pg_stat_activity where application_name like 'conversync load%'"


def begun(place: Elsewhere, *more: str, at: int = 0) -> Forked:
    """A load of some days, killed `at` a point."""
    argv = [*DAYS, *more, "--destination", place.destination]
    return place.nursery.start(Wish(argv, place.env, str(place.folder), at=at))


def shards(place: Elsewhere, *numbers: int) -> None:
    """These of two at once, and all is well."""
    for run in [begun(place, "--shard", f"{number}/2") for number in numbers]:
        well(run.wait())


@pytest.fixture
def other(place: Elsewhere) -> Elsewhere:
    """Another machine: a folder of its own."""
    folder = place.folder / "other"
    folder.mkdir()
    found = Elsewhere(folder, place.sandbox, place.nursery, place.destination, place.query)
    found.env = {**place.env, "CONVERSYNC_WAREHOUSE": str(folder / "warehouse.duckdb")}
    return found


@pytest.fixture(autouse=True)
def young(place: Elsewhere) -> None:
    """An account whose first day is the first of these."""
    place.env["BESITOS_START_DATE"] = DAYS[3]


def test_shards_at_once_leave_what_one_load_leaves(place: Elsewhere) -> None:
    """Every statement, as the oracle wants it; a second time changes nothing."""
    shards(place, 1, 2)
    assert place.held() == place.expected()
    shards(place, 2)
    assert place.held() == place.expected()


def test_a_killed_shard_is_started_again(place: Elsewhere) -> None:
    """In its commits, while others load."""
    runs = [begun(place, "--shard", f"{number}/2", at=120 if number == 2 else 0) for number in (1, 2)]
    assert [run.wait().code for run in runs] == [0, -signal.SIGKILL]
    shards(place, 2)
    assert place.held() == place.expected()


def test_two_machines_at_once_are_exact_or_one_is_turned_away(place: Elsewhere, other: Elsewhere) -> None:
    """While one reads, exit 4 within a sentence; whoever comes first, each statement is there once."""
    gate = Gate(place.sandbox)
    first = begun(place)
    gate.reached()
    begun(other).wait().refused(
        4, "Another run holds besitos on ducklake", "conversync load besitos", "--wait"
    )
    gate.open()
    well(first.wait())
    second_night(place)
    for _ in range(2):
        codes = sorted(run.wait().code for run in [begun(place), begun(other)])
        assert codes in ([0, 0], [0, 4]), codes
        assert place.held() == place.expected()


def test_who_lost_the_right_writes_no_more(place: Elsewhere, other: Elsewhere, database: Cluster) -> None:
    """Exit 4; meanwhile another one may write, and what both leave is exact."""
    gate = Gate(place.sandbox)
    first = begun(place)
    gate.reached()
    assert database.ask(f"select pg_terminate_backend(pid) {RIGHTS}")
    well(begun(other).wait())
    told = place.query("select max(load_id) from besitos._dlt_loads")
    gate.open()
    first.wait().refused(4, "The right to write was lost")
    assert place.query("select max(load_id) from besitos._dlt_loads") == told
    assert place.held() == place.expected()


def test_what_is_not_over_is_waited_for(place: Elsewhere, other: Elsewhere, database: Cluster) -> None:
    """A transaction of who lost the right meanwhile keeps the next one out until its end."""
    with environment(place.env):
        mine, theirs = (Warehouse(one.warehouse, one.destination) for one in (place, other))
        with mine.locked(0, "load", ["besitos"]) as folder:
            pipeline = pipeline_for("besitos", mine.dlt_destination(["besitos"]), folder)
            with pipeline.sql_client() as client:
                with client.begin_transaction():
                    client.execute_sql("create table ducklake.mine as select 1 as x")
                    assert database.ask(
                        f"select pg_terminate_backend(pid) {RIGHTS} and query not like 'do %'"
                    )
                    with pytest.raises(LockedError, match="not over yet"), theirs.locked(0, "", ["besitos"]):
                        pass
                with theirs.locked(0, "load", ["besitos"]):
                    pass
                with pytest.raises(LockedError, match="was lost"), translate_errors():
                    client.execute_sql("create table ducklake.late as select 1 as x")


def test_two_sends_at_once_send_each_row_once(place: Elsewhere, other: Elsewhere) -> None:
    """From two machines: exit 0 or 4, and no row twice."""
    well(begun(place).wait())
    receiver = Receiver()
    with serve(receiver) as vendor:
        settings = {
            "OPTIBASE_URL": f"{vendor.url}/api/script/conversionEvent",
            "OPTIBASE_PUBLIC_API_KEY": PUBLIC_KEY,
        }
        argv = ["send", "optibase.conversions", "--from", RECEIVED, "--since", "2024-01-01"]
        runs = [
            one.nursery.start(
                Wish([*argv, "--destination", one.destination], one.env | settings, str(one.folder))
            )
            for one in (place, other)
        ]
        codes = sorted(run.wait().code for run in runs)
        assert codes in ([0, 0], [0, 4]), codes
        sent = [str(taken) for taken in receiver.taken]
    assert (
        len(sent)
        == len(set(sent))
        == place.query("select count(*) from sent.optibase_conversions")[0][0]
        >= 2
    )

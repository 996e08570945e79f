"""Shards of a backfill: many runs into one PostgreSQL at once leave what one run would have left."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from conversync.dlt_internals import decompress_state
from conversync.sandbox import Sandbox
from tests.besitos.rows import text
from tests.dbt.cluster import Cluster, binary
from tests.destinations.places import Elsewhere
from tests.process.gate import Gate
from tests.process.support import Done, Forked, Place, ProcessPool, Wish
from tests.process.test_right import turned_away

pytestmark = pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here")

DAYS = ["--from", "2024-11-30", "--to", "2024-12-16"]
FEW = ["--from", "2024-11-30", "--to", "2024-12-09"]
# What is of a run, and not of what was read.
OF_RUNS = {"note", "_dlt_load_id", "_dlt_id", "valid_from", "valid_to", "read_at", "first_seen", "last_seen"}
TABLES = """
    select t.table_name, array_agg(c.column_name::text order by c.column_name)
    from information_schema.tables as t join information_schema.columns as c using (table_schema, table_name)
    where t.table_schema = '{dataset}' and t.table_type = 'BASE TABLE' and t.table_name !~ '^_' group by 1
"""
STATE = """
    select state from {dataset}._dlt_pipeline_state
    where _dlt_load_id in (select load_id from {dataset}._dlt_loads) order by version desc limit 1
"""


class Machines(Elsewhere):
    """Any number of machines that load one vendor into one PostgreSQL."""

    vendor = "besitos"
    asked: Sequence[str] = DAYS
    of_runs = OF_RUNS

    @property
    def days(self) -> list[str]:
        """`load` over some days, in windows of which four shards have two."""
        return ["load", self.vendor, *self.asked, "--window", "3d"]

    def begin(self, *more: str, **wish: Any) -> Forked:
        """As `load`, that has begun."""
        argv = [*self.days, *more, "--destination", self.destination]
        return self.nursery.start(Wish(argv, self.env, str(self.folder), **wish))

    def shards(self, *numbers: int, count: int = 4) -> None:
        """These of so many shards at once, and all is well."""
        runs = [self.begin("--shard", f"{number}/{count}") for number in numbers]
        well(*(run.wait() for run in runs))

    def rows(self, *but: str) -> dict[str, list[str]]:
        """All rows of all tables `but` these, without what is of a run."""
        found = {}
        for table, columns in self.query(TABLES.format(dataset=self.vendor)):
            if table not in but:
                names = ", ".join(f'"{name}"' for name in columns if name not in self.of_runs)
                found[table] = sorted(map(repr, self.query(f"select {names} from {self.vendor}.{table}")))
        return found

    def state(self) -> dict[str, Any]:
        """What the newest load noted of the source, without which backfill it was."""
        [[state]] = self.query(STATE.format(dataset=self.vendor))
        found: dict[str, Any] = decompress_state(state)["sources"][self.vendor]
        found.pop("_backfill", None)
        return found

    def cursors(self) -> set[str | None]:
        """How far both streams were read."""
        state = self.state()
        return {state.get(stream, {}).get("through") for stream in ("conversions", "reversals")}

    def forget(self) -> None:
        """Nothing was ever loaded."""
        schemas = f"drop schema if exists {self.vendor}, {self.vendor}_staging cascade"
        self.query(f"{schemas}; select 1")

    def elsewhere(self) -> Machines:
        """Another one, with a folder of its own."""
        folder = self.folder / "other"
        folder.mkdir()
        found = Machines(folder, self.sandbox, self.nursery, self.destination, self._ask)
        found.env = {**self.env, "HOME": str(folder), "CONVERSYNC_WAREHOUSE": str(found.warehouse)}
        found.asked = self.asked
        return found

    def unread(self) -> list[str]:
        """The days that `status` tells of, the same of both streams; nothing is read through."""
        [told, *_] = json.loads(self.run("status", "--json").out)["sources"]
        assert told["through"] is None
        first, second = (one["days"]["never"] for one in told["streams"])
        assert first == second
        return list(first)

    def alone(self, *but: str) -> tuple[dict[str, list[str]], dict[str, Any]]:
        """What one load leaves where nothing was, rows and state."""
        self.forget()
        well(self.load())
        return self.rows(*but), self.state()


def well(*done: Done) -> None:
    assert [one.code for one in done] == [0] * len(done), "".join(one.told for one in done)


@pytest.fixture
def machines(database: Cluster, sandbox: Sandbox, nursery: ProcessPool, tmp_path: Path) -> Iterator[Machines]:
    """Nothing is loaded yet."""
    found = Machines(tmp_path, sandbox, nursery, "postgres", database.ask)
    found.env |= sandbox.settings() | {"DESTINATION__POSTGRES__CREDENTIALS": database.url}
    # An account that was young then: on from its first day the cursors move.
    found.env |= {f"{vendor}_START_DATE": DAYS[1] for vendor in ("BESITOS", "KEITARO", "INFOBIP")}
    yield found
    sandbox.faults.clear()
    found.forget()


def test_shards_at_once_leave_what_one_load_leaves(machines: Machines) -> None:
    """Every statement, as the oracle wants it; and all rows, the evidence among them, and the state."""
    machines.shards(1, 2, 3, 4)
    assert machines.held() == machines.expected()
    left = machines.rows(), machines.state()
    assert machines.cursors() == {"2024-12-17"}
    assert left == machines.alone()


def test_the_cursor_moves_with_the_last_shard(machines: Machines) -> None:
    """Until then nothing counts as read through, and `status` tells which days are still to be read."""
    machines.asked = FEW
    between = ["2024-12-03", "2024-12-04", "2024-12-05"]
    machines.shards(3, count=3)
    assert machines.unread() == ["2024-11-30", "2024-12-01", "2024-12-02", *between]
    machines.shards(1, count=3)
    assert machines.unread() == between
    assert machines.cursors() == {None}
    for _ in ("all are there", "and one of them twice"):
        machines.shards(2, count=3)
        assert machines.cursors() == {"2024-12-10"}
        assert "apart" not in str(machines.state())


@pytest.mark.more
def test_a_killed_shard_is_started_again(machines: Machines) -> None:
    """In the middle of its commits, while others load: afterwards all is there once, the cursors too."""
    killed(machines, 2, 400)


def killed(machines: Machines, number: int, at: int) -> None:
    """Four shards, of which one is killed at a point and started again."""
    runs = [
        machines.begin("--shard", f"{one}/4", **({"at": at} if one == number else {})) for one in range(1, 5)
    ]
    done = [run.wait() for run in runs]
    assert done.pop(number - 1).code == -signal.SIGKILL
    well(*done)
    machines.shards(number)
    assert machines.held() == machines.expected()
    # A window that was committed before the kill was read twice.
    left = machines.rows("windows"), machines.state()
    assert left == machines.alone("windows")


def killed_somewhere(machines: Machines, seed: int) -> None:
    """The same of a shard and at a point that the seed says; nothing is loaded before."""
    points = machines.folder / "points"
    well(machines.begin("--shard", "1/4", points=str(points)).wait())
    machines.forget()
    luck = Random(seed)
    killed(machines, luck.randint(1, 4), luck.randint(1, int(points.read_text())))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_wherever_a_shard_is_killed(machines: Machines, seed: int) -> None:
    """Any shard, at any point."""
    killed_somewhere(machines, seed)


def test_who_is_no_shard_waits(machines: Machines) -> None:
    """Exit 4 with a sentence; other shards are let in, from wherever, and none beside who is no shard."""
    machines.asked = FEW
    other = machines.elsewhere()
    gate = Gate(machines.sandbox)
    first = machines.begin("--shard", "1/2")
    gate.reached()
    turned_away(other.load())
    assert "conversync load 1/2 besitos" in other.load().told
    machines.load().refused(4, "Another run holds postgres", "--wait")
    other.shards(2, count=2)
    gate.open()
    well(first.wait())
    assert machines.held() == machines.expected()
    gate = Gate(machines.sandbox)
    alone = machines.begin()
    gate.reached()
    turned_away(other.load("--shard", "1/2"))
    gate.open()
    well(alone.wait())


def test_a_reading_that_others_overtook_is_made_again(machines: Machines) -> None:
    """Neighbours share a day: who began to read it first, and commits last, reads it again, for it may have changed."""
    machines.asked = ["--from", "2024-11-30", "--to", "2024-12-01"]
    gate = Gate(machines.sandbox)
    first = machines.begin("--shard", "1/2")
    gate.reached()
    machines.shards(2, count=2)
    before = len(machines.sandbox.besitos.reads)
    gate.open()
    well(first.wait())
    reads = machines.sandbox.besitos.reads[before:]
    assert [read.is_reverse for read in reads] == [None, None, "true"]
    assert len({(read.from_date, read.to_date) for read in reads}) == 1


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["besitos", *DAYS, "--shard", "9/8"], ["must be like 2/8"]),
        (["besitos", "--shard", "1/8"], ["--from and --to"]),
        (["besitos", "--from", "2024-12-01", "--to", "2999-01-01", "--shard", "1/8"], ["--to may be"]),
        (["besitos", *DAYS, "--shard", "1/8", "--destination", "duckdb"], ["one process", "PostgreSQL"]),
        (["besitos", "conductrics", *DAYS, "--shard", "1/8"], ["conductrics: not read by windows"]),
    ],
)
def test_what_cannot_be_a_shard_is_said(machines: Machines, argv: list[str], words: list[str]) -> None:
    """Before anything is asked of the vendor, and by a dry run, too; exit 2."""
    more = [] if "--destination" in argv else ["--destination", "postgres"]
    for plan in ([], ["--dry-run"]):
        Place.run(machines, "load", *argv, *more, *plan).refused(2, *words)
    assert machines.sandbox.besitos.reads == []


def test_a_dry_run_tells_the_windows_of_a_shard(machines: Machines) -> None:
    """Those of all shards are those of one load, each once."""
    whole = machines.load("--dry-run").out.splitlines()
    shards = [machines.load("--dry-run", "--shard", f"{one}/3").out.splitlines() for one in (1, 2, 3)]
    assert all(shards)
    assert sorted(line for lines in shards for line in lines) == sorted(whole)


def test_a_shard_without_days_says_so(machines: Machines) -> None:
    """More shards than windows: exit 0 and a line, and nothing is asked of the vendor, by a dry run neither."""
    machines.asked = ["--from", "2024-12-01", "--to", "2024-12-02"]
    none = "besitos: shard 1/9 has no days, since 2024-12-01 .. 2024-12-02 has fewer windows than shards."
    assert machines.load("--shard", "1/9", "--dry-run").out.splitlines() == [none]
    done = machines.load("--shard", "1/9")
    well(done)
    assert none in done.out.splitlines()
    assert machines.sandbox.besitos.reads == []


@pytest.mark.more
@pytest.mark.parametrize("vendor", ["keitaro", "infobip"])
def test_shards_of_other_vendors(machines: Machines, vendor: str) -> None:
    """As of Besitos."""
    machines.vendor, machines.asked = vendor, FEW
    machines.shards(1, 2, count=2)
    assert (machines.rows(), machines.state()) == machines.alone()


@pytest.mark.more
def test_rows_set_aside_are_known_to_all_shards(machines: Machines) -> None:
    """One that two of them meet is one row, met twice; the rest is loaded."""
    machines.asked = FEW
    days = [f"2024-12-{day:02}" for day in range(1, 11)]
    machines.sandbox.besitos.rows = [
        text(number, date_time=f'"{day} 10:00:00"', **({} if number % 3 else {"payout": '"none"'}))
        for number, day in enumerate(days * 3, start=1)
    ]
    runs = [machines.begin("--shard", f"{number}/2") for number in (1, 2)]
    assert [run.wait().code for run in runs] == [3, 3]
    left = set_aside(machines)
    assert sorted(times for _, times in left[1]) == [1] * 6 + [2] * 4
    machines.forget()
    assert machines.load().code == 3
    assert left == set_aside(machines)


def set_aside(machines: Machines) -> tuple[dict[str, list[str]], list[tuple[str, int]], set[tuple[str, int]]]:
    """What is loaded; each row set aside, and how often it was met, in the table and in the state.

    In which of two windows it was met last is a matter of turns.
    """
    rejected = machines.query("select raw_hash, times_seen from besitos.rejected_rows order by 1")
    noted = {(name, one[1]) for name, one in machines.state()["set_aside"].items()}
    return machines.rows("windows", "rejected_rows"), [(name, times) for name, times in rejected], noted


@pytest.mark.more
def test_a_backfill_in_shards_is_one_load_to_take_back(machines: Machines) -> None:
    """Undone at once, whatever shards committed it."""
    machines.asked = FEW
    well(machines.load())
    before = machines.rows(), machines.state()
    machines.sandbox.world.now = machines.sandbox.world.day(40)
    machines.asked = DAYS
    machines.shards(1, 2)
    machines.shards(3, 4)
    assert machines.rows() != before[0]
    well(machines.run("undo", "--last", "--vendor", "besitos"))
    assert (machines.rows(), machines.state()) == before

"""M03, M04, S14, C19: nights on a machine whose clock is wrong, each a run of its own whose clock is really set."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from conversync.sandbox import Fault, Sandbox, World
from tests.besitos.rows import row
from tests.process.support import Done, Place, ProcessPool, Wish, nursery

# libfaketime (Debian's package faketime): what a process asks of the clock is answered from a file.
LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)
pytestmark = pytest.mark.skipif(LIBRARY is None, reason="faketime is not installed here: no clock was set")

DAY = timedelta(days=1)
AHEAD, BACK = 17, -17


def faked(clock: Path) -> dict[str, str]:
    """The environment in which a process reads its clock from a file; anew if it did so more than a second ago."""
    how = {"FAKETIME_CACHE_DURATION": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    return {"LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(clock), **how}


class Machine(Place):
    """A place whose runs see the clock that `night` sets. Day 0 is today; the vendor has a row for every day."""

    def __init__(self, folder: Path, sandbox: Sandbox, nursery: ProcessPool, clock: Path) -> None:
        super().__init__(folder, sandbox, nursery)
        self.today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
        self.clock = clock
        start = {"BESITOS_START_DATE": f"{self.today:%Y-%m-%d}", "BESITOS_ZONE": "UTC", "TZ": "UTC"}
        self.env |= {**faked(clock), **start}
        self.changed: dict[int, dict[str, Any]] = {}

    def night(self, day: int, wrong: int = 0, *more: str, told: bool | timedelta = False) -> Done:
        """`load` on the evening of a day, by a clock that is wrong by so many days.

        `told`: answers have their Date, which is so much later than the truth.
        """
        shown = self.today + (day + wrong) * DAY + timedelta(hours=6)
        self.clock.write_text(f"@{shown:%Y-%m-%d %H:%M:%S}")
        truth = self.today + day * DAY + timedelta(hours=6)
        self.sandbox.faults.clear()
        if told is not False:
            date = format_datetime(truth + (told if isinstance(told, timedelta) else 0 * DAY), usegmt=True)
            self.sandbox.faults.add(Fault(headers={"Date": date}))
        self.sandbox.besitos.rows = [self.row(number) for number in range(day + 1)]
        return self.nursery.start(Wish(["load", "besitos", *more], self.env, str(self.folder))).wait()

    def row(self, day: int) -> dict[str, Any]:
        """What the vendor has of a day."""
        said = {"date_time": f"{self.today + day * DAY:%Y-%m-%d %H:%M:%S}"}
        return row(1 + day, **said, **self.changed.get(day, {}))

    def good(self, day: int, wrong: int = 0, **how: Any) -> Done:
        """A night that ends with 0, by the clock that was wanted."""
        done = self.night(day, wrong, **how)
        assert done.code == 0, done.told
        shown = self.today + (day + wrong) * DAY
        assert f" .. {shown:%Y-%m-%d}" in done.err, "the run saw another clock"
        return done

    @property
    def days(self) -> list[int]:  # type: ignore[override] # the days that are held
        """The days whose rows are held, each once."""
        found = self.query("select transaction_id - 1 from besitos.conversions order by 1")
        return [number for (number,) in found]

    @property
    def newest_load(self) -> timedelta:
        """How far from now the greatest load lies."""
        [[load]] = self.query("select max(load_id) from besitos._dlt_loads")
        return timedelta(seconds=float(load) - time.time())


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ProcessPool, Path]]:
    """A nursery that sees the clock in a file."""
    folder = tmp_path_factory.mktemp("machine")
    clock = folder / "clock"
    clock.write_text("+0")
    with nursery(folder, **faked(clock)) as running:
        running.start(Wish(["--version"], faked(clock), str(folder))).wait()
        time.sleep(
            1.5
        )  # the nursery itself has read the clock long enough ago for what it forks to read it anew
        yield running, clock


@pytest.fixture
def machine(machines: tuple[ProcessPool, Path], tmp_path: Path) -> Iterator[Machine]:
    """With no warehouse yet."""
    with Sandbox(World(days=1)) as sandbox:
        yield Machine(tmp_path, sandbox, *machines)


def test_m03_c19_a_night_in_the_future_leaves_no_hole(machine: Machine) -> None:
    """The clock is 17 days ahead for one night, right for the next, the machine off for eleven: every day is held."""
    ahead = machine.good(1, AHEAD)
    assert "behind the newest load" not in ahead.out
    assert machine.newest_load > 17 * DAY
    assert "is 16 days behind the newest load" in machine.good(2).out
    machine.good(14)
    assert machine.days == list(range(15))


@pytest.mark.more
def test_m03_no_statement_ends_before_it_began(machine: Machine) -> None:
    """Stated under the wrong clock, restated under the right one, again after it has caught up: one after the other."""
    for day, wrong, payout in ((1, AHEAD, 1), (2, 0, 2), (30, 0, 3)):
        machine.changed[0] = {"payout": payout}
        machine.good(day, wrong)
    history = machine.query(
        "select payout, valid_from < coalesce(valid_to, 'infinity') from besitos.conversion_events "
        "where transaction_id = 1 order by valid_from"
    )
    assert [(float(payout), right) for payout, right in history] == [
        (1, True), (2, True), (3, True),
    ]  # fmt: skip
    machine.held()


@pytest.mark.more
def test_m04_what_was_set_aside_after_a_wrong_night_is_news_once(machine: Machine) -> None:
    """Exit 3 on the night that sets it aside, 0 on the nights after it."""
    machine.good(1, AHEAD)
    machine.changed[2] = {"reward": "N/A"}
    first = machine.night(2)
    first.refused(3, "1 row newly set aside")
    [looked] = json.loads(machine.run("status", "besitos", "--json").out)["sources"]
    assert '"rows": 1' in json.dumps(looked["rejects"]), "the schema of the wrong night knows no such row"
    assert "newly set aside" not in machine.good(3).out


@pytest.mark.more
@pytest.mark.parametrize(
    "told", [True, pytest.param(False, marks=pytest.mark.long)], ids=["S14-dated", "S14-undated"]
)
def test_s14_an_outage_right_after_a_night_in_the_future(machine: Machine, told: bool) -> None:
    """Where the answers are dated, the cursor stays at the vendor's day, and the gap is read; else the clock decides.

    Without a date nobody can know it once the clock has caught up, so the outage ends before that.
    """
    ahead = machine.good(1, AHEAD, told=told)
    assert ("17 days ahead of the vendor's" in ahead.out) == told
    machine.good(30 if told else 5, told=told)
    assert machine.days == list(range(31 if told else 6))


@pytest.mark.long
@pytest.mark.parametrize("wrong", [-1, BACK], ids=["S14-1", "S14-17"])
def test_s14_a_night_in_the_past_costs_days_read_again_and_no_hole(machine: Machine, wrong: int) -> None:
    """The clock runs behind for one night: that is said, what it sees is loaded, and later nights hold every day."""
    for day in (0, 18):
        machine.good(day)
    behind = machine.good(19, wrong)
    assert "behind the newest load" in behind.out or wrong == -1
    machine.good(20)
    machine.good(40)
    assert machine.days == list(range(41))


@pytest.mark.more
def test_s14_a_clock_behind_the_vendors_wants_a_look(machine: Machine) -> None:
    """Days that are over at the vendor are not asked for: the rest is loaded, exit 3, in `nightly` too, and healed."""
    machine.good(3, told=True)
    behind = machine.night(5, -2, told=True)
    behind.refused(3, "clock is 2 days behind the vendor's: later days were not read. Set the clock (NTP).")
    assert machine.days == list(range(4)), "what it asked for is there"
    alone = ["--no-build", "--no-send", "--no-report", "--no-alert"]
    night = machine.run("nightly", "besitos", "--log-format", "json", *alone)
    night.refused(3)
    [summary] = [json.loads(line) for line in night.out.splitlines() if '"steps"' in line]
    [step] = [one for one in summary["steps"] if one["step"] == "load"]
    assert step["exit_code"] == 3
    assert any("2 days behind the vendor's" in note for note in step["notes"])
    machine.good(5, told=True)
    assert machine.days == list(range(6))


@pytest.mark.quick(1)
@pytest.mark.parametrize("minutes", [5, -5], ids=["ahead", "behind"])
def test_s14_minutes_are_no_matter(machine: Machine, minutes: int) -> None:
    """Clocks that are apart by less than ten minutes agree: exit 0, and no word."""
    done = machine.night(2, told=timedelta(minutes=minutes))
    assert (done.code, "vendor's" in done.out) == (0, False), done.told
    assert machine.days == [0, 1, 2]


@pytest.mark.more
def test_s14_evidence_of_a_night_in_the_future_makes_no_day_read(machine: Machine) -> None:
    """What was read under a clock that the vendor's Date belies is dated by the vendor."""
    machine.good(1, AHEAD, told=True)
    truth = machine.today + 2 * DAY
    assert machine.query(f"select max(read_at) < timestamptz '{truth.isoformat()}' from besitos.windows") == [
        (True,)
    ]

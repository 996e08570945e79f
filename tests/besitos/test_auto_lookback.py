"""Nights whose lookbacks set themselves: what was late in them decides how far the next one reads."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from conversync.books import closing, lines, store
from conversync.extract.lookback import in_use
from conversync.load import load, planned
from conversync.sandbox import Sandbox, World
from conversync.sandbox.front import Variants as Answers
from conversync.settings import lookup
from conversync.vendors import LoadRequest, Vendor, vendors
from conversync.warehouse.warehouse import Warehouse
from sources.besitos.settings import BesitosSettings
from tests.besitos.rows import reversal, row
from tests.dbt.cluster import Cluster, binary
from tests.houses import environment
from tests.support import Quiet, Workspace, command, vendor_at, windows

START = date(2026, 3, 1)
AUTO = {"BESITOS_LOOKBACK_DAYS": "auto", "BESITOS_REVERSAL_LOOKBACK_DAYS": "auto"}
# By the night on which they come: of so many days before the first night so many reversals, and amounts that changed.
REVERSED = {10: {20: 200, 3: 200}, 20: {14: 200, 80: 1}}
RESTATED = {10: {2: 390}, 28: {1: 60}}
NIGHTS = (0, 10, 20, 28)


def day(number: int) -> date:
    """So many days after the first night."""
    return START + timedelta(days=number)


def at(number: int) -> str:
    return f"{day(number)} 12:00:00"


def noon(number: int) -> datetime:
    """When that night is; the vendor's day has begun."""
    return datetime.combine(day(number), datetime.min.time(), UTC) + timedelta(hours=15)


class Story:
    """What the vendor serves: conversions of the half year before the first night, and what becomes of them."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self._by_day: dict[int, list[int]] = {}
        wanted = {-180: 2}
        for told, more in ((REVERSED, 0), (RESTATED, 0)):
            for ages in told.values():
                for days, count in ages.items():
                    wanted[-days] = wanted.get(-days, more) + count
        for number, count in wanted.items():
            for _ in range(count):
                one = len(self.rows) + 1
                self.rows[f"{one}"] = row(one, date_time=at(number))
                self._by_day.setdefault(number, []).append(one)
        oldest = self._by_day[-180].pop()
        self.rows[f"{oldest}r"] = reversal(oldest, date_time=at(-180))

    def night(self, number: int) -> list[dict[str, Any]]:
        """All rows as that night sees them."""
        for days, count in REVERSED.get(number, {}).items():
            for _ in range(count):
                one = self._by_day[-days].pop()
                self.rows[f"{one}r"] = reversal(one, date_time=at(-days))
        for days, count in RESTATED.get(number, {}).items():
            for _ in range(count):
                one = self._by_day[-days].pop()
                self.rows[f"{one}"] = row(one, date_time=at(-days), payout=12)
        return list(self.rows.values())


class Nights:
    """A warehouse, file or server, and nights on a machine whose clock is the vendor's."""

    def __init__(self, house: Workspace, destination: str = "duckdb", **settings: str) -> None:
        self.house, self.story, self.destination = house, Story(), destination
        house.settings |= {**AUTO, **settings}
        house.sandbox.server.variants = Answers(date="clock")
        self.vendor: Vendor = vendor_at(house.sandbox)

    def plan(self, number: int) -> dict[str, str]:
        """The same as `run`, as `--dry-run` tells it."""
        self.house.sandbox.world.now = noon(number)
        with environment(self.house.environment), TemporaryDirectory() as folder:
            warehouse = Warehouse(self.house.path, self.destination)
            steps = planned(warehouse, self.vendor, LoadRequest(window_days=400), Path(folder))
        return {stream: start for stream, start, *_ in (one.label.split() for one in steps)}

    def run(self, number: int) -> dict[str, str]:
        """One night; the first day that each walk asked for."""
        sandbox = self.house.sandbox
        sandbox.world.now = noon(number)
        sandbox.besitos.rows = self.story.night(number)
        before = len(sandbox.requests)
        with environment(self.house.environment):
            warehouse = Warehouse(self.house.path, self.destination)
            [report] = load(warehouse, [self.vendor], LoadRequest(), Quiet())
        if report.error is not None:
            raise report.error
        asked = sandbox.requests[before:]
        return {
            stream: min(start for start, _ in windows(asked, stream))
            for stream in ("conversions", "reversals")
        }


def wilson(rows: int, of: int) -> float:
    """The lower end of the interval, with its formula written out."""
    z, share = 1.96, rows / of
    spread = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (share + z * z / (2 * of) - spread) / (1 + z * z / of)


def fewest(told: dict[int, dict[int, int]]) -> tuple[int, int]:
    """The days that 99 of 100 need, and of how many rows: of what came until the last of `NIGHTS`."""
    ages = [
        night + days for night, late in told.items() for days, count in late.items() for _ in range(count)
    ]
    for days in range(7, 181):
        if wilson(sum(age <= days for age in ages), len(ages)) >= 0.99:
            return days, len(ages)
    raise AssertionError("there are enough rows")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Workspace]:
    """Its sandbox serves until the test ends."""
    with Sandbox(World(days=1)) as sandbox:
        yield Workspace(sandbox, tmp_path)


def a_month_of_nights(nights: Nights) -> None:
    """After it there is enough to go by: the next nights read less, and the one after four weeks deep."""
    starts = {number: nights.run(number) for number in NIGHTS}
    assert starts[10] == {"conversions": str(day(0 - 7)), "reversals": str(day(0 - 180))}
    assert starts[20] == {"conversions": str(day(10 - 7)), "reversals": str(day(10 - 180))}
    assert starts[28]["conversions"] == str(day(0 - 31)), "as deep as goes, before the last deep one"
    conversions, reversals = fewest(RESTATED)[0], fewest(REVERSED)[0]
    assert (conversions, reversals) == (29, 34)
    wanted = {"conversions": str(day(28 - conversions)), "reversals": str(day(28 - reversals))}
    assert nights.plan(29) == wanted
    assert nights.run(29) == wanted
    assert nights.run(57)["reversals"] == str(day(28 - 180))


def test_the_next_night_reads_as_far_as_was_late(house: Workspace, tmp_path: Path) -> None:
    """By a calculation of the test's own; status says it in words and to programs, a close waits for as long."""
    nights = Nights(house)
    a_month_of_nights(nights)
    run = partial(command, cwd=tmp_path, environment=house.environment)
    [told] = json.loads(run("status", "besitos", "--json").out)["sources"]
    by_setting = {one["setting"]: one for one in told["lookbacks"]}
    found = by_setting["besitos_reversal_lookback_days"]
    days, rows = fewest(REVERSED)
    assert (found["days"], found["is_auto"], found["measured"]) == (days, True, rows)
    assert (found["watched_days"], found["why"]) == (28, None)
    assert found["share"] == pytest.approx(600 / 601)
    assert found["at_least"] == pytest.approx(wilson(600, 601))
    said = run("status", "besitos").out
    assert (
        f"besitos: besitos_reversal_lookback_days is auto: {days} days, within which 99.8 % of 601 late reversals came "
        "that were measured in 28 days (95 % sure: at least 99.0 % of all)"
    ) in " ".join(said.split())
    with environment(house.environment), store.reading(Warehouse(house.path), tmp_path / "dlt") as client:
        [candidate] = closing.candidates(
            client,
            [vendors()["besitos"]],
            lines.period_of("2026-03"),
            None,
            datetime(2026, 4, 5, 15, tzinfo=UTC),
        )
    waits = by_setting["besitos_lookback_days"]["days"]
    first = date(2026, 4, 5) - timedelta(days=waits - 1)
    until = date(2026, 3, 31) + timedelta(days=waits)
    assert any(
        one.startswith(
            f"besitos: {first} .. 2026-03-31 are younger than the lookback of {waits} days (auto), until {until}"
        )
        for one in candidate.against
    ), candidate.against


@pytest.mark.more
@pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here")
def test_it_is_the_same_on_a_server(house: Workspace, database: Cluster) -> None:
    """The same nights, the same windows."""
    with environment({"DESTINATION__POSTGRES__CREDENTIALS": database.url}):
        a_month_of_nights(Nights(house, "postgres"))


@pytest.mark.more
def test_a_fixed_lookback_that_becomes_auto_goes_by_what_was_there(house: Workspace) -> None:
    """Its first night reads all that the loads left, and comes to what it would have come to every night."""
    nights = Nights(house, BESITOS_REVERSAL_LOOKBACK_DAYS="180", BESITOS_LOOKBACK_DAYS="7")
    for number in NIGHTS:
        nights.run(number)
    house.settings |= AUTO
    # What a week of lookback saw of the conversions has no end: nothing read as deep as is promised.
    assert nights.run(29) == {"conversions": str(day(28 - 31 - 28)), "reversals": str(day(28 - 34))}


@pytest.mark.more
def test_a_load_that_is_taken_back_was_not_measured(house: Workspace, tmp_path: Path) -> None:
    """Its rows are gone, and so is what was noted of them."""
    nights = Nights(house)
    for number in (*NIGHTS, 29):
        nights.run(number)
    told: Callable[[], Any] = lambda: json.loads(  # noqa: E731
        command("status", "besitos", "--json", cwd=tmp_path, environment=house.environment).out
    )["sources"][0]["lookbacks"]
    before = told()
    nights.run(30)
    assert command(
        "undo",
        "--last",
        "--vendor",
        "besitos",
        "--why",
        "a test",
        cwd=tmp_path,
        environment=house.environment,
    ).code in (0, 3)
    assert told() == before


@pytest.mark.more
def test_too_little_is_the_default_in_words(house: Workspace, tmp_path: Path) -> None:
    """A new warehouse: the next night reads what it always read, and status says why."""
    nights = Nights(house)
    nights.run(0)
    assert nights.run(1) == {"conversions": str(day(0 - 7)), "reversals": str(day(0 - 180))}
    said = " ".join(command("status", cwd=tmp_path, environment=house.environment).out.split())
    assert (
        "besitos: besitos_reversal_lookback_days is auto: 180 days, no late reversal was measured in 0 days; that is "
        "its default, until 28 days were watched"
    ) in said


def test_an_account_has_an_auto_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment as from a file; the account without a name keeps its number."""
    own = "SOURCES__BESITOS__ACCOUNTS__EU__"
    for name, value in {
        "BESITOS_TOKEN": "besitos-token-one",
        "BESITOS_REVERSAL_LOOKBACK_DAYS": "90",
        f"{own}BESITOS_TOKEN": "besitos-token-two",
        f"{own}BESITOS_REVERSAL_LOOKBACK_DAYS": "auto",
    }.items():
        monkeypatch.setenv(name, value)
    name = "besitos_reversal_lookback_days"
    one, other = (lookup.resolve(BesitosSettings, source) for source in ("besitos", "besitos:eu"))
    assert (in_use(one, name, {}).days, in_use(one, name, {}).is_auto) == (90, False)
    assert (in_use(other, name, {}).days, in_use(other, name, {}).is_auto) == (180, True)

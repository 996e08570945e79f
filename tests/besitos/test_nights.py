"""Night after night without dates: each reads on where the last one stopped, and no statement is missed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import dlt
import pytest

from conversync.sandbox import Fault, Request, Variants, World
from conversync.sandbox.besitos import totals
from conversync.vendors import vendors
from sources.besitos import besitos
from tests.besitos.conftest import MakeHouse
from tests.besitos.rows import FROM, TO, row
from tests.support import Workspace, at_once, held_is_the_oracles, sometimes, tables, vendor_at, windows

START = date(2026, 1, 1)
EST = timezone(timedelta(hours=-5))
Nights = Callable[..., Workspace]


@pytest.fixture
def nights(make_house: MakeHouse) -> Nights:
    """A world of so many days whose clock is the machine's, too: `nights(days, **settings)`."""

    def make(days: int, variants: Variants | None = None, **settings: str) -> Workspace:
        chosen = {"besitos_start_date": str(START - timedelta(days=1)), **settings}
        house = make_house(World(start=START, days=days, conversions_a_day=12), variants, **chosen)
        house.vendor = vendor_at(house.sandbox)
        return house

    return make


def night(house: Workspace, number: int, window_days: int = 31) -> list[Request]:
    """One night at 3 o'clock UTC: 22 o'clock of the day before for the vendor; what it asked."""
    house.sandbox.world.now = house.sandbox.world.day(number) + timedelta(hours=3)
    before = len(house.sandbox.requests)
    house.load(window_days=window_days)
    return house.sandbox.requests[before:]


def january(number: int) -> str:
    """The day so many days after the first of January."""
    return str(START + timedelta(days=number))


def pieces(first: int, last: int) -> list[tuple[str, str]]:
    """The questions of a walk over these days of January: 31 days each, sharing one with the next."""
    starts = range(first, last, 30)
    return [(january(start), january(min(start + 30, last))) for start in starts]


def test_s16_every_night_reads_a_week_again_and_half_a_year_of_reversals(nights: Nights) -> None:
    """The first from the day that is set; each next from its cursor less the lookback, to the vendor's own today."""
    house = nights(14)
    asked = [night(house, number) for number in (8, 9, 11)]
    assert [windows(one) for one in asked] == [
        [(january(-1), january(7))],
        [(january(0), january(8))],
        [(january(1), january(10))],
    ]
    assert [windows(one, "reversals") for one in asked] == [
        [(january(-1), january(7))],
        pieces(7 - 180, 8),
        [*pieces(8 - 180, 9), (january(9), january(10))],
    ]
    held_is_the_oracles(house)


def test_s17_an_outage_of_thirty_nights_leaves_no_hole(nights: Nights) -> None:
    """The night after it reads all that was missed, in windows, and then holds what every night would have held."""
    house = nights(45)
    night(house, 5)
    asked = night(house, 36, window_days=15)
    assert windows(asked) == [
        (january(-3), january(11)),
        (january(11), january(25)),
        (january(25), january(35)),
    ]
    sweep = [*pieces(4 - 180, 5), *pieces(5, 35)]
    assert windows(asked, "reversals") == sweep, "the sweep is one commit, but for what an outage adds"
    held_is_the_oracles(house)
    told = set(house.sandbox.besitos.oracle.statements())
    assert told - set(house.held()) == set()


@pytest.mark.parametrize("dated", sometimes("original", "own", quick=1))
def test_s04_a_reversal_is_met_however_old_its_original(nights: Nights, dated: str) -> None:
    """Weeks after the conversion, dated as the original: the sweep of half a year finds it, and its age shows."""
    house = nights(10, Variants(reversal_dated=dated))  # type: ignore[arg-type] # both are among its values
    night(house, 10)
    for number in (40, 105):
        night(house, number, window_days=400)
    oracle = house.sandbox.besitos.oracle
    reversals = {key: said for key, said in oracle.statements().items() if said.is_reversal}
    held = house.held()
    assert {key: history[-1] for key, history in held.items() if history[-1].is_reversal} == reversals
    assert totals(history[-1] for history in held.values()).orphans == 0
    held_is_the_oracles(house)
    later = "select bool_or(reversal_seen_at > first_seen_at) from besitos.conversions where is_reversed"
    assert house.query(later) == [(True,)]


def test_an_interrupted_backfill_goes_on_where_it_stopped(nights: Nights) -> None:
    """What was committed before the vendor failed stays, and is not read again but for the lookback."""
    house = nights(12)
    house.sandbox.world.now = house.sandbox.world.day(12)
    gone: list[int] = []

    def is_gone(asked: Request) -> bool:
        gone.extend([1] if asked.query["from_date"] == january(5) else [])
        return bool(gone)

    house.sandbox.faults.add(Fault(where=is_gone, status=404))
    report = house.run(window_days=3)
    assert (report.exit_code, len(report.steps)) == (6, 3)
    assert windows(house.sandbox.requests)[:4] == [(january(at), january(at + 2)) for at in (-1, 1, 3, 5)]
    assert len(gone) <= 2, "asked for other days, and then no more"
    [[newest]] = house.query("select max(occurred_on) from besitos.conversion_events")
    assert newest == START + timedelta(days=5)
    house.sandbox.faults.clear()
    before = len(house.sandbox.requests)
    house.load(window_days=3)
    again = house.sandbox.requests[before:]
    assert windows(again)[:3] == [(january(at), january(at + 2)) for at in (-2, 0, 2)]
    assert windows(again)[-1] == (january(10), january(11))
    assert set(house.sandbox.besitos.oracle.statements()) == set(house.held())


@pytest.mark.more
def test_days_asked_for_move_the_cursor_only_where_they_touch_it(nights: Nights) -> None:
    """Ahead of it they leave a gap, so it stays; behind it too; across it, it moves to their end."""
    house = nights(20)
    night(house, 6)  # through january(5)

    clocked = house.vendor

    def due_after(start: str, end: str) -> str:
        house.vendor = at_once()
        house.load(start, end)
        house.vendor = clocked
        return house.planned()[0]

    house.sandbox.world.now = house.sandbox.world.day(16)
    today = january(15)
    assert due_after(january(9), january(12)) == f"conversions {january(5 - 7)} .. {today}", "ahead"
    assert due_after(january(0), january(3)) == f"conversions {january(5 - 7)} .. {today}", "behind"
    assert due_after(january(3), january(10)) == f"conversions {january(10 - 7)} .. {today}", "across"
    assert due_after(january(0), january(7)) == f"conversions {january(10 - 7)} .. {today}", "never back"


def test_a_filtered_read_moves_no_cursor(
    make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It saw one user, one offer or one type: the days are still to be read, and the rows it saw are loaded."""
    world = World(start=START, days=6, conversions_a_day=20)
    house = make_house(world, besitos_start_date=str(START))
    for name, value in house.environment.items():
        monkeypatch.setenv(name, value)
    pipeline = dlt.pipeline(
        "one",
        str(tmp_path / "dlt"),
        destination=dlt.destinations.duckdb(str(house.path)),
        dataset_name="besitos",
    )
    one = world.conversions[0]
    for asked in ({"user_id": one.user_id.swapcase()}, {"offer_id": one.offer.id}, {"type": "survey"}):
        pipeline.run(besitos(START, START + timedelta(days=6), **asked))  # type: ignore[arg-type] # all are text
        assert [asked.items() <= request.query.items() for request in house.sandbox.requests[-2:]] == [
            True,
            True,
        ]
    state = pipeline.state["sources"]["besitos"]
    assert state.get("conversions", state.get("reversals")) is None
    [[rows, users]] = house.query(
        "select count(*), count(*) filter (user_key <> lower('"
        + one.user_id
        + "') and offer_id <> '"
        + one.offer.id
        + "' "
        "and type <> 'survey') from besitos.conversion_events"
    )
    assert rows > 0
    assert users == 0
    pipeline.run(besitos(START, START + timedelta(days=6)))
    assert pipeline.state["sources"]["besitos"]["conversions"]["through"] == str(START + timedelta(days=6))


@pytest.fixture
def today(make_house: MakeHouse) -> Workspace:
    """A world of the last ten days, as the machine's own clock has them."""
    now = datetime.now(UTC)
    world = World(start=now.date() - timedelta(days=10), days=11, conversions_a_day=12)
    world.now = now - timedelta(hours=30)
    return make_house(world, besitos_start_date=str(world.start - timedelta(days=1)))


def test_nights_by_the_machines_own_clock(today: Workspace) -> None:
    """Up to the day it is for the vendor; run again at once, nothing changes; run later, what came is there."""
    day = datetime.now(EST).date()
    today.load()
    last = max(one.query["to_date"] for one in today.sandbox.requests)
    assert last in {str(day), str(datetime.now(EST).date())}
    held_is_the_oracles(today)
    first = tables(today.path)
    today.load()
    assert tables(today.path) == first
    today.sandbox.world.now = datetime.now(UTC)
    assert today.load().total("added") > 0
    held_is_the_oracles(today)


def test_s15_rows_of_the_future_are_loaded_and_followed_by_nobody(house: Workspace) -> None:
    """One of 2099, asked for as such, is there and flagged; the next night still begins a week ago."""
    day = datetime.now(EST).date()
    house.settings |= {"BESITOS_START_DATE": str(day), "BESITOS_RANGE_DAYS": "3650"}
    house.sandbox.besitos.rows = [
        row(1, date_time="2099-01-01 00:00:00"),
        row(2, date_time=f"{day} 00:00:00"),
    ]
    house.load(day, "2099-12-31")
    assert house.query(
        "select year(occurred_on) from besitos.conversion_events where transaction_id = 1"
    ) == [(2099,)]
    assert house.query("select transaction_id from besitos.conversions where is_future_dated") == [(1,)]
    house.vendor = vendors()["besitos"]
    assert house.planned()[0] == f"conversions {day - timedelta(days=7)} .. {day}"


@pytest.mark.parametrize(
    ("start", "end"),
    [("2024-12-20", "2024-12-01"), ("20.12.2024", None), ("2024-13-01", None), ("2099-12-01", None)],
)
def test_p15_days_that_are_none_are_refused_before_any_request(
    house: Workspace, start: str, end: str | None
) -> None:
    """Swapped, or written otherwise: exit 2, and one sentence."""
    house.vendor = vendor_at(house.sandbox)
    report = house.run(start, end)
    assert report.exit_code == 2
    told = "before it starts" if end else "lies in the future" if start > "2099" else "which is no day"
    assert told in str(report.error)
    assert house.sandbox.requests == []


def test_p14_a_row_on_the_windows_last_second_comes_with_the_next_run(make_house: MakeHouse) -> None:
    """It was told after the page was read; the next window begins a week before the last one ended."""
    world = World(days=6, conversions_a_day=30)
    house = make_house(world)
    house.vendor = at_once()
    for hour in (100.0, 101.0, 124.0):
        world.now = world.day(0)
        world.advance(hours=hour)
        house.load("2025-12-30", "2026-01-07")
    held_is_the_oracles(house)


@pytest.mark.parametrize("inclusive", sometimes(False, True, quick=1))
def test_s13_the_last_day_that_is_asked_for_is_whole(make_house: MakeHouse, inclusive: bool) -> None:
    """`--to` a past day, at a vendor whose to_date ends as that day begins: its rows are there, and it is whole."""
    house = make_house(variants=Variants(to_date_inclusive=inclusive))
    house.sandbox.besitos.rows = [
        row(1, date_time="2024-12-03 10:00:00"), row(2, date_time="2024-12-04 23:59:59"),
        row(3, reverse=1, date_time="2024-12-04 12:00:00"),
    ]  # fmt: skip
    house.load("2024-12-01", "2024-12-04")
    assert house.query("select transaction_id from besitos.conversions order by 1") == [(1,), (2,), (3,)]
    whole = "select stream, max(day)::text from besitos.days where state = 'whole' group by all order by all"
    assert house.query(whole) == [("conversions", "2024-12-04"), ("reversals", "2024-12-04")]
    assert windows(house.sandbox.requests) == [("2024-12-01", "2024-12-05")]


def test_s13_no_day_that_has_not_begun_is_asked_for(make_house: MakeHouse) -> None:
    """`--to` today asks for no more than today; one that lies before `--from` is refused as before."""
    house = make_house(besitos_zone="UTC")
    today = datetime.now(UTC).date()
    house.load(today - timedelta(days=1), today)
    assert {end for _, end in windows(house.sandbox.requests)} <= {str(today), str(today + timedelta(days=1))}
    assert house.run("2024-12-04", "2024-12-03").exit_code == 2


def test_s18_a_backfill_over_loaded_days_changes_no_row(nights: Nights) -> None:
    """In windows of another length, over some of the days: every table is as it was, to its history."""
    house = nights(14)
    night(house, 9)
    before = tables(house.path)
    assert before["conversion_events"]
    asked = len(house.sandbox.requests)
    report = house.load(january(1), january(7), window_days=3)
    assert report.total("received")
    assert (report.total("added"), report.total("restated")) == (0, 0)
    assert len(windows(house.sandbox.requests[asked:])) > 1
    assert tables(house.path) == before
    held_is_the_oracles(house)


def test_an_id_that_comes_for_another_conversion_is_told(house: Workspace) -> None:
    """Another user, another offer, another day under one id, in another window: exit 3, once; no mere restatement."""
    house.sandbox.besitos.rows = [row(1), row(2)]
    house.load(FROM, TO)
    other = {"user_id": "somebody-else", "offer_id": "survey", "date_time": "2024-12-30 10:00:00"}
    house.sandbox.besitos.rows = [row(1), row(2), row(2, **other)]
    report = house.run("2024-12-29", "2024-12-31")
    assert (report.error, report.exit_code, report.total("replaced")) == (None, 3, 1)
    [note] = report.notes
    assert note.startswith("1 event came under the id of another one (user_key and offer_id are other ones)")
    house.sandbox.besitos.rows = [row(1), row(2), row(2, **{**other, "payout": 9})]
    again = house.run("2024-12-29", "2024-12-31")
    assert (again.exit_code, again.total("restated"), again.notes) == (0, 1, [])

"""Rows set aside on days that no night reads any more are met again, for a while; what came and went is not loaded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from conversync.extract.rejected_days import MOST_DAYS, WATCHED_DAYS, with_old_days
from conversync.extract.windows import Window
from conversync.sandbox import Fault, Variants, World
from tests.besitos.changes import everything
from tests.besitos.conftest import MakeHouse
from tests.besitos.rows import FROM, TO, reversal, row
from tests.besitos.test_nights import january, night
from tests.support import Workspace, at_once, command, vendor_at, windows

START = date(2026, 1, 1)
OPEN = "select count(*) from besitos.rejected_rows where resolved_at is null"


def daily(days: int, **changes: Any) -> list[dict[str, Any]]:
    """A row a day from the first of January, of 1, 2, 3, ... USD."""
    return [
        row(n + 1, payout=Decimal(n + 1), date_time=f"{january(n)} 12:00:00", **changes) for n in range(days)
    ]


@pytest.fixture
def nights(make_house: MakeHouse) -> Any:
    """`nights(rows, **variants)`: a house of scripted rows with the world's clock, which reads a week again."""

    def make(rows: list[Any], **variants: Any) -> Workspace:
        house = make_house(
            World(start=START, days=1),
            Variants(**variants),
            besitos_start_date=january(0),
            besitos_reversal_lookback_days="7",
        )
        house.sandbox.besitos.rows = rows
        house.vendor = vendor_at(house.sandbox)
        return house

    return make


def at(house: Workspace, number: int) -> None:
    """Puts the clock to three o'clock of that day, UTC: the day before for the vendor."""
    house.sandbox.world.now = house.sandbox.world.day(number) + timedelta(hours=3)


def asked(house: Workspace, stream: str, since: int) -> list[tuple[str, str]]:
    """The windows of a stream that were asked for since request number `since`."""
    return windows(house.sandbox.requests[since:], stream)


def payouts(house: Workspace) -> Decimal:
    """What the view adds up to."""
    [[total]] = house.query("select sum(net_payout) from besitos.conversions")
    return Decimal(total)


@pytest.mark.more
def test_f03_a_row_of_an_old_day_is_loaded_the_night_after_it_was_mended(nights: Any) -> None:
    """Set aside in the first night, weeks before the lookback: nights ask for its day, until the vendor mends it."""
    rows = [*daily(40), reversal(4, date_time=f"{january(5)} 12:00:00")]
    house = nights(rows, unreadable=4)
    at(house, 40)
    assert (house.run().exit_code, house.query(OPEN)) == (3, [(2,)])
    since = len(house.sandbox.requests)
    again = night(house, 41)
    assert windows(again) == [(january(39 - 7), january(40)), (january(3), january(6))]
    assert asked(house, "reversals", since)[1:] == [], "who shows both asks for both"
    assert house.query(OPEN) == [(2,)], "still bad: known, exit 0"
    house.sandbox.besitos.variants = Variants()
    at(house, 42)
    mended = house.load()
    assert (mended.known_rejected, mended.total("added"), house.query(OPEN)) == (0, 2, [(0,)])
    assert payouts(house) == sum(range(1, 41)) - Decimal("11.05")
    later = night(house, 43)
    assert windows(later) == [(january(41 - 7), january(42))]
    ended = command("status", "--json", cwd=house.folder, environment=house.environment)
    assert "still set aside" not in ended.out, ended.out


@pytest.mark.more
def test_f03_an_old_day_leaves_the_cursor_and_no_hole(nights: Any) -> None:
    """One that is short meanwhile costs exit 3, is asked for again, and has no night read the days between."""
    house = nights(daily(40), unreadable=4)
    at(house, 40)
    house.run()
    house.settings["HTTP_BUDGET"] = "0"
    fault = house.sandbox.faults.add(Fault(query={"from_date": january(3)}, status=500))
    at(house, 41)
    short = house.run()
    assert (short.error, short.exit_code, short.total("missing") > 0) == (None, 3, True)
    assert fault.delivered
    house.sandbox.faults.clear()
    house.sandbox.besitos.variants = Variants()
    assert windows(night(house, 42)) == [(january(40 - 7), january(41)), (january(3), january(4))]
    assert house.query("select distinct state from besitos.days where day < '2026-02-09'") == [("whole",)]
    assert payouts(house) == sum(range(1, 41))


@pytest.mark.more
@pytest.mark.parametrize("how", ["f03-refused", "f03-purged", "f03-few-purged"])
def test_f03_old_days_that_are_not_to_be_had_cost_no_night(nights: Any, how: str) -> None:
    """Refused, or empty though much is held of them: what is due is loaded, exit 3, nothing is withdrawn."""
    old = [
        row(100 + n, payout=Decimal(1), date_time=f"{january(3)} 10:00:{n:02}")
        for n in range(1 if "few" in how else 12)
    ]
    house = nights([*daily(40), *old], unreadable=4)
    at(house, 40)
    assert house.run().exit_code == 3
    if how == "f03-refused":
        house.sandbox.faults.add(Fault(where=lambda one: one.query["from_date"] < january(20), status=422))
    else:
        house.sandbox.besitos.rows = daily(41)[20:]
    at(house, 41)
    report = house.run()
    assert (report.error, report.exit_code) == (None, 3)
    [note] = report.notes
    assert note.startswith(
        f"conversions {january(3)} .. {january(4)}, for rows set aside there: not read again. Besitos"
    )
    assert house.query("select count(*) from besitos.withdrawn_events") == [(0,)]
    assert house.query("select max(window_end)::text from besitos.windows") == [(january(40),)]
    house.sandbox.faults.clear()
    house.sandbox.besitos.variants = Variants()
    house.sandbox.besitos.rows = [*daily(41), *old]
    at(house, 42)
    house.load()
    assert house.query(OPEN) == [(0,)]
    assert payouts(house) == sum(range(1, 42)) + len(old)


@pytest.mark.more
def test_f03_days_that_touch_are_one_question(nights: Any) -> None:
    """Rows of three days in a row and of one more: two questions; the day before what is due is asked for with it."""
    rows = daily(40)
    for number in (3, 4, 5, 20, 31):
        rows[number] |= {"payout": "n/a"}
    house = nights(rows)
    at(house, 40)
    assert house.run().total("rejected_new") == 5
    assert windows(night(house, 41)) == [
        (january(31), january(40)),
        (january(3), january(6)),
        (january(20), january(21)),
    ]


@pytest.mark.more
def test_f03_a_poisoned_history_is_no_backfill_every_night(nights: Any) -> None:
    """Forty old days with a bad row: so many a night and no more, and all of them in turns."""
    rows = daily(130)
    for number in range(0, 120, 3):
        rows[number] |= {"payout": "n/a"}
    house = nights(rows)
    at(house, 130)
    assert house.run().total("rejected_new") == 40
    old = [set(windows(night(house, number))) for number in (131, 132, 133)]
    days = [{one for one, _ in each if one < january(120)} for each in old]
    assert [len(one) for one in days] == [MOST_DAYS] * 3
    assert days[0] | days[1] | days[2] == {january(number) for number in range(0, 120, 3)}
    house.sandbox.besitos.rows = daily(130)
    for number in (134, 135):
        night(house, number)
    assert house.query(OPEN) == [(0,)]
    assert payouts(house) == sum(range(1, 131))


@pytest.mark.more
def test_f03_a_row_without_a_day_is_met_in_the_days_it_came_in(nights: Any) -> None:
    """Its time cannot be read, so all days of its question are asked for again: a month at most."""
    house = nights(daily(60))
    house.settings["BESITOS_RANGE_DAYS"] = "10"

    def spoil(document: dict[str, Any], _query: Mapping[str, str]) -> dict[str, Any]:
        for one in document["data"]:
            if one["transaction_id"] == 13:
                one["date_time"] = "soon"
        return document

    house.sandbox.faults.add(Fault(mutate=spoil))
    at(house, 60)
    assert house.run().exit_code == 3
    came_in = house.query("select window_start::text, window_end::text from besitos.rejected_rows")
    assert came_in == [(january(9), january(18))]
    assert windows(night(house, 61))[1:] == [(january(9), january(18)), (january(18), january(19))]
    house.sandbox.faults.clear()
    night(house, 62)
    assert house.query(OPEN) == [(0,)]
    assert payouts(house) == sum(range(1, 61))


@pytest.mark.more
@pytest.mark.parametrize("day", ["0000-00-00 00:00:00", "2024-02-31 10:00:00"])
def test_f03_a_day_that_does_not_exist_wedges_nothing(house: Workspace, day: str) -> None:
    """As databases write what they do not know: set aside, and the nights after it go on."""
    house.sandbox.besitos.rows = [row(1), row(2, date_time=day)]
    assert house.run(FROM, TO).exit_code == 3
    house.sandbox.besitos.rows = [row(1), row(2)]
    house.load(FROM, TO)
    assert house.query(OPEN) == [(0,)]
    assert house.query("select count(*) from besitos.conversions") == [(2,)]


@pytest.mark.more
def test_f03_a_time_with_an_offset_is_of_the_vendors_day(nights: Any) -> None:
    """Two o'clock in UTC is the day before for the vendor, which is the one to ask for."""
    rows = [*daily(40), row(99, payout="n/a", date_time=f"{january(10)}T02:00:00.000000Z")]
    house = nights(rows)
    at(house, 40)
    assert house.run().exit_code == 3
    assert windows(night(house, 41))[1:] == [(january(9), january(10))]
    assert house.query(OPEN) == [(1,)]
    rows[-1] = row(99, payout=Decimal(99), date_time=f"{january(10)}T02:00:00.000000Z")
    house.sandbox.besitos.rows = rows
    night(house, 42)
    assert house.query(OPEN) == [(0,)]


def test_f02_nothing_but_rows_that_are_known_to_be_bad_is_no_other_form(nights: Any) -> None:
    """A quiet week in which the one row is bad ended every night with exit 6."""
    house = nights([row(1, date_time=f"{january(0)} 12:00:00"), row(2, date_time=f"{january(8)} 12:00:00")])
    house.sandbox.besitos.variants = Variants(unreadable=2)
    at(house, 10)
    assert house.run().exit_code == 3
    for number in (11, 20):
        assert windows(night(house, number))
    house.sandbox.besitos.variants = Variants()
    night(house, 21)
    assert house.query("select count(*) from besitos.conversions") == [(2,)]
    house.sandbox.besitos.rows = [row(3, payout="n/a", date_time=f"{january(20)} 12:00:00")]
    at(house, 22)
    assert house.run().exit_code == 6, "a bad row that nobody knows, and no good one, may be another form"


def test_f03_days_are_read_again_for_a_month() -> None:
    """So long after the row was first set aside; a clock that ran ahead then makes it no shorter."""
    today, due = date(2026, 6, 1), Window(date(2026, 5, 25), date(2026, 6, 1))
    old = Window(date(2026, 3, 3), date(2026, 3, 4))

    def known(first: date) -> dict[str, list[Any]]:
        return {
            "a": [f"{first}T03:00:00+00:00", 1, "conversions", "2026-02-20", "2026-03-20", "2026-03-03", "7"]
        }

    for age, read in ((-17, [old]), (0, [old]), (WATCHED_DAYS, [old]), (WATCHED_DAYS + 1, [])):
        state = known(today - timedelta(days=age))
        assert with_old_days(state, ["conversions"], due, today) == (due, read), age
        assert with_old_days(state, ["reversals"], due, today) == (due, [])
    assert with_old_days({"b": ["2026-05-31T03:00:00+00:00", 1]}, ["conversions"], due, today) == (due, [])


@pytest.mark.more
def test_f03_days_asked_for_are_these_days(nights: Any) -> None:
    """`--from` and `--to` ask for no old day; where they hold it, it is resolved."""
    house = nights(daily(40), unreadable=4)
    at(house, 40)
    house.run()
    house.sandbox.besitos.variants = Variants()
    for start, end, left in (("2026-01-20", "2026-01-22", 1), ("2026-01-04", "2026-01-04", 0)):
        since = len(house.sandbox.requests)
        house.load(start, end)
        assert len(asked(house, "conversions", since)) == 1
        assert house.query(OPEN) == [(left,)]


@pytest.mark.more
def test_f03_verify_finds_what_was_mended_and_repair_loads_it(nights: Any) -> None:
    """The vendor states a row that is still set aside here: it differs, is read again, and is open no more."""
    house = nights(daily(40), unreadable=4)
    at(house, 40)
    house.run()
    days = ("--from", january(2), "--to", january(5))

    def verify(*more: str) -> int:
        return command(
            "verify", "besitos", *days, *more, cwd=house.folder, environment=house.environment
        ).code

    assert verify() == 0, "the vendor states nothing of it that can be read"
    house.sandbox.besitos.variants = Variants()
    assert (verify(), verify("--repair"), verify()) == (3, 0, 0)
    assert house.query(OPEN) == [(0,)]
    assert payouts(house) == sum(range(1, 41))


def many(count: int) -> list[dict[str, Any]]:
    """Rows of 1, 2, 3, ... USD, all of one day."""
    return [row(n, payout=Decimal(n)) for n in range(1, count + 1)]


@pytest.fixture
def paged(make_house: MakeHouse) -> Workspace:
    """Twenty-five rows of one day, ten a page, one page at a time."""
    house = make_house(besitos_page_size="10", besitos_concurrency="1")
    house.vendor = at_once()
    house.sandbox.besitos.rows = many(25)
    return house


@pytest.mark.more
@pytest.mark.parametrize("last", [TO, "2024-12-04"], ids=["m02-within", "m02-the-last-day"])
def test_m02_a_row_that_leaves_between_two_pages_is_not_loaded(paged: Workspace, last: str) -> None:
    """Two rows were on a page of a pass that was given up: the pass that is believed lacks them, and so do the sums."""
    paged.sandbox.besitos.variants = Variants(departures=2)
    report = paged.load(FROM, last)
    assert payouts(paged) == sum(range(3, 26))
    assert report.total("added") == 23
    assert any("2 rows that were gone before the reading was over" in note for note in report.notes)
    assert paged.query("select count(*) from besitos.withdrawn_events") == [(0,)]
    held = paged.query(
        "select sum(announced), sum(statements) from besitos.windows where stream = 'conversions'"
    )
    assert held[0][0] >= held[0][1] >= 23
    again = paged.load(FROM, last)
    assert (again.total("added"), again.notes) == (0, [])
    verified = command(
        "verify", "besitos", "--from", FROM, "--to", TO, cwd=paged.folder, environment=paged.environment
    )
    assert verified.code == 0, verified.out


@pytest.mark.more
def test_m02_one_that_was_held_is_flagged_in_that_same_load(paged: Workspace) -> None:
    """It was stated the night before: it stays as the setting has it, and withdrawn_events says since when."""
    paged.load(FROM, TO)
    paged.sandbox.besitos.variants = Variants(departures=1)
    report = paged.load(FROM, TO)
    assert paged.query("select event_key from besitos.withdrawn_events") == [("1:original",)]
    assert any("serves 1 event no more" in note for note in report.notes)
    assert payouts(paged) == sum(range(1, 26))
    paged.settings["BESITOS_WITHDRAWN_COUNTS"] = "false"
    paged.load(FROM, TO)
    assert payouts(paged) == sum(range(2, 26))


def test_m02_a_row_that_comes_where_its_day_is_asked_for_alone_is_not_lost(paged: Workspace) -> None:
    """A pass that adds up without it (one row too few, and announced so) is not taken for its word."""

    def announces_less(document: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
        document["meta"]["total"] -= 1 if query["page"] == "1" else 0
        return document

    def lacks_one(document: dict[str, Any], _query: Mapping[str, str]) -> dict[str, Any]:
        document["meta"]["total"] -= 1
        document["data"] = [one for one in document["data"] if one["transaction_id"] != 1]
        return document

    wide = {"from_date": FROM, "to_date": TO}
    first = Fault(query=wide, where=everything, times=4, mutate=announces_less)
    second = Fault(query=wide, where=everything, times=3, mutate=lacks_one)
    for fault in (first, second):
        paged.sandbox.faults.add(fault)
    report = paged.load(FROM, TO)
    assert (first.delivered, second.delivered) == (4, 3), "two passes, of which the first one's pages overlap"
    assert payouts(paged) == sum(range(1, 26))
    assert not any("gone before" in note for note in report.notes)


def test_m02_an_original_that_gives_way_to_its_reversal_meanwhile_is_kept(paged: Workspace) -> None:
    """It left the feed because it was taken back: what it earned, and that it was taken back, both stay."""
    rows = many(25)

    def gives_way() -> None:
        paged.sandbox.besitos.rows = [
            *rows[1:],
            reversal(1, payout=Decimal(1), date_time=rows[0]["date_time"]),
            row(26, payout=Decimal(26)),
        ]

    fault = Fault(page=2, times=1, where=everything, action=gives_way)
    paged.sandbox.faults.add(fault)
    paged.load(FROM, TO)
    assert fault.delivered == 1
    assert paged.query("select net_payout, is_orphan from besitos.conversions where is_reversed") == [
        (0, False)
    ]
    assert payouts(paged) == sum(range(2, 27))

"""A listing is believed only if it is complete: exit 0 means every row, and what is short is told and read again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from conversync.extract.known_limits import Bounds
from conversync.sandbox import Fault, Request, Variants
from tests.besitos.conftest import MakeHouse
from tests.besitos.rows import FROM, TO, reversal, row
from tests.support import Workspace, at_once, command, pages, sometimes, tables

SECOND = "2024-12-04 06:25:36"


def many(count: int, *, days: int = 1) -> list[dict[str, Any]]:
    """Rows of 1, 2, 3, ... USD, all of one second of their day."""
    return [
        row(n, payout=Decimal(n), date_time=f"2024-12-{4 + n % days:02} 06:25:36")
        for n in range(1, count + 1)
    ]


@pytest.fixture
def feed(make_house: MakeHouse) -> Any:
    """`feed(rows, page_size=10, order="oldest")`: a house whose sandbox serves these rows so."""

    def make(rows: list[Any], page_size: int = 10, **variants: Any) -> Workspace:
        house = make_house(variants=Variants(**variants), besitos_page_size=str(page_size))
        house.vendor = at_once()
        house.sandbox.besitos.rows = rows
        return house

    return make


def payouts(house: Workspace) -> Decimal:
    """What the view adds up to."""
    [[total]] = house.query("select sum(net_payout) from besitos.conversions")
    return Decimal(total)


def evidence(house: Workspace, stream: str = "conversions") -> list[tuple[Any, ...]]:
    """proof and missing of the newest reading's pieces, each once."""
    return house.query(
        "select distinct proof, missing from besitos.windows "
        f"where stream = '{stream}' and read_at = "
        f"(select max(read_at) from besitos.windows where stream = '{stream}') order by all"
    )


@pytest.mark.more
def test_b01_a_repeat_never_makes_up_for_a_missing_row(feed: Any) -> None:
    """Ties that change places between pages, alike at every walk: one row twice, another never."""
    house = feed(many(4), 2, ties="page")
    report = house.load(FROM, TO)
    assert payouts(house) == 10
    assert report.total("missing") == 0
    assert ("page", 0) in evidence(house)


@pytest.mark.quick(1)
@pytest.mark.parametrize("pages_", ["boundary", "second_repeats", "echoed"])
def test_b02_a_day_that_can_be_had_on_one_page_is_read_whole(feed: Any, pages_: str) -> None:
    """Row 10 on two pages and row 11 on none; page 2 is page 1 again; the page is not listened to."""
    house = feed(many(30), 10, pages=pages_)
    house.load(FROM, TO)
    assert payouts(house) == sum(range(1, 31))


@pytest.mark.more
def test_b02_a_day_that_never_adds_up_is_loaded_told_and_read_again(feed: Any) -> None:
    """Where pages are capped it cannot be had whole: what came is loaded, exit 3, and mended the night it adds up."""
    house = feed(many(30), 10, pages="echoed", page_cap=10)
    report = house.run(FROM, TO)
    assert report.error is None
    assert report.exit_code == 3
    held = house.query("select count(*) from besitos.conversion_events")[0][0]
    assert report.total("missing") == 30 - held
    assert any(f"is short by {30 - held:,} rows" in note for note in report.notes)
    again = house.run(FROM, TO)
    assert (again.exit_code, again.total("missing")) == (3, 30 - held)
    house.sandbox.besitos.variants = Variants()
    house.load(FROM, TO)
    assert payouts(house) == sum(range(1, 31))


@pytest.mark.more
def test_b02_the_cursor_stays_before_a_short_day(make_house: MakeHouse) -> None:
    """A night without dates reads it again, however far back it lies, until it adds up."""
    house = make_house(
        variants=Variants(pages="echoed", page_cap=10),
        besitos_page_size="10",
        besitos_start_date="2024-12-01",
        besitos_lookback_days="1",
        besitos_reversal_lookback_days="1",
    )
    house.sandbox.besitos.rows = many(30)
    first = house.run()
    assert (first.exit_code, house.query("select count(*) from besitos.conversion_events")) == (3, [(10,)])
    before = len(house.sandbox.requests)
    house.sandbox.besitos.variants = Variants()
    house.load()
    asked = [
        one.query["from_date"] for one in house.sandbox.requests[before:] if "is_reverse" not in one.query
    ]
    assert min(asked) <= "2024-12-04"
    assert payouts(house) == sum(range(1, 31))
    before = len(house.sandbox.requests)
    house.load()
    asked = [
        one.query["from_date"] for one in house.sandbox.requests[before:] if "is_reverse" not in one.query
    ]
    assert min(asked) > "2024-12-04", "and once it adds up, the cursor goes on"


def test_b03_a_repeat_inside_one_page_is_the_vendors_own(feed: Any) -> None:
    """Five rows on one page, the last of them twice, total 5: four events, nothing asked twice."""
    house = feed([*many(4), many(4)[-1]], 10)
    house.load(FROM, TO)
    assert payouts(house) == 10
    assert pages(house.sandbox.requests) == [1]


@pytest.mark.more
@pytest.mark.parametrize(("beyond", "days"), sometimes((False, 1), (True, 6), (False, 6), (True, 1), quick=2))
def test_b04_a_total_that_is_too_small_is_evidence_of_nothing(feed: Any, beyond: bool, days: int) -> None:
    """A count from a cache, or a search engine's cap: as long as pages are full, the reading goes on."""
    house = feed(many(45, days=days), 10, total_cap=20, next_beyond=beyond)
    house.load(FROM, TO)
    assert payouts(house) == sum(range(1, 46))


@pytest.mark.more
@pytest.mark.parametrize(
    ("limits", "bounds"),
    sometimes(
        ({"offset_limit": 20}, "beyond row"),
        ({"range_limit": 6, "per_page_limit": 4, "offset_limit": 20}, "refused"),
        ({"per_page_limit": 4}, "pages of 10 rows are refused"),
        ({"range_limit": 6}, "days are refused"),
        quick=2,
        ids=str,
    ),
)
def test_b05_what_is_refused_is_asked_for_in_smaller_pieces(
    make_house: MakeHouse, limits: dict[str, Any], bounds: str
) -> None:
    """A 422 for deep pages, large pages or long ranges: found by asking, said, and remembered for the next night."""
    house = make_house(variants=Variants(**limits), besitos_page_size="10")
    house.vendor = at_once()
    house.sandbox.besitos.rows = many(45, days=9)
    report = house.load(FROM, TO)
    assert payouts(house) == sum(range(1, 46))
    assert any(bounds in note for note in report.notes)
    before = len(house.sandbox.requests)
    again = house.load(FROM, TO)
    asked = house.sandbox.requests[before:]
    if "offset_limit" not in limits:
        assert asked
        assert not [one for one in asked if int(one.query["per_page"]) > limits.get("per_page_limit", 10)]
    assert not again.notes
    assert len(asked) < before


def test_b06_every_walk_is_cut_alike(make_house: MakeHouse) -> None:
    """A server that clips a range above 31 days without a word: the sweep for reversals asks for no more."""
    house = make_house(variants=Variants(range_limit=31, range_over="last"))
    rows = [row(1, date_time="2024-08-01 10:00:00"), reversal(1, date_time="2024-08-01 10:00:00")]
    house.sandbox.besitos.rows = rows
    house.load("2024-07-01", TO)
    assert house.query("select is_reversed, net_payout from besitos.conversions") == [(True, 0)]
    days = {(one.query["from_date"], one.query["to_date"]) for one in house.sandbox.requests}
    assert max((date.fromisoformat(b) - date.fromisoformat(a)).days for a, b in days) == 30


@pytest.mark.more
def test_b06_a_shorter_cut_is_noticed_by_what_is_known_to_be_there(make_house: MakeHouse) -> None:
    """Ranges above 7 days begin to be clipped: events that are held and did not come are asked for alone."""
    house = make_house()
    house.vendor = at_once()
    house.sandbox.besitos.rows = many(45, days=9)
    house.load(FROM, TO)
    house.sandbox.besitos.variants = Variants(range_limit=7, range_over="last")
    house.sandbox.besitos.rows = [
        *many(45, days=9),
        row(46, payout=Decimal(46), date_time="2024-12-02 01:00:00"),
    ]
    report = house.load(FROM, TO)
    assert payouts(house) == sum(range(1, 47))
    assert any("cut short without a word" in note for note in report.notes)
    assert house.query("select count(*) from besitos.withdrawn_events") == [(0,)]


def test_b08_ties_in_another_order_at_each_request_are_read(feed: Any) -> None:
    """No two walks agree, and each misses another row: smaller pieces fit one page."""
    house = feed(many(60, days=12), 10, ties="request")
    house.load(FROM, TO)
    assert payouts(house) == sum(range(1, 61))


@pytest.mark.more
def test_b08_passes_count_together_only_if_one_more_brings_nothing(feed: Any) -> None:
    """One day that is more than a capped page: passes of one total add up, and one more agrees."""
    house = feed(many(12), 4, ties="request", page_cap=4)
    report = house.run(FROM, TO)
    if report.total("missing"):
        assert report.exit_code == 3
    else:
        assert payouts(house) == sum(range(1, 13))
    house.sandbox.besitos.variants = Variants()
    house.load(FROM, TO)
    assert payouts(house) == sum(range(1, 13))


@pytest.mark.more
def test_b09_what_was_read_whole_is_committed_when_the_vendor_stops(make_house: MakeHouse) -> None:
    """Pieces that stand are loaded before the night ends with exit 6; the next one reads only the rest."""
    house = make_house(besitos_range_days="5", http_budget="0")
    house.sandbox.besitos.rows = many(45, days=9)
    stopped: list[bool] = []

    def has_stopped(asked: Request) -> bool:
        stopped.extend([True] if asked.query.get("from_date", "") > "2024-12-10" else [])
        return bool(stopped)

    fault = house.sandbox.faults.add(Fault(status=500, where=has_stopped))
    report = house.run(FROM, TO)
    assert fault.delivered
    assert report.exit_code == 6
    assert house.query("select max(window_end)::text from besitos.windows") == [("2024-12-13",)]
    assert house.query("select count(*) > 20 from besitos.conversion_events") == [(True,)]
    house.sandbox.faults.clear()
    house.load(FROM, TO)
    assert payouts(house) == sum(range(1, 46))


def test_f02_a_piece_of_nothing_but_bad_rows_is_an_answer_in_another_form(feed: Any) -> None:
    """Every row would be set aside: exit 6, nothing moves, and the rows come once the form is known again."""
    house = feed([row(n, date_time="yesterday") for n in range(1, 6)])
    report = house.run(FROM, TO)
    assert report.exit_code == 6
    assert "every one of 5 rows would have to be set aside" in str(report.error)
    house.sandbox.besitos.rows = many(5)
    house.load(FROM, TO)
    assert payouts(house) == 15


@pytest.mark.more
@pytest.mark.parametrize("spoilt", [{"payout": "n/a"}, {"date_time": "soon"}], ids=["payout", "date_time"])
def test_f03_a_row_that_is_mended_is_resolved(feed: Any, spoilt: dict[str, Any]) -> None:
    """Set aside one night, mended by the vendor the next: told once, then no more, and the row says since when."""
    rows = many(4)
    house = feed([*rows, {**row(5), **spoilt}])
    assert house.run(FROM, TO).exit_code == 3
    assert house.query("select count(*) from besitos.rejected_rows where resolved_at is null") == [(1,)]
    assert house.load(FROM, TO).known_rejected == 1
    house.sandbox.besitos.rows = [*rows, row(5, payout=Decimal(5))]
    mended = house.load(FROM, TO)
    assert mended.known_rejected == 0
    assert payouts(house) == 15
    assert house.query("select count(*), count(resolved_at), count(raw) from besitos.rejected_rows") == [
        (1, 1, 1)
    ]
    house.sandbox.besitos.rows = [*rows, {**row(5), **spoilt}]
    assert house.run(FROM, TO).exit_code == 3, "and if it comes again, it is news"


def test_f04_a_relative_link_is_our_own_host(feed: Any) -> None:
    """`/?page=2` leads nowhere else."""
    house = feed(many(25), 10, links="relative")
    house.load(FROM, TO)
    assert payouts(house) == sum(range(1, 26))


def test_p12_a_last_page_that_repeats_for_ever_is_noticed(feed: Any) -> None:
    """Full pages to the end, and beyond it the last one again: no end is told by that, so one page has to hold all."""
    house = feed(many(9), 3, past_end="last")
    house.load(FROM, TO)
    assert payouts(house) == sum(range(1, 10))
    assert ("page", 0) in evidence(house)
    assert len(house.sandbox.requests) < 50


@pytest.mark.parametrize("rows", [23, 25])
def test_a_well_behaved_feed_is_asked_no_more_than_before(make_house: MakeHouse, rows: int) -> None:
    """The answer "complete" costs a night nothing: a page each, whether they can overlap or not; nothing twice."""
    yesterday = datetime.now(UTC).astimezone(timezone(timedelta(hours=-5))).date() - timedelta(days=1)
    house = make_house(besitos_page_size="10", besitos_start_date=str(yesterday - timedelta(days=3)))
    house.vendor = at_once()
    house.sandbox.besitos.rows = [
        row(number, date_time=f"{yesterday} 06:25:{number}") for number in range(10, 10 + rows)
    ]
    house.load()
    assert sorted(pages(house.sandbox.requests)) == [1, 2, 3]
    assert pages(house.sandbox.requests, "reversals") == [1]
    before = tables(house.path)
    house.load()
    assert tables(house.path) == before


@pytest.mark.more
def test_b09_a_vendor_that_throttles_is_read_in_pieces_that_are_committed(make_house: MakeHouse) -> None:
    """Sixty requests a second and 120 pages: several commits, so that a night that is cut off goes on in the middle."""
    house = make_house(variants=Variants(throttle=60, throttle_seconds=1.0), besitos_page_size="1")
    house.sandbox.besitos.rows = many(120, days=12)
    report = house.load(FROM, TO)
    assert len([step for step in report.steps if step.added]) > 1
    assert payouts(house) == sum(range(1, 121))


def test_check_says_what_is_guaranteed_and_what_is_not_understood(make_house: MakeHouse) -> None:
    """Both walks as a night asks them: why they are believed, and what the vendor does not take."""
    today = datetime.now(UTC).astimezone(timezone(timedelta(hours=-5)))
    times = [f"{today - timedelta(days=number % 5):%Y-%m-%d %H:%M:%S}" for number in range(30)]
    rows = [row(number, date_time=time) for number, time in enumerate(times, start=1)]
    house = make_house(
        variants=Variants(is_reverse="one", per_page_limit=120, range_limit=10, range_over="first"),
        besitos_page_size="150",
    )
    house.sandbox.besitos.rows = [*rows, reversal(1, date_time=times[-1])]
    ended = command("check", "besitos", cwd=house.folder, environment=house.environment)
    said = " ".join(ended.out.split())
    assert ended.code == 3, ended.out + ended.err
    assert "LOOK besitos: a range of 31 days is cut short without a word" in said
    assert "conversions: pages of 150 rows are refused; a night asks accordingly" in said
    assert "is_reverse=1, which the vendor understands" in said
    assert "complete by" in said
    house.sandbox.besitos.variants = Variants()
    well = command("check", "besitos", cwd=house.folder, environment=house.environment)
    assert "a range of 31 days is answered whole" in " ".join(well.out.split())
    assert "conversions: 31 rows, complete by one page" in " ".join(well.out.split())


@pytest.mark.more
@pytest.mark.parametrize("over", ["first", "last"])
def test_b06_a_cut_that_was_always_there_shows_by_the_days_without_rows(
    make_house: MakeHouse, over: str
) -> None:
    """Only the first or last week of any range is answered, and so its total: days without rows are asked for alone."""
    house = make_house(variants=Variants(range_limit=7, range_over=over))  # type: ignore[arg-type]
    house.vendor = at_once()
    house.sandbox.besitos.rows = many(95, days=19)
    report = house.load("2024-12-04", "2024-12-23")
    assert payouts(house) == sum(range(1, 96))
    assert any("cut short without a word" in note for note in report.notes)


@pytest.mark.more
@pytest.mark.parametrize("answer", sometimes("500", "403", "404", "page", quick=2))
def test_b04_whatever_comes_beyond_the_last_page_ends_no_night(feed: Any, answer: str) -> None:
    """Two full pages, a total that is met, and no third page to be had: asked for once, and the days are read."""
    house = feed(many(20), 10)
    house.settings["HTTP_BUDGET"] = "0"
    beyond = Fault(page=3, html=True) if answer == "page" else Fault(page=3, status=int(answer))
    house.sandbox.faults.add(beyond)
    house.load(FROM, TO)
    assert beyond.delivered >= 1
    assert payouts(house) == sum(range(1, 21))


def test_b05_what_one_night_refused_is_tried_again_after_a_week() -> None:
    """A bad night is no property of a vendor: what was found of it is believed for seven days."""
    night = date(2024, 12, 20)
    state: dict[str, Any] = {}
    bounds = Bounds.remembered(state, 31, 1000, night)
    bounds.days, bounds.found = 6, ["ranges of 20 days are refused"]
    bounds.remember(state, 31, 1000, night)
    for later, days in ((0, 6), (7, 6), (8, 31)):
        today = night + timedelta(days=later)
        known = Bounds.remembered(state, 31, 1000, today)
        assert known.days == days
        known.remember(state, 31, 1000, today)

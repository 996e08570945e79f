"""Reversals in instalments, events that the vendor serves no more, and money in other currencies."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.besitos.rows import FROM, TO, reversal, row
from tests.support import Workspace, sometimes, tables

SALE = row(1, payout=30, reward=300)
TEN = reversal(1, payout=10, reward=100, date_time="2024-12-08 10:00:00")
FIVE = reversal(1, payout=5, reward=50, date_time="2024-12-11 10:00:00")


def net(house: Workspace) -> Any:
    """What is left of the sale."""
    [[left]] = house.query("select net_payout from besitos.conversions where transaction_id = 1")
    return left


def nights(house: Workspace, *served: list[Any]) -> None:
    """One load for each list of rows."""
    for rows in served:
        house.sandbox.besitos.rows = rows
        house.load(FROM, TO)


@pytest.mark.more
@pytest.mark.parametrize(
    "served",
    sometimes(
        [[SALE, FIVE, TEN]],
        [[SALE, FIVE], [SALE, FIVE, TEN]],
        [[SALE, TEN, FIVE]],
        [[SALE, TEN], [SALE, TEN, FIVE]],
        [[TEN, FIVE], [SALE, TEN, FIVE]],
        quick=2,
    ),
)
def test_m01_a_sale_taken_back_in_two_is_what_is_left(house: Workspace, served: list[list[Any]]) -> None:
    """30, taken back in 10 and 5: 15, in whatever order and however often it was read."""
    nights(house, *served, served[-1])
    assert net(house) == 15
    assert house.query("select reversals, reversed_payout, net_reward from besitos.conversions") == [
        (2, 15, 150)
    ]
    keys = house.query("select event_key from besitos.conversion_events where valid_to is null order by 1")
    assert [key for [key] in keys] == [
        "1:original",
        "1:reversal:2024-12-08 10:00:00:100.000000",
        "1:reversal:2024-12-11 10:00:00:50.000000",
    ]


def test_m01_the_same_reversal_twice_takes_once(house: Workspace) -> None:
    """Listed twice on a page: one event."""
    nights(house, [SALE, TEN, TEN])
    assert net(house) == 20


def test_m01_a_reversal_restated_in_place_takes_the_new_amount(house: Workspace) -> None:
    """10 becomes 12, on the same date: 18, and the first statement is closed."""
    nights(house, [SALE, TEN], [SALE, {**TEN, "payout": 12}])
    assert net(house) == 18
    assert house.query("select count(*) from besitos.conversion_events where valid_to is not null") == [(1,)]


@pytest.mark.more
def test_m01_a_reversal_that_took_anothers_place_counts_alone(house: Workspace) -> None:
    """Another date, and the old one served no more in days that were read whole: 30 - 12, flagged."""
    nights(house, [SALE, TEN], [SALE, {**TEN, "payout": 12, "date_time": "2024-12-09 10:00:00"}])
    assert net(house) == 18
    assert house.query("select is_reversal_replaced, reversals from besitos.conversions") == [(True, 1)]


@pytest.mark.more
def test_m02_a_conversion_that_is_served_no_more_is_kept_and_told(house: Workspace) -> None:
    """It stays in the sums, and says since when; where it comes back, it says nothing any more."""
    other = row(2, payout=7)
    nights(house, [SALE, other], [SALE])
    assert house.query("select sum(net_payout), count(withdrawn_at) from besitos.conversions") == [(37, 1)]
    before = tables(house.path)
    nights(house, [SALE])
    assert tables(house.path) == before, "told once"
    nights(house, [SALE, other])
    assert house.query("select sum(net_payout), count(withdrawn_at) from besitos.conversions") == [(37, 0)]


@pytest.mark.more
def test_m02_what_is_withdrawn_leaves_the_sums_where_that_is_set(house: Workspace) -> None:
    """besitos_withdrawn_counts = false: the view holds what is served."""
    house.settings["BESITOS_WITHDRAWN_COUNTS"] = "false"
    nights(house, [SALE, row(2, payout=7)], [SALE])
    assert house.query("select transaction_id, net_payout from besitos.conversions") == [(1, 30)]
    assert house.query("select count(*) from besitos.conversion_events where valid_to is null") == [(2,)]


@pytest.mark.more
def test_m02_only_days_read_whole_and_unfiltered_prove_an_absence(house: Workspace) -> None:
    """Other days, or an original that gave way to its reversal, are no withdrawal."""
    house.sandbox.besitos.rows = [SALE, row(2, payout=7)]
    house.load(FROM, TO)
    house.sandbox.besitos.rows = [{**TEN, "payout": 30}]
    house.load("2024-12-05", TO)
    house.load(FROM, TO)
    gone = house.query("select event_key from besitos.withdrawn_events where withdrawn_at is not null")
    assert gone == [("2:original",)]


def test_f13_money_in_another_currency_is_never_usd(house: Workspace) -> None:
    """An undocumented `currency`: a column of its own, USD where none is told, and no sum across."""
    rows = [
        SALE,
        row(2, payout=30, currency="EUR"),
        row(3, payout=900, currency="jpy"),
        row(4, payout=1, currency="USD"),
    ]
    nights(house, rows)
    found = house.query("select currency, sum(net_payout) from besitos.conversions group by all order by all")
    assert found == [("EUR", 30), ("JPY", 900), ("USD", 31)]


@pytest.mark.more
def test_f13_a_currency_that_changes_is_another_statement(house: Workspace) -> None:
    """30 USD were said, then 30 EUR: money changed. That USD is told where it went without saying changes nothing."""
    nights(house, [SALE], [{**SALE, "currency": "USD"}])
    assert house.query("select count(*) from besitos.conversion_events") == [(1,)]
    nights(house, [{**SALE, "currency": "EUR"}])
    assert house.query("select count(*) from besitos.conversion_events") == [(2,)]


def test_f13_a_reversal_in_another_currency_takes_nothing(house: Workspace) -> None:
    """10 JPY of 30 EUR: flagged, never subtracted. Without a currency it is in its original's."""
    sale = {**SALE, "currency": "EUR"}
    nights(house, [sale, {**TEN, "currency": "JPY"}, FIVE])
    query = "select currency, net_payout, is_reversal_in_other_currency from besitos.conversions"
    assert house.query(query) == [("EUR", Decimal(25), True)]


def test_reversals_of_an_earlier_version_are_not_stated_anew(house: Workspace) -> None:
    """Their key had no time: they are renamed before the first row comes, and nothing is doubled."""
    nights(house, [SALE, TEN])
    before = tables(house.path)
    import duckdb

    with duckdb.connect(str(house.path)) as connection:
        old = "event_key = '1:reversal', statement_hash = md5('as an earlier version had it')"
        connection.execute(f"update besitos.conversion_events set {old} where is_reversal")
        connection.execute("update besitos.conversion_events set event_key = event_key where true")
    nights(house, [SALE, TEN])
    assert tables(house.path) == before
    assert net(house) == 20


@pytest.mark.more
def test_m01_a_reversal_that_gave_way_stays_so_when_its_successor_goes(house: Workspace) -> None:
    """Dated anew, and then served no more: what was taken back is taken back once."""
    later = {**TEN, "date_time": "2024-12-10 11:00:00"}
    nights(house, [SALE, TEN], [SALE, later], [SALE])
    assert house.query("select reversed_payout, net_payout from besitos.conversions") == [(10, 20)]


@pytest.mark.more
def test_m02_a_vendor_that_serves_nothing_of_what_it_served_is_not_believed(house: Workspace) -> None:
    """Twelve sales, then an empty feed with a total of 0: exit 6, nothing flagged; or a person says that it is so."""
    rows = [row(number, payout=number) for number in range(1, 13)]
    nights(house, rows)
    house.sandbox.besitos.rows = []
    report = house.run(FROM, TO)
    assert report.exit_code == 6
    assert "serves 12 of 12 conversions of 2024-12-01 .. 2024-12-20 no more" in str(report.error)
    nights(house, rows)
    assert house.query("select count(*), count(withdrawn_at) from besitos.conversions") == [(12, 0)]


@pytest.mark.more
def test_m02_what_is_withdrawn_is_told_once_and_is_nothing_new(house: Workspace) -> None:
    """In the summary of the run that found it out."""
    nights(house, [SALE, row(2, payout=7)])
    house.sandbox.besitos.rows = [SALE]
    first, second = house.load(FROM, TO), house.load(FROM, TO)
    assert [note for note in first.notes if "serves 1 event no more that it served before" in note]
    assert (first.total("added"), second.notes) == (0, [])


@pytest.mark.parametrize("name", sometimes("currency_code", "Currency", "payout_currency", quick=1))
def test_f13_a_currency_by_another_name_is_no_usd(house: Workspace, name: str) -> None:
    """Whatever the field is called that speaks of a currency."""
    nights(house, [SALE, row(2, payout=30, **{name: "EUR"})])
    found = house.query("select currency, sum(net_payout) from besitos.conversions group by all order by all")
    assert found == [("EUR", 30), ("USD", 30)]

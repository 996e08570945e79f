"""The forms in which Infobip answers: what is plainly one thing is that thing, and an error is none with 200 either."""

from __future__ import annotations

import json
from datetime import date
from functools import partial
from typing import Any

import pytest

from conversync.errors import CredentialsError, InvalidResponseError
from conversync.http.body_status import BodyStatusError
from conversync.sandbox import Fault, World
from conversync.sandbox.infobip import Variants
from sources.infobip.statistics import rates, times
from tests.houses import VendorWorkspace
from tests.infobip.conftest import MakeHouse
from tests.infobip.test_document import (
    ASKED,
    AVERAGE,
    OCTOBER,
    PAIR,
    TODAY,
    answer,
    average,
    bucket,
    by_date,
    stats,
)
from tests.support import tables

QUESTIONS = "/1/conversion-rate/*"


@pytest.mark.quick(1)
@pytest.mark.parametrize("variants", [{"rate": "percent"}, {"rate": "word"}, {"counts": "decimal"}], ids=str)
def test_f12_numbers_in_other_forms_are_the_same_numbers(
    make_house: MakeHouse, variants: dict[str, Any]
) -> None:
    """A rate that cannot be read follows from the counts, and 10.0 is 10: the same tables, and nothing set aside."""
    house = make_house(World(days=3, conversions_a_day=10))
    house.sandbox.world.now = house.sandbox.world.day(4)
    house.settings["INFOBIP_PAIRS"] = json.dumps(house.sandbox.infobip.pairs[:1])
    house.load("2026-01-01", "2026-01-03")
    columns = "day, start_count, end_count, conversion_rate"
    query = f"select {columns} from infobip.conversion_rates order by all"
    before = house.query(query)
    house.sandbox.infobip.variants = Variants(**variants)
    report = house.load("2026-01-01", "2026-01-03")
    assert report.total("rejected_new") == 0
    assert house.query(query) == before
    assert any(rate for *_, rate in before)


@pytest.mark.parametrize("rate", ["many", "12.5 %", -1, None, "", {"a": 1}])
def test_f12_the_rate_follows_from_the_counts(rate: Any) -> None:
    """Where it is not told or cannot be read; what came is kept beside, and is no news."""
    for found in (by_date(bucket(**stats(conversionRate=rate))), average(**stats(conversionRate=rate))):
        [row] = found.good
        assert (row["start_count"], row["end_count"], row["conversion_rate"]) == (4, 1, 0.25)
        kept = json.loads(row["extra"]) if row["extra"] else None
        assert kept == (None if rate in (None, "") else {"conversionRateStats": {"conversionRate": rate}})
        assert not found.unknown


def test_f12_a_rate_without_counts_is_not_made_up() -> None:
    """An average of which nothing is known but a word stands aside."""
    found = average(conversionRateStats={"conversionRate": "many"})
    assert [bad.reason for bad in found.rejected] == ["conversionRateStats.conversionRate is not a number"]


@pytest.mark.parametrize("count", [10, 10.0, "10", " 10 ", "10.0"])
def test_f12_ten_is_ten(count: Any) -> None:
    """However a whole number is written."""
    [row] = by_date(bucket(**stats(startCount=count, endCount=5, conversionRate=0.5))).good
    assert (row["start_count"], row["end_count"], row["conversion_rate"]) == (10, 5, 0.5)


@pytest.mark.parametrize(
    "document", [{"conversionRates": None, "granulation": "DAY"}, {"granulation": "DAY"}, {}]
)
def test_f12_no_list_of_days_is_no_day(document: dict[str, Any]) -> None:
    """Null, or nothing at all: no row, and nothing set aside."""
    found = rates(answer(document), PAIR, OCTOBER)
    assert (found.good, found.rejected, found.received) == ([], [], 0)


@pytest.mark.parametrize("no_days", ["null", "absent"])
def test_f12_a_window_without_days_is_read(make_house: MakeHouse, no_days: Any) -> None:
    """The run is right, and its evidence says that no row came."""
    house = make_house(World(days=2, conversions_a_day=5), Variants(no_days=no_days))
    house.settings["INFOBIP_PAIRS"] = json.dumps(house.sandbox.infobip.pairs[:1])
    house.load("2025-06-01", "2025-06-02")
    assert house.query("select count(*) from infobip.conversion_rates") == [(0,)]
    received = house.query("select received from infobip.windows where stream like 'conversion_rates%'")
    assert received == [(0,)]


def test_f05_buckets_under_numbers_are_buckets() -> None:
    """A list that lost some of its entries."""
    rows = {"0": bucket("2014-10-10"), "2": bucket("2014-10-12")}
    found = rates(answer({"conversionRates": rows, "granulation": "DAY"}), PAIR, OCTOBER)
    assert [row["day"] for row in found.good] == [date(2014, 10, 10), date(2014, 10, 12)]


def test_f06_empty_lists_for_nothing() -> None:
    """PHP's way to write an object without anything in it."""
    row = bucket(endTimeFrame=[], averageConversionTime=[], startTag=[])
    [held] = by_date(row).good
    assert (held["end_frame_from"], held["average_seconds"], held["answered_start_tag"]) == (None, None, None)
    assert json.loads(held["extra"]) == {"startTag": []}


SPOKEN = [{"error": "x"}, {"errors": [1]}, {"success": False}, {"status": 401}, {"requestError": {"x": 1}}]


@pytest.mark.parametrize("said", SPOKEN, ids=str)
def test_b10_both_answers_are_asked_for_an_error(said: dict[str, Any]) -> None:
    """With figures or without."""
    for document in ({"conversionRates": [], "granulation": "DAY"}, {"conversionRates": [bucket()]}, {}):
        with pytest.raises(BodyStatusError) as caught:
            rates(answer({**document, **said}), PAIR, OCTOBER)
        assert caught.value.told == said.get("status")
    for document in (json.loads(AVERAGE), {}):
        with pytest.raises(BodyStatusError):
            times(answer({**document, **said}), PAIR, ASKED, TODAY)


@pytest.mark.more
@pytest.mark.parametrize(
    ("said", "error", "sentence"),
    [
        ({"error": "Account suspended"}, InvalidResponseError, "with an error instead of data"),
        ({"status": 403}, CredentialsError, "Infobip refused the username and password (403)"),
    ],
)
def test_b10_an_envelope_that_speaks_of_an_error_is_one(
    house: VendorWorkspace, said: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    """Nothing is loaded; the next run is right."""
    house.settings["INFOBIP_PAIRS"] = json.dumps(house.sandbox.infobip.pairs[:1])
    house.load("2026-01-01", "2026-01-02")
    before = tables(house.path, "infobip")
    fault = house.sandbox.faults.add(
        Fault(
            path=QUESTIONS, mutate=lambda _document, _: {"conversionRates": [], "granulation": "DAY", **said}
        )
    )
    report = house.run("2026-01-01", "2026-01-02")
    assert isinstance(report.error, error)
    assert sentence in str(report.error)
    assert fault.delivered >= 1
    assert tables(house.path, "infobip") == before


def test_s20_a_day_that_is_stated_anew_has_one_row(make_house: MakeHouse) -> None:
    """The later counts, under the same pair and day; a frame of the end tag that is null is no fault."""
    house = make_house(World(days=2, conversions_a_day=5))
    house.settings["INFOBIP_PAIRS"] = json.dumps(house.sandbox.infobip.pairs[:1])
    held = []
    for started, ended in ((4, 1), (6, 3)):
        counts = stats(startCount=started, endCount=ended, conversionRate=ended / started)
        told = {"granulation": "DAY", "conversionRates": [bucket(endTimeFrame=None, **counts)]}
        house.sandbox.faults.clear()
        fault = house.sandbox.faults.add(Fault(path=QUESTIONS, mutate=partial(instead, told=told)))
        house.load("2014-10-10", "2014-10-10")
        assert fault.delivered
        held.append(
            house.query("select day, start_count, end_count, end_frame_to from infobip.conversion_rates")
        )
    day = date(2014, 10, 10)
    assert held == [[(day, 4, 1, None)], [(day, 6, 3, None)]]


def instead(document: Any, _query: Any, told: Any) -> Any:
    """What is told in place of a list of days; any other answer as it is."""
    return told if "conversionRates" in document else document

"""Columns are asked for until the tracker takes them; what it does not know is dropped, and said once."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from conversync.cli.output import notes
from conversync.errors import InvalidResponseError, RequestRejectedError
from conversync.sandbox import Fault, World
from conversync.sandbox.keitaro import Variants
from sources.keitaro import log
from tests.houses import VendorWorkspace
from tests.keitaro.books import LOG, body, conversion, expected, held
from tests.keitaro.conftest import MakeHouse
from tests.support import sometimes

OTHERS = {
    "new": ["conversion_id", "postback_datetime", "previous_status", "original_status", "currency"],
    "old": ["event_id", "datetime", "status_history", "conversion_type", "version", "currency"],
}
# How a tracker may word its refusal; the first one prints columns that it does know, as some do.
WORDINGS = [
    "Known are event_id, datetime, status, sub_id, sub_id_1; {column} is not defined",
    "Unknown columns: {columns}",
    "Unknown column: {column}",
]


def columns(house: VendorWorkspace, since: int = 0) -> list[list[str]]:
    """The columns of each question that was answered."""
    return [body(one)["columns"] for one in house.asked(LOG, since) if one.status == 200]


@pytest.mark.parametrize(("wording", "generation"), sometimes(*product(WORDINGS, OTHERS), quick=2))
def test_unknown_columns_are_dropped_and_the_others_load(
    make_house: MakeHouse, wording: str, generation: Any
) -> None:
    """However the refusal is worded, exactly the unknown columns go, and every conversion is there."""
    world = World(days=2, conversions_a_day=4)
    house = make_house(world, Variants(generation=generation, unknown_column=wording))
    world.now = world.day(2)
    report = house.run(end=world.day(2).date())
    assert report.error is None
    kept = [name for name in log.COLUMNS if name not in OTHERS[generation]]
    assert columns(house)[-1] == kept
    assert held(house) == expected(house)


def test_what_is_dropped_is_said_once(make_house: MakeHouse) -> None:
    """The first night's summary names the columns; later nights are silent."""
    house = make_house(World(days=3, conversions_a_day=3))
    said = [notes(house.load()) for _ in range(2)]
    names = ", ".join(OTHERS["new"])
    assert [list(lines) for lines in said] == [
        [f"keitaro: the tracker does not know the columns {names}: they stay empty."],
        [],
    ]


@pytest.mark.long
def test_a_tracker_that_is_updated_is_read_on(make_house: MakeHouse) -> None:
    """The columns are agreed on anew every night: after an update the newer ones come, and the summary says so."""
    house = make_house(World(days=3, conversions_a_day=3), Variants(generation="old"))
    house.load()
    house.sandbox.keitaro.variants = Variants(generation="new")
    assert ", ".join(OTHERS["new"]) in "".join(notes(house.load()))
    [[with_version]] = house.query(
        "select count(*) from keitaro.conversion_events where valid_to is null and version is not null"
    )
    assert with_version == len(house.sandbox.keitaro.oracle.events())


def test_accepted_columns_that_do_not_come_are_null(house: VendorWorkspace) -> None:
    """A tracker may take a column and never return it: nothing is set aside, and nothing is made up."""
    house.sandbox.keitaro.variants = Variants(omits=frozenset({"revenue", "datetime", "status"}))
    house.sandbox.keitaro.rows = [conversion(1), conversion(2)]
    house.load()
    rows = house.query(
        "select conversion_id, revenue, status, occurred_at, occurred_on, tid from keitaro.conversion_events"
    )
    assert sorted(rows) == [("c1", None, None, None, None, "t1"), ("c2", None, None, None, None, "t2")]


@pytest.mark.parametrize("generation", sometimes("new", "old", quick=1))
def test_without_an_id_nothing_is_loaded(make_house: MakeHouse, generation: Any) -> None:
    """Conversions that cannot be told apart are refused with a sentence."""
    omits = frozenset({"event_id", "conversion_id"})
    house = make_house(World(days=2, conversions_a_day=4), Variants(generation=generation, omits=omits))
    report = house.run()
    assert isinstance(report.error, InvalidResponseError)
    assert "neither event_id nor conversion_id, so they cannot be told apart" in str(report.error)
    assert report.exit_code == 6
    assert report.steps == []


def test_rows_that_come_later_without_an_id_are_refused_too(house: VendorWorkspace) -> None:
    """Nothing was there when the columns were agreed on; what has come since has no id."""

    def arrive() -> None:
        house.sandbox.keitaro.rows = [{"status": "lead", "event_id": None}, {"status": "sale"}]

    pages = Fault(path=LOG, where=lambda one: body(one)["limit"] != log.SAMPLE, action=arrive)
    house.sandbox.faults.add(pages)
    report = house.run()
    assert isinstance(report.error, InvalidResponseError)
    assert "neither event_id nor conversion_id, so they cannot be told apart" in str(report.error)


def test_a_row_without_an_id_is_set_aside_alone(house: VendorWorkspace) -> None:
    """One nameless row among others costs that row; a row that has but the other id goes by that."""
    other = conversion(3, event_id=None, conversion_id="c3")
    house.sandbox.keitaro.rows = [conversion(1), conversion(2, event_id=None), other]
    report = house.run()
    assert (report.error, report.exit_code, report.total("rejected_new")) == (None, 3, 1)
    assert house.query("select conversion_id from keitaro.conversions order by 1") == [("c1",), ("c3",)]
    [[reason]] = house.query("select reason from keitaro.rejected_rows")
    assert reason == "neither event_id nor conversion_id is there"


def test_the_setting_overrides_what_is_asked(make_house: MakeHouse) -> None:
    """`keitaro_columns` is asked for, with the ids; what we have no column for is kept in `extra`, and is no news."""
    wanted = ["datetime", "status", "revenue", "os", "campaign"]
    house = make_house(World(days=2, conversions_a_day=4), keitaro_columns=json.dumps(wanted))
    report = house.load()
    assert columns(house)[-1] == ["event_id", *wanted]
    assert list(notes(report)) == [
        "keitaro: the tracker does not know the columns conversion_id: they stay empty."
    ]
    rows = house.query(
        "select conversion_id, revenue, tid, extra ->> 'os', extra ->> 'campaign' from keitaro.conversion_events"
    )
    events = house.sandbox.keitaro.oracle.events()
    assert sorted(rows) == sorted(
        (one.conversion_id, one.revenue, None, one.click.os, one.click.campaign.name)
        for one in events.values()
        if one.click
    )


def test_a_refusal_that_names_no_column_ends_the_run(house: VendorWorkspace) -> None:
    """In the tracker's own words, which are shortened, with the key left out."""
    key = house.sandbox.keitaro.api_key
    text = json.dumps({"error": f"Key {key} may not read {'conversions ' * 40}"}).encode()
    fault = house.sandbox.faults.add(Fault(path=LOG, status=400, body=text))
    report = house.run()
    assert isinstance(report.error, RequestRejectedError)
    sentence = str(report.error)
    assert "Keitaro refused POST /admin_api/v1/conversions/log (400: Key *** may not read conv" in sentence
    assert key not in sentence
    assert len(sentence) < 400
    assert fault.delivered == 3, "it may be the days: four and two of them were asked for, too"


def test_what_the_sort_is_refused_for_is_not_taken_for_a_column(house: VendorWorkspace) -> None:
    """A tracker that cannot sort by its id says so; the id is not dropped, and nothing is read unsorted."""
    house.sandbox.keitaro.rows = [conversion(1)]
    text = b'{"error": "Cannot sort by event_id"}'
    sorted_by_id = Fault(path=LOG, status=400, body=text, where=lambda one: bool(body(one)["sort"]))
    house.sandbox.faults.add(sorted_by_id)
    report = house.run()
    assert isinstance(report.error, RequestRejectedError)
    assert "Cannot sort by event_id" in str(report.error)
    assert sorted_by_id.delivered == 3, "it may be the days: four and two of them were asked for, too"


@pytest.mark.long
def test_columns_are_agreed_on_for_every_window(make_house: MakeHouse) -> None:
    """Windows far apart may be of different trackers; a question for few rows precedes each of them."""
    house = make_house(World(days=4, conversions_a_day=3))
    day = house.sandbox.world.start
    house.load(day, day)
    house.load(day + timedelta(days=1), day + timedelta(days=2))
    samples = [body(one)["range"]["from"] for one in house.asked(LOG) if body(one)["limit"] == log.SAMPLE]
    assert {str(day), str(day + timedelta(days=1))} == set(samples)

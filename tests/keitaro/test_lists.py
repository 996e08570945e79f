"""The lists: what is current, what ended and keeps its name, and answers that are no list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from conversync.errors import InvalidResponseError
from conversync.sandbox import Fault, World
from conversync.vendors import LoadRequest, Step
from sources.keitaro import keitaro
from tests.houses import VendorWorkspace
from tests.keitaro.books import LISTS, vendor_at
from tests.keitaro.conftest import MakeHouse
from tests.support import sometimes


@pytest.fixture
def listed(make_house: MakeHouse) -> VendorWorkspace:
    """A small world, with the lists."""
    house = make_house(World(days=10, conversions_a_day=1))

    def steps(_state: Mapping[str, Any], _settings: Any, _asked: LoadRequest) -> Iterator[Step]:
        skipped: list[str] = []
        day = house.sandbox.world.start
        yield Step("all", lambda _on_page: keitaro(day, day, on_skip=skipped.append), skipped)

    house.vendor = replace(vendor_at(house.sandbox), steps=steps)
    return house


def current(house: VendorWorkspace, name: str) -> dict[int, str]:
    return dict(house.query(f"select id, name from keitaro.{name} where is_current"))


def test_what_left_a_list_keeps_its_name(listed: VendorWorkspace) -> None:
    """Ended entries stay, no longer current, last seen when they were last shown."""
    world = listed.sandbox.world
    world.now = world.day(1)
    listed.load()
    before = {name: current(listed, name) for name in LISTS}
    assert before == listed.sandbox.keitaro.oracle.lists()

    world.now = world.day(10) + timedelta(days=1)
    listed.load()
    after = listed.sandbox.keitaro.oracle.lists()
    assert {name: current(listed, name) for name in LISTS} == after
    gone = {name: before[name].keys() - after[name].keys() for name in LISTS}
    assert any(gone.values())
    for name in LISTS:
        ended = listed.query(f"select id, name from keitaro.{name} where not is_current")
        assert dict(ended) == {key: before[name][key] for key in gone[name]}
        [[late]] = listed.query(
            f"select count(*) from keitaro.{name} a where is_current and last_seen_at <= "
            f"(select max(last_seen_at) from keitaro.{name} where not is_current)"
        )
        assert late == 0


@pytest.mark.long
def test_an_entry_is_kept_whole(listed: VendorWorkspace) -> None:
    """Id, name and state are columns; whatever else an entry has is in `extra`."""
    listed.sandbox.keitaro.lists = {"offers": [{"id": "7", "name": 12, "state": None, "values": {"a": 1}}]}
    listed.load()
    query = "select id, name, state, cast(extra as varchar) from keitaro.offers"
    assert listed.query(query) == [(7, "12", None, '{"values":{"a":1}}')]


@pytest.mark.long
def test_an_empty_list_is_asked_for_twice(listed: VendorWorkspace) -> None:
    """Then it is believed: all that was current is so no more."""
    listed.load()
    seen = len(listed.sandbox.requests)
    listed.sandbox.keitaro.lists = {"campaigns": []}
    listed.load()
    assert len(listed.asked("/campaigns", seen)) == 2
    assert current(listed, "campaigns") == {}
    assert listed.query("select count(*) > 0 from keitaro.campaigns") == [(True,)]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    sometimes(
        (["x"], "Keitaro answered domains with something other than a list of objects."),
        ([{"name": "no id"}], "Keitaro answered domains with an entry whose id is missing."),
        ([{"id": 1, "name": []}], "Keitaro answered domains with an entry whose name is not text."),
        quick=1,
    ),
)
def test_an_answer_that_is_no_list_is_refused(
    listed: VendorWorkspace, answer: list[Any], sentence: str
) -> None:
    """With a sentence, and nothing of any list is loaded."""
    listed.sandbox.keitaro.lists = {"domains": answer}
    report = listed.run()
    assert isinstance(report.error, InvalidResponseError)
    meaning = "Nothing of Keitaro's list of domains is loaded, and the next run asks again"
    assert str(report.error) == f"{sentence} {meaning}; if it stays so, ask the vendor."
    assert report.steps == []


@pytest.mark.more
@pytest.mark.parametrize(
    ("fault", "why"),
    sometimes(
        ({"status": 403, "body": b'{"error":"Access denied"}'}, "403: Access denied"),
        ({"status": 403, "html": True}, "403"),
        ({"status": 404, "body": b'{"error":"Not found"}'}, "404: Not found"),
        quick=1,
    ),
)
def test_f11_a_list_that_is_withheld_is_skipped_and_named(
    listed: VendorWorkspace, fault: dict[str, Any], why: str
) -> None:
    """Exit 3: the other lists are read, this one's table keeps its rows and when they were seen; then all is well."""
    house, world = listed, listed.sandbox.world
    world.now = world.day(1)
    house.load()
    seen = "select id, name, last_seen_at from keitaro.domains order by id"
    before = house.query(seen)
    assert before
    world.now = world.day(10) + timedelta(days=1)
    withheld = house.sandbox.faults.add(Fault(path="/admin_api/v1/domains", **fault))
    report = house.run()
    assert (report.error, report.exit_code, withheld.delivered) == (None, 3, 1)
    [note] = [one for one in report.notes if "domains" in one]
    assert note.startswith(f"the list of domains was not read ({why}); what was known of it stays")
    assert house.query(seen) == before
    others = [name for name in LISTS if name != "domains"]
    shown = house.sandbox.keitaro.oracle.lists()
    assert {name: current(house, name) for name in others} == {name: shown[name] for name in others}
    house.sandbox.faults.clear()
    house.load()
    assert current(house, "domains") == shown["domains"]


def test_f11_a_first_night_without_a_list_still_makes_its_table(make_house: MakeHouse) -> None:
    """Who joins it finds no rows, and no error; by a run's own steps."""
    house = make_house(World(days=3, conversions_a_day=1))
    house.vendor = vendor_at(house.sandbox, at_once=False)
    withheld = house.sandbox.faults.add(Fault(path="/admin_api/v1/offers", status=403))
    report = house.run()
    assert (report.exit_code, withheld.delivered) == (3, 1)
    assert house.query("select count(*) from keitaro.offers") == [(0,)]


def test_f11_a_wrong_key_is_no_withheld_list(listed: VendorWorkspace) -> None:
    """401 is about all of it."""
    listed.sandbox.faults.add(Fault(path="/admin_api/v1/domains", status=401))
    assert listed.run().exit_code == 5


def test_j12_a_name_that_is_no_text_costs_no_list(listed: VendorWorkspace) -> None:
    """The name is replaced and kept as it came; the other entries are as they were."""
    body = b'[{"id": 7, "name": "Caf\xe9", "state": "active"}, {"id": 8, "name": "\\ud83d"}, {"id": 9, "name": "c"}]'
    fault = listed.sandbox.faults.add(Fault(path="*/offers", status=200, body=body))
    listed.load()
    assert fault.delivered == 1
    query = "select id, name, cast(extra as varchar) from keitaro.offers order by id"
    assert listed.query(query) == [
        (7, "Caf\ufffd", '{"name":"Caf\\\\xe9"}'),
        (8, "\ufffd", '{"name":"\\\\ud83d"}'),
        (9, "c", None),
    ]

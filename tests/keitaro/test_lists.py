"""The lists: what is current, what ended and keeps its name, and answers that are no list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pipelines.vendors import Asked, Step
from sandbox import World
from sources.keitaro import keitaro
from tests.houses import VendorHouse
from tests.keitaro.books import LISTS, vendor_at
from tests.keitaro.conftest import MakeHouse
from tests.support import sometimes
from wire.errors import UntrustedAnswerError


@pytest.fixture
def listed(make_house: MakeHouse) -> VendorHouse:
    """A small world, with the lists."""
    house = make_house(World(days=10, conversions_a_day=1))

    def steps(_state: Mapping[str, Any], _settings: Any, _asked: Asked) -> Iterator[Step]:
        yield Step("all", lambda _on_page: keitaro(house.sandbox.world.start, house.sandbox.world.start))

    house.vendor = replace(vendor_at(house.sandbox), steps=steps)
    return house


def current(house: VendorHouse, name: str) -> dict[int, str]:
    return dict(house.query(f"select id, name from keitaro.{name} where is_current"))


def test_what_left_a_list_keeps_its_name(listed: VendorHouse) -> None:
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
def test_an_entry_is_kept_whole(listed: VendorHouse) -> None:
    """Id, name and state are columns; whatever else an entry has is in `extra`."""
    listed.sandbox.keitaro.lists = {"offers": [{"id": "7", "name": 12, "state": None, "values": {"a": 1}}]}
    listed.load()
    query = "select id, name, state, cast(extra as varchar) from keitaro.offers"
    assert listed.query(query) == [(7, "12", None, '{"values":{"a":1}}')]


@pytest.mark.long
def test_an_empty_list_is_asked_for_twice(listed: VendorHouse) -> None:
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
def test_an_answer_that_is_no_list_is_refused(listed: VendorHouse, answer: list[Any], sentence: str) -> None:
    """With a sentence, and nothing of any list is loaded."""
    listed.sandbox.keitaro.lists = {"domains": answer}
    report = listed.run()
    assert isinstance(report.error, UntrustedAnswerError)
    assert str(report.error) == sentence
    assert report.steps == []

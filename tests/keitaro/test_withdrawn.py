"""Conversions that are held and served no more: kept and told; and most of them at once, which is no leaving."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pendulum
import pytest

from conversync.errors import InvalidResponseError
from conversync.sandbox import Fault, World
from sources.keitaro import KeitaroSettings
from tests.houses import VendorWorkspace
from tests.keitaro.books import LOG, conversion, vendor_at
from tests.keitaro.conftest import MakeHouse
from tests.support import tables

Row = dict[str, Any]


def rows(count: int = 40, **fields: Any) -> list[Row]:
    """So many conversions, on the 2nd to the 6th."""
    return [
        conversion(number, datetime=f"2026-01-{2 + number % 5:02} 10:00:00", **fields)
        for number in range(count)
    ]


def renamed(served: Sequence[Row], name: Callable[[Row], dict[str, Any]]) -> list[Row]:
    """The same conversions under other ids."""
    return [
        {**{key: value for key, value in row.items() if key != "event_id"}, **name(row)} for row in served
    ]


def later(house: VendorWorkspace, days: int = 1) -> None:
    house.sandbox.world.now += timedelta(days=days)


def by_steps(house: VendorWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Window by window, as the command reads, on the day that it is in the world."""
    house.vendor = vendor_at(house.sandbox, at_once=False)
    monkeypatch.setattr(
        KeitaroSettings, "today", lambda _self, _stream: pendulum.instance(house.sandbox.world.now).date()
    )


def current(house: VendorWorkspace) -> list[tuple[Any, ...]]:
    return house.query("select count(*), sum(revenue) from keitaro.conversions")


def told(report: Any) -> list[str]:
    return [note for note in report.notes if "no more" in note]


def loaded(house: VendorWorkspace, served: list[Row]) -> VendorWorkspace:
    house.sandbox.keitaro.rows = served
    house.load()
    later(house)
    return house


OTHER_IDS: dict[str, Callable[[Row], dict[str, Any]]] = {
    "prefix": lambda row: {"event_id": f"ev-{row['event_id']}"},
    "leading zero": lambda row: {"event_id": f"0{row['event_id']}"},
}


@pytest.mark.parametrize("change", OTHER_IDS)
def test_m02_other_ids_for_the_same_conversions_are_refused(house: VendorWorkspace, change: str) -> None:
    """Loaded, each would stand twice. Nothing changes; with the old ids, the next night is as ever."""
    served = [conversion(n, event_id=str(n), datetime=f"2026-01-{2 + n % 5:02} 10:00:00") for n in range(40)]
    loaded(house, served)
    before = tables(house.path, "keitaro")
    house.sandbox.keitaro.rows = renamed(served, OTHER_IDS[change])
    for _ in range(2):
        report = house.run()
        assert report.exit_code == 6
        assert isinstance(report.error, InvalidResponseError)
        assert (
            "Keitaro serves 40 of 40 conversions of 2026-01-01 .. 2026-01-09 no more, and 40 that it never served "
            "before: did the tracker change its ids? Nothing was changed. Ask the vendor. "
            "If they are really gone, say so with --accept-empty: what is held stays, and counts, so the same ones "
            "under other ids would count twice."
        ) in str(report.error)
        assert tables(house.path, "keitaro") == before
    house.sandbox.keitaro.rows = served
    again = house.load()
    assert (again.total("added"), again.total("restated"), told(again)) == (0, 0, [])
    assert current(house) == [(40, 60)]


def test_m02_an_upgrade_from_conversion_id_to_other_event_ids_is_refused(make_house: MakeHouse) -> None:
    """The tracker's own story: an older one, then a newer one with ids of its own."""
    house = make_house(World(days=7))
    house.sandbox.keitaro.report_rows = []
    old = renamed(rows(), lambda row: {"conversion_id": row["event_id"]})
    house.sandbox.keitaro.rows = old
    house.load()
    later(house)
    house.sandbox.keitaro.rows = renamed(rows(), OTHER_IDS["prefix"])
    assert house.run().exit_code == 6
    house.sandbox.keitaro.rows = rows()  # the same ids under the newer name
    house.load()
    assert current(house) == [(40, 60)]


def test_m02_whoever_says_that_it_is_right_has_it(house: VendorWorkspace) -> None:
    """It is loaded, and the nights after need no word, also where few came in their place."""
    loaded(house, rows())
    house.sandbox.keitaro.rows = renamed(rows(3), OTHER_IDS["prefix"])
    assert house.run().exit_code == 6
    report = house.load(accept_empty=True)
    assert (report.exit_code, current(house)) == (0, [(43, 64.5)])
    later(house)
    assert told(house.load()) == [
        "Keitaro serves 40 conversions no more that it served before: they are kept"
    ]
    later(house)
    assert told(house.load()) == []


def test_m02_a_few_that_left_are_kept_and_told_once(house: VendorWorkspace) -> None:
    """By the night that has read the day on which they were missed; told again where they came back meanwhile."""
    loaded(house, rows())
    house.sandbox.keitaro.rows = rows()[3:]
    assert told(house.load()) == []
    later(house)
    assert told(house.load()) == ["Keitaro serves 3 conversions no more that it served before: they are kept"]
    assert current(house) == [(40, 60)]
    later(house)
    assert told(house.load()) == []
    house.sandbox.keitaro.rows = rows()
    later(house)
    assert told(house.load()) == []
    house.sandbox.keitaro.rows = rows()[1:]
    for expected in ([], ["Keitaro serves 1 conversion no more that it served before: it is kept"]):
        later(house)
        assert told(house.load()) == expected


@pytest.mark.more
def test_m02_all_that_are_posted_again_have_not_left(
    house: VendorWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same step, or in one that is read after it; and no question is asked for it."""
    loaded(house, rows())
    house.sandbox.keitaro.rows = [
        {**row, "datetime": "2026-01-08 01:00:00", "status": "sale"} for row in rows()
    ]
    seen = len(house.asked(LOG))
    report = house.load()
    assert (report.total("restated"), told(report)) == (40, [])
    assert len(house.asked(LOG)) == 2 * seen
    later(house)
    house.sandbox.keitaro.rows = [{**row, "datetime": "2026-01-09 23:00:00"} for row in rows()]
    by_steps(house, monkeypatch)
    assert told(house.load(window_days=3)) == []
    later(house)
    assert told(house.load(window_days=3)) == []
    assert current(house) == [(40, 60)]


def test_m02_a_day_of_which_all_moved_is_read_though_it_alone_is_asked_for(house: VendorWorkspace) -> None:
    """Before anything is refused, the days until today are asked for."""
    loaded(house, rows())
    house.sandbox.keitaro.rows = [{**row, "datetime": "2026-01-08 01:00:00"} for row in rows()]
    assert told(house.load("2026-01-01", "2026-01-07")) == []
    house.sandbox.keitaro.rows = []
    assert house.run("2026-01-01", "2026-01-07").exit_code == 6


def test_m02_days_that_are_not_read_whole_prove_nothing(house: VendorWorkspace) -> None:
    """The last day of a question, days outside of it, and days that came short."""
    loaded(house, rows())
    house.sandbox.keitaro.rows = [row for row in rows() if row["datetime"] < "2026-01-04"]
    for _ in range(2):
        assert told(house.load("2026-01-02", "2026-01-04")) == []
        later(house)

    def announces_more(document: dict[str, Any], _query: Mapping[str, str]) -> dict[str, Any]:
        return {**document, "total": document["total"] * 2} if document.get("rows") else document

    house.sandbox.keitaro.rows = rows(5)  # one on each day
    house.sandbox.faults.add(Fault(path=LOG, mutate=announces_more))
    report = house.run()
    assert (report.exit_code, told(report)) == (3, []), report.error


@pytest.mark.more
def test_m02_so_many_are_remembered_and_what_is_known_goes_before(
    house: VendorWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that only moved to a later step do not displace what was told."""
    monkeypatch.setattr("sources.keitaro.withdrawn.MOST", 3)
    loaded(house, rows())
    by_steps(house, monkeypatch)
    house.sandbox.keitaro.rows = rows()[:-2]
    house.load(window_days=8)
    later(house)
    assert told(house.load(window_days=8)) == [
        "Keitaro serves 2 conversions no more that it served before: they are kept"
    ]
    moved = [{**row, "datetime": "2026-01-10 00:00:00"} for row in rows()[:10]]
    house.sandbox.keitaro.rows = [*moved, *rows()[10:-2]]
    for _ in range(3):
        later(house)
        assert told(house.load(window_days=8)) == []
    house.sandbox.keitaro.rows = rows()[6:]
    house.load()
    later(house)
    assert told(house.load()) == [
        "Keitaro serves 3 conversions no more that it served before, or more: they are kept"
    ]


def test_m02_the_command_refuses_at_its_first_window_and_takes_the_word(
    house: VendorWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Step by step, the word reaches each of them."""
    loaded(house, rows())
    by_steps(house, monkeypatch)
    before = tables(house.path, "keitaro")
    house.sandbox.keitaro.rows = renamed(rows(), OTHER_IDS["prefix"])
    assert house.run(window_days=8).exit_code == 6
    assert tables(house.path, "keitaro") == before
    assert house.run(window_days=8, accept_empty=True).exit_code == 0
    assert current(house) == [(80, 120)]

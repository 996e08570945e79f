"""A goal that the vendor fails at costs itself alone, and only while it answers others."""

from __future__ import annotations

from typing import Any

import pytest

from conversync.errors import UnavailableError
from conversync.sandbox import Fault
from conversync.sandbox.faults import LOGIN_PAGE
from tests.conductrics.conftest import goal
from tests.conductrics.test_trust import LIST, codes
from tests.houses import VendorWorkspace

SPOILT: dict[str, dict[str, Any]] = {
    "500": {"status": 500},
    "403": {"status": 403},
    "broken-json": {"status": 200, "body": b'{"data": {'},
    "error-under-200": {"status": 200, "body": b'{"status": 200, "error": "Out of memory"}'},
    "web-page": {"status": 200, "body": LOGIN_PAGE},
}


@pytest.mark.parametrize(
    "how", [pytest.param(name, marks=() if name == "500" else pytest.mark.more) for name in SPOILT]
)
def test_l13_a_goal_that_is_failed_at_stays_as_it_was(house: VendorWorkspace, how: str) -> None:
    """The others are loaded, exit 3 and a sentence; and it is read by the next run that gets it."""
    house.load()
    house.sandbox.conductrics.rows = [goal("g-1", "Renamed"), goal("shop/sale", "Sold", ["a-2"]), goal("g-3")]
    house.sandbox.faults.add(Fault(path=f"{LIST}/goal/shop*", **SPOILT[how]))
    report = house.run()
    assert (report.error, report.exit_code, report.total("missing")) == (None, 3, 1)
    [note] = [note for note in report.notes if note.startswith("goals shop/sale could not be had: ")]
    assert "What is held stays as it was, and is read again next time" in note
    held = dict(house.query("select code, name from conductrics.goals"))
    assert held == {"g-1": "Renamed", "shop/sale": "Sale", "g-3": "Install"}
    assert house.query("select count(*) from conductrics.goal_agents where code = 'shop/sale'") == [(2,)]
    house.sandbox.faults.clear()
    house.load()
    assert dict(house.query("select code, name from conductrics.goals"))["shop/sale"] == "Sold"


def test_l13_the_agents_that_are_not_given_stay_as_they_were(house: VendorWorkspace) -> None:
    """The goals are loaded all the same, exit 3."""
    house.load()
    house.sandbox.conductrics.rows = [goal("g-1"), goal("g-2")]
    house.sandbox.faults.add(Fault(path=LIST.replace("goals", "agents"), status=500))
    report = house.run()
    assert (report.error, report.exit_code) == (None, 3)
    assert any(note.startswith("The list of agents could not be had: ") for note in report.notes)
    assert codes(house) == {"g-1", "g-2"}
    assert house.query("select count(*) from conductrics.agents") == [(1,)]


def test_l13_goals_of_which_none_is_given_end_the_run(house: VendorWorkspace) -> None:
    """That the list comes says nothing of them: exit 6, and every row as it was."""
    house.load()
    house.sandbox.conductrics.rows = [goal(f"g-{number}") for number in range(30)]
    fault = house.sandbox.faults.add(Fault(path=f"{LIST}/goal/*", status=500))
    report = house.run()
    assert (type(report.error), report.steps) == (UnavailableError, [])
    assert codes(house) == {"g-1", "shop/sale"}
    assert fault.delivered <= 30

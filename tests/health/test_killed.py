"""A load that was stopped part way: what it did not come to is told as never read, by whoever is asked."""

from __future__ import annotations

import json

import pytest

from conversync.sandbox.faults import Fault
from conversync.vendors import vendors
from tests.besitos.rows import row
from tests.health.support import Workspace, run, told
from tests.health.test_status import ago, at


@pytest.fixture
def stopped(house: Workspace) -> Workspace:
    """A first load of sixty days by windows of ten, of which the vendor gave out after two."""
    house.vendor = vendors()["besitos"]
    house.settings["BESITOS_START_DATE"] = str(ago(60))
    house.sandbox.besitos.rows = [row(number, date_time=at(number)) for number in range(1, 60)]
    return house


def stop(house: Workspace) -> None:
    """At the third window of conversions."""
    house.sandbox.faults.add(
        Fault(where=lambda asked: asked.query.get("from_date", "") > str(ago(46)), status=401)
    )
    report = house.run(window_days=10)
    assert report.error is not None
    assert len(report.steps) == 2
    house.sandbox.faults.clear()


def test_what_a_stopped_first_load_did_not_come_to_was_never_read(stopped: Workspace) -> None:
    """The days after the last one that was read, and a listing of which nothing was: in status, alert and `days`."""
    stop(stopped)
    unread = [str(ago(number)) for number in range(60, 0, -1)]
    found = told(stopped)["incomplete"]
    assert found.figures["days"] == unread
    assert "all of reversals" in found.text
    shown, alerted = run(stopped, "status", "--strict"), run(stopped, "alert", "--dry-run")
    assert (shown.code, "60 d" in shown.out) == (3, True)
    assert "incomplete" in [one["kind"] for one in json.loads(alerted.out)["problems"]]
    days = "select stream, count(*) from besitos.days where state = 'never' group by 1 order by 1"
    assert stopped.query(days) == [("conversions", 42), ("reversals", 60)]
    stopped.load(window_days=10)
    assert told(stopped) == {}
    assert stopped.query(days) == []
    [text] = stopped.query(
        "select sql from duckdb_views() where schema_name = 'besitos' and view_name = 'days'"
    )
    stopped.load(window_days=10)
    assert stopped.query(
        "select sql from duckdb_views() where schema_name = 'besitos' and view_name = 'days'"
    ) == [text]


def test_so_does_one_after_days_that_were_asked_for(stopped: Workspace) -> None:
    """The first ten days by hand, which moves the cursor: what the night after them did not come to is told."""
    stopped.load(ago(60), ago(50))
    assert told(stopped) == {}
    stop(stopped)
    days = "select min(day), max(day) from besitos.days where state = 'never' and stream = '{}'"
    assert stopped.query(days.format("conversions")) == [(ago(38), ago(1))]
    [(_, last)] = stopped.query(days.format("reversals"))
    assert last == ago(1)
    stopped.load(window_days=10)
    assert told(stopped) == {}

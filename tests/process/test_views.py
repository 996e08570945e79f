"""M05: a view stands before the first row does, and nobody takes a table without its view for an empty one."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from conversync.build import build
from conversync.errors import ConversyncError
from conversync.sandbox import Fault
from tests.process.nights import Nights
from tests.process.support import Place

NO_VIEW = "drop view besitos.conversions"
CONVERSIONS = "select count(*) from besitos.conversions"
EVENTS = "select count(*) from besitos.conversion_events"


def test_m05_the_view_stands_before_the_first_row(place: Place, tmp_path: Path) -> None:
    """A first load that is killed at any commit, looked at as it lies there: rows have their view."""
    (tmp_path / "points").mkdir()
    counted = place.copy(tmp_path / "points")
    assert counted.load(points=str(tmp_path / "count")).code == 0
    count = int((tmp_path / "count").read_text())
    seen = set()
    for number, point in enumerate(range(count // 4, count, max(1, count // 6))):
        killed = place.copy(tmp_path / f"killed_{number}")
        assert killed.load(at=point).code == -signal.SIGKILL
        if not killed.warehouse.exists():
            continue
        names = "select table_name from information_schema.tables where table_schema = 'besitos'"
        held = {name for (name,) in killed.query(names)}
        rows = "conversion_events" in held and bool(killed.query(EVENTS)[0][0])
        seen.add(rows)
        assert not rows or "conversions" in held, f"rows without their view, killed at point {point}"
        shutil.rmtree(killed.folder)
    assert True in seen, "no kill left rows"


def test_m05_a_missing_view_is_made_though_the_vendor_is_down(loaded: Place) -> None:
    """The load ends with 6, and the view is there again, with all its rows."""
    [[before]] = loaded.query(CONVERSIONS)
    loaded.change(NO_VIEW)
    loaded.env["HTTP_BUDGET"] = "0"
    fault = loaded.sandbox.faults.add(Fault(status=503))
    loaded.load().refused(6, "besitos")
    assert fault.delivered
    assert loaded.query(CONVERSIONS) == [(before,)]


@pytest.mark.more
def test_m05_rows_without_their_view_fail_the_build(nights: Nights, tmp_path: Path) -> None:
    """Before anything is built, with the way out."""
    place = nights.first.copy(tmp_path / "place")
    place.change(NO_VIEW)
    with pytest.raises(
        ConversyncError, match=r"the view besitos\.conversions of them is missing.*nothing was built"
    ):
        build(place.warehouse)
    assert not place.query("select 1 from information_schema.tables where table_schema = 'marts'")

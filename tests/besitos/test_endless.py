"""A listing whose next page never ends: it ends at a bound, and costs its own days."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from conversync.errors import InvalidResponseError
from conversync.extract import pagination
from conversync.sandbox import Fault, World
from tests.besitos.conftest import MakeHouse
from tests.besitos.rows import row
from tests.besitos.test_mended import at, daily, payouts
from tests.besitos.test_nights import january
from tests.support import vendor_at


def endless(_document: Any, query: Mapping[str, str]) -> bytes:
    """A full page of rows that stood on none before, and a link to the next one."""
    page = int(query.get("page", "1"))
    first = 1000 * (1 + int(query["from_date"][8:10])) + 10 * page
    rows = [row(first + n, date_time=f"{query['from_date']} 00:00:{n:02}") for n in range(10)]
    links = {"next": f"?page={page + 1}"}
    meta = {"total": 10, "current_page": page, "last_page": page + 1, "per_page": 10}
    return json.dumps({"data": rows, "links": links, "meta": meta}, default=float).encode()


@pytest.mark.more
@pytest.mark.parametrize("everywhere", [False, True])
def test_l13_a_listing_without_an_end_costs_its_window(
    make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch, *, everywhere: bool
) -> None:
    """The windows around it are loaded, exit 3, and the next night reads it. Where all are so, it is exit 6."""
    monkeypatch.setattr(pagination, "MOST_EXTRA_PAGES", 8)
    house = make_house(
        World(days=1), besitos_start_date=january(0), besitos_page_size="10", besitos_lookback_days="1"
    )
    house.sandbox.besitos.rows = daily(12)
    house.vendor = vendor_at(house.sandbox)
    at(house, 12)
    fault = house.sandbox.faults.add(
        Fault(where=lambda one: everywhere or one.query["from_date"] == january(4), mutate=endless)
    )
    report = house.run(window_days=5)
    assert fault.delivered < 80
    if everywhere:
        assert (type(report.error).__mro__[1], report.steps) == (InvalidResponseError, [])
        return
    assert (report.error, report.exit_code) == (None, 3)
    [told] = [note for note in report.notes if "there is no end of it" in note]
    assert told.startswith(
        f"conversions {january(4)} .. {january(8)}: not loaded, and its days are read again"
    )
    assert payouts(house) == sum(number for number in range(1, 13) if not 5 < number < 9)
    house.sandbox.faults.clear()
    house.load()
    assert payouts(house) == sum(range(1, 13))

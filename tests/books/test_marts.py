"""The marts of the books: one sum tells what was known on a day, and closed periods add up there, too."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest

from conversync.build import build
from tests.besitos.rows import reversal, row
from tests.books.conftest import Ledger
from tests.books.test_as_of import literal
from tests.books.test_closing import close

KNOWN = "select cast(sum(net_change) as double) from marts.revenue_by_knowledge where known_on <= date '{}'"


@pytest.fixture
def closed(make_ledger: Callable[..., Ledger]) -> Ledger:
    """A month that was closed, and corrected since."""
    house = make_ledger()
    house.night([row(1, payout=10), reversal(1, payout=4), row(2, payout=7)])
    close(house, "2024-12")
    house.night([row(1, payout=10), reversal(1, payout=4), row(2, payout=7), reversal(2, payout=3), row(3)])
    with house.set():
        report = build(house.path)
    assert report.failures == []
    return house


def test_one_sum_is_what_was_known_on_a_day(closed: Ledger) -> None:
    """Of history that was there before us by the vendor's own days, a second look on the day of the first included."""
    assert [closed.query(KNOWN.format(day))[0][0] for day in ("2024-12-03", "2024-12-05", "2024-12-06")] == [
        None,
        17.0,
        10.0,
    ]
    assert closed.query(KNOWN.format("9999-12-31")) == [(21.05,)]
    for moment, _ in closed.said:
        said = closed.query(
            f"select conversion_id, net_revenue from besitos.revenue_as_of({literal(moment)}) order by 1"
        )
        assert said == closed.query(
            "select conversion_id, net_revenue from marts.conversions_as_of"
            f"({literal(moment)}) where vendor = 'besitos' order by 1"
        )
    now = "select conversion_id, occurred_on, currency, offer_id, gross_revenue, reversed_revenue, net_revenue from {}"
    assert closed.query(now.format("marts.conversions_as_of(now()) order by 1")) == closed.query(
        now.format("marts.conversions order by 1")
    )


def test_corrections_are_a_mart_and_do_not_lie(closed: Ledger) -> None:
    """A line a change; where what was reported is altered, the build fails and says so."""
    assert closed.query(
        "select period, account, transaction_id, reason, cast(net_change as varchar) from marts.corrections order by 3"
    ) == [
        ("2024-12", "besitos", "2", "reversal", "-3.000000"),
        ("2024-12", "besitos", "3", "late arrival", "11.050000"),
    ]
    with duckdb.connect(str(closed.path)) as connection:
        connection.execute(
            "update books.reported set net_revenue = net_revenue + 0.01 where occurred_on = '2024-12-04'"
        )
    with closed.set():
        [failure] = build(closed.path, select="corrections+").failures
    assert "As reported + corrections = as known now" in failure

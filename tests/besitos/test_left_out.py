"""B06: days that a vendor leaves out of an answer without a word, and says that this is all."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from conversync.sandbox import Fault, Request
from tests.besitos.changes import everything
from tests.besitos.test_costs import ALL, FROM, NINTH, TO, healed, held, holds, of, short
from tests.besitos.test_costs import month as month
from tests.support import Workspace


def nothing(document: dict[str, Any], _query: object) -> dict[str, Any]:
    """An answer as of days without a row."""
    return {**document, "data": [], "meta": {**document["meta"], "total": 0, "last_page": 1}}


def days(asked: Request) -> int:
    """How many days a request is for, both ends counted."""
    first, last = (date.fromisoformat(asked.query[name]) for name in ("from_date", "to_date"))
    return (last - first).days + 1


@pytest.mark.parametrize("most", [14, pytest.param(7, marks=pytest.mark.more)])
def test_b06_a_range_that_is_too_long_and_answered_with_nothing_is_not_believed(
    month: Workspace, most: int
) -> None:
    """No question so long ever brought a row: fewer days are asked for, which have some. All comes, exit 0."""
    fault = month.sandbox.faults.add(Fault(where=lambda asked: days(asked) > most, mutate=nothing))
    report = month.load(FROM, TO)
    assert fault.delivered
    assert held(month) == ALL
    assert any("cut short without a word" in note for note in report.notes)


def test_b06_a_month_without_a_row_is_asked_for_in_a_few_parts_once(month: Workspace) -> None:
    """Nothing is there: half of the days, a quarter, and so on; and where long questions brought rows, none."""
    rows, month.sandbox.besitos.rows = month.sandbox.besitos.rows, []
    month.load(FROM, TO)
    asked = [one for one in month.sandbox.requests if everything(one)]
    assert len(asked) <= 6
    month.sandbox.besitos.rows = rows
    month.load(FROM, TO)
    before = len(month.sandbox.requests)
    month.load("2024-08-01", "2024-08-31")
    assert len([one for one in month.sandbox.requests[before:] if everything(one)]) == 1


def test_b06_a_day_that_is_left_out_whatever_is_asked_is_short(month: Workspace) -> None:
    """Each question with the ninth says that there is nothing; its neighbours show otherwise. Exit 3; then it heals."""
    month.sandbox.faults.add(Fault(where=holds(NINTH), mutate=nothing))
    report = month.run(FROM, TO)
    assert (report.error, report.exit_code) == (None, 3)
    assert held(month) == ALL - of(9)
    assert short(month) == [NINTH]
    month.sandbox.faults.clear()
    month.run(FROM, TO)
    assert held(month) == ALL


@pytest.mark.parametrize("bad", [("2024-12-11", "2024-12-22"), ("2024-12-05", "2024-12-10", "2024-12-15")])
def test_b05_a_few_days_that_fail_teach_nothing_of_ranges(month: Workspace, bad: tuple[str, ...]) -> None:
    """Each a 500: they alone are short, no range is learned, and the night after costs what a good one does."""
    month.sandbox.faults.add(Fault(status=500, where=holds(*bad)))
    report = month.run(FROM, TO)
    assert short(month) == list(bad)
    assert not any("ranges" in note for note in report.notes)
    assert healed(month) <= 4


def test_a_row_that_was_missed_once_teaches_no_shorter_ranges(month: Workspace) -> None:
    """It comes where its day is asked for alone, and where all days are asked for once more: it had only moved."""
    month.load(FROM, TO)

    def without_one(document: dict[str, Any], _query: object) -> dict[str, Any]:
        rows = [one for one in document["data"] if one["transaction_id"] != 40]
        return {**document, "data": rows, "meta": {**document["meta"], "total": len(ALL) - 1}}

    fault = Fault(where=lambda asked: everything(asked) and days(asked) > 9, attempts={1}, mutate=without_one)
    month.sandbox.faults.add(fault)
    report = month.load(FROM, TO)
    assert fault.delivered == 1
    assert (held(month), report.notes) == (ALL, [])
    before = len(month.sandbox.requests)
    month.load(FROM, TO)
    assert len([one for one in month.sandbox.requests[before:] if everything(one)]) == 1

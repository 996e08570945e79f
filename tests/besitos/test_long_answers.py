"""L04: an answer that is longer than any that is read is asked for in parts, and the tables are whole."""

from __future__ import annotations

from conversync.extract.field_kinds import SHORT
from tests.besitos.rows import row
from tests.support import Workspace

# Commas are what values are counted by: this is as much as 50,000 of them.
LONG = "," * 50_000


def rows(count: int, day: str | None = None) -> list[dict[str, object]]:
    """Of as many days, or of one."""
    return [
        row(number, note=LONG, date_time=f"{day or f'2024-12-{number:02}'} 06:25:36")
        for number in range(1, count + 1)
    ]


def test_l04_a_range_that_is_too_long_for_one_answer_is_asked_for_in_parts(house: Workspace) -> None:
    """A vendor that puts all of a range on one page is read, and the next night asks accordingly."""
    house.sandbox.besitos.rows = rows(24)
    report = house.load("2024-12-01", "2024-12-25")
    assert report.total("added") == 24
    assert any("25 days are more than fit into one answer" in note for note in report.notes)
    assert house.query(
        "select count(*), count(distinct event_key), sum(length(note)) from besitos.conversion_events"
    ) == [(24, 24, 24 * SHORT)]


def test_l04_a_day_that_is_too_long_costs_that_day_alone(house: Workspace) -> None:
    """It is short, and told why; the days around it are loaded."""
    house.sandbox.besitos.rows = [*rows(24, "2024-12-04"), row(99, date_time="2024-12-06 08:00:00")]
    report = house.run("2024-12-01", "2024-12-08")
    assert report.error is None
    assert report.exit_code == 3
    assert any("with more than 1,000,000 values" in note for note in report.notes)
    assert house.query("select transaction_id from besitos.conversions") == [(99,)]

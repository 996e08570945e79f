"""A vendor gives new ids to some of its rows: each conversion counts once, in the same night and in those after it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from conversync.send.options import options
from conversync.send.run import send
from conversync.vendors import targets
from conversync.warehouse.warehouse import Warehouse
from tests.besitos.conftest import MakeHouse
from tests.besitos.rows import FROM, TO, reversal, row
from tests.support import Workspace, at_once, sometimes, tables

Rows = list[dict[str, Any]]
NEW = 1000
GONE = "Besitos serves {} events no more that it served before: they are kept, and listed in withdrawn_events"


def sales(count: int = 10) -> Rows:
    """So many, each its own player's and a payout of its own."""
    return [row(number, payout=number, user_id=f"user-{number}") for number in range(1, count + 1)]


def renumbered(rows: Sequence[dict[str, Any]], some: int, by: int = NEW) -> Rows:
    """The same rows, the first few of them under other ids."""
    return [
        {**one, "transaction_id": one["transaction_id"] + by} if place < some else one
        for place, one in enumerate(rows)
    ]


def night(house: Workspace, rows: Rows) -> list[str]:
    """One load; what it says of events that are gone."""
    house.sandbox.besitos.rows = rows
    return [note for note in house.load(FROM, TO).notes if "no more" in note]


def earned(house: Workspace) -> list[Any]:
    return house.query("select count(*), sum(payout), sum(net_payout) from besitos.conversions")


def replaced(house: Workspace) -> list[Any]:
    """Which transaction counts in the place of which."""
    query = "select transaction_id, replaced_by from besitos.withdrawn_events where replaced_by is not null"
    return house.query(f"{query} order by all")


@pytest.mark.parametrize(("count", "some"), sometimes((10, 3), (40, 22), quick=1))
@pytest.mark.parametrize("counts", ["true", pytest.param("false", marks=pytest.mark.more)])
def test_m02_other_ids_for_some_rows_count_once(
    make_house: MakeHouse, count: int, some: int, counts: str
) -> None:
    """Three of ten, more than half, whatever the setting says. That night tells it, and the next has no news."""
    house = make_house(besitos_withdrawn_counts=counts)
    rows = sales(count)
    before = count, sum(one["payout"] for one in rows), sum(one["payout"] for one in rows)
    night(house, rows)
    said = night(house, renumbered(rows, some))
    assert said == [
        f"{GONE.format(some)}; all of them came again under other ids, which count in their place"
    ]
    assert earned(house) == [before]
    assert replaced(house) == [(number, NEW + number) for number in range(1, some + 1)]
    stood = tables(house.path)
    assert night(house, renumbered(rows, some)) == []
    assert tables(house.path) == stood


def test_m02_what_came_under_no_other_id_counts_as_before(house: Workspace) -> None:
    """Of three that are gone one came again: the sentence tells the others, and the setting decides."""
    rows = sales()
    night(house, rows)
    again, others = (
        "1 of them came again under another id, which counts in its place",
        "the other 2 still count",
    )
    [said] = night(house, [*renumbered(rows, 1)[:-2]])
    assert said == f"{GONE.format(3)}; {again}; {others} (besitos_withdrawn_counts)"
    assert earned(house) == [(10, 55, 55)]
    house.settings["BESITOS_WITHDRAWN_COUNTS"] = "false"
    [said] = night(house, renumbered(rows, 1)[:-3])
    assert said.startswith("Besitos serves 1 event no more that it served before: it is kept, and listed in ")
    assert said.endswith("withdrawn_events; it counts no more (besitos_withdrawn_counts)")
    assert earned(house) == [(7, 28, 28)]


def test_m02_ids_that_come_back_count_again_and_alone(house: Workspace) -> None:
    """The old ids in the new ones' place, then both, then the new ones."""
    rows = sales()
    night(house, rows)
    night(house, renumbered(rows, 3))
    assert len(night(house, rows)) == 1
    assert earned(house) == [(10, 55, 55)]
    assert replaced(house) == [(NEW + 1, 1), (NEW + 2, 2), (NEW + 3, 3)]
    gone = "select transaction_id from besitos.withdrawn_events where withdrawn_at is not null order by 1"
    assert house.query(gone) == [(NEW + 1,), (NEW + 2,), (NEW + 3,)]
    night(house, [*rows, *renumbered(rows, 3)[:3]])
    assert (earned(house), replaced(house)) == ([(13, 61, 61)], [])


@pytest.mark.more
def test_m02_ids_that_are_gone_for_a_night_and_come_back_count_once(house: Workspace) -> None:
    """The new one went before the old one came again."""
    rows = sales()
    night(house, rows)
    night(house, renumbered(rows, 1))
    night(house, rows[1:])
    assert earned(house) == [(10, 55, 55)]
    night(house, rows)
    assert (earned(house), replaced(house)) == ([(10, 55, 55)], [(NEW + 1, 1)])


@pytest.mark.more
def test_m02_ids_that_change_every_night_count_once(house: Workspace) -> None:
    """All of them name the one that counts; an old one that is served again takes the place of the last."""
    rows = sales()
    night(house, rows)
    for times in (1, 2, 3):
        night(house, renumbered(rows, 3, times * NEW))
        assert earned(house) == [(10, 55, 55)]
    assert replaced(house)[0] == (1, 3 * NEW + 1)
    assert len(replaced(house)) == 9
    assert house.query("select replaces from besitos.conversions where payout < 4 order by all") == [
        (1,),
        (2,),
        (3,),
    ]
    night(house, rows)
    assert earned(house) == [(10, 55, 55)]
    assert {new for _, new in replaced(house)} == {1, 2, 3}
    assert house.query("select count(replaces) from besitos.conversions") == [(0,)]


def test_m02_of_two_rows_that_are_alike_one_is_given_another_id(house: Workspace) -> None:
    """Two sales of the same second: both count, before and after."""
    twins = [row(1), row(2), row(3, payout=7)]
    night(house, twins)
    night(house, [row(NEW), *twins[1:]])
    assert (earned(house)[0][0], replaced(house)) == (3, [(1, NEW)])
    night(house, [row(NEW), row(NEW + 1), twins[2]])
    assert (earned(house)[0][0], replaced(house)) == (3, [(1, NEW), (2, NEW + 1)])


@pytest.mark.more
def test_m02_one_new_id_stands_in_for_one_old_one(house: Workspace) -> None:
    """Three alike are gone and one came: two are withdrawn without another."""
    night(house, [row(1), row(2), row(3)])
    [said] = night(house, [row(NEW)])
    assert "1 of them came again under another id" in said
    assert (earned(house)[0][0], replaced(house)) == (3, [(1, NEW)])


@pytest.mark.more
def test_m02_a_row_that_is_alike_and_was_there_before_replaces_nothing(house: Workspace) -> None:
    """It is another sale, as one with other content is; what came later may have taken the other's place."""
    night(house, [row(1), row(2)])
    night(
        house, [row(2), row(3, payout=12), row(4, user_id="another"), row(5, date_time="2024-12-04 06:25:37")]
    )
    assert (earned(house)[0][0], replaced(house)) == (5, [])
    night(house, [row(2), row(6)])
    assert replaced(house) == []
    night(house, [row(6)])
    assert replaced(house) == [(2, 6)]


CURRENCIES: list[tuple[Any, Any, bool]] = [(None, "USD", True), ("eur", "EUR", True), (None, "EUR", False)]


@pytest.mark.more
@pytest.mark.parametrize(("before", "after", "same"), CURRENCIES)
def test_m02_money_in_another_currency_is_no_replacement(
    house: Workspace, before: Any, after: Any, same: bool
) -> None:
    """USD goes without saying."""
    night(house, [row(1, currency=before), row(2)])
    night(house, [row(3, currency=after), row(2)])
    assert replaced(house) == ([(1, 3)] if same else [])


TAKEN = [reversal(1, payout=1, user_id="user-1"), reversal(4, payout=4, user_id="user-4")]
ALL = (
    "select sum(payout), sum(reversed_payout), sum(net_payout), count(*) filter (where is_orphan) "
    "from besitos.conversions"
)


@pytest.mark.parametrize("together", [False, pytest.param(True, marks=pytest.mark.more)])
@pytest.mark.parametrize("counts", [pytest.param("true", marks=pytest.mark.more), "false"])
def test_m02_a_sale_that_was_taken_back_is_renumbered_with_its_reversal(
    make_house: MakeHouse, counts: str, together: bool
) -> None:
    """What was earned, what was taken back and what is left are as before, each walk a commit of its own or not."""
    house = make_house(besitos_withdrawn_counts=counts)
    if together:
        house.vendor = at_once()
    rows = sales()
    night(house, [*rows, *TAKEN])
    assert house.query(ALL) == [(55, 5, 50, 0)]
    again = [*renumbered(rows, 3), *renumbered(TAKEN, 1)]
    night(house, again)
    assert house.query(ALL) == [(55, 5, 50, 0)]
    assert replaced(house) == [(number, NEW + number) for number in (1, 2, 3)]
    assert night(house, again) == []
    night(house, [*rows, *TAKEN])
    assert house.query(ALL) == [(55, 5, 50, 0)]


@pytest.mark.more
def test_m02_a_reversal_that_names_the_old_id_takes_from_the_new_one(house: Workspace) -> None:
    """Once, also where one that names the new id comes beside it."""
    rows = sales()
    night(house, rows)
    night(house, renumbered(rows, 3))
    night(house, [*renumbered(rows, 3), TAKEN[0]])
    assert house.query(ALL) == [(55, 1, 54, 0)]
    night(house, [*renumbered(rows, 3), TAKEN[0], *renumbered(TAKEN, 1)[:1]])
    assert house.query(ALL) == [(55, 1, 54, 0)]


@pytest.mark.more
def test_m02_a_reversal_that_is_restated_replaces_no_sale(house: Workspace) -> None:
    """Another reward is another reversal of the same sale."""
    night(house, [*sales(), TAKEN[0]])
    [said] = night(house, [*sales(), {**TAKEN[0], "reward": 30}])
    assert said.endswith("withdrawn_events; it gave way to another reversal, which counts alone")
    assert replaced(house) == []


PLAYERS = """
    create table main.player_ids as select 'user-' || n as user_key, 'click-' || n as subid
    from range(1, 11) as numbers(n)
"""


def test_m02_what_was_sent_under_an_old_id_is_not_sent_anew(
    house: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays the row, and the transaction, that it was for the tracker; what is new goes once."""
    for name, value in house.sandbox.settings().items():
        if not name.startswith("BESITOS_"):
            monkeypatch.setenv(name, value)
    rows = sales()
    night(house, rows[:-1])
    with duckdb.connect(str(house.path)) as connection:
        connection.execute(PLAYERS)
    assert sent(house) == [str(number) for number in range(1, 10)]
    night(house, [*renumbered(rows[:-1], 3), rows[-1]])
    assert sent(house) == ["10"]
    night(house, rows)
    assert sent(house) == []


def sent(house: Workspace) -> list[str]:
    """The transactions that a send of the ready-made outbox posts to the tracker."""
    before = len(house.sandbox.requests)
    chosen = options("keitaro.conversions", outbox="besitos", since=FROM)
    report = send(
        Warehouse(house.path), targets()["keitaro.conversions"], chosen, lambda _: None, lambda _: None
    )
    assert (report.error, report.exit_code) == (None, 0)
    return sorted((one.query["tid"] for one in house.sandbox.requests[before:]), key=int)


def test_a_warehouse_of_an_earlier_version_has_the_column_after_a_load(house: Workspace) -> None:
    """`withdrawn_events` had no `replaced_by`: the next load adds it, and the view is right at once."""
    rows = sales()
    night(house, rows)
    night(house, rows[1:])
    forget_the_column(house)
    night(house, renumbered(rows[1:], 3))
    assert (earned(house), len(replaced(house))) == ([(10, Decimal(55), Decimal(55))], 3)


def forget_the_column(house: Workspace) -> None:
    """In the table, in the view, and in what dlt noted of the schema."""
    with duckdb.connect(str(house.path)) as connection:
        connection.execute(
            "drop view besitos.conversions; drop view besitos.reversals; drop view besitos.lateness"
        )
        connection.execute("alter table besitos.withdrawn_events drop column replaced_by")
        connection.execute("""
            update besitos._dlt_version set schema = json_merge_patch(
                schema, '{"tables": {"withdrawn_events": {"columns": {"replaced_by": null}}}}'
            )
        """)

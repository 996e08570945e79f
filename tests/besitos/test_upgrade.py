"""Reversals of an earlier version get this one's keys: nothing is stated anew, and the view says the same."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import duckdb
import pytest

from sources.besitos.upgrade import name_reversals
from tests.besitos.earlier import (
    KEYS,
    MEANT,
    NIGHTS,
    RESTATED,
    REVERSALS,
    STATEMENTS,
    UNNAMED,
    VIEW,
    WITHDRAWN,
)
from tests.besitos.rows import FROM, TO
from tests.support import Workspace, tables


@pytest.fixture
def old(house: Workspace) -> Workspace:
    """What an earlier version held after two nights, but for the keys."""
    for rows in NIGHTS:
        house.sandbox.besitos.rows = rows
        house.load(FROM, TO)
    changed(house, RESTATED)
    return house


def changed(house: Workspace, sql: str) -> None:
    """The warehouse, after these statements."""
    with duckdb.connect(str(house.path)) as connection:
        connection.execute(sql)


def all_of(house: Workspace) -> list[Any]:
    """Statements, what is withdrawn, and the view."""
    return [house.query(one) for one in (STATEMENTS, WITHDRAWN, VIEW)]


def test_keys_get_their_rewards_and_nothing_is_stated_anew(old: Workspace) -> None:
    """Each statement its own; what is withdrawn follows the one that stands. The loads after it add nothing."""
    before = all_of(old)
    assert [key for key, *_ in before[0]] == KEYS
    assert old.query(REVERSALS) == MEANT
    changed(old, UNNAMED)
    assert (
        len({key for [key] in old.query("select event_key from besitos.conversion_events")}) == len(KEYS) - 1
    )
    for _ in range(2):
        report = old.load(FROM, TO)
        assert (report.total("added"), report.total("restated"), report.exit_code) == (0, 0, 0)
        assert all_of(old) == before


@pytest.mark.more
def test_keys_that_had_no_time_either_are_named_in_one_go(old: Workspace) -> None:
    """Beside those that had one: statements, hashes and sums are as they were."""
    before = tables(old.path)
    changed(old, UNNAMED)
    oldest = "event_key = transaction_id || ':reversal', statement_hash = md5(event_key)"
    changed(old, f"update besitos.conversion_events set {oldest} where is_reversal and transaction_id = 2")
    assert old.load(FROM, TO).total("added") == 0
    assert tables(old.path) == before


def test_m01_what_an_earlier_version_lacked_comes_with_the_next_night(old: Workspace) -> None:
    """It held one of two of an instant, and set the other aside: now both count."""
    changed(old, UNNAMED)
    old.sandbox.besitos.rows = [*NIGHTS[-1], {**NIGHTS[0][6], "payout": 2, "reward": 20}]
    assert NIGHTS[0][6]["transaction_id"] == 1
    assert old.run(FROM, TO).exit_code == 0
    assert old.query("select reversals, net_payout from besitos.conversions where transaction_id = 1") == [
        (3, 13)
    ]


@pytest.mark.parametrize(("dialect", "asked"), [("duckdb", 1), ("postgres", 3)])
def test_where_there_is_nothing_to_name_it_is_one_question(dialect: str, asked: int) -> None:
    """On a PostgreSQL an index answers it, which is made beforehand."""

    said: list[str] = []

    class Client:
        def make_qualified_table_name(self, name: str) -> str:
            return name

        def execute_sql(self, query: str, *_values: Any) -> list[Any]:
            said.append(query)
            return []

        def begin_transaction(self) -> Any:
            return nullcontext()

    name_reversals(Client(), dialect)  # type: ignore[arg-type] # all that is asked of one
    assert len(said) == asked
    assert not [one for one in said if one.startswith("update")]

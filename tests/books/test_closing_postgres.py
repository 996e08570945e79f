"""The same books on a PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.books.conftest import Ledger
from tests.books.nights import Feed
from tests.books.test_as_of_postgres import night
from tests.dbt.cluster import Cluster, binary
from tests.support import Finished, command

pytestmark = [
    pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here"),
    pytest.mark.more,
]


def test_a_month_is_closed_corrected_explained_and_opened_on_a_server(
    make_ledger: Callable[..., Ledger], database: Cluster
) -> None:
    """Each with the right to write there; a dry run makes nothing."""
    house = make_ledger()

    def run(*arguments: str) -> Finished:
        where = {"DESTINATION__POSTGRES__CREDENTIALS": database.url, **house.environment}
        return command(*arguments, "--destination", "postgres", cwd=house.folder, environment=where)

    force = ("--force", "--why", "a test")
    nights: list[list[dict[str, Any]]] = list(Feed(6).tell(6))
    night(house, database, nights[0])
    tried = run("close", "2024-12", "--dry-run", *force)
    assert (tried.code, "would close 2024-12 of besitos" in tried.out) == (0, True), tried.err
    assert database.ask("select to_regclass('books.periods')") == [(None,)]
    closed = run("close", "2024-12", *force)
    assert closed.code == 0, closed.err
    sealed = database.ask("select * from books.reported order by 1, 5, 6, 7")
    assert sealed
    said = database.ask("select obj_description('books.periods'::regclass)")
    assert said[0][0].startswith("A row for each closing of a month")
    for rows in nights[1:]:
        night(house, database, rows)
        balanced = run("books")
        assert balanced.code == 0, balanced.out + balanced.err
    assert "(0 changes)" not in balanced.out
    assert database.ask("select * from books.reported order by 1, 5, 6, 7") == sealed
    explained = run("explain", "--period", "2024-12")
    assert (explained.code, explained.out.startswith("besitos ")) == (0, True), explained.err
    [[number]] = database.ask("select min(transaction_id) from besitos.conversion_events")
    life = run("explain", str(number))
    assert (life.code, life.out.startswith(f"besitos {number}, in ")) == (0, True), life.err
    opened = run("reopen", "2024-12", "--why", "a test")
    assert (opened.code, opened.out) == (0, "2024-12 of besitos is open again.\n"), opened.err
    assert run("close", "2024-12", *force).code == 0
    history = "select closing, reopened_why from books.periods order by 1"
    assert database.ask(history) == [(1, "a test"), (2, None)]

"""The same functions and changes on a PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from conversync.load import load
from conversync.vendors import LoadRequest, vendors
from conversync.warehouse.warehouse import Warehouse
from tests.books.conftest import Ledger
from tests.books.nights import FROM, TO, Feed
from tests.dbt.cluster import Cluster, binary
from tests.houses import environment
from tests.support import Quiet

pytestmark = [
    pytest.mark.skipif(binary("postgres") is None, reason="no PostgreSQL server is installed here"),
    pytest.mark.more,
]
FUNCTION = "besitos.conversions_as_of(timestamptz)"


def night(house: Ledger, database: Cluster, rows: list[dict[str, Any]]) -> None:
    """One load into the server."""
    house.sandbox.besitos.rows = rows
    with house.set(), environment({"DESTINATION__POSTGRES__CREDENTIALS": database.url}):
        asked = LoadRequest(FROM, TO, 400)
        [report] = load(Warehouse(house.path, "postgres"), [vendors()["besitos"]], asked, Quiet())
    if report.error is not None:
        raise report.error


def only_for_the_analyst(database: Cluster) -> None:
    """Whoever else there is may not call it."""
    database.outside(
        f"revoke execute on function {FUNCTION} from public",
        f"grant execute on function {FUNCTION} to analyst",
    )


def may_call(database: Cluster) -> tuple[Any, ...]:
    """Whether the analyst may, and whether a guest may."""
    may = "has_function_privilege('{}', '" + FUNCTION + "', 'execute')"
    [rights] = database.ask(f"select {may.format('analyst')}, {may.format('guest')}")
    return rights


def test_any_night_can_be_asked_again_on_a_server(
    make_ledger: Callable[..., Ledger], database: Cluster
) -> None:
    """What the view said is what the function says, rights to it stay, and the changes add up to the same."""
    house = make_ledger(besitos_withdrawn_counts="false")
    said = []
    for number, rows in enumerate(Feed(1).tell(7)):
        night(house, database, rows)
        said.append((datetime.now(UTC), Counter(database.ask("select * from besitos.conversions"))))
        if not number:
            [[before]] = database.ask(f"select '{FUNCTION}'::regprocedure::oid::bigint")
            database.outside("create role analyst", "create role guest")
            only_for_the_analyst(database)
    for moment, then_said in said:
        then = f"timestamptz '{moment.isoformat()}'"
        assert Counter(database.ask(f"select * from besitos.conversions_as_of({then})")) == then_said
        lines = "occurred_on, currency, offer_id"
        books = database.ask(
            f"select {lines}, sum(gross_revenue), sum(reversed_revenue) from besitos.revenue_as_of({then}) "
            f"group by {lines} having sum(gross_revenue) <> 0 or sum(reversed_revenue) <> 0"
        )
        known = database.ask(
            f"select {lines}, sum(gross_change), sum(reversed_change) from besitos.revenue_changes "
            f"where known_at <= {then} group by {lines} having sum(gross_change) <> 0 or sum(reversed_change) <> 0"
        )
        assert Counter(books) == Counter(known)
        assert books
    assert database.ask(f"select '{FUNCTION}'::regprocedure::oid::bigint") == [(before,)]
    assert may_call(database) == (True, False)
    database.outside(f"drop function {FUNCTION}")
    database.outside(
        "create function besitos.conversions_as_of(moment timestamptz) returns int language sql as 'select 1'"
    )
    only_for_the_analyst(database)
    night(house, database, list(house.sandbox.besitos.rows or ()))  # type: ignore[arg-type] # objects, all of them
    assert Counter(database.ask("select * from besitos.conversions_as_of(now())")) == said[-1][1]
    assert may_call(database) == (True, False)

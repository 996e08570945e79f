"""D06: what we say to a destination is in its own dialect, and names its tables as dlt's client of it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

import tests.support  # noqa: F401 - settles dlt before it is imported

# isort: split
from dlt.common.configuration import resolve_configuration
from dlt.common.destination import Destination
from dlt.destinations.sql_client import SqlClientBase

from conversync.errors import SettingsError
from conversync.sandbox import Sandbox, World
from conversync.vendors import vendors
from conversync.warehouse import views
from tests.houses import environment

# Those that are let (see Warehouse.check_destination), have SQL of their own, and cannot be run here.
DESTINATIONS = ("snowflake", "bigquery", "mssql", "fabric", "redshift")


class Named(SqlClientBase[Any]):
    """dlt's rules for names, with a destination's own capabilities; it can ask nothing."""


Named.__abstractmethods__ = frozenset()


def client(destination: str) -> Any:
    """As dlt makes it for the dataset besitos, without the driver."""
    found = Destination.from_reference(destination)
    assert found is not None
    return Named(None, "besitos", "besitos_staging", found.capabilities())  # type: ignore[arg-type, abstract]


@pytest.fixture(scope="module")
def all_views() -> Iterator[Mapping[str, str]]:
    """Every view of every vendor."""
    with Sandbox(World(days=1)) as sandbox, environment(sandbox.settings()):
        yield {
            f"{vendor.name}.{name}": query
            for vendor in vendors().values()
            for name, query in vendor.views(
                resolve_configuration(vendor.settings(), sections=("sources", vendor.name))
            ).items()
        }


@pytest.mark.parametrize("destination", DESTINATIONS)
def test_d06_views_can_be_read_there_and_name_the_tables_that_are_there(
    all_views: Mapping[str, str], destination: str
) -> None:
    """Every view goes through the dialect's own parser, and each of its tables is called as dlt called it."""
    there = client(destination)
    dialect = there.capabilities.sqlglot_dialect
    assert len(all_views) > 9
    for name, query in all_views.items():
        tree = sqlglot.parse_one(
            views.portable(query, views.in_dataset(there, dialect), dialect),
            dialect=dialect,
            error_level=sqlglot.ErrorLevel.RAISE,
        )
        local = {cte.alias for cte in tree.find_all(exp.CTE)}
        named = [table.parts for table in tree.find_all(exp.Table) if table.name not in local and table.name]
        assert all(part.args["quoted"] for path in named for part in path), name
        paths = {tuple(part.name for part in path) for path in named}
        tables = views.tables_of(query)
        assert paths == {tuple(there.make_qualified_table_name_path(one, quote=False)) for one in tables}, (
            name
        )


def test_d06_snowflakes_names_are_in_upper_case() -> None:
    """The case that was reported: a schema in lower case, in quotes, is another one there."""
    there = client("snowflake")
    body = views.portable(
        "with local as (select * from windows) select * from local join windows using (stream)",
        views.in_dataset(there, "snowflake"),
        "snowflake",
    )
    assert body.count('"BESITOS"."WINDOWS"') == 2
    assert '"BESITOS"."LOCAL"' not in body


# Of the tables that views read, what decides how a sum is said.
KINDS = (
    ("windows", (("read_at", "timestamp"), ("window_start", "date"), ("pages", "bigint"), ("note", "text"))),
)


@pytest.mark.parametrize(
    "query",
    [
        "select percentile_cont(0.5) within group (order by pages) from windows",
        "select window_start + note from windows",
        "select cast(read_at as timestamp) at time zone 'EST' from windows",
        "select date_trunc('month', window_start) from windows",
    ],
)
def test_d06_what_a_dialect_has_no_words_for_is_refused(query: str) -> None:
    """Instead of a view that says something else."""
    with pytest.raises(SettingsError, match=r"MariaDB has no words|adds|no instant in a zone"):
        views.portable(query, str, "mysql", KINDS)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("window_start - 1", "`window_start` - INTERVAL (1) DAY"),
        ("window_start - cast(read_at at time zone 'EST' as date)", "DATEDIFF(`windows`.`window_start`, "),
        ("read_at at time zone 'EST'", "CONVERT_TZ(`windows`.`read_at`, '+00:00', 'EST')"),
        ("greatest(pages, 1)", "GREATEST(COALESCE(`windows`.`pages`, 1), COALESCE(1, `windows`.`pages`))"),
        ("note || 'a'", "CONCAT(`windows`.`note`, 'a')"),
        ("read_at < now()", "UTC_TIMESTAMP(6)"),
    ],
)
def test_d06_mariadb_is_told_what_duckdb_means(asked: str, said: str) -> None:
    """A date less a date is a number of days there only if it is said so, and the greatest of a null is a null."""
    assert said in views.portable(f"select {asked} as told from windows", str, "mysql", KINDS)

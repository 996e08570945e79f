"""Views: plain SQL beside its source, made portable and created anew after every load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def refresh(pipeline: Any, views: Mapping[str, str]) -> None:
    """Creates the views in the pipeline's dataset, replacing those of that name, each in one transaction."""
    with pipeline.sql_client() as client:
        dialect = client.capabilities.sqlglot_dialect or "duckdb"
        for name, query in views.items():
            target = client.make_qualified_table_name(name)
            body = portable(query, client.dataset_name, dialect)
            with client.begin_transaction():
                client.execute_sql(f"drop view if exists {target}")
                client.execute_sql(f"create view {target} as {body}")


def portable(query: str, dataset: str, dialect: str) -> str:
    """A query in DuckDB's dialect as one in `dialect`, its tables qualified with the dataset."""
    import sqlglot
    from sqlglot import exp

    tree = sqlglot.parse_one(query, read="duckdb")
    local = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if table.name not in local:
            table.set("db", exp.to_identifier(dataset, quoted=True))
    return tree.sql(dialect=dialect, comments=False)

"""Functions of a moment beside a vendor's views: table macros on DuckDB, SQL functions on PostgreSQL, else none.

They stand where the views stand, and are made when those are. One that is as it should be is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conversync.types import Pipeline, SqlClient
from conversync.vendors import Vendor
from conversync.warehouse import postgres_views, views
from conversync.warehouse.query import rows as told

FILE = "duckdb"


@dataclass
class Wanted:
    """The views and functions that a run is to make, each once."""

    views: dict[str, str]
    functions: dict[str, str]

    @classmethod
    def of(cls, vendor: Vendor, settings: Any) -> Wanted:
        """All of a vendor's."""
        return cls(dict(vendor.views(settings)), dict(vendor.functions(settings)))

    def make(self, pipeline: Pipeline) -> None:
        """Makes those whose tables the schema knows; what was made is wanted no more."""
        if not self.views and not self.functions:
            return
        pipeline.sync_schema()
        for name in views.refresh(pipeline, self.views):
            del self.views[name]
        for name in refresh(pipeline, self.functions):
            del self.functions[name]


def refresh(pipeline: Pipeline, functions: Mapping[str, str]) -> list[str]:
    """Makes the functions whose tables the schema knows, each in one transaction; the names of those that stand."""
    known = {name for name, table in pipeline.default_schema.tables.items() if table.get("columns")}
    made = [name for name, query in functions.items() if views.tables_of(query) <= known]
    with pipeline.sql_client() as client:
        dialect = client.capabilities.sqlglot_dialect or FILE
        for name in made if dialect in (FILE, postgres_views.SERVER) else ():
            body = views.portable(functions[name], views.in_dataset(client, dialect), dialect)
            if dialect == FILE:
                _make_macro(client, name, body)
            elif dialect == postgres_views.SERVER:
                _make_function(client, name, body)
    return made


def _make_macro(client: SqlClient, name: str, body: str) -> None:
    """DuckDB tells what it made of both texts."""
    target, other = client.make_qualified_table_name(name), f"{name}__other"
    client.execute_sql(f"create or replace temp macro {other}(moment) as table {body}")
    rows = told(client, _MACROS, name, client.dataset_name, other)
    client.execute_sql(f"drop macro table temp.{other}")
    if len(rows) == 1 or rows[0] != rows[1]:
        with client.begin_transaction():
            client.execute_sql(f"create or replace macro {target}(moment) as table {body}")


def _make_function(client: SqlClient, name: str, body: str) -> None:
    target = client.make_qualified_table_name(name)
    [[text]] = told(client, _TEXT, f"{target}(timestamptz)")
    if text == body:
        return
    with client.begin_transaction():
        other = client.make_qualified_table_name(f"{name}__other")
        given = "(select now() as moment) as given"
        client.execute_sql(
            f"create view {other} as select told.* from {given} cross join lateral ({body}) as told"  # noqa: S608
        )
        [[columns]] = told(client, _COLUMNS, other)
        client.execute_sql(f"drop view {other}")
        rights = told(client, _RIGHTS, target, f"{target}(timestamptz)")
        [[is_other]] = told(client, _IS_OTHER, f"TABLE({columns})", f"{target}(timestamptz)")
        if is_other:
            client.execute_sql(f"drop function {target}(timestamptz)")
        client.execute_sql(
            f"create or replace function {target}(moment timestamptz) returns table ({columns}) "
            f"language sql stable as $conversync${body}$conversync$"
        )
        if rights:
            # A new one is everybody's.
            client.execute_sql(f"revoke all on function {target}(timestamptz) from public")
        for (right,) in rights:
            client.execute_sql(right)


_MACROS = """
    select macro_definition from duckdb_functions()
    where (function_name = %s and schema_name = %s and database_name = current_database())
        or (function_name = %s and database_name = 'temp')
"""
_TEXT = "select (select prosrc from pg_proc where oid = to_regprocedure(%s))"
_COLUMNS = """
    select string_agg(quote_ident(attname) || ' ' || format_type(atttypid, null), ', ' order by attnum)
    from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped
"""
_IS_OTHER = """
    select coalesce((select pg_get_function_result(oid) <> %s from pg_proc where oid = to_regprocedure(%s)), false)
"""
# Those that others were given, as statements that give them.
_RIGHTS = """
    select format(
        'grant execute on function %%s(timestamptz) to %%s%%s', %s::text,
        case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
        case when a.is_grantable then ' with grant option' else '' end
    )
    from pg_proc as p cross join lateral aclexplode(p.proacl) as a
    where p.oid = to_regprocedure(%s) and a.grantee <> p.proowner
"""

"""What other people have of the models on a PostgreSQL, where dbt puts a new relation in the place of each old one.

Rights that somebody was given to a table would go with it: they are given again. A view of somebody's own over one
would be dropped without a word: while there are any, nothing is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from conversync.errors import SettingsError
from conversync.types import SqlClient
from conversync.warehouse.query import Rows

MOST_NAMED = 10


class Right(NamedTuple):
    """What a role may do with a relation, as we gave it."""

    schema: str
    name: str
    role: str
    privilege: str
    may_pass_on: bool


def refuse_views(rows: Rows, schemas: Sequence[str]) -> None:
    """SettingsError, with their names, where relations outside of these schemas are made of some within."""
    found = [str(name) for (name,) in rows(_VIEWS.format(schemas=_listed(schemas)))]
    if found:
        more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        raise SettingsError(
            f"{', '.join(found[:MOST_NAMED])}{more} {'is' if len(found) == 1 else 'are'} made of tables that a build "
            "puts others in the place of, and would be dropped with them; nothing was built. Drop "
            f"{'it' if len(found) == 1 else 'them'}, or make a table or a function of "
            f"{'it' if len(found) == 1 else 'them'} that reads the models when it is asked."
        )


def rights(rows: Rows, schemas: Sequence[str]) -> list[Right]:
    """All that we gave to others in these schemas."""
    return [Right(*row) for row in rows(_RIGHTS.format(schemas=_listed(schemas)))]


def give(client: SqlClient, wanted: Sequence[Right], there: set[str]) -> None:
    """Gives these rights again, to the relations that are still `there` (schema.name)."""
    for one in wanted:
        if f"{one.schema}.{one.name}" in there:
            place = ".".join(map(client.escape_column_name, (one.schema, one.name)))
            role = "public" if one.role == PUBLIC else client.escape_column_name(one.role)
            may = " with grant option" if one.may_pass_on else ""
            client.execute_sql(f"grant {one.privilege} on {place} to {role}{may}")


# How PostgreSQL's information schema calls everybody.
PUBLIC = "PUBLIC"
_RIGHTS = """
    select table_schema, table_name, grantee, privilege_type, is_grantable = 'YES'
    from information_schema.table_privileges
    where table_schema in ({schemas}) and grantor = current_user and grantee <> current_user
    order by 1, 2, 3, 4
"""
_VIEWS = """
    select distinct outer_space.nspname || '.' || outer_one.relname
    from pg_depend as held
    join pg_rewrite as rule on rule.oid = held.objid and held.classid = 'pg_rewrite'::regclass
    join pg_class as outer_one on outer_one.oid = rule.ev_class
    join pg_namespace as outer_space on outer_space.oid = outer_one.relnamespace
    join pg_class as inner_one on inner_one.oid = held.refobjid and held.refclassid = 'pg_class'::regclass
    join pg_namespace as inner_space on inner_space.oid = inner_one.relnamespace
    where inner_space.nspname in ({schemas}) and outer_space.nspname not in ({schemas})
    order by 1
"""


def _listed(schemas: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in schemas)

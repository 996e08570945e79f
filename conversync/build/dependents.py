"""Views of others over the models on a PostgreSQL, where dbt drops each old relation with all that stands on it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from conversync.errors import SettingsError
from conversync.warehouse.query import Rows

MOST_NAMED = 10


def refuse_views(rows: Rows, schemas: Sequence[str], models: Collection[str]) -> None:
    """SettingsError, with their names, where views of relations in these schemas are none of the models."""
    found = [
        f"{schema}.{name}"
        for schema, name in rows(_VIEWS.format(schemas=", ".join(f"'{name}'" for name in schemas)))
        if schema not in schemas or name not in models
    ]
    if found:
        more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        are, them = ("is", "it") if len(found) == 1 else ("are", "them")
        raise SettingsError(
            f"{', '.join(found[:MOST_NAMED])}{more} {are} made of tables that a build puts others in the place of, and "
            f"would be dropped with them; nothing was built. Drop {them}, or make a table or a function of {them} that "
            "reads the models when it is asked."
        )


_VIEWS = """
    select distinct above_in.nspname, above.relname
    from pg_depend as held
    join pg_rewrite as rule on rule.oid = held.objid and held.classid = 'pg_rewrite'::regclass
    join pg_class as above on above.oid = rule.ev_class
    join pg_namespace as above_in on above_in.oid = above.relnamespace
    join pg_class as below on below.oid = held.refobjid and held.refclassid = 'pg_class'::regclass
    join pg_namespace as below_in on below_in.oid = below.relnamespace
    where below_in.nspname in ({schemas}) and above.oid <> below.oid
    order by 1, 2
"""

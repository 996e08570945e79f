"""What this user may do on a server, asked before anything is asked of a vendor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from conversync.errors import SettingsError
from conversync.types import SqlClient
from conversync.warehouse import write_lock
from conversync.warehouse.query import Rows, rows

# What dlt calls the schema in which rows wait until they are merged, after its dataset.
STAGING = "_staging"
MOST_NAMED = 5


def refusal(said: str) -> str:
    """The sentence for a right that is missing; `said` is which, or what the destination says of it."""
    return (
        f"The destination does not allow this user what is needed ({said}). The dataset may belong to somebody "
        f"else: give the user in {write_lock.credentials_section()} the right to it (to own it, or to use, create "
        f"and write in it, and in the schema beside it whose name ends with {STAGING}), or name another user or "
        "database there."
    )


def check(client: SqlClient, schemas: Sequence[str]) -> None:
    """SettingsError if any of these schemas is neither there for this user to use and create in, nor to be made.

    `client` is an open sql_client; of other destinations than PostgreSQL nothing is known before it is tried.
    """
    if client.capabilities.sqlglot_dialect != "postgres":
        return
    missing = [
        f"to use the schema {name} and to create in it" if is_there else f"to create the schema {name}"
        for name, is_there, may in rows(client, _RIGHTS, list(schemas))
        if not may
    ]
    if missing:
        raise SettingsError(refusal(f"the right {' and '.join(missing)} is missing"))


def check_seen(rows: Rows, wanted: Callable[[str, str, bool], bool]) -> None:
    """SettingsError where a PostgreSQL has relations of which this user may read nothing, and that are `wanted`.

    That is asked with a schema, a name, and whether it has a comment, as all of our models have. The server's
    information_schema does not tell of such relations: who asks that would take them for missing.
    """
    hidden = dict.fromkeys(
        f"read {schema}.{name}" if is_let_in else f"use the schema {schema}"
        for schema, name, is_let_in, is_described in rows(_HIDDEN)
        if wanted(schema, name, is_described)
    )
    if hidden:
        named = list(hidden)[:MOST_NAMED]
        more = f" and {len(hidden) - len(named)} more" if len(hidden) > len(named) else ""
        raise SettingsError(
            f"The destination does not let this user read what is there (the right to {', to '.join(named)}{more} is "
            "missing): have the owner grant it (usage on the schema, select on all its tables, and those that come "
            f"later, by alter default privileges), or name another user in {write_lock.credentials_section()}."
        )


_HIDDEN = """
    select space.nspname, there.relname, has_schema_privilege(space.oid, 'usage'),
        obj_description(there.oid, 'pg_class') is not null
    from pg_class as there join pg_namespace as space on space.oid = there.relnamespace
    where there.relkind in ('r', 'p', 'v', 'm')
        and not (has_schema_privilege(space.oid, 'usage') and has_any_column_privilege(there.oid, 'select'))
    order by 1, 2
"""
_RIGHTS = """
    select wanted.name, there.oid is not null, coalesce(
        has_schema_privilege(there.oid, 'usage') and has_schema_privilege(there.oid, 'create'),
        has_database_privilege(current_database(), 'create')
    )
    from unnest(%s) with ordinality as wanted (name, number)
    left join pg_namespace as there on there.nspname = wanted.name
    order by wanted.number
"""

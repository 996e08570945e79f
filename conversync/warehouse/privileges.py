"""What this user may do on a server, asked before anything is asked of a vendor."""

from __future__ import annotations

from collections.abc import Sequence

from conversync.errors import SettingsError
from conversync.types import SqlClient
from conversync.warehouse.query import rows

# What dlt calls the schema in which rows wait until they are merged, after its dataset.
STAGING = "_staging"


def refusal(said: str) -> str:
    """The sentence for a right that is missing; `said` is which, or what the destination says of it."""
    return (
        f"The destination does not allow this user what is needed ({said}). The dataset may belong to somebody "
        "else: give the user in [destination.<name>.credentials] the right to it (to own it, or to use, create "
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


_RIGHTS = """
    select wanted.name, there.oid is not null, coalesce(
        has_schema_privilege(there.oid, 'usage') and has_schema_privilege(there.oid, 'create'),
        has_database_privilege(current_database(), 'create')
    )
    from unnest(%s) with ordinality as wanted (name, number)
    left join pg_namespace as there on there.nspname = wanted.name
    order by wanted.number
"""

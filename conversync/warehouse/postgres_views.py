"""Views of a PostgreSQL, which people read, have rights to, and build on: one that is as it should be is left alone.

What changed is replaced in place where the server lets it be (columns that come last). Else the view is made anew with
the rights that there were; but not if anything depends on it, which nobody but its owner can make anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from conversync.errors import ConversyncError, LockedError
from conversync.types import SqlClient
from conversync.warehouse.query import rows
from conversync.warehouse.sessions import NOT_HAD, WHO

# Where views are kept so.
SERVER = "postgres"
# Seconds for which readers of a view that changes may go on; those who come meanwhile wait behind us.
PATIENCE = 10.0
# PostgreSQL's codes: other columns than a view can be given in place, something depends on it.
OTHER_COLUMNS, NEEDED = "42P16", "2BP01"


def make(client: SqlClient, name: str, body: str) -> None:
    """The view `name` is what `body` says, from now on.

    LockedError where somebody reads it in a transaction that does not end; ConversyncError where it must be made anew
    and something depends on it: it is as it was, then.
    """
    from conversync.dlt_internals import DatabaseException

    try:
        if not _is(client, name, body):
            _replace(client, name, body)
    except DatabaseException as error:
        code = getattr(error.dbapi_exception, "pgcode", None)
        if code not in (NEEDED, NOT_HAD):
            raise
        place = f"{client.dataset_name}.{name}"
        raise (_needed if code == NEEDED else _held)(
            client, client.make_qualified_table_name(name), place
        ) from error


def _is(client: SqlClient, name: str, body: str) -> bool:
    """Whether the view says that already: the server tells what it made of both texts. Makes one that is not there."""
    target, other = (client.make_qualified_table_name(one) for one in (name, f"{name}__other"))
    with client.begin_transaction():
        [[there]] = rows(client, "select to_regclass(%s) is not null", target)
        if not there:
            client.execute_sql(f"create view {target} as {body}")
            return True
        client.execute_sql(f"create view {other} as {body}")
        [[same]] = rows(
            client, "select pg_get_viewdef(%s::regclass) = pg_get_viewdef(%s::regclass)", target, other
        )
        client.execute_sql(f"drop view {other}")
    return bool(same)


def _replace(client: SqlClient, name: str, body: str) -> None:
    from conversync.dlt_internals import DatabaseException

    target = client.make_qualified_table_name(name)
    try:
        with _changing(client):
            client.execute_sql(f"create or replace view {target} as {body}")
    except DatabaseException as error:
        if getattr(error.dbapi_exception, "pgcode", None) != OTHER_COLUMNS:
            raise
        with _changing(client):
            rights = rows(client, _RIGHTS, target, target)
            client.execute_sql(f"drop view {target}")
            client.execute_sql(f"create view {target} as {body}")
            for (right,) in rights:
                client.execute_sql(right)


@contextmanager
def _changing(client: SqlClient) -> Iterator[None]:
    with client.begin_transaction():
        client.execute_sql(f"set local lock_timeout = {int(PATIENCE * 1000)}")
        yield


def _needed(client: SqlClient, target: str, place: str) -> ConversyncError:
    names = ", ".join(str(name) for (name,) in rows(client, _DEPENDENTS, target, target)) or "something else"
    return ConversyncError(
        f"The view {place} has other columns in this version, and {names} depends on it, so it was left as it is. "
        f"Drop that, load again, and make it anew."
    )


def _held(client: SqlClient, target: str, place: str) -> LockedError:
    who = ", ".join(str(name) for (name,) in rows(client, _READERS, target)) or "a session"
    return LockedError(
        f"The view {place} is another one in this version, and could not be replaced within {PATIENCE:g} s: {who} has "
        "it open in a transaction. End that, and run it again."
    )


# Those that others were given, as statements that give them.
_RIGHTS = """
    select format(
        'grant %%s on %%s to %%s%%s', a.privilege_type, %s::text,
        case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
        case when a.is_grantable then ' with grant option' else '' end
    )
    from pg_class as c cross join lateral aclexplode(c.relacl) as a
    where c.oid = %s::regclass and a.grantee <> c.relowner
"""
_DEPENDENTS = """
    select distinct r.ev_class::regclass::text
    from pg_depend as d join pg_rewrite as r on r.oid = d.objid
    where d.classid = 'pg_rewrite'::regclass and d.refobjid = %s::regclass and r.ev_class <> %s::regclass
    order by 1
"""
_READERS = f"""
    select distinct {WHO}
    from pg_locks as l join pg_stat_activity as a on a.pid = l.pid
    where l.relation = %s::regclass and l.granted and a.pid <> pg_backend_pid()
    order by 1
"""  # noqa: S608 - our own words

"""What SQL that is not ours may do: read the tables of the warehouse, and nothing else.

A person's query is not ours, and neither is a view that somebody left in the warehouse, called as one of ours may be.
A DuckDB that we open therefore reaches no file but its own and those of the run, no address, no extension and no
secret that DuckDB keeps (`close`); on PostgreSQL a session that reads may only read (`reading`). A person's
text is one SELECT, runs with no say over the configuration, and for so long at most (`asked`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from conversync.errors import SettingsError
from conversync.types import Connection, Pipeline, SqlClient, Values
from conversync.warehouse import one_select, query_process
from conversync.warehouse.query import columns
from conversync.warehouse.views import MARIADB

if TYPE_CHECKING:
    from conversync.dlt_internals.postgres import Psycopg2SqlClient

# DuckDB's settings of a closed instance, which cannot be opened again while it is there.
CLOSED: Mapping[str, bool] = {
    "allow_persistent_secrets": False,
    "allow_community_extensions": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
    "enable_external_access": False,
}
# What it says then of a file, an address or an extension.
REFUSED = "disabled by configuration"
# What PostgreSQL says of whatever writes in a session, or at a server, that only reads.
ONLY_READS = "in a read-only transaction"
# What a person's query may spill to the disk, at most.
SPILL = "4GB"
QUERY_LIMITS = {"memory_limit": "150MB", "threads": 1}
_CURSOR = "conversync_outbox"
# Opened by the server out of a text, which it takes only if that is one query, whatever the text says.
_OPENED = f"""
    do $conversync$ declare asked refcursor := '{_CURSOR}';
    begin open asked no scroll for execute current_setting('conversync.query'); end $conversync$
"""
# Functions of PostgreSQL and its extensions that are not the same twice, but for those that change nothing, hold
# nothing up and reach for nothing. (A person's own are theirs, in a transaction that only reads.)
_MEDDLING = """
    select proname::text from pg_proc as called
    where proname = any(%s) and provolatile = 'v'
        and (pronamespace = 'pg_catalog'::regnamespace or exists (
            select 1 from pg_depend where classid = 'pg_proc'::regclass and objid = called.oid and deptype = 'e'))
        and proname not in ('random', 'random_normal', 'setseed', 'gen_random_uuid', 'uuidv4', 'uuidv7',
            'clock_timestamp', 'timeofday', 'currval', 'lastval', 'nextval')
    order by 1 limit 1
"""
_TRUSTED = """
    select rolname from pg_roles where rolname = current_user and (rolsuper or exists (
        select 1 from pg_roles as able where able.rolname in
            ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
            and pg_has_role(current_user, able.oid, 'member')))
"""


class Answers(Protocol):
    """What is read of a query: a cursor of DB-API 2.0."""

    @property
    def description(self) -> Sequence[Values]:
        """Its columns, each a tuple that begins with the name."""

    def fetchmany(self, size: int) -> list[Values]:
        """So many rows at most; none at the end."""


def close(connection: Connection, folder: Path | None = None) -> None:
    """Closes an open DuckDB, for good: of files, all its sessions reach its own, and those in `folder`."""
    if folder is not None:
        connection.execute("set global temp_directory = ?", [str(folder / "spill")])
        connection.execute("set global allowed_directories = ?", [[str(folder)]])
    for name, value in CLOSED.items():
        connection.execute(f"set global {name} = {value}")


# As these begin, MariaDB runs what is a comment to others.
_RUN_COMMENTS = ("/*!", "/*M!")


@contextmanager
def reading(pipeline: Pipeline) -> Iterator[SqlClient]:
    """A sql_client of dlt's that is open for as long as the block lasts, and may only read where that can be said."""
    client = reader(pipeline)
    with client:
        yield client


def reader(pipeline: Pipeline) -> SqlClient:
    """The same, not open yet."""
    client = pipeline.sql_client()
    if client.capabilities.sqlglot_dialect == "postgres":
        of_postgres = cast("Psycopg2SqlClient", client)
        credentials = of_postgres.credentials.copy()
        query = dict(credentials.query or {})
        # An option of the start holds after a `reset all`, which dlt says after each error.
        query["options"] = f"{query.get('options', '')} -cdefault_transaction_read_only=on".strip()
        credentials.query = query
        of_postgres.credentials = credentials
    return client


@contextmanager
def asked(client: SqlClient, query: str, seconds: float) -> Iterator[Answers]:
    """A person's query as a cursor (`description`, `fetchmany`) that is read within the block, `seconds` in all.

    SettingsError for a text that is no single SELECT, and where the time is over; the destination's own errors,
    as dlt has them, for what it refuses.
    """
    ways = {"duckdb": _of_duckdb, "postgres": _of_postgres, MARIADB: _of_mariadb}
    dialect = client.capabilities.sqlglot_dialect or "duckdb"
    clock = _Clock(seconds)
    try:
        with ways.get(dialect, _of_others)(client, query, clock) as cursor:
            yield _Timed(cursor, clock)
    except SettingsError:
        raise
    except Exception as error:
        if clock.over:
            raise SettingsError(
                f"The query took longer than {seconds:,g} seconds and was ended. Join its tables by "
                "their keys, ask for fewer days, or give it more time: send_query_seconds."
            ) from error
        raise


def trusted_role(client: SqlClient) -> str | None:
    """The role that a query runs as, where PostgreSQL lets it do more than reading tables."""
    if client.capabilities.sqlglot_dialect != "postgres":
        return None
    return next((str(name) for (name,) in client.execute_sql(_TRUSTED) or ()), None)


class _Clock:
    """Ends what runs when the time is over; until then, and after the block, it does nothing."""

    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds, more than none."""
        return max(self.until - time.monotonic(), 0.001)

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.until

    @contextmanager
    def ending(self, end: Callable[[], object]) -> Iterator[None]:
        """`end` is called when the time is over, from another thread."""
        timer = threading.Timer(self.left, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


class _Timed:
    """A cursor that has nothing more to say when the time is over."""

    def __init__(self, cursor: Answers, clock: _Clock) -> None:
        self._cursor = cursor
        self._clock = clock
        self.description: Sequence[Values] = cursor.description

    def fetchmany(self, size: int) -> list[Values]:
        """So many rows at most; none at the end. TimeoutError when the time is over."""
        if self._clock.over:
            raise TimeoutError
        return list(self._cursor.fetchmany(size))


@contextmanager
def _of_duckdb(client: SqlClient, query: str, clock: _Clock) -> Iterator[Answers]:
    connection = client.native_connection
    if path := _file_of(client):
        with query_process.asked(path, _told_to(connection), query, clock.until) as rows:
            yield rows
        return
    one_select.check(connection, query)
    # dlt has said its settings by now; from here on nobody changes any.
    if not connection.execute("select current_setting('lock_configuration')").fetchone()[0]:
        connection.execute(f"set global max_temp_directory_size = '{SPILL}'")
        connection.execute("set global lock_configuration = true")
    with clock.ending(connection.interrupt), client.execute_query(query) as cursor:
        yield cursor


def _file_of(client: SqlClient) -> str | None:
    """The file that another process may open beside us, where it is one that we only read."""
    from conversync.dlt_internals.duckdb import DuckDbCredentials

    own = client.credentials
    return str(own.database) if isinstance(own, DuckDbCredentials) and own.read_only else None


def _told_to(connection: Connection) -> dict[str, object]:
    """The settings of a session that decide what a query may, and what it means; for another instance of DuckDB."""
    asked = (
        "preserve_insertion_order",
        "TimeZone",
        "search_path",
        "temp_directory",
    )
    told = dict(
        connection.execute("select name, value from duckdb_settings() where name in (select unnest(?))", [list(asked)])
        .fetchall()
    )  # fmt: skip
    told["temp_directory"] = f"{told['temp_directory']}-of-query"
    # Whatever we may take, a person's query has as much as the system's limit on its process leaves room for.
    return {**told, **QUERY_LIMITS, "max_temp_directory_size": SPILL, **CLOSED}


class _Fetched:
    """PostgreSQL's cursor: rows are fetched from the server as they are taken."""

    def __init__(self, client: SqlClient, clock: _Clock) -> None:
        self._client = client
        self._clock = clock
        self._first: list[Values] | None = None
        self.description: Sequence[Values] = ()
        self._first = self.fetchmany(1)

    def fetchmany(self, size: int) -> list[Values]:
        """So many rows at most; none at the end."""
        if self._first:
            first, self._first = self._first, None
            return first
        _limit(self._client, self._clock)
        with self._client.execute_query(f"fetch forward {size:d} from {_CURSOR}") as cursor:
            self.description = cursor.description
            return list(cursor.fetchall())


@contextmanager
def _of_postgres(client: SqlClient, query: str, clock: _Clock) -> Iterator[Answers]:
    """A transaction that may only read, whatever the text is."""
    client.execute_sql("begin transaction isolation level repeatable read read only")
    try:
        if called := _called(query):
            one_select.refuse_calls({name for (name,) in client.execute_sql(_MEDDLING, called) or ()})
        client.execute_sql("select set_config('conversync.query', %s, true)", query)
        _limit(client, clock)
        client.execute_sql(_OPENED)
        yield _Fetched(client, clock)
    finally:
        client.execute_sql("rollback")


def _called(query: str) -> list[str]:
    """The names that stand before a bracket; none of a text that cannot be told apart, which the server will refuse."""
    import sqlglot

    try:
        tokens = sqlglot.tokenize(query, dialect="postgres")
    except sqlglot.errors.SqlglotError:
        return []
    calls = (before for before, after in pairwise(tokens) if after.token_type.name == "L_PAREN")
    names = ((one.text, one.token_type.name == "IDENTIFIER") for one in calls)
    return sorted({name if is_quoted else name.lower() for name, is_quoted in names})


def _limit(client: SqlClient, clock: _Clock) -> None:
    """Each time anew: a function that the query calls may have set another one."""
    client.execute_sql(f"set local statement_timeout = {int(clock.left * 1000) or 1:d}")


class _Named:
    """MariaDB's cursor, whose columns SQLAlchemy has."""

    def __init__(self, cursor: Any) -> None:
        self.fetchmany = cursor.fetchmany
        self.description: Sequence[Values] = [(name,) for name in columns(cursor)]


@contextmanager
def _of_mariadb(client: SqlClient, query: str, clock: _Clock) -> Iterator[Answers]:
    """A transaction that may only read, for so long; what the server would run of a comment is refused."""
    if any(mark in query for mark in _RUN_COMMENTS):
        raise one_select.no_select(["comment that the server runs"])
    client.execute_sql("set session transaction read only")
    client.execute_sql(f"set session max_statement_time = {clock.left:.3f}")
    try:
        with _of_others(client, query, clock) as cursor:
            yield _Named(cursor)
    finally:
        client.execute_sql("set session transaction read write")
        client.execute_sql("set session max_statement_time = default")


@contextmanager
def _of_others(client: SqlClient, query: str, _clock: _Clock) -> Iterator[Answers]:
    """Where the destination cannot be told to read only, the text is looked at, and the rights are its role's."""
    import sqlglot
    from sqlglot import exp

    try:
        found = sqlglot.parse(query, dialect=client.capabilities.sqlglot_dialect)
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise SettingsError(f"{one_select.UNREADABLE}: {reason}. Make it a view, and name that.") from None
    trees = [one for one in found if one is not None]
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise one_select.no_select([one.key for one in trees])
    if writes := trees[0].find(exp.Into, exp.DML, exp.DDL, exp.Command):
        raise one_select.no_select([f"{trees[0].key} with {writes.key}"])
    with client.execute_query(query) as cursor:
        yield cursor

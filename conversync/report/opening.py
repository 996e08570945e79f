"""The warehouse as the report reads it: a DuckDB file, a DuckLake, or a PostgreSQL, where the server adds up."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from conversync.dlt_errors import translate_errors
from conversync.errors import ConversyncError, LockedError, SettingsError
from conversync.load import pipeline_for
from conversync.monitor.views import STALE_HOURS
from conversync.report.reading import MARTS, Reader, Run
from conversync.types import SqlClient, Values
from conversync.warehouse import confined_sql, privileges
from conversync.warehouse.warehouse import Warehouse

SCHEMA = "marts"
# One thread: sums of floats come in one order, so that a report is the same twice.
LIMITS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "400MB",
    "threads": 1,
    "preserve_insertion_order": False,
}
# Seconds that a query may take on a server; it is said then, and the page that was there stays.
SECONDS = 600
# One state of all tables, whatever is loaded and built meanwhile, in which nothing can be written. A build that puts
# another mart in place of one waits for the report: what is new then would seem empty to the older state.
_BEGIN = (
    "begin transaction isolation level repeatable read read only",
    "set local timezone = 'UTC'",
    "set local statement_timeout = '{SECONDS}s'",
)
# What PostgreSQL says of a table, a column or a schema that is not there, and of a statement that took too long.
_MISSING, _TOO_LONG = ("42P01", "42703", "3F000"), "57014"


@contextmanager
def opened(
    warehouse: Warehouse, zones: Mapping[str, str], stale_hours: float = STALE_HOURS
) -> Iterator[Reader]:
    """The warehouse as a Reader; SettingsError where there is none, or nothing was built in it."""
    if warehouse.destination == "duckdb":
        with _file(warehouse.path) as run:
            yield Reader(run, zones, stale_hours, frozenset(_marts(run, warehouse)))
        return
    if warehouse.is_lake:
        with _lake(warehouse) as run:
            yield Reader(
                run, zones, stale_hours, frozenset(_marts(run, warehouse)), "a DuckDB shell on the lake"
            )
        return
    if not warehouse.is_postgres:
        raise SettingsError(f"The report reads DuckDB, PostgreSQL and DuckLake, and {warehouse} is none.")
    with _server(warehouse) as (run, marts):
        yield Reader(run, zones, stale_hours, marts, "psql on the warehouse's database")


def _marts(run: Run, warehouse: Warehouse) -> dict[str, str]:
    """The names of the marts, each with its kind; SettingsError where one is missing."""
    held = {str(name): str(kind) for name, kind in run(_MARTS)[1]}
    if lacking := sorted(MARTS - held.keys()):
        raise SettingsError(
            f"{warehouse} has no {', '.join(lacking)} in its schema {SCHEMA}, of which the report is "
            "made: run conversync build first."
        )
    return held


@contextmanager
def _file(path: Path) -> Iterator[Run]:
    import duckdb

    if not path.is_file():
        raise SettingsError(f"There is no warehouse {path} to report on: run conversync load first.")
    try:
        connection = duckdb.connect(str(path), read_only=True, config=LIMITS)
    except duckdb.Error as error:
        if "Could not set lock on file" in str(error):
            raise LockedError(
                f"Another run writes {path}; try again when it has ended, or report on the published copy."
            ) from None
        reason = str(error).splitlines()[0]
        raise SettingsError(f"{path} cannot be opened as a DuckDB file ({reason}).") from None

    def run(query: str) -> tuple[Sequence[str], Sequence[Values]]:
        cursor = connection.execute(query)
        return [column[0] for column in cursor.description], cursor.fetchall()

    # What does not fit into memory goes where nobody else reads, and is gone with the report.
    with tempfile.TemporaryDirectory(prefix="conversync-report-") as folder, connection:
        confined_sql.close(connection, Path(folder))
        connection.execute("set timezone = 'UTC'")
        try:
            yield run
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            raise _other_version(path, error) from error


@contextmanager
def _server(warehouse: Warehouse) -> Iterator[tuple[Run, frozenset[str]]]:
    from conversync.dlt_internals import DatabaseException

    with _client(warehouse) as client:
        try:
            yield from _within(client, warehouse)
        except DatabaseException as error:
            code = getattr(error.dbapi_exception, "pgcode", None)
            if code in _MISSING:
                raise _other_version(warehouse, error) from error
            if code == _TOO_LONG:
                raise ConversyncError(
                    f"A query of the report took longer than {SECONDS} seconds on {warehouse} and was ended: see "
                    "what keeps the server busy, or whether its tables were ever analyzed."
                ) from error
            raise


@contextmanager
def _lake(warehouse: Warehouse) -> Iterator[Run]:
    """One snapshot of all tables."""
    from conversync.dlt_internals import DatabaseException

    with _client(warehouse) as client, client.begin_transaction():
        for name, value in LIMITS.items():
            client.execute_sql(f"set global {name} = '{value}'")
        client.execute_sql("set timezone = 'UTC'")
        try:
            yield _runs(client)
        except DatabaseException as error:
            raise _other_version(warehouse, error) from error


@contextmanager
def _client(warehouse: Warehouse) -> Iterator[SqlClient]:
    with tempfile.TemporaryDirectory(prefix="conversync-report-") as folder, translate_errors():
        pipeline = pipeline_for(SCHEMA, warehouse.dlt_destination([SCHEMA], read_only=True), Path(folder))
        with confined_sql.reading(pipeline) as client:
            yield client


def _runs(client: SqlClient) -> Run:
    def run(query: str) -> tuple[Sequence[str], Sequence[Values]]:
        with client.execute_query(query) as cursor:
            return [column[0] for column in cursor.description], cursor.fetchall()

    return run


def _within(client: SqlClient, warehouse: Warehouse) -> Iterator[tuple[Run, frozenset[str]]]:
    run = _runs(client)
    privileges.check_seen(lambda query: run(query)[1], _is_ours)
    marts = _marts(run, warehouse)
    for statement in _BEGIN:
        client.execute_sql(statement.format(SECONDS=SECONDS))
    try:
        tables = (f'{SCHEMA}."{name}"' for name, kind in marts.items() if kind == "BASE TABLE")
        client.execute_sql(f"lock table {', '.join(tables)} in access share mode")
        yield run, frozenset(marts)
    finally:
        client.execute_sql("rollback")


def _is_ours(schema: str, name: str, is_described: bool) -> bool:
    return schema == SCHEMA and (is_described or name in MARTS)


def _other_version(place: object, error: Exception) -> ConversyncError:
    return ConversyncError(
        f"The marts of {place} are not what this version builds ({str(error).splitlines()[0]}): "
        "run conversync build --full-refresh."
    )


_MARTS = f"""
    select table_name, table_type from information_schema.tables
    where table_catalog = current_database() and table_schema = '{SCHEMA}' order by table_name
"""  # noqa: S608 - our own name

"""A load looks at what it has committed: each event that came has one open statement, and it is the one that came.

What was loaded lies in its files, or in the staging tables, until it was looked at, so this costs as much as the rows
that came.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conversync.errors import ConversyncError
from conversync.settings import dlt_settings
from conversync.vendors import Vendor
from conversync.warehouse import duckdb_limits, merging, schema_drift, unstaged

# Beside the row of a load that failed, `_dlt_loads` gets a second one with this status, which no reader counts.
IN_DOUBT = 1
# A table of so many times the rows that came is not read whole to look at those.
MANY_MORE = 2


@contextmanager
def staged_rows_kept() -> Iterator[None]:
    """A load within leaves its rows in the staging tables, and its files; `clear_staging` is the caller's duty."""
    as_ever = {
        name: dlt_settings.FIXED[name] for name in ("truncate_staging_dataset", "delete_completed_jobs")
    }
    dlt_settings.FIXED.update(dict.fromkeys(as_ever, False))
    try:
        yield
    finally:
        dlt_settings.FIXED.update(as_ever)


def clear_staging(pipeline: Any, loads: Sequence[str]) -> None:
    """Empties the staging tables, as a load of dlt's would, and removes the files of these loads."""
    storage = pipeline._get_load_storage()  # noqa: SLF001 - dlt names it nowhere else
    for load in loads:
        storage.delete_loaded_package(load)
    names = pipeline.default_schema.data_table_names(seen_data_only=True)
    with pipeline.destination_client() as client:
        if unstaged.is_merged_so(client):
            unstaged.drop_copies(client)
        elif tables := [name for name in names if client.should_load_data_to_staging_dataset(name)]:
            with client.with_staging_dataset() as staging:
                staging.initialize_storage(truncate_tables=tables)


def check(pipeline: Any, vendor: Vendor, loads: Sequence[str], counts: Mapping[str, int]) -> None:
    """Looks at the loads just committed, whose rows by table are `counts`.

    Raises ConversyncError where a statement stands twice or is missing, or where the evidence tells of other rows. The
    loads then move no cursor and are no evidence, so the next run reads the same days again; it is told first.
    """
    # A catalog in a file of DuckDB's (DuckLake) lets in one session at a time: this one ends before the next begins.
    with pipeline.destination_client() as destination:
        staged = {table for table in counts if destination.should_load_data_to_staging_dataset(table)}
    with pipeline.sql_client() as client:
        duckdb_limits.let_go_of_pages(client)
        merging.find_by_index(client)
        wrong = next(_wrong(client, pipeline, vendor, loads, counts, staged), None)
        if wrong is not None:
            _doubt(client, loads)
    if wrong is not None:
        raise ConversyncError(_sentence(vendor, wrong))


def refuse_what_is_in_doubt(pipeline: Any, vendor: Vendor) -> None:
    """Raises ConversyncError while what an earlier load was told for still stands; forgets it where it was mended."""
    from conversync.dlt_internals import DestinationUndefinedEntity

    with pipeline.sql_client() as client:
        place = client.make_qualified_table_name("_dlt_loads")
        try:
            loads = client.execute_sql(f"select load_id from {place} where status = {IN_DOUBT}")  # noqa: S608 - our own names
        except DestinationUndefinedEntity:
            return
    if not loads:
        return
    with pipeline.destination_client() as destination:
        tables = schema_drift.noted(destination, vendor.name)
        client = destination.sql_client
        for table in vendor.statements.keys() & tables.keys():
            if twice := doubled(client, table, key_of(tables[table])):
                raise ConversyncError(
                    _sentence(vendor, f"{twice:,} events of {table} have several open rows")
                )
        client.execute_sql(f"delete from {place} where status = {IN_DOUBT}")  # noqa: S608 - as above


def key_of(columns: Mapping[str, Mapping[str, Any]]) -> str:
    """The column by which statements are told apart as those of one event; where there is none, their own hash."""
    for hint in ("merge_key", "x-row-version"):
        for name, column in columns.items():
            if column.get(hint):
                return name
    raise ValueError("not a table of statements")


def hash_of(columns: Mapping[str, Mapping[str, Any]]) -> str:
    """The column that is another as soon as anything is stated anew."""
    return next(name for name, column in columns.items() if column.get("x-row-version"))


def doubled(client: Any, table: str, key: str) -> int:
    """How many events of the whole table have more than one open statement."""
    place = client.make_qualified_table_name(table)
    query = (
        f"select count(*) from (select {key} from {place} where valid_to is null "  # noqa: S608 - our own names
        f"group by {key} having count(*) > 1) as several"
    )
    [[count]] = client.execute_sql(query)
    return int(count)


def _sentence(vendor: Vendor, wrong: str) -> str:
    return (
        f"After the load, {vendor.label} is not as it should be: {wrong}. Nothing more of it is loaded until that is "
        f"mended: run conversync verify {vendor.label} --repair."
    )


def _wrong(
    client: Any,
    pipeline: Any,
    vendor: Vendor,
    loads: Sequence[str],
    counts: Mapping[str, int],
    staged_tables: Collection[str],
) -> Iterator[str]:
    """What is not as it should be, in words; `staged_tables` are those whose rows came by a staging table."""
    ids = ", ".join(f"'{load}'" for load in loads)
    for table in sorted(vendor.statements.keys() & counts.keys()):
        columns = pipeline.default_schema.tables[table]["columns"]
        place, staged_in = client.get_qualified_table_names(table)
        if table not in staged_tables:
            staged_in = unstaged.rows_of(place, _files(pipeline, table, loads))
        names = merging.Names(place, staged_in, key_of(columns), hash_of(columns), "valid_to")
        [[staged]] = client.execute_sql(_STAGED.format(**names._asdict()))
        if not _adds_up(client, names) and (told_of := _not_one_each(client, names, staged)):
            yield f"{told_of[0]:,} events of {table} have not one open row each, such as {told_of[1]}"
        if staged != counts[table]:
            yield f"{counts[table]:,} rows of {table} were read, and {staged:,} were loaded"
        if table in vendor.days and (told := _told(client, ids)) and not told[0] <= staged <= told[1]:
            yield f"the evidence tells of {told[1]:,} rows of {table}, and {staged:,} were loaded"
    if counts.get("windows"):
        place = client.make_qualified_table_name("windows")
        query = f"select count(*) from {place} where _dlt_load_id in ({ids})"  # noqa: S608 - our own names
        [[rows]] = client.execute_sql(query)
        if rows != counts["windows"]:
            yield f"{counts['windows']} rows of evidence were written, and {rows} stand"


def _adds_up(client: Any, names: merging.Names) -> bool:
    """Whether each event came once, and as many rows are open of them, with the same sums of all keys and hashes.

    Then they are the same, but for one chance in 2**64; they need not be compared one by one, which costs twice as
    much. False where the destination has no such sums.
    """
    dialect = client.capabilities.sqlglot_dialect
    if dialect != merging.ROWS_HAVE_NUMBERS:
        return False
    sums = merging.SUMS.format(**names._asdict())
    query = "select {sums} from {rows} as these"
    [[events, *came]] = client.execute_sql(
        query.format(sums=f"count(distinct {names.key}), {sums}", rows=names.staged)
    )
    [[every]] = client.execute_sql(query.format(sums="count(*)", rows=names.table))
    if every <= MANY_MORE * came[0]:
        # Where no other row is open, they need not be looked up.
        rows = f"(select {names.key}, {names.hash} from {names.table} where {names.to} is null)"  # noqa: S608 - our own names
        [held] = client.execute_sql(query.format(sums=sums, rows=rows))
        if tuple(held) == tuple(came):
            return bool(events == came[0])
    [held] = client.execute_sql(query.format(sums=sums, rows=f"({merging.open_rows(names, dialect)})"))
    return bool(events == came[0] and tuple(held) == tuple(came))


def _not_one_each(client: Any, names: merging.Names, staged: int) -> tuple[int, str] | None:
    """How many of the events that came have not just the one open row that came, and one of them; None where all do."""
    with _open_rows(client, names) as open_:
        [found] = client.execute_sql(_FOUND.format(**names._asdict(), open=open_))
        if tuple(int(one or 0) for one in found) == (staged, staged, staged):
            return None
        [[events, example]] = client.execute_sql(_EXAMPLES.format(**names._asdict(), open=open_))
        return int(events), str(example)


@contextmanager
def _open_rows(client: Any, names: merging.Names) -> Iterator[str]:
    """The open rows of the events that came, as what can stand after FROM.

    DuckDB would hold what it looks them up by beside what it compares them with, for a million more than its memory.
    """
    dialect = client.capabilities.sqlglot_dialect or ""
    query = merging.open_rows(names, dialect)
    if dialect != merging.ROWS_HAVE_NUMBERS:
        yield f"({query})"
        return
    client.execute_sql(f"create or replace temporary table {_LOOKED_AT} as {query}")
    try:
        yield _LOOKED_AT
    finally:
        client.execute_sql(f"drop table {_LOOKED_AT}")


def _files(pipeline: Any, table: str, loads: Sequence[str]) -> list[Path]:
    """The files in which the rows of a table came, where they are merged as they lie."""
    storage = pipeline._get_load_storage().loaded_packages  # noqa: SLF001 - as above
    folders = [
        Path(storage.storage.make_full_path(storage.get_job_state_folder_path(load, "completed_jobs")))
        for load in loads
    ]
    return sorted(file for folder in folders for file in folder.glob(f"{table}.*.parquet"))


def _told(client: Any, ids: str) -> tuple[int, int] | None:
    """Of how many statements the evidence tells, at least and at most, since its pieces share days.

    None where two streams were read, or a piece in several passes: the evidence is that of the last pass, and what
    an earlier one brought is loaded, too.
    """
    place = client.make_qualified_table_name("windows")
    query = (
        "select count(distinct stream), max(walks), max(statements), sum(statements) "  # noqa: S608 - our own names
        f"from {place} where _dlt_load_id in ({ids})"
    )
    [[streams, scans, most, every]] = client.execute_sql(query)
    return (int(most or 0), int(every or 0)) if (streams, scans) == (1, 1) else None


def _doubt(client: Any, loads: Sequence[str]) -> None:
    """Takes the loads' word away, and notes that they are in doubt; all or nothing."""
    names = {"state": "_dlt_pipeline_state", "windows": "windows", "loads": "_dlt_loads"}
    places = {name: client.make_qualified_table_name(table) for name, table in names.items()}
    ids = ", ".join(f"'{load}'" for load in loads)
    with client.begin_transaction():
        for query in (_NO_STATE, _NO_EVIDENCE, _DOUBT):
            client.execute_sql(query.format(ids=ids, doubt=IN_DOUBT, **places))


_NO_STATE = "delete from {state} where _dlt_load_id in ({ids})"
_NO_EVIDENCE = "delete from {windows} where _dlt_load_id in ({ids})"
_DOUBT = """
    insert into {loads} (load_id, schema_name, status, inserted_at, schema_version_hash)
    select load_id, schema_name, {doubt}, inserted_at, schema_version_hash
    from {loads} where load_id in ({ids}) and status = 0
"""
_LOOKED_AT = "temp.conversync_looked_at"
_STAGED = "select count(*) from {staged}"
_FOUND = """
    select count(*), count(t.{key}), sum(case when t.{hash} = s.{hash} then 1 else 0 end)
    from {staged} as s left join {open} as t on t.{key} = s.{key}
"""
_EXAMPLES = """
    select count(*), min(wrong) from (
        select s.{key} as wrong
        from {staged} as s left join {open} as t on t.{key} = s.{key}
        group by s.{key} having count(t.{key}) <> 1 or max(t.{hash}) <> max(s.{hash})
    ) as several
"""

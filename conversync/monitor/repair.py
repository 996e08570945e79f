"""`conversync verify --repair`: what the comparison finds is mended, source by source, all or nothing.

A DuckDB file is copied, the copy is mended and compared anew, and only then takes the file's place: a kill or a failure
at any moment leaves the file as it was. Elsewhere the doubled statements go in one transaction, then the days are read
again as any load would.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from conversync.dlt_errors import translate_errors
from conversync.errors import ConversyncError, SettingsError
from conversync.extract.windows import DAY
from conversync.load import Progress, load_source, pipeline_for, restored
from conversync.monitor.verify import DIFFERENT, NOT_HERE, SEVERAL, Verified, compare
from conversync.settings import lookup
from conversync.turns import Alone
from conversync.types import Document, Pipeline, Settings, SqlClient
from conversync.vendors import LoadRequest, Vendor
from conversync.warehouse import commit_check, files, schema_drift, views
from conversync.warehouse.publish import copy_file
from conversync.warehouse.warehouse import Warehouse


def repair(
    warehouse: Warehouse,
    vendors: Sequence[Vendor],
    start: date,
    end: date,
    progress: Progress,
    wait: float = 0,
) -> list[Verified]:
    """Mends each source and compares it again; what comes out is that comparison, with what was done in `mended`.

    Doubled statements are mended on all days, short and different days between `start` and `end`. One source that
    cannot be mended is left as it was, with its `error`. SettingsError, LockedError as from a load.
    """
    chosen = {vendor.label: lookup.resolve(vendor.settings, vendor.label) for vendor in vendors}
    if not warehouse.exists():
        raise SettingsError(f"There is no warehouse at {warehouse}; `conversync load` makes it.")
    if warehouse.is_mariadb:
        raise SettingsError(
            f"verify --repair does not mend tables on {warehouse}: load the days that differ again, and mend by hand "
            "what verify tells then."
        )
    found = []
    with (
        translate_errors(),
        warehouse.locked(wait, "verify --repair", [one.dataset for one in vendors]) as folder,
    ):
        for vendor in vendors:
            one, own = Verified(vendor.label, start, end), folder / vendor.dataset
            try:
                with translate_errors(), _mended(warehouse, wait, own) as place:
                    one = _repair(place, vendor, chosen[vendor.label], one, progress, own)
            except Exception as error:  # noqa: BLE001 - the other sources are still mended; it is reported
                one.error, one.mended = error, []
            found.append(one)
    return found


def _repair(
    place: Warehouse, vendor: Vendor, chosen: Settings, days: Verified, progress: Progress, folder: Path
) -> Verified:
    start, end = days.start, days.end
    before = compare(place, vendor, chosen, start, end, progress, folder / "before")
    if before.error is not None:
        raise before.error
    destination = place.dlt_destination([vendor.dataset])
    pipeline = pipeline_for(vendor.dataset, destination, folder / "mending")
    with place.held(0, folder):
        mended = _mend(pipeline, vendor, chosen, before, progress)
    after = compare(place, vendor, chosen, start, end, progress, folder / "after")
    after.mended = mended
    if after.error is not None:
        raise after.error
    if after.count(NOT_HERE, DIFFERENT, SEVERAL) or after.missing_views:
        raise ConversyncError(
            "It could not be mended, and is as it was before: the vendor's answers change meanwhile, or somebody "
            f"altered the tables. See what differs with conversync verify {vendor.label}."
        )
    return after


def _mend(
    pipeline: Pipeline, vendor: Vendor, chosen: Settings, before: Verified, progress: Progress
) -> list[str]:
    """What was done, a sentence each."""
    start, end = before.start, before.end
    restored(pipeline, vendor.name)
    mended = list(_singled(pipeline, vendor))
    mended += _reopened(pipeline, vendor, before)
    mended += [f"the view {name} was made" for name in views.mend(pipeline, vendor.views(chosen))]
    if before.count(NOT_HERE, DIFFERENT):
        report = load_source(
            Alone(pipeline), vendor, chosen, LoadRequest(str(start - DAY), str(end + DAY)), progress
        )
        if report.error is not None:
            raise report.error
        rows = before.count(NOT_HERE, DIFFERENT)
        mended.append(f"{start} .. {end} were read again, for {rows:,} rows that were missing or different")
    commit_check.refuse_what_is_in_doubt(pipeline, vendor)
    return mended


def _singled(pipeline: Pipeline, vendor: Vendor) -> Iterator[str]:
    """Leaves one open statement of each event, and tells of each table where there were several."""
    with schema_drift.session(pipeline) as destination:
        tables = schema_drift.noted(destination, vendor.name)
        client = destination.sql_client
        for table in sorted(vendor.statements.keys() & tables.keys()):
            if events := commit_check.doubled(client, table, commit_check.key_of(tables[table])):
                _single(client, table, tables[table])
                yield f"{events:,} events of {table} had several open rows, and have one each now"


def _reopened(pipeline: Pipeline, vendor: Vendor, before: Verified) -> Iterator[str]:
    """Rows that somebody changed in place lose the hash of what they said: so the reading after it states them anew."""
    with schema_drift.session(pipeline) as destination:
        tables = schema_drift.noted(destination, vendor.name)
        client = destination.sql_client
        for found in (one for one in before.tables if one.altered):
            columns = tables[found.table]
            place, key = client.make_qualified_table_name(found.table), commit_check.key_of(columns)
            with client.begin_transaction():
                for number in range(0, len(found.altered), AT_ONCE):
                    keys = found.altered[number : number + AT_ONCE]
                    client.execute_sql(
                        _REOPENED.format(
                            table=place,
                            hash=commit_check.hash_of(columns),
                            key=key,
                            keys=", ".join(["%s"] * len(keys)),
                        ),
                        *keys,
                    )
            yield f"{len(found.altered):,} rows of {found.table} had been changed in place, and are history now"


AT_ONCE = 500
_REOPENED = """
    update {table} set {hash} = concat({hash}, ' altered') where valid_to is null and {key} in ({keys})
"""


def _single(client: SqlClient, table: str, columns: Document) -> None:
    names = {
        "key": commit_check.key_of(columns),
        "hash": commit_check.hash_of(columns),
        "table": client.make_qualified_table_name(table),
    }
    with client.execute_query(f"select * from {names['table']} where 1 = 0") as cursor:  # noqa: S608 - our own names
        held = [client.escape_column_name(one[0]) for one in cursor.description]
    names["columns"] = ", ".join(held)
    names["values"] = ", ".join(_CLOSED if one.strip('"') == "valid_to" else one for one in held)
    with client.begin_transaction():
        for query in (_KEPT, _EMPTIED, _FILLED, "drop table conversync_kept"):
            client.execute_sql(query.format(**names))


# Of equal statements that were open, or closed, at the same time, the first is kept. Of different ones that are open,
# the newest; the others end where it begins.
_CLOSED = "case when valid_to is null and place > 1 then newest else valid_to end as valid_to"
_KEPT = """
    create temporary table conversync_kept as
    with several as (
        select * from {table} where {key} in (
            select {key} from {table} where valid_to is null group by {key} having count(*) > 1
        )
    ),
    copies as (
        select *, row_number() over (partition by {key}, {hash}, valid_to order by valid_from, _dlt_load_id) as copy
        from several
    ),
    places as (
        select *,
            row_number() over (
                partition by {key}, case when valid_to is null then 1 else 0 end order by valid_from desc, {hash} desc
            ) as place,
            max(case when valid_to is null then valid_from end) over (partition by {key}) as newest
        from copies where copy = 1
    )
    select {values} from places where not (valid_to is null and place > 1 and valid_from = newest)
"""
_EMPTIED = "delete from {table} where {key} in (select {key} from conversync_kept)"
_FILLED = "insert into {table} ({columns}) select {columns} from conversync_kept"


@contextmanager
def _mended(warehouse: Warehouse, wait: float, folder: Path) -> Iterator[Warehouse]:
    """What may be changed at will, and takes the warehouse's place if all goes well."""
    folder.mkdir()
    if warehouse.destination != "duckdb":
        yield warehouse
        return
    with warehouse.held(wait, folder) as connection:
        connection.execute("force checkpoint")
    path = warehouse.path.resolve()
    copy, as_it_was = folder / path.name, path.stat()
    copy_file(path, copy)
    yield Warehouse(copy)
    with Warehouse(copy).held(0, folder) as connection:
        connection.execute("force checkpoint")
    _replace(warehouse, copy, as_it_was, wait, folder)


def _replace(warehouse: Warehouse, copy: Path, as_it_was: os.stat_result, wait: float, folder: Path) -> None:
    path = warehouse.path.resolve()
    # Held, so that no session that is open meanwhile writes to a file that is gone.
    with warehouse.held(wait, folder):
        now = path.stat()
        if (now.st_mtime_ns, now.st_size) != (as_it_was.st_mtime_ns, as_it_was.st_size):
            raise ConversyncError(
                f"Somebody wrote to {warehouse.path} meanwhile; it is as they left it. Run it again."
            )
        files.like(copy, path)
        files.sync(copy.parent)
        copy.replace(path)

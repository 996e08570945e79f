"""`conversync verify`: some days read again from the vendor, beside what the warehouse holds of them. Changes nothing.

What it finds, repair.py mends.

The reading goes through the same source into a scratch file that is removed; the warehouse is only read, and that
before the vendor is asked, so that a run may go on meanwhile.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pendulum

from conversync.dlt_errors import translate_errors
from conversync.errors import PARTIAL, SettingsError
from conversync.extract import persons, typed
from conversync.extract.declared import PAGE
from conversync.extract.windows import DAY
from conversync.extract.windows import day as a_day
from conversync.load import Progress, pipeline_for
from conversync.monitor.overview import dataset_of, opened
from conversync.settings import accounts, lookup
from conversync.table import Table
from conversync.types import Connection, Document, Settings
from conversync.vendors import LoadRequest, Vendor
from conversync.warehouse import confined_sql, tombstones, views
from conversync.warehouse.comparable_json import with_plain_history
from conversync.warehouse.warehouse import Warehouse

# Without dates: so many whole days up to yesterday.
DAYS = 7
# Differences that are kept of each table; the counts are of all.
KEPT = 1_000

# What says when a row was read, not what it says; `extra` is no part of a statement.
OF_THE_RUN = {"_dlt_load_id", "_dlt_id", "valid_from", "valid_to", "last_seen_at", "first_seen_at", "read_at"}
OF_THE_RUN |= {"extra", PAGE.name}
# Of a statement, what stands beside a column that says the same: user_key, occurred_at.
AS_WRITTEN = {"user_id", "date_time"}

# What can be wrong with a row.
NOT_HERE, NOT_THERE, DIFFERENT, SEVERAL = "not here", "not at the vendor", "different", "several times here"


@dataclass(frozen=True)
class Difference:
    """One row that is not the same: `what` is one of the four words above; `columns` are apart."""

    table: str
    key: str
    what: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Side:
    """Rows and sums of one table on one side; sums by group, as text, so that no cent is lost."""

    rows: int
    sums: dict[str, dict[str, str]]

    def sum(self, group: str, figure: str) -> Decimal:
        """One sum; 0 where there is no row of the group."""
        return Decimal(self.sums.get(group, {}).get(figure, "0"))


@dataclass
class TableVerified:
    """One table on both sides; `count` differences, of which the first are kept."""

    table: str
    vendor: Side
    here: Side
    count: int = 0
    differences: list[Difference] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)
    """How many of each kind."""
    altered: list[str] = field(default_factory=list)
    """The keys of rows that differ although their statement_hash is the vendor's: somebody changed them in place."""

    def add(self, difference: Difference, *, is_altered: bool) -> None:
        """One row that is not the same; `is_altered`: somebody changed it in place."""
        self.altered += [difference.key] if is_altered else []
        self.kinds[difference.what] = self.kinds.get(difference.what, 0) + 1
        if self.count < KEPT:
            self.differences.append(difference)
        self.count += 1

    @property
    def figures(self) -> list[tuple[str, str]]:
        """The groups and figures that either side has a sum of."""
        sides = (self.vendor.sums, self.here.sums)
        return sorted({(group, figure) for side in sides for group, sums in side.items() for figure in sums})

    @property
    def equal(self) -> bool:
        """Whether every row is the same, and so are all figures that a person is shown."""
        sums = all(self.vendor.sum(*one) == self.here.sum(*one) for one in self.figures)
        return not self.count and self.vendor.rows == self.here.rows and sums


@dataclass
class Verified:
    """What a comparison of one source came to; with an `error`, the vendor could not be read."""

    source: str
    start: date
    end: date
    note: str | None = None
    tables: list[TableVerified] = field(default_factory=list)
    missing_views: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)
    """What a repair did, in sentences without their full stops."""
    error: BaseException | None = None

    @property
    def exit_code(self) -> int:
        """0 where nothing differs."""
        if self.error is not None:
            return getattr(self.error, "exit_code", 1)
        return 0 if self.equal else PARTIAL

    @property
    def equal(self) -> bool:
        """Whether the warehouse says what the vendor says, and everything that should stands."""
        return not self.missing_views and all(table.equal for table in self.tables)

    def count(self, *kinds: str) -> int:
        """How many rows differ in one of these ways."""
        return sum(table.kinds.get(kind, 0) for table in self.tables for kind in kinds)


def days_asked(start: str | None, end: str | None, today: date | None = None) -> tuple[date, date]:
    """The days to compare, both included: as given, else the last seven whole ones (UTC)."""
    lookup.span(start, end, "--from", "--to")
    yesterday = (today or pendulum.now("UTC").date()) - DAY
    last = a_day(end, "--to") if end else yesterday
    first = a_day(start, "--from") if start else min(last, yesterday) - DAY * (DAYS - 1)
    if first > last:
        raise SettingsError(
            f"--from {first} comes after {last}, the last day that is compared without --to: name an earlier day."
        )
    return first, last


def verify(
    warehouse: Warehouse, vendors: Sequence[Vendor], start: date, end: date, progress: Progress
) -> list[Verified]:
    """Compares each source; one that cannot be read does not stop the others.

    SettingsError, before any request, where the warehouse is missing, or every source lacks a setting; LockedError
    where a run holds it and there is no copy.
    """
    resolved = lookup.resolve_each(vendors)
    with _scratch() as folder:
        return [
            compare(warehouse, vendor, resolved[vendor.label], start, end, progress, folder)
            for vendor in vendors
        ]


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for this one comparison, of this user alone, where dlt puts its temporary files too."""
    folder = Path(tempfile.mkdtemp(prefix="conversync-verify-"))
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)


def compare(
    warehouse: Warehouse,
    vendor: Vendor,
    chosen: Settings,
    start: date,
    end: date,
    progress: Progress,
    folder: Path,
) -> Verified:
    """Compares one source; dlt works in `folder`, which nothing else uses."""
    found = Verified(vendor.label, start, end)
    if isinstance(chosen, SettingsError):
        found.error = chosen
        return found
    with translate_errors(), opened(warehouse) as (readable, note):
        found.note = note
        here = _tables(readable, vendor, chosen, start, end, folder / "here")
        found.missing_views = _missing_views(readable, vendor, chosen, folder / "here")
        with confined_sql.reading(dataset_of(readable, vendor, folder / "here")[0]) as client:
            forgotten = tombstones.known(client)
    try:
        with translate_errors():
            scratch = Warehouse(folder / f"scratch_of_{vendor.dataset}.duckdb")
            with persons.heeded(forgotten):
                _read(scratch, vendor, chosen, start, end, progress, folder / "vendor")
            there = _tables(scratch, vendor, chosen, start, end, folder / "vendor")
            found.tables = [
                _compare(
                    compared,
                    there.get(compared.name),
                    here.get(compared.name),
                    holds_empty=warehouse.destination == "duckdb",
                )
                for compared in vendor.compared(chosen)
            ]
    except Exception as error:  # noqa: BLE001 - the other sources are still compared; it is reported
        found.error = accounts.placed(error, vendor.label)
    return found


def _read(
    scratch: Warehouse,
    vendor: Vendor,
    chosen: Settings,
    start: date,
    end: date,
    progress: Progress,
    folder: Path,
) -> None:
    """A day more at both ends is asked for: a vendor's last day may not be whole, nor its days in our zone."""
    today = pendulum.now("UTC").date()
    last = min(end + DAY, max(end, today))
    pipeline = pipeline_for(vendor.dataset, scratch.dlt_destination([vendor.dataset]), folder)
    folder.mkdir(parents=True, exist_ok=True)
    with scratch.held(0, folder), accounts.asked_for(vendor.label):
        for step in vendor.steps({}, chosen, LoadRequest(str(start - DAY), str(last))):
            progress.step(vendor.label, step.label)
            pipeline.run(step.source(partial(progress.page, vendor.label)))


def _tables(
    warehouse: Warehouse, vendor: Vendor, chosen: Settings, start: date, end: date, folder: Path
) -> Document:
    """The days' rows of every table to compare, as Arrow; without the tables that do not exist."""
    pipeline, _ = dataset_of(warehouse, vendor, folder)
    if not pipeline.default_schema_name:
        return {}
    known = set(pipeline.default_schema.data_table_names(seen_data_only=True))
    found = {}
    with confined_sql.reading(pipeline) as client:
        for compared in vendor.compared(chosen):
            if compared.name not in known:
                continue
            conditions = ["valid_to is null"] if compared.name in vendor.statements else []
            days: tuple[date, ...] = ()
            if compared.dated:
                column = client.escape_column_name(compared.dated)
                conditions.append(f"{column} >= %s and {column} < %s")
                days = (start, end + DAY)
            where = f" where {' and '.join(conditions)}" if conditions else ""
            place = client.make_qualified_table_name(compared.name)
            with client.execute_query(f"select * from {place}{where}", *days) as cursor:  # noqa: S608 - our own names
                found[compared.name] = typed.as_declared(cursor.arrow(), compared.schema)
    return found


def _missing_views(warehouse: Warehouse, vendor: Vendor, chosen: Settings, folder: Path) -> list[str]:
    """Views that cannot be read, though the source was loaded."""
    pipeline, _ = dataset_of(warehouse, vendor, folder)
    if not pipeline.default_schema_name:
        return []
    with confined_sql.reading(pipeline) as client:
        return list(views.missing(client, vendor.views(chosen)))


def _compare(compared: Table, there: Any, here: Any, *, holds_empty: bool) -> TableVerified:
    """Both sides in a DuckDB of their own; a table that one side lacks is empty there.

    A warehouse that does not hold empty texts holds none in their place: dlt's CSV files for servers do not tell them
    apart. There the vendor's are taken so, too.
    """
    import duckdb

    some = there if there is not None else here
    if some is None:
        return TableVerified(compared.name, Side(0, {}), Side(0, {}))
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("set timezone = 'UTC'")
        for name, rows in (("there", there), ("here", here)):
            connection.register(
                f"{name}_rows", with_plain_history(rows if rows is not None else some.slice(0, 0))
            )
            shown = "*" if holds_empty else _without_empty(connection, f"{name}_rows")
            connection.execute(
                f"create view {name} as select {shown} from {name}_rows where {compared.where}"  # noqa: S608
            )
        return _compared(connection, compared)


def _without_empty(connection: Connection, rows: str) -> str:
    """All columns as SQL, an empty text as none."""
    described = connection.execute(f"describe {rows}").fetchall()
    texts = [f'nullif("{name}", \'\') as "{name}"' for name, kind, *_ in described if kind == "VARCHAR"]
    return f"* replace ({', '.join(texts)})" if texts else "*"


def _compared(connection: Connection, compared: Table) -> TableVerified:
    there, here = (_columns(connection, side) for side in ("there", "here"))
    found = TableVerified(
        compared.name, _side(connection, compared, "there", there), _side(connection, compared, "here", here)
    )
    both = _Both(tuple(name for name in there if name in here), compared)
    connection.execute(_differing(both))
    for key, what, names, is_altered in iter(connection.fetchone, None):
        changed = tuple(names.split(",")) if what == DIFFERENT and names else ()
        found.add(Difference(compared.name, key, what, changed), is_altered=is_altered)
    return found


@dataclass(frozen=True)
class _Both:
    """The columns that both sides have."""

    names: tuple[str, ...]
    compared: Table

    @property
    def is_log(self) -> bool:
        """Whether it is a log of statements, each with the hash of what it states."""
        return "statement_hash" in self.names

    @property
    def key(self) -> str:
        """What a row is known by, as SQL for a text."""
        names = [name for name in self.names if name in self.compared.key]
        return " || ':' || ".join(f"coalesce(cast(\"{name}\" as varchar), '')" for name in names)

    @property
    def content(self) -> list[str]:
        """What a row says."""
        return [name for name in self.names if name not in OF_THE_RUN and name not in self.compared.key]

    @property
    def apart(self) -> str:
        """SQL for the names of what a row says otherwise, and null."""
        names = [name for name in self.content if name != "statement_hash"]
        cases = (f'case when t."{name}" is distinct from h."{name}" then \'{name}\' end' for name in names)
        return ", ".join(cases) or "null"

    @property
    def differ(self) -> str:
        """SQL for whether two rows state something else."""
        judged = [name for name in self.content if not (self.is_log and name in AS_WRITTEN)]
        return " or ".join(_differ(name, self.compared) for name in judged) or "false"


def _differing(both: _Both) -> str:
    """The question for what is not the same: key, what, columns, is_altered."""
    altered = "t.statement_hash = h.statement_hash" if both.is_log else "false"
    return f"""
        select distinct coalesce(t.key, h.key) as key,
            case when t.key is null then '{NOT_THERE}' when h.key is null then '{NOT_HERE}' else '{DIFFERENT}' end,
            concat_ws(',', {both.apart}), coalesce({altered}, false)
        from (select *, {both.key} as key from there) as t full join (select *, {both.key} as key from here) as h
            on t.key = h.key
        where t.key is null or h.key is null or {both.differ}
        union all
        select {both.key} as key, '{SEVERAL}', '', false from here group by 1 having count(*) > 1
        order by 1, 2
    """  # noqa: S608 - our own names


def _differ(name: str, compared: Table) -> str:
    """Whether the sides state something else in a column; a currency that goes without saying is as good as said."""
    if name == "currency" and compared.untold:
        return " is distinct from ".join(f"coalesce({side}.\"{name}\", '{compared.untold}')" for side in "th")
    return f't."{name}" is distinct from h."{name}"'


def _columns(connection: Connection, side: str) -> list[str]:
    return [str(row[0]) for row in connection.execute(f"describe {side}").fetchall()]


def _side(connection: Connection, compared: Table, side: str, columns: Sequence[str]) -> Side:
    sums = [name for name in compared.sums if name in columns]
    untold = f"'{compared.untold}'"
    by = [
        f"coalesce(cast({name} as varchar), {untold})" if name in columns else untold
        for name in compared.groups
    ]
    group = f"trim(concat_ws(' ', {', '.join(by)}))" if by else "''"
    figures = "".join(f', cast(coalesce(sum("{name}"), 0) as varchar)' for name in sums)
    query = f"select {group}, count(*){figures} from {side} group by 1 order by 1"  # noqa: S608 - our own names
    rows = connection.execute(query).fetchall()
    return Side(
        sum(row[1] for row in rows), {row[0]: dict(zip(sums, row[2:], strict=True)) for row in rows if sums}
    )

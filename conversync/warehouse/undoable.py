"""What a load takes away is kept until it is old, so that the load can be taken back (see conversync/undo).

Of a log of statements everything stays, and of what is only added nothing goes. Where rows are replaced (lists, whole
days, what was set aside), the merge first copies those that go into a table beside theirs, in its own transaction. A
row that a load wrote and replaced itself is not kept, and of each row one copy a load at most.

A load here is a run, whatever it commits: its `point` is the newest commit that stood when it began, and taking it back
is going back to its point. What a killed run left half done belongs to the load that comes after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

from conversync.extract.declared import INSTANT, STRING, Column, Table
from conversync.types import Pipeline, SqlClient
from conversync.warehouse.query import rows

# Of so many loads of a dataset what they took away is kept: a week of nights.
KEPT_LOADS = 7
# What can be taken back: where dlt merges in transactions that we know.
PLACES = ("dlt.destinations.duckdb", "dlt.destinations.postgres")
# The same by whose SQL is spoken there.
KEPT_BY = ("duckdb", "postgres")
PREFIX = "_undo_of_"
POINT = "_undo_point"
LOADS = Table(
    "_undo_loads",
    "The commits that can be taken back, and where that goes back to: see conversync undo.",
    (
        Column("load_id", STRING, "The commit, as _dlt_loads names it; not there: it was killed."),
        Column("point", STRING, "The newest commit before its load began; empty where there was none."),
        Column("noted_at", INSTANT, "When it was about to be made."),
    ),
    staged=None,
)
UNDONE = Table(
    "_undone_loads",
    "The loads that were taken back, by whom and why.",
    (
        Column("load_ids", STRING, "Its commits, with a comma between."),
        Column("undone_at", INSTANT, "When it was taken back."),
        Column("undone_by", STRING, "The user of the system that took it back."),
        Column("why", STRING, "What was said of it."),
        Column("told", STRING, "What went and what came back, as JSON text."),
    ),
    staged=None,
)
TABLES = (LOADS, UNDONE)

# By dataset and table, what this process's merges keep: the point of their load, and the columns.
_KEPT: dict[tuple[str, str], tuple[str, Sequence[str]]] = {}


def beside(table: Table) -> Table:
    """The table that keeps what loads replace of this one."""
    says = f"What loads replaced of {table.name}, to take them back by: see conversync undo."
    point = Column(POINT, STRING, "The newest commit before the load that replaced the row.")
    return Table(PREFIX + table.name, says, (point, *table.columns), staged=None)


def is_replaced(table: Any) -> bool:
    """Whether rows of a table, as dlt's schema has it, are replaced or deleted when others come."""
    return bool(table.get("write_disposition") == "merge" and _strategy(table) not in ("scd2", "insert-only"))


def _strategy(table: Any) -> str:
    return str(table.get("x-merge-strategy") or "delete-insert")


def create(client: SqlClient, table: Table) -> None:
    """Makes one of the tables above, where it is not there."""
    place = client.make_qualified_table_name(table.name)
    client.execute_sql(f"create table if not exists {place} ({table.definition})")


@dataclass
class Keeper:
    """Keeps what one run takes away. `point` is the newest commit before it."""

    point: str
    is_made: bool = False

    @classmethod
    def begin(cls, pipeline: Pipeline, point: str | None = None) -> Keeper:
        """For a run that has restored its state, and loaded nothing yet; of what began at a `point`, it is a part."""
        keep_what_is_replaced()
        return cls(newest(pipeline) if point is None else point)

    def keep(self, pipeline: Pipeline, loads: Iterable[str]) -> None:
        """These are about to be loaded; the schema is in the destination. Once a run, the tables are made for it."""
        if pipeline.destination.destination_type not in PLACES:
            return
        if not self.is_made:
            pipeline.sync_schema()
        with pipeline.sql_client() as client, client.begin_transaction():
            if not self.is_made:
                create(client, LOADS)
                self._make(client, pipeline)
            noted = client.make_qualified_table_name(LOADS.name)
            for load in loads:
                client.execute_sql(
                    f"insert into {noted} values (%s, %s, current_timestamp)",  # noqa: S608 - our own names
                    *(load, self.point),
                )
            if not self.is_made:
                _let_go(client)
        self.is_made = True

    def _make(self, client: SqlClient, pipeline: Pipeline) -> None:
        """A table beside each whose rows are replaced, with its columns."""
        there, tables = columns_of(client), pipeline.default_schema.tables
        for name in pipeline.default_schema.data_table_names(seen_data_only=False):
            if "_dlt_load_id" in there.get(name, ()) and is_replaced(tables[name]):
                _make_beside(client, name, there)
                # Where nothing stands there is nothing to keep.
                if rows(client, f"select 1 from {client.make_qualified_table_name(name)} limit 1"):  # noqa: S608
                    _KEPT[client.dataset_name, name] = self.point, list(there[name])


def _make_beside(client: SqlClient, name: str, there: Mapping[str, Mapping[str, str]]) -> None:
    place, kept = (client.make_qualified_table_name(one) for one in (name, PREFIX + name))
    had = there.get(PREFIX + name)
    if had is None:
        made = f"select cast('' as varchar) as {POINT}, t.* from {place} as t where 1 = 0"  # noqa: S608 - our own names
        client.execute_sql(f"create table {kept} as {made}")
        return
    for column, kind in there[name].items():
        if column not in had:
            client.execute_sql(f"alter table {kept} add column {client.escape_column_name(column)} {kind}")


@contextmanager
def within(pipeline: Pipeline) -> Iterator[None]:
    """A run keeps what it takes away until the block ends: the next one may write elsewhere, into such a dataset."""
    try:
        yield
    finally:
        for key in [key for key in _KEPT if key[0] == pipeline.dataset_name]:
            del _KEPT[key]


def newest(pipeline: Pipeline) -> str:
    """The newest whole commit of the dataset; empty where there is none."""
    from conversync.dlt_internals import DestinationUndefinedEntity

    with pipeline.sql_client() as client:
        place = client.make_qualified_table_name("_dlt_loads")
        try:
            [[found]] = rows(client, f"select max(load_id) from {place} where status = 0")  # noqa: S608 - our own names
        except DestinationUndefinedEntity:
            return ""
    return str(found or "")


def point_of(pipeline: Pipeline, load: str) -> str | None:
    """Where taking back a commit goes back to; None where that is not noted."""
    from conversync.dlt_internals import DestinationUndefinedEntity

    with pipeline.sql_client() as client:
        noted = client.make_qualified_table_name(LOADS.name)
        try:
            found = rows(client, f"select point from {noted} where load_id = %s", load)  # noqa: S608 - our own names
        except DestinationUndefinedEntity:
            return None
    return str(found[0][0]) if found else None


def columns_of(client: SqlClient) -> dict[str, dict[str, str]]:
    """The tables of the client's dataset, each with its columns and their types as SQL has them."""
    is_file = client.capabilities.sqlglot_dialect == "duckdb"
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in rows(client, _IN_FILE if is_file else _ON_SERVER, client.dataset_name):
        found.setdefault(table, {})[column] = kind
    return found


_IN_FILE = """
    select table_name, column_name, data_type from duckdb_columns()
    where database_name = current_database() and schema_name = %s
    and (schema_name, table_name) in (select (schema_name, table_name) from duckdb_tables())
    order by table_name, column_index
"""
_ON_SERVER = """
    select c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    join pg_attribute as a on a.attrelid = c.oid
    where n.nspname = %s and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
    order by c.relname, a.attnum
"""


def copies(client: SqlClient) -> list[str]:
    """The tables whose replaced rows are kept, by their own names."""
    if client.capabilities.sqlglot_dialect not in KEPT_BY:
        return []
    return [name.removeprefix(PREFIX) for name in columns_of(client) if name.startswith(PREFIX)]


def _let_go(client: SqlClient) -> None:
    """Of older loads nothing is kept any more."""
    noted = client.make_qualified_table_name(LOADS.name)
    points = rows(client, f"select distinct point from {noted} order by point desc limit {KEPT_LOADS + 1}")  # noqa: S608
    if len(points) <= KEPT_LOADS:
        return
    oldest = points[KEPT_LOADS - 1][0]
    client.execute_sql(f"delete from {noted} where point < %s", oldest)  # noqa: S608 - our own names
    for name in copies(client):
        kept = client.make_qualified_table_name(PREFIX + name)
        client.execute_sql(f"delete from {kept} where {POINT} < %s", oldest)  # noqa: S608 - as above


def keep_what_is_replaced() -> None:
    """From now on dlt's merges copy what they replace, for the tables that a `Keeper` made; once is enough."""
    from conversync.dlt_internals import SqlMergeFollowupJob

    theirs = SqlMergeFollowupJob.generate_sql.__func__  # type: ignore[attr-defined] # a classmethod has one
    if hasattr(theirs, "__wrapped__"):
        return

    @wraps(theirs)
    def generate_sql(cls: Any, table_chain: Sequence[Any], sql_client: Any) -> list[str]:
        return [*_copying(table_chain[0], sql_client), *theirs(cls, table_chain, sql_client)]

    SqlMergeFollowupJob.generate_sql = classmethod(generate_sql)  # type: ignore[method-assign, assignment]


def _copying(table: Any, client: SqlClient) -> list[str]:
    """The statement that keeps what the merge of a table is about to replace, on a line; none where nothing is kept."""
    point, columns = _KEPT.get((client.dataset_name, table["name"]), ("", ()))
    if not columns:
        return []
    place, staged = client.get_qualified_table_names(table["name"])
    kept = client.make_qualified_table_name(PREFIX + table["name"])
    held, replaced = ", ".join(map(client.escape_column_name, columns)), _replaced(table, staged, client)
    if client.capabilities.sqlglot_dialect == "duckdb":
        # The keys are read first, and of the others only where these were found.
        replaced = f"d.rowid in (select d.rowid from {place} as d where {replaced})"  # noqa: S608 - our own names
    came = f"select '{point}', {held} from {place} as d where {replaced} and d._dlt_load_id <= '{point}'"  # noqa: S608
    return [f"insert into {kept} ({POINT}, {held}) {came}"]


def _replaced(table: Any, staged: str, client: SqlClient) -> str:
    """The condition on a row `d` that the merge takes it away, or puts another one in its place."""
    from conversync.dlt_internals import get_columns_names_with_prop

    if _strategy(table) == "cdc":
        return "1 = 1"
    keys = [
        " and ".join(f"d.{one} = s.{one}" for one in map(client.escape_column_name, names))
        for names in (get_columns_names_with_prop(table, hint) for hint in ("primary_key", "merge_key"))
        if names
    ]
    return f"exists (select 1 from {staged} as s where {' or '.join(keys)})"  # noqa: S608 - as above

"""The questions that the report asks of the warehouse: a file each in queries/, and what came of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from string import Template

from conversync.errors import ConversyncError, LockedError, SettingsError
from conversync.monitor.views import STALE_HOURS, among, judged, text
from conversync.types import Connection, Values
from conversync.types import Row as Row
from conversync.vendors import InReport, in_report, is_list, known
from conversync.warehouse import confined
from conversync.warehouse.datasets import accounts

QUERIES = Path(__file__).parent / "queries"
# What several of them begin with: the state of each day of each stream.
DAY_STATES = Path(__file__).parent / "day_states.sql"
# What `conversync build` makes, and the report cannot do without; a vendor's section looks for its own.
MARTS = frozenset(
    (
        "conversions",
        "conversions_daily",
        "offer_performance",
        "readings",
        "reconciliation",
        "reversal_cohorts",
        "reversal_lookback",
    )
)

# One thread: sums of floats come in one order, so that a report is the same twice.
LIMITS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "400MB",
    "threads": 1,
    "preserve_insertion_order": False,
}


@dataclass(frozen=True)
class Answer:
    """What a query came to. `sql` is what ran: it runs as it stands in anybody's DuckDB shell on the same file."""

    name: str
    sql: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def of(self, **wanted: object) -> Answer:
        """The same, with only the rows that hold these values."""
        rows = tuple(row for row in self.rows if all(row[key] == value for key, value in wanted.items()))
        return Answer(self.name, self.sql, self.columns, rows)

    def pairs(self, *columns: str) -> list[Values]:
        """The different values of these columns, in order."""
        return list(dict.fromkeys(tuple(row[name] for name in columns) for row in self.rows))


@dataclass(frozen=True)
class Period:
    """The days of the report, both ends included, and when anything was last read."""

    first: date
    last: date
    newest_reading: datetime | None


@dataclass
class Reader:
    """An open warehouse, read only, with times in UTC. Every query is asked once."""

    connection: Connection
    zones: Mapping[str, str]
    stale_hours: float = STALE_HOURS
    marts: frozenset[str] = MARTS
    _answers: dict[Path, Answer] = field(default_factory=dict)
    _places: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._places |= {
            "rejected_rows": self._rejected_rows(),
            "ledgers": self._ledgers(),
            "withdrawn": self._withdrawn(),
            "days": self._days(),
            "goals": self._goals(),
            "lists": among(filter(is_list, self._datasets("windows", "read_at"))),
            "without_offer": _without_offer(self._datasets("windows", "read_at")),
            "judged": judged(self.stale_hours),
            "stale_seconds": f"{self.stale_hours * 3600:.0f}",
        }
        [row] = self.ask("period").rows
        self.period = Period(row["first_day"], row["last_day"], row["newest_reading"])
        self._places["first_day"] = f"date '{self.period.first}'"
        self._places["last_day"] = f"date '{self.period.last}'"
        self._places["day_states"] = self._filled(DAY_STATES)

    def ask(self, query: str | Path) -> Answer:
        """The answer to queries/`query`.sql, or to a vendor's own one, by its path without the ending."""
        file = (QUERIES / query).with_suffix(".sql")
        if file not in self._answers:
            sql = self._filled(file)
            cursor = self.connection.execute(sql)
            columns = tuple(column[0] for column in cursor.description)
            rows = tuple(dict(zip(columns, row, strict=True)) for row in cursor.fetchall())
            self._answers[file] = Answer(file.stem, sql, columns, rows)
        return self._answers[file]

    def _filled(self, file: Path) -> str:
        return Template(file.read_text(encoding="utf-8")).substitute(self._places).rstrip()

    def has(self, place: str) -> bool:
        """Whether the warehouse has tables for it, empty or not: `rejected_rows`, `withdrawn` or `ledgers`."""
        return bool(self._places[place])

    def is_behind(self) -> bool:
        """Whether something was loaded after the marts were built."""
        queries = (
            f"select max(read_at) from {_name(schema)}.windows where {_whole(schema)}"  # noqa: S608 - names from the catalogue
            for schema in self._datasets("windows", "read_at")
        )
        newest = [at for query in queries for (at,) in self.connection.execute(query).fetchall()]
        built = self.period.newest_reading
        return any(one is not None and (built is None or one > built) for one in newest)

    def _rejected_rows(self) -> str:
        resolving = self._datasets("rejected_rows", "resolved_at")
        columns = {
            schema: "*" if schema in resolving else "*, cast(null as timestamptz) as resolved_at"
            for schema in self._datasets("rejected_rows", "raw_hash")
        }
        return "\n    union all by name\n".join(
            f"    select {text(schema)} as source, {own} from {_name(schema)}.rejected_rows where {_whole(schema)}"  # noqa: S608 - names from the catalogue
            for schema, own in columns.items()
        )

    def _withdrawn(self) -> str:
        return "\n    union all\n".join(
            f"    select {text(schema)} as source, withdrawn_at from {_name(schema)}.conversions "  # noqa: S608 - as above
            "where withdrawn_at is not null"
            for schema in self._datasets("conversions", "withdrawn_at")
        )

    def _goals(self) -> str:
        """How the vendors that are there call the goals that conversions reached."""
        there = {*known(), *(source.dataset for source in accounts(self.connection))}
        there &= set(self._datasets("conversions", "goal_id"))
        queries = {name: Template(in_report(name).goals) for name in sorted(there)}
        told = {name: query.safe_substitute(dataset=_name(name)) for name, query in queries.items()}
        columns = "occurred_on, currency, offer_id, goal_id, goal"
        parts = [
            f"    select {text(name)} as account, {columns} from ({query}) as goals"  # noqa: S608 - the vendor's own
            for name, query in told.items()
            if query
        ]
        return "\n    union all\n".join(parts or [_NO_GOALS])

    def _days(self) -> str:
        """What every vendor's view `days` says (see conversync/monitor/views.py)."""
        viewed = self._datasets("days", "state")
        if lacking := [one for one in self._datasets("windows", "read_at") if one not in viewed]:
            raise ConversyncError(
                f"{lacking[0]} has readings, and no view {lacking[0]}.days, which tells which days are whole: "
                f"the next conversync load {lacking[0]} makes it."
            )
        return (
            "\n    union all\n".join(
                f"    select {text(schema)} as account, * from {_name(schema)}.days"  # noqa: S608 - as above
                for schema in viewed
            )
            or "    select * exclude (day_key) from marts.days where false"
        )

    def _ledgers(self) -> str:
        tables = self.connection.execute(_LEDGERS).fetchall()
        return "\n    union all\n".join(
            f"    select {text(table)} as target, send_key, status, attempts, reason, first_sent_at, sent_at "  # noqa: S608 - names from the catalogue
            f"from sent.{_name(table)} where {_whole('sent')}"
            for [table] in tables
        )

    def _datasets(self, table: str, column: str) -> list[str]:
        """The schemas that a loader wrote and that have such a table."""
        return [schema for [schema] in self.connection.execute(_DATASETS, [table, column]).fetchall()]


@contextmanager
def opened(warehouse: Path, zones: Mapping[str, str], stale_hours: float = STALE_HOURS) -> Iterator[Reader]:
    """The warehouse as a Reader; SettingsError where there is none, or nothing was built in it."""
    import duckdb

    if not warehouse.is_file():
        raise SettingsError(f"There is no warehouse {warehouse} to report on: run conversync load first.")
    try:
        connection = duckdb.connect(str(warehouse), read_only=True, config=LIMITS)
    except duckdb.Error as error:
        if "Could not set lock on file" in str(error):
            raise LockedError(
                f"Another run writes {warehouse}; try again when it has ended, or report on the published copy."
            ) from None
        reason = str(error).splitlines()[0]
        raise SettingsError(f"{warehouse} cannot be opened as a DuckDB file ({reason}).") from None
    # What does not fit into memory goes where nobody else reads, and is gone with the report.
    with tempfile.TemporaryDirectory(prefix="conversync-report-") as folder, connection:
        confined.close(connection, Path(folder))
        connection.execute("set timezone = 'UTC'")
        held = frozenset(name for [name] in connection.execute(_MARTS).fetchall())
        if MARTS - held:
            raise SettingsError(
                f"{warehouse} has no {', '.join(sorted(MARTS - held))} in its schema marts, of which the report is "
                "made: run conversync build first."
            )
        try:
            yield Reader(connection, zones, stale_hours, held)
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            raise ConversyncError(
                f"The marts of {warehouse} are not what this version builds ({str(error).splitlines()[0]}): "
                "run conversync build --full-refresh."
            ) from error


def _whole(schema: str) -> str:
    """dlt commits table by table: rows count only if their load is told of as whole."""
    return f"_dlt_load_id in (select load_id from {_name(schema)}._dlt_loads where status = 0)"  # noqa: S608 - as above


def _name(name: str) -> str:
    return name if name.isidentifier() and name.islower() else '"' + name.replace('"', '""') + '"'


def _without_offer(datasets: Iterable[str]) -> str:
    """The SQL expression for what earned without being an offer, by the account of offers."""
    named = {name: in_report(name).without_offer for name in datasets}
    told = "".join(
        f" when {text(name)} then {text(words)}"
        for name, words in named.items()
        if words != InReport.without_offer
    )
    other = text(InReport.without_offer)
    return f"case offers.account{told} else {other} end" if told else other


_NO_GOALS = """
    select null as account, current_date as occurred_on, null as currency, null as offer_id, null as goal_id,
        null as goal where false
""".strip("\n")
_MARTS = "select table_name from information_schema.tables where table_schema = 'marts'"
_LEDGERS = """
    select table_name from duckdb_columns()
    where schema_name = 'sent'
        and column_name in ('send_key', 'status', 'attempts', 'reason', 'first_sent_at', 'sent_at', '_dlt_load_id')
    group by table_name having count(*) = 7 order by table_name
"""
_DATASETS = """
    select columns.schema_name from duckdb_columns() as columns
    inner join duckdb_tables() as loads
        on columns.schema_name = loads.schema_name and loads.table_name = '_dlt_loads'
    where columns.table_name = ? and columns.column_name = ? and not ends_with(columns.schema_name, '_staging')
    order by columns.schema_name
"""

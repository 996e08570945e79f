"""The questions that the report asks of the warehouse: a file each in queries/, and what came of them.

They are written once, in SQL that DuckDB and PostgreSQL understand alike: texts are put in order by their bytes
(`collate "C"`), nulls come last, and what is not whole is a decimal or a quotient of two `double precision`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from string import Template

from conversync.errors import ConversyncError
from conversync.monitor.views import STALE_HOURS, among, judged, text
from conversync.types import Row as Row
from conversync.types import Values
from conversync.vendors import InReport, in_report, is_list, known
from conversync.warehouse.datasets import accounts
from conversync.warehouse.privileges import STAGING

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

# What runs a query: the names of its columns, and its rows.
Run = Callable[[str], tuple[Sequence[str], Sequence[Values]]]


@dataclass(frozen=True)
class Answer:
    """What a query came to. `sql` is what ran: it runs as it stands in anybody's shell on the same warehouse."""

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
    """An open warehouse, read only, with times in UTC. Every query is asked once.

    `shell` is what a person runs its queries in, in words.
    """

    run: Run
    zones: Mapping[str, str]
    stale_hours: float = STALE_HOURS
    marts: frozenset[str] = MARTS
    shell: str = "a DuckDB shell on the warehouse or its published copy"
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
            columns, found = self.run(sql)
            rows = tuple(dict(zip(columns, row, strict=True)) for row in found)
            self._answers[file] = Answer(file.stem, sql, tuple(columns), rows)
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
        newest = [at for query in queries for (at,) in self._rows(query)]
        built = self.period.newest_reading
        return any(one is not None and (built is None or one > built) for one in newest)

    def _rows(self, query: str) -> Sequence[Values]:
        return self.run(query)[1]

    def _rejected_rows(self) -> str:
        resolving = self._datasets("rejected_rows", "resolved_at")
        resolved = {True: "resolved_at", False: "cast(null as timestamp with time zone) as resolved_at"}
        return "\n    union all\n".join(
            f"    select {text(schema)} as source, {_REJECTED}, {resolved[schema in resolving]} "  # noqa: S608 - names from the catalogue
            f"from {_name(schema)}.rejected_rows where {_whole(schema)}"
            for schema in self._datasets("rejected_rows", "raw_hash")
        )

    def _withdrawn(self) -> str:
        return "\n    union all\n".join(
            f"    select {text(schema)} as source, withdrawn_at from {_name(schema)}.conversions "  # noqa: S608 - as above
            "where withdrawn_at is not null"
            for schema in self._datasets("conversions", "withdrawn_at")
        )

    def _goals(self) -> str:
        """How the vendors that are there call the goals that conversions reached."""
        there = {*known(), *(source.dataset for source in accounts(self._rows))}
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
                f"    select {text(schema)} as account, {_DAYS} from {_name(schema)}.days"  # noqa: S608 - as above
                for schema in viewed
            )
            or f"    select account, {_DAYS} from marts.days where false"  # noqa: S608 - our own names
        )

    def _ledgers(self) -> str:
        tables = self._rows(_LEDGERS)
        return "\n    union all\n".join(
            f"    select {text(table)} as target, send_key, status, attempts, reason, first_sent_at, sent_at "  # noqa: S608 - names from the catalogue
            f"from sent.{_name(table)} where {_whole('sent')}"
            for (table,) in tables
        )

    def _datasets(self, table: str, column: str) -> list[str]:
        """The schemas that a loader wrote and that have such a table."""
        query = _DATASETS.format(table=text(table), column=text(column), staging=text(STAGING))
        return [str(schema) for (schema,) in self._rows(query)]


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
    select
        cast(null as varchar) as account, current_date as occurred_on, cast(null as varchar) as currency,
        cast(null as varchar) as offer_id, cast(null as varchar) as goal_id, cast(null as varchar) as goal
    where false
""".strip("\n")
_REJECTED = "stream, reason, window_start, window_end, first_seen, last_seen, times_seen, raw_hash"
_DAYS = "stream, day, state, missing, window_start, window_end, read_at, last_read, is_current"
_LEDGERS = """
    select table_name from information_schema.columns
    where table_catalog = current_database() and table_schema = 'sent'
        and column_name in ('send_key', 'status', 'attempts', 'reason', 'first_sent_at', 'sent_at', '_dlt_load_id')
    group by table_name having count(*) = 7 order by table_name
"""
_DATASETS = """
    select columns.table_schema from information_schema.columns as columns
    inner join information_schema.tables as loads
        on columns.table_catalog = loads.table_catalog and columns.table_schema = loads.table_schema
        and loads.table_name = '_dlt_loads'
    where columns.table_catalog = current_database() and columns.table_name = {table} and columns.column_name = {column}
        and right(columns.table_schema, length({staging})) <> {staging}
    order by columns.table_schema
"""

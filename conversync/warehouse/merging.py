"""What a load changes is looked for by what came, never in the whole table.

dlt's own merge of statements (scd2) asks of every row that came whether any open row of the table states the same: with
fifty million of them that is more than the memory of a load. Here only the open rows of the events that came are
looked at. The rows that are closed and opened are dlt's, but for two events that state the same: each has its own row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, NamedTuple

# Where a row has a number by which it is found at once; what names its columns by is read by that number alone.
ROWS_HAVE_NUMBERS = "duckdb"
# Where rows are found by indexes (see indexes.py), if the planner thinks of a disk that seeks as fast as it reads on.
ROWS_HAVE_INDEXES = "postgres"
SEEKS_ARE_CHEAP = "random_page_cost = 1.1"


class Names(NamedTuple):
    """What a merge of statements is about, each as SQL: the tables, and the columns `key`, `hash` and `to`."""

    table: str
    staged: str
    key: str
    hash: str
    to: str

    @property
    def came(self) -> str:
        """The condition on a row of the table that it is open, and its event came."""
        return f"{self.to} is null and {self.key} in (select {self.key} from {self.staged})"  # noqa: S608 - our own names


def open_rows(names: Names, dialect: str) -> str:
    """The query for `key`, `hash` (and `place`, where rows have numbers) of the open rows of the events that came."""
    wanted = f"select {', '.join(dict.fromkeys([names.key, names.hash]))}"
    if dialect != ROWS_HAVE_NUMBERS:
        return f"{wanted} from {names.table} where {names.came}"
    # The keys are read first, and of the others only where these were found.
    return (
        f"{wanted}, rowid as place from {names.table} "  # noqa: S608 - our own names
        f"where rowid in (select rowid from {names.table} where {names.came})"
    )


def find_by_index(client: Any) -> None:
    """What this session asks from now on is looked up where there is an index for it."""
    if client.capabilities.sqlglot_dialect == ROWS_HAVE_INDEXES:
        client.execute_sql(f"set {SEEKS_ARE_CHEAP}")


def merge_by_what_came() -> None:
    """From now on dlt merges statements by what came, wherever it does it in SQL; once is enough."""
    from conversync.dlt_internals import SqlMergeFollowupJob

    theirs = SqlMergeFollowupJob.gen_scd2_sql.__func__  # type: ignore[attr-defined] # a classmethod has one
    if hasattr(theirs, "__wrapped__"):
        return

    @wraps(theirs)
    def gen_scd2_sql(cls: Any, table_chain: Sequence[Any], sql_client: Any) -> list[str]:
        made = [" ".join(one.split()) for one in theirs(cls, table_chain, sql_client)]
        names = _names(table_chain, sql_client)
        if names is None or made[-1] != _opening(made, _THEIRS_OPENS, names):
            return made
        is_plain = cls is SqlMergeFollowupJob and made[:-1] == [_closing(made, _THEIRS_CLOSES, names)]
        dialect = sql_client.capabilities.sqlglot_dialect if is_plain else None
        if dialect == ROWS_HAVE_NUMBERS:
            touched = cls._new_temp_table_name(table_chain[0]["name"], "open", sql_client)
            return _by_number(made, names, sql_client.escape_column_name(touched))
        return _by_key(made, names) if dialect == ROWS_HAVE_INDEXES else _narrowed(made, names)

    SqlMergeFollowupJob.gen_scd2_sql = classmethod(gen_scd2_sql)  # type: ignore[method-assign, assignment]


def _names(table_chain: Sequence[Any], client: Any) -> Names | None:
    """None for what is no log of statements about events: it has no key, several, empty ones, or tables below it."""
    from conversync.dlt_internals import get_columns_names_with_prop, get_validity_column_names

    table = table_chain[0]
    keys, hashes = (get_columns_names_with_prop(table, hint) for hint in ("merge_key", "x-row-version"))
    if len(table_chain) > 1 or len(keys) != 1 or len(hashes) != 1:
        return None
    if any(table["columns"][name].get("nullable", True) for name in (*keys, *hashes)):
        return None
    columns = [*keys, *hashes, get_validity_column_names(table)[1]]
    return Names(
        *client.get_qualified_table_names(table["name"]),
        *(client.escape_column_name(str(name)) for name in columns),
    )


# dlt's own conditions: where it has others, such as a filter or another mark of what is open, it knows why.
_THEIRS_CLOSES = (
    "{hash} NOT IN (SELECT {hash} FROM {staged}) AND {to} IS NULL AND {key} IN (SELECT {key} FROM {staged});"
)
_THEIRS_OPENS = "{hash} NOT IN (SELECT {hash} FROM {table} WHERE {to} IS NULL);"


def _closing(made: Sequence[str], condition: str, names: Names) -> str:
    """dlt's UPDATE, of the rows that are so."""
    return f"{made[0].partition(' WHERE ')[0]} WHERE {condition.format(**names._asdict())}"


def _opening(made: Sequence[str], condition: str, names: Names) -> str:
    """dlt's INSERT, of the rows `s` that are so."""
    return f"{made[-1].partition(' WHERE ')[0]} WHERE {condition.format(**names._asdict())}"


# So a question begins, among the statements of a merge, whether those after it would change nothing: then they may be
# left out, but for what drops a table.
NOTHING_TO_DO = "SELECT /* nothing to do? */"
# Two tables with the same hold the same pairs, but for one chance in 2**64.
SUMS = "count(*), bit_xor(hash({key}, {hash})), sum(hash({key}, {hash}))"
_PAIR = "length({of}{{hash}}) || ':' || {of}{{hash}} || {of}{{key}}"


def run_each(statements: Iterable[str], ask: Callable[[str], Any]) -> None:
    """Asks a merge's statements one after the other; what need not be done is left out."""
    is_done = False
    for statement in statements:
        if is_done and not statement.startswith("DROP"):
            continue
        found = ask(statement)
        if statement.startswith(NOTHING_TO_DO):
            [[is_done]] = found


def _by_number(made: Sequence[str], names: Names, touched: str) -> list[str]:
    sums = SUMS.format(**names._asdict())
    return [
        f"CREATE TEMPORARY TABLE {touched} AS {open_rows(names, ROWS_HAVE_NUMBERS)}",
        # Of few rows that cost next to nothing; of many, a tenth of what it saves where all came again.
        f"{NOTHING_TO_DO} (SELECT ({sums}) FROM {touched}) = (SELECT ({sums}) FROM {names.staged})",  # noqa: S608
        _closing(
            made,
            f"rowid IN (SELECT place FROM {touched} WHERE {{hash}} NOT IN (SELECT {{hash}} FROM {{staged}}))",  # noqa: S608
            names,
        ),
        _opening(
            made,
            # As one text: two would cost twice as much. With the hash's length before it no two pairs share one,
            # whatever somebody's own hash looks like.
            f"{_PAIR.format(of='s.')} NOT IN (SELECT {_PAIR.format(of='')} FROM {touched})",  # noqa: S608
            names,
        ),
        f"DROP TABLE {touched}",
    ]


def _by_key(made: Sequence[str], names: Names) -> list[str]:
    """For a planner that knows an index on the key: never NOT IN, which it can only try row by row once it is large."""
    return [
        f"SET LOCAL {SEEKS_ARE_CHEAP}",
        f"ANALYZE {names.staged}",
        _closing(
            made,
            "{to} IS NULL AND {key} IN (SELECT {key} FROM {staged}) "
            "AND NOT EXISTS (SELECT 1 FROM {staged} AS s WHERE s.{hash} = {table}.{hash})",
            names,
        ),
        _opening(
            made,
            "NOT EXISTS (SELECT 1 FROM {table} AS o "
            "WHERE o.{to} IS NULL AND o.{key} = s.{key} AND o.{hash} = s.{hash})",
            names,
        ),
    ]


def _narrowed(made: Sequence[str], names: Names) -> list[str]:
    """For whatever else speaks SQL: dlt's own, of the open rows that may matter."""
    return [
        *made[:-1],
        _opening(
            made,
            "{hash} NOT IN (SELECT {hash} FROM {table} WHERE {to} IS NULL AND {key} IN (SELECT {key} FROM {staged}))",
            names,
        ),
    ]

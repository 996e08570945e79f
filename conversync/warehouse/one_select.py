"""What a person's text of SQL is, as DuckDB reads it: one SELECT, that calls nothing but what works on rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from conversync.errors import SettingsError
from conversync.types import Connection

UNREADABLE = "The query cannot be read"
# What is said to a query that asks for more.
TABLES_ONLY = (
    " It reads tables and views of the warehouse, no file and no address: load what those hold into a table."
)
# Of DuckDB's own table functions, those that make rows of what they are given, or of a table.
_MAKE_ROWS = frozenset(
    (
        *("range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree"),
        *("summary", "histogram", "histogram_values"),
    )
)
# Of its functions that are not the same twice, those that change nothing and hold nothing up.
_CHANGE_NOTHING = frozenset(
    (
        "random",
        "setseed",
        "uuid",
        "gen_random_uuid",
        "uuidv4",
        "uuidv7",
        "error",
        "stats",
        "currval",
        "nextval",
    )
)
# Files: the closed instance has none but the warehouse itself, which nobody needs as bytes.
_OF_FILES = re.compile(r"read_|parquet_|glob$|sniff_csv$")
# All others look into DuckDB itself, change it, or hold it up; so does a macro of its own that calls one of them.
_OWN = """
    select lower(function_name) as name, function_type in ('table', 'table_macro') as makes_rows, macro_definition
    from duckdb_functions()
    where internal and (function_type in ('table', 'table_macro', 'macro') or has_side_effects)
"""
# Its views over these, as a query may name them.
_VIEWS = "select view_name, sql from duckdb_views() where internal"
_TELLS = "current_setting"
# How a SELECT may begin, as DuckDB has it.
_SELECTS = frozenset(
    (
        *(
            "select",
            "with",
            "from",
            "values",
            "table",
            "(",
            "pivot",
            "pivot_wider",
            "unpivot",
            "pivot_longer",
        ),
        *("describe", "desc", "summarize", "show"),
    )
)
_NAME = re.compile(r'"?(\w+)')


def check(connection: Connection, query: str) -> None:
    """SettingsError for a text that is no single SELECT, or that names a function which does more than it may."""
    _refuse_no_select(query)
    called, named = set(_called(query)), set(re.findall(r"\b(?:pg|duckdb|pragma)_\w+", query.lower()))
    if files := {name for name in called if _OF_FILES.match(name)}:
        raise SettingsError(f"{UNREADABLE}: it calls {min(files)}.{TABLES_ONLY}")
    if called or named:
        meddling = _meddling(connection)
        refuse_calls((called & meddling) | (named & _views_of(connection, meddling)))


def _refuse_no_select(query: str) -> None:
    import duckdb

    # Before anything reads the text as statements: to take IMPORT and PRAGMA apart, DuckDB reads files, and may ask an
    # address for what it lacks, whatever its settings say.
    begin = list(_beginnings(query))
    if not set(begin) <= _SELECTS:
        raise no_select(begin)
    try:
        statements = duckdb.extract_statements(query)
    except duckdb.Error as error:
        raise SettingsError(f"{UNREADABLE}: {str(error).splitlines()[0].rstrip('.')}.") from None
    # A pivot is a SELECT after a type that DuckDB makes of its values, without a text of its own.
    own = [one for one in statements if one.query or one.type != duckdb.StatementType.CREATE]
    if [one.type for one in own] != [duckdb.StatementType.SELECT]:
        raise no_select([str(one.type).rpartition(".")[2].lower() for one in own])


def _beginnings(query: str) -> Iterator[str]:
    """The word, or the sign, with which each statement begins, by DuckDB's own tokens, comments aside."""
    import duckdb

    text = query.encode()  # tokens are counted in bytes
    is_first = True
    for start, kind in duckdb.tokenize(query):
        if kind == duckdb.token_type.comment:
            continue
        if kind == duckdb.token_type.operator and text[start : start + 1] == b";":
            is_first = True
        elif is_first:
            is_first = False
            word = re.match(r"\w+|.", text[start : start + 100].decode(errors="replace"), re.DOTALL)
            yield word[0].lower() if word else ""


def no_select(found: Sequence[str]) -> SettingsError:
    """For a text that is something else, or more."""
    are = " and ".join(found[:5]) or "nothing"
    return SettingsError(f"{UNREADABLE}: it must be one SELECT, and is {are}.")


def refuse_calls(names: set[str]) -> None:
    """SettingsError where there are any."""
    if names:
        raise SettingsError(
            f"{UNREADABLE}: it calls {min(names)}, which is about the database itself and not about rows, and it may "
            "only read tables."
        )


def _called(query: str) -> Iterator[str]:
    """The names that stand before a bracket, comments aside."""
    import duckdb

    text = query.encode()  # tokens are counted in bytes
    tokens = [(start, kind) for start, kind in duckdb.tokenize(query) if kind != duckdb.token_type.comment]
    for (start, kind), (after, _) in pairwise(tokens):
        is_call = kind != duckdb.token_type.operator and text[after : after + 1] == b"("
        if is_call and (name := _NAME.match(text[start:after].decode(errors="replace"))):
            yield name[1].lower()


def _meddling(connection: Connection) -> set[str]:
    """DuckDB's own functions that are not about rows, by their kind, as this version has them."""
    functions = connection.execute(_OWN).fetchall()
    refused = {_TELLS} | {name for name, *kind in functions if _meddles(name, *kind)}
    macros = {
        name: set(re.findall(r"\w+(?=\()", definition)) for name, _, definition in functions if definition
    }
    return refused | {name for name, calls in macros.items() if calls & refused}


def _meddles(name: str, makes_rows: bool, definition: str | None) -> bool:
    if definition is not None and not makes_rows:
        return False
    harmless = _MAKE_ROWS if makes_rows else _CHANGE_NOTHING
    return name not in harmless and not _OF_FILES.match(name)


def _views_of(connection: Connection, functions: set[str]) -> set[str]:
    """The names of DuckDB's own views that call one of these functions."""
    views = connection.execute(_VIEWS).fetchall()
    return {view for view, text in views if set(re.findall(r"\w+(?=\()", text.lower())) & functions}
